"""Open a root elsewhere: where it is, what it is known by, what it can store, its clock and its index."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable

from aefsync.core.digest import framed_digest
from aefsync.core.files import Abilities, Files, Lstat, Mkdir, Read, Resolve, Statfs, Volume, ask, told
from aefsync.core.metadata import Namespaces
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RESERVED
from aefsync.core.patterns import MAX_RULES
from aefsync.core.ports import Missing, Open, Opened
from aefsync.core.problem import reason_of
from aefsync.core.stores import SECOND_NS, Folding, Stores
from aefsync.disk.far.home import FarHome
from aefsync.disk.far.root import FarRoot
from aefsync.disk.filter import IGNORE_FILE
from aefsync.disk.home import ID
from aefsync.disk.index import Index
from aefsync.disk.opening import host, rules_in
from aefsync.errors import RootError

_BOOT_ID = b"/proc/sys/kernel/random/boot_id"
_FRESH = b"/proc/self/stat"
"""Made when it is first looked at."""
_LATEST_NS = ((1 << 32) - 1) * SECOND_NS


class FarOpened(NamedTuple):
    """A root that is there, or (`is_missing`) counts as empty."""

    root: FarRoot
    created: bool
    is_missing: bool = False


def open_far(files: Files, request: Open) -> FarOpened:
    """Open the root of a session; links are resolved once, here.  Raises `RootError`."""
    try:
        path: bytes = told(files, Resolve(request.root))
    except OSError:
        path = request.root
    root = FarRoot(files, path)
    (seen,) = ask(files, Lstat(path))
    if isinstance(seen, FileNotFoundError):
        return _missing(root, request.missing)
    if isinstance(seen, OSError):
        raise RootError(reason_of(seen))
    if not stat.S_ISDIR(seen.st_mode):
        raise RootError("is not a directory")
    return FarOpened(root, created=False)


def _missing(root: FarRoot, missing: Missing) -> FarOpened:
    if missing is Missing.REFUSE:
        raise RootError("no such directory")
    if missing is Missing.EMPTY:
        return FarOpened(root, created=False, is_missing=True)
    try:
        told(root.files, Mkdir(root.path, 0o755))
    except OSError as error:
        hint = "only the last component of a root is created"
        raise RootError(f"cannot be created: {reason_of(error)}", hint=hint) from None
    return FarOpened(root, created=True)


def describe(opened: FarOpened, home: FarHome | None, clock_ns: int, name: bytes) -> Opened:
    """What the replica says of its root; `name` is how its host is reached."""
    root = opened.root
    return Opened(
        root.path,
        host_of(root.files) or b"sftp " + name,
        _ancestors(opened),
        () if opened.is_missing else _rules(root),
        clock_ns,
        opened.created,
        seen_before=home is not None,
        empty=opened.is_missing or not _names(root),
        identity=home.identity if home is not None else "",
        stores=_stores(root.files.abilities, home),
        caveats=_caveats(root.files.abilities),
        unfinished=home is not None and home.has_remains(),
    )


def _names(root: FarRoot) -> list[bytes]:
    try:
        return [name for name in root.names(b"") if name != RESERVED]
    except OSError as error:
        raise RootError(reason_of(error)) from None


def _ancestors(opened: FarOpened) -> tuple[tuple[int, int], ...]:
    """Numbers for the paths above, which stand for the inodes that nobody tells."""
    path = opened.root.path
    ends = [len(path), *(end for end in range(len(path) - 1, 0, -1) if path[end] == ord("/"))]
    paths = dict.fromkeys([*(path[:end] for end in ends), b"/"])
    numbers = [(1, int.from_bytes(framed_digest((each,), 8)) >> 1) for each in paths]
    return ((0, 0), *numbers[1:]) if opened.is_missing else tuple(numbers)


def _rules(root: FarRoot) -> tuple[str, ...]:
    (seen,) = ask(root.files, Lstat(root.at(IGNORE_FILE)))
    if isinstance(seen, FileNotFoundError):
        return ()
    (got,) = ask(root.files, Read(root.at(IGNORE_FILE), 0, MAX_RULES + 1))
    if isinstance(got, OSError):
        raise RootError(f"{IGNORE_FILE.decode()}: {reason_of(got)}")
    return rules_in(got.data)


def _stores(abilities: Abilities, home: FarHome | None) -> Stores:
    folding = Folding.NONE
    if home is not None:
        (seen,) = ask(home.files, Lstat(home.at(ID.upper())))
        # Who takes capitals for small letters may do the same with the forms of a letter.
        folding = Folding.NONE if isinstance(seen, OSError) else Folding.CASE | Folding.FORMS
    return Stores(
        step_ns=SECOND_NS,
        oldest_ns=0,
        newest_ns=_LATEST_NS,
        owners=False,
        symlinks=abilities.link_times,
        folding=folding,
        xattrs=Namespaces.NONE,
        links=False,
    )


def _caveats(abilities: Abilities) -> tuple[str, ...]:
    """What is not promised to whoever has something changed there."""
    always = (
        "content was verified as it was sent, and not read again",
        "a replaced file was away for a moment, and an edit in that very second may have gone to the trash unseen",
    )
    return (*always, *(() if abilities.sync else ("nothing was made durable: the server cannot",)))


def host_of(files: Files) -> bytes:
    """What tells a running machine from others, as `disk/opening` has it; empty where that is not told."""
    (got,) = ask(files, Read(_BOOT_ID, 0, 64))
    return b"" if isinstance(got, OSError) else got.data.strip()


def clock_of(files: Files, clock_ns: Callable[[], int] = time.time_ns) -> Callable[[], int]:
    """The far side's clock, as well as it is told: by what is made when it is looked at, or else ours."""
    (seen,) = ask(files, Lstat(_FRESH))
    if isinstance(seen, OSError):
        return clock_ns
    ahead_ns = seen.st_mtime_ns + SECOND_NS // 2 - clock_ns()
    return lambda: clock_ns() + ahead_ns


def open_index(opened: FarOpened, request: Open, name: bytes) -> Index:
    """The index, in the cache directory of this machine."""
    if not request.cache_dir:
        return Index(None)
    files, root = opened.root.files, opened.root
    (volume,) = ask(files, Statfs(root.path)) if files.abilities.volumes else (None,)
    number = volume.number if isinstance(volume, Volume) else 0
    file = framed_digest((b"sftp", name, root.path, str(number).encode()), 16).hex() + ".db"
    path = os.path.join(os.fsdecode(request.cache_dir), "index", file)
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    return Index(path)


def own_paths(opened: FarOpened, request: Open) -> frozenset[bytes]:
    """Our own files below the root, which may be on this very machine after all."""
    top = opened.root.path.rstrip(b"/") + b"/"
    if host_of(opened.root.files) != host():
        return frozenset()
    places = [os.path.realpath(place) for place in (request.cache_dir, *request.own) if place]
    return frozenset(place[len(top) :] for place in places if place.startswith(top) and place != top)
