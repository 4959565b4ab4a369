"""A replica in memory: `MemoryTree` stands for the disk, `MemoryReplica` for a session with it.

It keeps the port's promises and no more; the contract suite (tests/contract) holds it to the same tests as the others.
"""

from __future__ import annotations

import copy
import io
import itertools
import stat
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aefsync.core.action import QUARANTINED, Act, Action, Applied, Staged, StageFile
from aefsync.core.change import Change, Did, change_of
from aefsync.core.compare import BATCH, Span, spans_of
from aefsync.core.digest import PUBLIC_KEY, ROOT_DIGEST, content_digest, framed_digest
from aefsync.core.entry import UNKNOWN, Entry, Kind
from aefsync.core.finding import Finding, State
from aefsync.core.first_growth import growth_of
from aefsync.core.growth import SMALL, Gathered, Growth, Learned
from aefsync.core.hint import EVERYTHING, Hints, Wait, bounded
from aefsync.core.members import Memory, told
from aefsync.core.metadata import PERMISSIONS, PLAIN, Aspects, Attributes, Extra, Owner
from aefsync.core.minting import is_same
from aefsync.core.past import TRASH_PAGE, ChangeCounts, RunRecord, TakenBack, Title, TrashItem, TrashQuery, Undo
from aefsync.core.path import RelPath
from aefsync.core.plan import NEW
from aefsync.core.ports import Access, Missing, Open, Opened, Phase, Piece, Scan, Scanned
from aefsync.core.problem import Problem
from aefsync.core.recipe import LEVELS, Recipe, Run, runs_of
from aefsync.core.renamed import Rename
from aefsync.core.rot import Damage, Scrub, Scrubbed, Verdict
from aefsync.core.snapshot import Block, Snapshot, VersionList
from aefsync.core.space import Space
from aefsync.core.stores import Stores
from aefsync.core.tombstones import buried, history, tombstones_at
from aefsync.core.tree import Answer, Question, answer, range_digest
from aefsync.core.unsettled import LeftStanding
from aefsync.core.version import Dot, Tombstone
from aefsync.core.view import STAT, View
from aefsync.errors import AefsyncError, RootError
from tests.support.remembered import Sidecar

CHUNKER = "runs of equal length"
_FORMAT = {Kind.FILE: stat.S_IFREG, Kind.DIRECTORY: stat.S_IFDIR, Kind.SYMLINK: stat.S_IFLNK}
_numbers = itertools.count(1)
UMASK = 0o022


class Node(NamedTuple):
    """One thing in the tree; `data` are a file's bytes or a symlink's target."""

    kind: Kind
    mode: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    data: bytes = b""
    uid: int = 0
    gid: int = 0
    xattrs: Attributes = ()

    def entry(self, path: RelPath, content: bytes = UNKNOWN, aspects: Aspects = PLAIN) -> Entry:
        if self.kind is not Kind.FILE:
            content = content_digest(self.data) if self.kind is Kind.SYMLINK else bytes(32)
        size = 0 if self.kind is Kind.DIRECTORY else len(self.data)
        digest = framed_digest([part for pair in self.xattrs for part in pair], 16) if self.xattrs else b""
        owner, xattrs = Owner(self.uid, self.gid) if aspects.owner else None, digest if aspects.xattrs else None
        extra = Extra(owner, xattrs) if aspects.has_extras else None
        row = (self.kind, self.mode, size, self.mtime_ns, self.ctime_ns, self.inode, content)
        return Entry(path, *row, extra=extra)


class Past(NamedTuple):
    """A change, and the very nodes before and after."""

    change: Change
    before: Node | None
    after: Node | None


class Refused(Exception):
    """An action that is not carried out, with the reason."""


@dataclass
class MemoryTree:
    """What stands for a disk: it outlives sessions, and tests edit it behind their back."""

    exists: bool = True
    nodes: dict[RelPath, Node] = field(default_factory=dict)
    trash: dict[tuple[str, str, RelPath], Node] = field(default_factory=dict)
    journals: dict[str, list[Past]] = field(default_factory=dict)
    titles: dict[str, Title] = field(default_factory=dict)
    known: dict[RelPath, Entry] = field(default_factory=dict)
    """the index: entries as they were when their content was read"""
    number: int = field(default_factory=lambda: next(_numbers))
    had_session: bool = False
    free_bytes: int = 1 << 40
    identity: str = ""
    sidecar: Sidecar | None = None
    damaged: set[RelPath] = field(default_factory=set)
    stores: Stores = field(default_factory=Stores)

    def put(self, path: bytes, kind: Kind, data: bytes, mode: int, mtime_ns: int) -> None:
        """Put something in place, as an inode of its own."""
        now = next(_numbers)
        self.nodes[RelPath(path)] = Node(kind, mode, mtime_ns, now, now, data)

    def write_file(self, path: bytes, data: bytes, mode: int = 0o644, mtime_ns: int = 1) -> None:
        self.put(path, Kind.FILE, data, mode, mtime_ns)

    def make_directory(self, path: bytes, mode: int = 0o755) -> None:
        self.put(path, Kind.DIRECTORY, b"", mode, 0)

    def make_link(self, path: bytes, target: bytes, mtime_ns: int = 1) -> None:
        self.put(path, Kind.SYMLINK, target, 0, mtime_ns)

    def remove(self, path: bytes) -> None:
        del self.nodes[RelPath(path)]

    def join(self, path: bytes, other: bytes) -> None:
        """Give a file another name."""
        self.nodes[RelPath(other)] = self.nodes[RelPath(path)]

    def part(self, path: bytes) -> None:
        """Make one of several names a file of its own."""
        node = self.nodes[RelPath(path)]
        if [each.inode for each in self.nodes.values()].count(node.inode) > 1:
            self.nodes[RelPath(path)] = node._replace(inode=next(_numbers))

    def change(self, path: bytes, **fields: Any) -> None:
        """Change something under all its names."""
        old = self.nodes[RelPath(path)]
        node = old._replace(**fields, ctime_ns=next(_numbers))
        self.nodes |= {each: node for each, found in self.nodes.items() if found.inode == old.inode}

    def give(self, path: bytes, uid: int, gid: int) -> None:
        """Give something to another owner."""
        self.change(path, uid=uid, gid=gid)

    def attribute(self, path: bytes, **xattrs: bytes) -> None:
        """Give something these extended attributes of the user's, and no others."""
        self.change(path, xattrs=tuple(sorted((b"user." + name.encode(), value) for name, value in xattrs.items())))

    def children(self, path: bytes) -> list[RelPath]:
        return [each for each in self.nodes if each.is_below(path)]


def snapshot_of(entries: Iterable[Entry], aspects: Aspects = PLAIN) -> Snapshot:
    """A snapshot of entries in any order."""
    ordered = sorted(entries, key=lambda entry: entry.path.key)
    groups = itertools.groupby(ordered, key=lambda entry: entry.path.key[: -len(entry.path.name)])
    return Snapshot([_block(prefix, list(group)) for prefix, group in groups], aspects=aspects)


def _block(prefix: bytes, entries: list[Entry]) -> Block:
    names = b"\0".join(entry.path.name for entry in entries)
    stats = b"".join(STAT.pack(_FORMAT[e.kind] | e.mode, e.size, e.mtime_ns, e.ctime_ns, e.inode) for e in entries)
    extras = [entry.extra for entry in entries if entry.extra is not None] or None
    known = [entry.version for entry in entries if entry.version is not None]
    contents = b"".join(entry.content for entry in entries)
    versions = VersionList(known) if len(known) == len(entries) else None
    return Block(prefix, names, stats, contents, len(entries), extras=extras, versions=versions)


def _creation(entry: Entry, held: bytes) -> Action:
    """What puts an entry where nothing is."""
    content = UNKNOWN if entry.kind is Kind.DIRECTORY else content_digest(held)
    return Action(NEW[entry.kind], entry.path, entry._replace(content=content), None)


class MemoryReplica:
    """A session with a tree in memory; `peers` are the trees that it can copy from directly."""

    def __init__(self, tree: MemoryTree, peers: Mapping[int, MemoryTree] | None = None) -> None:
        self.on_progress: Callable[[Phase, int, int], None] = lambda *_: None
        self.stirred = threading.Event()
        self.tree = tree
        self._peers = peers or {}
        self._closed = False
        self._heard: dict[RelPath, Node] | None = None
        self._begin()

    def _begin(self) -> None:
        self._request: Open | None = None
        self._aspects = PLAIN
        self._snapshot = snapshot_of([])
        self._chosen: tuple[RelPath, ...] = ()
        self._staged: dict[RelPath, bytes] = {}
        self._written: dict[RelPath, bytearray] = {}
        self._growing: list[tuple[Entry, bytes | None]] = []
        self._touched: set[RelPath] = set()
        self._chunks: dict[bytes, bytes] = {}
        self._reused: Counter[RelPath] = Counter()
        self._past: Sidecar | None = None
        self._done: list[Action] = []
        self._restored = False
        self._renewed: dict[tuple[int, int], int] = {}
        self._unscrubbed: list[RelPath] = []
        self._fresh: list[Entry] = []
        self._aside = ""

    def hello(self, request: Open) -> Opened:
        created = False
        if not self.tree.exists:
            if request.missing is Missing.REFUSE:
                raise RootError("no such directory")
            created = self.tree.exists = request.missing is Missing.CREATE
        seen_before, self._request = self.tree.had_session, request
        self.tree.had_session |= request.access is Access.WRITE
        if request.access is Access.WRITE:
            self.tree.identity = request.new_identity or self.tree.identity
        return Opened(
            request.root,
            b"memory",
            ((1, self.tree.number), (1, 0)),
            (),
            1,
            created,
            seen_before,
            not self.tree.nodes,
            CHUNKER,
            identity=self.tree.identity,
            standing=told(self.tree.sidecar.standing(), request.known) if self.tree.sidecar is not None else None,
            stores=self.tree.stores,
        )

    def scan(self, request: Scan) -> Scanned:
        self._session()
        if request.ignore_index:
            self.tree.known.clear()
        self._aspects, self._chosen = request.aspects, request.paths
        entries = [self._look(path) for path in self.tree.nodes if self._sees(path)]
        if request.versions:
            entries = self._judge(request, entries)
        self._snapshot = snapshot_of(entries, self._aspects)
        self.on_progress(Phase.SCAN, self._snapshot.count, self._snapshot.count)
        return self._scanned()._replace(restored=self._restored)

    def _judge(self, request: Scan, entries: list[Entry]) -> list[Entry]:
        """Judge what is there by the sidecar; only a session that may write keeps the verdict."""
        writes = self._session().access is Access.WRITE
        if writes:
            self._session(Access.WRITE)
        sidecar = self.tree.sidecar or Sidecar(self.tree.identity or f"{self.tree.number:032x}")
        sidecar = sidecar if writes else copy.deepcopy(sidecar)  # a new one is kept when anything is written
        self._restored = sidecar.is_disproved(request.claims)
        known = {path: each.entry for path, each in sidecar.records.items()}
        for number, entry in enumerate(entries):
            before, node = known.get(entry.path), self.tree.nodes[entry.path]
            if before is not None and before.is_read and not entry.is_read and is_same(before, entry):
                entries[number] = self._learn(entry, content_digest(node.data))
        self._past = sidecar
        fresh = sidecar.judge(entries, self._sees)
        sidecar.keep(fresh, request.watermark)
        return [entry._replace(version=fresh[entry.path].version) for entry in entries]

    def read_unread(self, skip: Sequence[Span], only: Sequence[Span] | None) -> Scanned:
        self._session()
        entries = list(self._snapshot.entries())
        wanted = set(range(len(entries))) if only is None else _positions(only)
        for position in wanted - _positions(skip):
            entry = entries[position]
            node = self.tree.nodes.get(entry.path)
            if not entry.is_read and node is not None and node.entry(entry.path).stat_key == entry.stat_key:
                entries[position] = self._learn(entry, content_digest(node.data))
        self._snapshot = snapshot_of(entries, self._aspects)
        if self._past is not None:
            self._past.learn(entries)
        return self._scanned()

    def fingerprints(self, question: Question) -> Answer:
        asked = self._tombstones if question.view is View.BURIED else self._snapshot
        return answer(asked, question, self._session().nonce)

    def entries(self, spans: Sequence[Span]) -> Sequence[Entry]:
        self._session()
        return [self._completed(entry) for low, high in spans for entry in self._snapshot.entries(low, high)]

    def tombstones(self, spans: Sequence[Span]) -> Sequence[Tombstone]:
        self._session()
        return [tombstone for low, high in spans for tombstone in tombstones_at(self._tombstones, low, high)]

    def mint(self) -> Dot:
        return self._remembering().mint()

    def remember(self, memory: Memory) -> LeftStanding:
        return self._remembering().remember(memory, self._sees)

    def _remembering(self) -> Sidecar:
        self._session(Access.WRITE)
        assert self._past is not None
        self.tree.sidecar = self._past
        return self._past

    @property
    def _tombstones(self) -> Snapshot:
        return buried(self._past.tombstones() if self._past is not None else [])

    def search(self, part: bytes, start: int) -> Sequence[Entry]:
        self._session()
        return list(itertools.islice(self._snapshot.named(part), start, start + BATCH))

    def read(self, pieces: Sequence[Piece]) -> Sequence[Piece]:
        self._session()
        return [piece._replace(data=self._bytes(piece.path)[piece.offset :][: piece.length]) for piece in pieces]

    def recipes(self, runs: Sequence[Run], level: int) -> Sequence[Recipe]:
        self._session()
        return [_recipe(run, self._bytes(run.path), level) for run in runs]

    def match(self, seeds: Sequence[RelPath] | None, recipes: Sequence[Recipe], level: int) -> Sequence[Sequence[Span]]:
        self._session()
        for data in map(self._bytes, seeds or ()):
            for each in range(len(LEVELS)):
                self._chunks |= {_named(chunk, each): chunk for chunk in _cut(data, each)}
        return [self._match(recipe) for recipe in recipes]

    def _match(self, recipe: Recipe) -> Sequence[Span]:
        missing = []
        for number in range(len(recipe.lengths)):
            chunk = self._chunks.get(recipe.digest(number))
            if chunk is None:
                missing.append(number)
                continue
            (run,) = runs_of(recipe, [(number, number + 1)])
            self._put_bytes(recipe.path, run.offset, chunk)
            self._reused[recipe.path] += len(chunk)
        return list(spans_of(missing))

    def _put_bytes(self, path: RelPath, offset: int, data: bytes) -> None:
        written = self._written.setdefault(path, bytearray())
        written.extend(bytes(max(0, offset - len(written))))
        written[offset : offset + len(data)] = data

    def write(self, pieces: Sequence[Piece]) -> None:
        self._session(Access.WRITE)
        for piece in pieces:
            self._put_bytes(piece.path, piece.offset, piece.data)

    def stage(self, files: Sequence[StageFile], peer: int | None) -> Staged:
        self._session(Access.WRITE)
        contents: list[bytes] = []
        problems: list[Problem] = []
        literal = reused = 0
        for file in files:
            try:
                contents.append(self._stage(file, peer))
                reused += self._reused[file.path]
                literal += file.source.size - self._reused.pop(file.path, 0)
            except Refused as error:
                contents.append(b"")
                problems.append(Problem(bytes(file.source.path), str(error)))
        return Staged(tuple(contents), tuple(problems), literal, reused)

    def reuse(self, files: Sequence[StageFile]) -> Staged:
        self._session(Access.WRITE)
        nodes = self.tree.nodes
        there = [entry for entry in self._snapshot.entries() if entry.path in nodes and self._look(entry.path) == entry]
        held = {entry.content: nodes[entry.path].data for entry in there if entry.kind is Kind.FILE and entry.is_read}
        known = {file.path: held[file.source.content] for file in files if file.source.content in held}
        self._staged |= known
        contents = tuple(file.source.content if file.path in known else b"" for file in files)
        return Staged(contents, (), 0, sum(map(len, known.values())))

    def movable(self, renames: Sequence[Rename]) -> Sequence[bool]:
        self._session()
        return [rename.old in self.tree.nodes for rename in renames]

    def growth(self, spans: Sequence[Span]) -> Growth:
        self._session()
        runs = itertools.chain.from_iterable(self._snapshot.runs(*span) for span in spans)
        counted = self._aspects.mode_bits | PERMISSIONS
        return growth_of(runs, counted, lambda links: [self._completed(each) for each in links])

    def gather(self, growth: Growth) -> Gathered:
        self._session()
        contents, data = [], []
        for entry in growth.entries():
            node = self.tree.nodes.get(entry.path) if entry.kind is Kind.FILE and entry.size <= SMALL else None
            if node is not None and node.entry(entry.path).stat_key == entry.stat_key:
                data.append(node.data)
                contents.append(content_digest(node.data))
            else:
                contents.append(entry.content if entry.kind is Kind.SYMLINK else UNKNOWN)
        return Gathered(b"".join(contents), b"".join(data))

    def grow(self, growth: Growth, data: bytes, peer: int | None) -> bytes:
        self._session(Access.WRITE)
        contents, rest = [], io.BytesIO(data)
        for entry, size in zip(growth.entries(), growth.sizes_read(), strict=True):
            held = rest.read(size) if peer is None else None
            self._growing.append((entry, self._grown(entry, held, peer)))
            found = self._growing[-1][1]
            contents.append(UNKNOWN if found is None or entry.kind is Kind.DIRECTORY else content_digest(found))
        return b"".join(contents)

    def _grown(self, entry: Entry, held: bytes | None, peer: int | None) -> bytes | None:
        """What an entry is to hold; `None` where it is left to the ordinary way."""
        if entry.kind is not Kind.FILE:
            return entry.target
        if peer is not None:
            node = self._peers[peer].nodes.get(entry.path)
            if node is None or node.entry(entry.path).stat_key != entry.stat_key or entry.size > SMALL:
                return None
            held = node.data
        wrong = not held is not None or (entry.is_read and content_digest(held or b"") != entry.content)
        return None if wrong or (peer is None and not entry.is_read) else held

    def plant(self) -> bytes:
        self._session(Access.WRITE)
        growing, self._growing = self._growing, []
        if self._past is not None:
            self._remembering().expect(_creation(entry, held) for entry, held in growing if held is not None)
        return bytes([held is not None and self._plant(entry, held) for entry, held in growing])

    def _plant(self, entry: Entry, held: bytes) -> bool:
        self._staged[entry.path] = held
        action = _creation(entry, held)
        try:
            self._perform(action)
        except Refused:
            return False
        self._remember(Change(Did.CREATED, entry.path, None, action.wanted), None)
        self._done.append(action)
        return True

    def learn(self, learned: Sequence[Learned]) -> None:
        self._session()
        found: dict[RelPath, bytes] = {}
        for prefix, names, contents in learned:
            paths = [RelPath.from_key(prefix + name) for name in names.split(b"\0")]
            digests = [contents[i : i + 32] for i in range(0, len(contents), 32)]
            found |= {path: digest for path, digest in zip(paths, digests, strict=True) if digest != UNKNOWN}
        entries = [
            self._learn(each, found[each.path]) if each.path in found and not each.is_read else each
            for each in self._snapshot.entries()
        ]
        self._snapshot = snapshot_of(entries, self._aspects)
        if self._past is not None:
            self._past.learn(entries)
            if self._session().access is Access.WRITE:
                self._remembering()

    def apply(self, actions: Sequence[Action]) -> Applied:
        self._session(Access.WRITE)
        done, problems = [], []
        if self._past is not None:
            self._remembering().expect(actions)
        for action in actions:
            before, change = self.tree.nodes.get(action.source or action.path), change_of(action)
            try:
                self._perform(action)
                if change is not None:
                    self._remember(change, before)
                done.append(True)
                self._done.append(action)
            except Refused as error:
                done.append(False)
                problems.append(Problem(bytes(action.source or action.path), str(error)))
        return Applied(tuple(done), tuple(problems), ())

    def record(self) -> Scanned:
        self._session()
        kept = [entry for entry in self._snapshot.entries() if entry.path not in self._touched]
        fresh = [self._look(path) for path in self._touched if path in self.tree.nodes and self._sees(path)]
        self._snapshot = snapshot_of(kept + fresh, self._aspects)
        self._staged.clear()
        self._written.clear()
        self.read_unread((), None)
        if self._past is not None:
            sidecar = self._past
            sidecar.record(self._done, self._snapshot.find)
            kept = [
                e._replace(version=r.version) for e in self._snapshot.entries() if (r := sidecar.records.get(e.path))
            ]
            self._snapshot, self._done = snapshot_of(kept, self._aspects), []
        return self._scanned()

    def space(self) -> Sequence[Space]:
        self._session()
        trash = sum(len(node.data) for node in self.tree.trash.values())
        return [Space(b"", self.tree.free_bytes, 1 << 40, trash)] if self.tree.exists else []

    def allocated(self, paths: Sequence[RelPath]) -> Sequence[int | None]:
        self._session()
        return [len(self._bytes(path)) if path in self.tree.nodes else None for path in paths]

    def trash(self, query: TrashQuery) -> Sequence[TrashItem]:
        self._session()
        items = [
            TrashItem(run, why, path, node.kind is Kind.DIRECTORY, len(node.data))
            for (run, why, path), node in self.tree.trash.items()
            if query.run in ("", run) and run >= query.since and (path == query.path or path.is_below(query.path))
            if why in QUARANTINED or not query.quarantine
        ]
        by_path = sorted(items, key=lambda item: item.path.key, reverse=True)
        return sorted(by_path, key=lambda item: item.run)[::-1][query.start :][:TRASH_PAGE]

    def restore(self, items: Sequence[TrashItem], to: bytes = b"") -> Applied:
        self._session(Access.WRITE)
        if to:
            raise AefsyncError("a replica in memory has no other directories")
        done, problems = [], []
        for item in items:
            node = self.tree.trash.pop((item.run, item.why, item.path), None)
            done.append(node is not None)
            if node is None:
                problems.append(Problem(bytes(item.path), "no such file or directory"))
                continue
            self._put_back(item.path, node)
        return Applied(tuple(done), tuple(problems), ())

    def purge(self, runs: Sequence[str]) -> Applied:
        self._session(Access.WRITE)
        for key in [key for key in self.tree.trash if key[0] in runs]:
            del self.tree.trash[key]
        for run in runs:
            self.tree.journals.pop(run, None)
        return Applied((True,) * len(runs), (), ())

    def runs(self) -> Sequence[RunRecord]:
        self._session()
        runs = {*self.tree.journals, *(run for run, _, _ in self.tree.trash)}
        return [self._run_record(run) for run in sorted(runs, reverse=True)]

    def _run_record(self, run: str) -> RunRecord:
        did = [past.change.did for past in self.tree.journals.get(run, ())]
        title = self.tree.titles.get(run, Title())
        return RunRecord(run, title.command, title.replicas, ChangeCounts(*(did.count(each) for each in Did)))

    def undo(self, request: Undo) -> TakenBack:
        self._session(Access.READ if request.dry_run else Access.WRITE)
        if request.run not in self.tree.journals:
            raise AefsyncError("left no journal here")
        before = (dict(self.tree.nodes), dict(self.tree.trash), {**self.tree.journals})
        changes, done, problems = [], [], []
        for past in reversed(list(self.tree.journals[request.run])):
            try:
                if not self._take_back(past, request.run):
                    continue
            except Refused as error:
                problems.append(Problem(bytes(past.change.inverse.path), str(error)))
            done.append(len(problems) + sum(done) == len(changes))
            changes.append(past.change.inverse)
        if request.dry_run:
            self.tree.nodes, self.tree.trash, self.tree.journals = before
        return TakenBack(tuple(changes), tuple(done), tuple(problems), 0)

    def scrub(self, request: Scrub) -> Scrubbed:
        """All at once, as everything here is at hand."""
        self._session()
        if request.begins:
            self._unscrubbed = [e.path for e in self._snapshot.entries() if e.kind is Kind.FILE]
        self._record_fresh(request.doubted)
        damaged, size = list[Damage](), 0
        portion, self._unscrubbed = self._unscrubbed[: request.files], self._unscrubbed[request.files :]
        for path in portion:
            entry, found = self._snapshot.find(path), content_digest(self._bytes(path))
            assert entry is not None
            size += entry.size
            if not entry.is_read and request.tells_fresh:
                self._fresh.append(entry._replace(content=found))
            elif not entry.is_read or path in request.accepted:
                self._learn(entry, found)
            elif found != entry.content:
                damaged.append(Damage(entry, found, Verdict.ROT))
                self.tree.damaged.add(path)
        left = sum(len(self._bytes(path)) for path in self._unscrubbed)
        rot = len(self.tree.damaged & self.tree.nodes.keys())
        return Scrubbed(
            len(portion), size, tuple(damaged), (), len(self._unscrubbed), left, rot, 0, 0, tuple(self._fresh)
        )

    def _record_fresh(self, doubted: Sequence[RelPath]) -> None:
        self.tree.damaged |= {each.path for each in self._fresh if each.path in doubted}
        known = {each.path: self._learn(each, each.content) for each in self._fresh if each.path not in doubted}
        self._snapshot = snapshot_of([known.get(each.path, each) for each in self._snapshot.entries()], self._aspects)
        self._fresh = []

    def examine(self) -> Sequence[Finding]:
        root = self._session().root
        return [Finding("root", State.FINE if self.tree.exists else State.NOTE, root.decode())]

    def wait(self, request: Wait) -> Hints:
        if self._closed:
            raise AefsyncError("the session is closed")
        self._begin()
        before, self._heard = self._heard, dict(self.tree.nodes)
        if not request.listen:
            self._heard = None
            return Hints(deaf=(b"",))
        if before is None:
            return EVERYTHING
        if before == self.tree.nodes:
            self.stirred.wait(request.limit_ms / 1000)
        self._heard = dict(self.tree.nodes)
        self.stirred.clear()
        changed = dict(before.items() ^ self._heard.items())
        return Hints(bounded(list(changed)))

    def close(self) -> None:
        self._closed = True

    def _session(self, access: Access = Access.READ) -> Open:
        if self._closed or self._request is None:
            raise AefsyncError("the session is closed")
        if self._request.access < access:
            raise AefsyncError("this replica was opened for reading")
        if access is Access.WRITE:
            self.tree.identity = self.tree.identity or f"{self.tree.number:032x}"
        return self._request

    def _look(self, path: RelPath) -> Entry:
        node = self.tree.nodes[path]
        entry = node.entry(path, aspects=self._aspects)
        if self._aspects.links and entry.extra is not None:
            names = [each for each, found in self.tree.nodes.items() if found.inode == node.inode and self._sees(each)]
            leader = min(names, key=lambda each: each.key) if len(names) > 1 else b""
            entry = entry._replace(extra=entry.extra._replace(leader=bytes(leader)))
        known = self.tree.known.get(path)
        return entry._replace(content=known.content) if known and known.stat_key == entry.stat_key else entry

    def _learn(self, entry: Entry, content: bytes) -> Entry:
        self.tree.known[entry.path] = entry._replace(content=content)
        return self.tree.known[entry.path]

    def _is_chosen(self, path: RelPath) -> bool:
        return not self._chosen or any(path == top or path.is_below(top) for top in self._chosen)

    def _sees(self, path: RelPath) -> bool:
        return self._is_chosen(path) or any(top.is_below(path) for top in self._chosen)

    def _completed(self, entry: Entry) -> Entry:
        node = self.tree.nodes.get(entry.path)
        if node is not None and node.xattrs and entry.extra is not None and entry.extra.xattrs:
            entry = entry._replace(extra=entry.extra._replace(attributes=node.xattrs))
        return entry._replace(target=self._bytes(entry.path)) if entry.kind is Kind.SYMLINK else entry

    def _bytes(self, path: RelPath) -> bytes:
        node = self.tree.nodes.get(path)
        return node.data if node else b""

    def _scanned(self) -> Scanned:
        snapshot = self._snapshot
        unread = [entry for entry in snapshot.entries() if not entry.is_read]
        chosen = snapshot_of((each for each in snapshot.entries() if self._is_chosen(each.path)), self._aspects)
        root = b"" if unread else range_digest(chosen, View.FULL, 0, chosen.count, PUBLIC_KEY, ROOT_DIGEST)
        scanned = Scanned(root, snapshot.count, len(unread), sum(entry.size for entry in unread), 0, 0, ())
        if self._past is None:
            return scanned
        versioned = range_digest(chosen, View.VERSIONED, 0, chosen.count, PUBLIC_KEY, ROOT_DIGEST)
        sums = b"" if unread else history(versioned, self._tombstones)
        standing = self._past.standing(brief=True) if self._session().access is Access.WRITE else None
        return scanned._replace(history=sums, tombstones=self._tombstones.count, standing=standing)

    def _stage(self, file: StageFile, peer: int | None) -> bytes:
        source = file.source
        if peer is None:
            data = bytes(self._written.pop(file.path, b""))
        else:
            node = self._peers[peer].nodes.get(source.path)
            if node is None or node.entry(source.path).stat_key != source.stat_key:
                raise Refused("changed since the scan")
            data = node.data
        if len(data) != source.size or (source.is_read and content_digest(data) != source.content):
            raise Refused("its bytes are not those that were compared")
        self._staged[file.path] = data
        return content_digest(data)

    def _perform(self, action: Action) -> None:
        act, path, wanted, found, source, displaced, _, self._aside, _ = action
        if act is Act.RECORD:
            self._check_found(path, found, absent=True)
            return
        self._touched |= {path, source or path}
        self._check_found(source or path, found, absent=act in _PUTS)
        self._check_found(path, displaced, absent=False)
        if act is not Act.DELETE and path.parent and self._kind(RelPath(path.parent)) is not Kind.DIRECTORY:
            raise Refused("no such directory")
        if act is Act.DELETE:
            self._delete(path)
        elif act is Act.MOVE:
            self._move(path, source or path, swap=displaced is not None)
        else:
            assert wanted is not None
            self._put(act, path, wanted)

    def _check_found(self, place: RelPath, found: Entry | None, *, absent: bool) -> None:
        node = self.tree.nodes.get(place)
        if found is None and absent and node is not None:
            raise Refused("appeared since the scan")
        if found is None or (node is not None and node.entry(place).stat_key == found.stat_key):
            return
        ctime_ns = found.ctime_ns
        while (found.inode, ctime_ns) in self._renewed:  # by this run, under another name
            ctime_ns = self._renewed[found.inode, ctime_ns]
        if node is None or (node.inode, node.ctime_ns) != (found.inode, ctime_ns):
            raise Refused("changed since the scan")

    def _kind(self, path: RelPath) -> Kind | None:
        node = self.tree.nodes.get(path)
        return node.kind if node else None

    def _put(self, act: Act, path: RelPath, wanted: Entry) -> None:
        if act is Act.METADATA:
            if path not in self.tree.nodes:
                raise Refused("vanished since the scan")
            node = self.tree.nodes[path]
            mode, mtime_ns = self._mode(wanted, node.mode), self._mtime_ns(wanted, node.mtime_ns)
            if node.kind is Kind.FILE and not self._aspects.links:
                self.tree.part(path)
            self.tree.change(path, mode=mode, mtime_ns=mtime_ns)
            self._give(path, wanted)
            self._renewed[node.inode, node.ctime_ns] = self.tree.nodes[path].ctime_ns
            return
        if act is Act.JOIN:
            self._join(path, wanted)
            return
        if act in (Act.CREATE, Act.COPY) and path not in self._staged:
            raise Refused("was not staged")
        data = wanted.target if act is Act.LINK else self._staged.pop(path, b"")
        old = self.tree.nodes.get(path)
        mode = self._mode(wanted, old.mode if old and old.kind is wanted.kind else wanted.mode & ~UMASK)
        if path in self.tree.nodes and act is not Act.MKDIR:
            self._discard("replaced", path)
        self.tree.put(path, wanted.kind, data, mode, self._mtime_ns(wanted, next(_numbers)))
        self._give(path, wanted)

    def _join(self, path: RelPath, wanted: Entry) -> None:
        node = self.tree.nodes.get(RelPath(wanted.leader))
        if node is None or wanted.content not in (UNKNOWN, content_digest(node.data)):
            raise Refused("what it is to be linked to is not in place")
        if self._aspects.times and node.mtime_ns != wanted.mtime_ns:
            raise Refused("what it is to be linked to is not in place")
        if path in self.tree.nodes:
            self._discard("replaced", path)
        self.tree.join(wanted.leader, path)

    def _give(self, path: RelPath, wanted: Entry) -> None:
        if self._aspects.owner and wanted.extra and wanted.extra.owner:
            self.tree.give(path, wanted.extra.owner.uid, wanted.extra.owner.gid)
        if self._aspects.xattrs and wanted.extra and wanted.extra.xattrs is not None:
            self.tree.change(path, xattrs=wanted.extra.attributes)

    def _mode(self, wanted: Entry, others: int) -> int:
        """The bits that count as wanted, the others as they are."""
        return wanted.mode & self._aspects.mode_bits | others & PERMISSIONS & ~self._aspects.mode_bits

    def _mtime_ns(self, wanted: Entry, now_ns: int) -> int:
        if wanted.kind is Kind.DIRECTORY:
            return 0
        return wanted.mtime_ns if self._aspects.times else now_ns

    def _remember(self, change: Change, before: Node | None) -> None:
        request = self._session()
        pasts = self.tree.journals.get(request.run, [])
        self.tree.journals[request.run] = [*pasts, Past(change, before, self.tree.nodes.get(change.path))]
        self.tree.titles[request.run] = request.title

    def _put_back(self, path: RelPath, node: Node) -> None:
        before = self.tree.nodes.get(path)
        if before is not None and node.kind is not Kind.DIRECTORY:
            self._discard("replaced", path)
        self.tree.nodes[path] = node
        did = Did.CREATED if before is None else Did.REPLACED
        self._remember(Change(did, path, before and before.entry(path), node.entry(path)), before)

    def _take_back(self, past: Past, run: str) -> bool:
        """Whether there was something to do."""
        change, before, after = past
        path, now = change.path, self.tree.nodes.get(change.path)
        if change.source is not None:
            path, now = change.source, self.tree.nodes.get(change.source)
        if now == before:
            return False
        if self.tree.nodes.get(change.path) != after:
            raise Refused("changed since that run")
        if change.did is Did.CREATED:
            self._delete(path)
            self._remember(change.inverse, after)
        elif change.source is not None:
            self._move(change.source, change.path, swap=change.displaced is not None)
            self._remember(change.inverse, after)
        elif change.did is Did.METADATA:
            assert before is not None
            self.tree.nodes[path] = before
            self._remember(change.inverse, after)
        else:
            node = self.tree.trash.pop((run, change.did.label, path), None)
            if node is None:
                raise Refused("what was there before is no longer in the trash")
            self._put_back(path, node)
        return True

    def _move(self, path: RelPath, source: RelPath, *, swap: bool) -> None:
        if path in self.tree.nodes and not swap:
            raise Refused("its new name appeared since the scan")
        if source not in self.tree.nodes:
            raise Refused("vanished since the scan")
        going, coming = ([each, *self.tree.children(each)] for each in (source, path))
        moved = {RelPath(path + old[len(source) :]): self.tree.nodes.pop(old) for old in going}
        moved |= {RelPath(source + old[len(path) :]): self.tree.nodes.pop(old) for old in coming if swap}
        self.tree.nodes |= moved
        self._touched |= {*going, *coming, *moved}

    def _delete(self, path: RelPath) -> None:
        if self.tree.children(path):
            raise Refused("directory is not empty: kept")
        if path not in self.tree.nodes:
            raise Refused("vanished since the scan")
        self._discard("deleted", path)

    def _discard(self, why: str, path: RelPath) -> None:
        assert self._request is not None
        self.tree.trash[self._request.run, self._aside or why, path] = self.tree.nodes.pop(path)


_PUTS = (Act.CREATE, Act.COPY, Act.LINK, Act.JOIN, Act.MKDIR)


def _cut(data: bytes, level: int) -> list[bytes]:
    size = LEVELS[level].average
    return [data[start : start + size] for start in range(0, len(data), size)]


def _named(chunk: bytes, level: int) -> bytes:
    return content_digest(chunk)[: LEVELS[level].digest]


def _recipe(run: Run, data: bytes, level: int) -> Recipe:
    part = data[run.offset : run.offset + run.length]
    if len(part) < run.length:
        return Recipe(run.path, run.offset, (), b"")
    chunks = _cut(part, level)
    digests = b"".join(_named(chunk, level) for chunk in chunks)
    content = content_digest(data) if part == data else b""
    return Recipe(run.path, run.offset, tuple(map(len, chunks)), digests, content)


def _positions(spans: Sequence[Span]) -> set[int]:
    return {position for low, high in spans for position in range(low, high)}
