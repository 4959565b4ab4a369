"""The two ports of the engine: `Replica`, filled in by disk, wire and tests, and `Monitor`, by the renderers.

`Replica` is shaped by a slow link: coarse, batched, and no method takes one path at a time.  The order of a session is
that of the methods.  Each may raise `AefsyncError` (root or peer lost); trouble with one path is a `Problem`.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Protocol

from aefsync.core.action import Action, Applied, Staged, StageFile
from aefsync.core.compare import Span
from aefsync.core.entry import Entry
from aefsync.core.finding import Finding
from aefsync.core.growth import Grows, Learned
from aefsync.core.hint import Hints, Wait
from aefsync.core.members import Encounter, Known, Remembers, Standing
from aefsync.core.metadata import PLAIN, Aspects
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.past import RunRecord, TakenBack, Title, TrashItem, TrashQuery, Undo
from aefsync.core.path import RelPath
from aefsync.core.problem import Problem
from aefsync.core.recipe import Recipe, Run
from aefsync.core.renamed import Rename
from aefsync.core.rot import Scrubs
from aefsync.core.space import Space
from aefsync.core.stores import Stores
from aefsync.core.tree import Answer, Question
from aefsync.core.version import Tombstone, Vector
from aefsync.core.writing import Writing


class Access(enum.IntEnum):
    READ = 0
    """nothing is created or changed below the root"""
    WRITE = 1


class Missing(enum.IntEnum):
    """What to do where the root does not exist."""

    REFUSE = 0
    EMPTY = 1
    """treat it as empty, create nothing"""
    CREATE = 2
    """create its last component"""


class Open(NamedTuple):
    """What a session begins with."""

    root: bytes
    run: str
    nonce: bytes
    access: Access
    missing: Missing
    cache_dir: bytes
    """where the index of a root without `.aefsync/` lives; empty: nowhere, keep none"""
    parallel: int = 1
    """processes that may read at the same time; 0: as many as that machine has processors"""
    writing: Writing = Writing()
    own: tuple[bytes, ...] = ()
    """files and directories of ours on the replica's machine, beside `cache_dir`: they are no part of any tree"""
    new_identity: str = ""
    """what the root is to be known by from now on, in the place of what its `.aefsync/id` says (hex; empty: as it is)"""
    title: Title = Title()
    known: Known = Known()
    """of what the sidecar says"""


class Opened(NamedTuple):
    """What a replica says of itself.

    `ancestors` are (device, inode) of the root and of each directory above it, on the host named by `host`; they tell
    equal and nested roots; the first pair is (0, 0) where the root is missing.  `ignore_rules` are the lines of its
    `.aefsyncignore`.  `seen_before` says that the root has an `.aefsync/`, `empty` that it has nothing else.  `chunker`
    names how files are cut into chunks there, `unfinished` that an interrupted run left something in staging.
    `identity` is what the root is known by (32 hex digits; empty without an `.aefsync/id`), `stores` what it can store,
    `instead` a root that may be meant in the place of one that was created.
    """

    root: bytes
    host: bytes
    ancestors: tuple[tuple[int, int], ...]
    ignore_rules: tuple[str, ...]
    clock_ns: int
    created: bool
    seen_before: bool
    empty: bool = False
    chunker: str = ""
    unfinished: bool = False
    identity: str = ""
    read_only: bool = False
    """whoever serves it lets nothing be changed, whatever was asked for"""

    @property
    def is_missing(self) -> bool:
        return self.ancestors[0] == (0, 0)

    stores: Stores = Stores()
    standing: Standing | None = None
    """what its sidecar says; `None` where there is none, or it cannot be read"""
    unreadable: str = ""
    """why it cannot be read"""
    caveats: tuple[str, ...] = ()
    """what is not promised to whoever has something changed there, though replicas usually promise it"""
    instead: str = ""
    append_only: bool = False
    """whoever serves it keeps all that gives way, whatever was asked for, and takes no run back"""


class Scan(NamedTuple):
    """How to take a snapshot."""

    rules: tuple[str, ...] = ()
    one_file_system: bool = False
    ignore_index: bool = False
    """read every file, whatever the index says (`--checksum`)"""
    eager: bool = False
    """where nothing is known yet, read small files in the same pass, and where little is unread, that: these contents
    will probably be needed"""
    paths: tuple[RelPath, ...] = ()
    """only these sub-trees (none: everything), and the directories that lead there"""
    mounts: tuple[bytes, ...] | None = None
    """the mount points below the root at the last run, as far as the replica does not remember them itself; `None`: not
    known"""
    any_mounts: bool = False
    """they are taken as they are now, whatever they were"""
    list_filtered: bool = False
    aspects: Aspects = PLAIN
    """the metadata that counts from now on: in digests, and in what is set"""
    versions: bool = False
    """judge what is found by what the sidecar remembers: entries have versions from now on, and deletions are known"""
    watermark: Vector = ()
    """tombstones at or below it are forgotten"""
    claims: tuple[Encounter, ...] = ()
    """what other members (`id`) hold for the last mark of this replica; where one is none of its own, it was restored:
    it takes another author, and what it did since it last met that member counts as done by that one"""


class Scanned(NamedTuple):
    """A snapshot, summed up.

    `root` is the public root digest in the full view (of the sub-trees only, where some were chosen); a scan that
    leaves files unread gives none.  Nothing is known of what lies below the paths in `unexamined` (other file systems),
    and that is as the user wished.  `mounts` are the mount points below the root; `filtered`, if asked for, the paths
    that filters leave out.
    """

    root: bytes
    entries: int
    unread_files: int
    unread_bytes: int
    excluded: int
    special: int
    problems: tuple[Problem, ...]
    unexamined: tuple[bytes, ...] = ()
    mounts: tuple[bytes, ...] = ()
    filtered: tuple[bytes, ...] = ()
    history: bytes = b""
    """with versions: a digest of all entries, their versions, and all tombstones"""
    tombstones: int = 0
    """how many there are, with versions"""
    standing: Standing | None = None
    """with versions: what the sidecar says now, members left out"""
    restored: bool = False


class Piece(NamedTuple):
    """A run of a file's bytes; `data` is empty in a request."""

    path: RelPath
    offset: int
    length: int
    data: bytes | memoryview = b""


class Replica(Grows, Remembers, Scrubs, Protocol):
    """One copy of the tree, wherever it is."""

    def hello(self, request: Open) -> Opened:
        """Open the root; raises `RootError` where it is missing (`Missing.REFUSE`), unreadable or no directory.  Said again
        it tells how things are now; a lock that is held stays held."""

    def scan(self, request: Scan) -> Scanned:
        """Take a snapshot: names and stats, content digests as far as the index knows them."""

    def read_unread(self, skip: Sequence[Span], only: Sequence[Span] | None) -> Scanned:
        """Hash the files whose content is not known: all but those at the positions `skip`, or just those in `only`."""

    def fingerprints(self, question: Question) -> Answer:
        """Answer a question about the snapshot (`tree.answer`)."""

    def entries(self, spans: Sequence[Span]) -> Sequence[Entry]:
        """The entries at these positions, symlink targets filled in; the first of them, if all do not fit one message."""

    def tombstones(self, spans: Sequence[Span]) -> Sequence[Tombstone]:
        """The tombstones at these positions, in key order; questions in the view BURIED are about them."""

    def search(self, part: bytes, start: int) -> Sequence[Entry]:
        """Entries with this in their names, in key order, the first `start` passed over; at most `compare.BATCH`.  Without
        symlink targets."""

    def read(self, pieces: Sequence[Piece]) -> Sequence[Piece]:
        """Bytes of files, for replicas that cannot copy directly; shorter than asked where a file has shrunk."""

    def recipes(self, runs: Sequence[Run], level: int) -> Sequence[Recipe]:
        """These runs of files as chunks of a level, with the content digest where a run is the whole file."""

    def match(self, seeds: Sequence[RelPath] | None, recipes: Sequence[Recipe], level: int) -> Sequence[Sequence[Span]]:
        """The chunks, as spans of their numbers, that this replica lacks for each file to come; `recipes` name the
        paths that files are meant for.

        It looks in unfinished staging and in `seeds`, which stand for all further calls in which they are `None`.
        """

    def write(self, pieces: Sequence[Piece]) -> None:
        """Bytes for files in staging, by the path they are meant for; a file's pieces come in order."""

    def reuse(self, files: Sequence[StageFile]) -> Staged:
        """Complete in staging those files whose content this replica has already, copied from the path where it has it.

        For all others there is no content, and no problem.
        """

    def stage(self, files: Sequence[StageFile], peer: int | None) -> Staged:
        """Complete files in staging, verified and durable: as written, or, with a `peer`, copied directly from the
        replica of that number where this one does not have the same content already."""

    def movable(self, renames: Sequence[Rename]) -> Sequence[bool]:
        """Of directories that might be renamed: whether nothing is in them but entries of the snapshot, and one rename
        within a mount will do."""

    def learn(self, learned: Sequence[Learned]) -> None:
        """Take over digests that others found as they copied.  One that remembers nothing yet begins with the directories
        of these that are read (none: with all), before others have what is in them."""

    def apply(self, actions: Sequence[Action]) -> Applied:
        """Carry out actions in order, looking before and after each."""

    def record(self) -> Scanned:
        """Make it durable, look again at what was touched, update snapshot and index, empty the staging."""

    def space(self) -> Sequence[Space]:
        """Room on the root's file system and on those mounted below it; nothing where the root is missing."""

    def allocated(self, paths: Sequence[RelPath]) -> Sequence[int | None]:
        """The bytes that files take where they are now: fewer than their size where they are sparse; `None` where
        nothing is that could be replicated."""

    def trash(self, query: TrashQuery) -> Sequence[TrashItem]:
        """What the trash holds, newest run first and by path within a run, at most `past.TRASH_PAGE` things; none: no more."""

    def restore(self, items: Sequence[TrashItem], to: bytes = b"") -> Applied:
        """Put things from the trash back, what is there now taking their place in the trash.

        With `to`, a directory of the machine that serves the replica, copy them there instead; nothing there is replaced.
        """

    def purge(self, runs: Sequence[str]) -> Applied:
        """Delete the trash and the journals of these runs for good."""

    def runs(self) -> Sequence[RunRecord]:
        """The runs that left something here, a journal or trash, newest first."""

    def undo(self, request: Undo) -> TakenBack:
        """Take a part of a run back; raises `AefsyncError` where the run left no journal here.

        What was touched since stays, as a problem; what is as before the run already is passed over.  What has to give
        way goes to the trash.
        """

    def examine(self) -> Sequence[Finding]:
        """What runs at this root can rely on and what stands in their way, step by step; nothing stays changed."""

    def wait(self, request: Wait) -> Hints:
        """Let go of the root and its lock until the next `hello`, and say what has changed, waiting for that so long.
        It ends early where anything else is asked.  Whoever listens for the first time, or anew, says "everything"."""

    def close(self) -> None:
        """End the session; further calls fail."""


class Phase(enum.StrEnum):
    SCAN = "scan"
    READ = "read"
    COPY = "copy"
    APPLY = "apply"


class Monitor(Protocol):
    """Watches a run; called from several threads."""

    def progress(self, replica: int, phase: Phase, done: int, total: int) -> None:
        """`done` of `total` (0: not known yet): entries in SCAN and APPLY, bytes in READ and COPY."""

    def heard(self, replica: int, line: str) -> None:
        """A line that the far side of a replica wrote to its standard error."""
