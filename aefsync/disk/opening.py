"""Open a root: its descriptor, what it is known by, its home and its index."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

from aefsync.core.digest import framed_digest
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RESERVED
from aefsync.core.patterns import MAX_RULES
from aefsync.core.ports import Access, Missing, Open, Opened
from aefsync.core.problem import reason_of
from aefsync.core.recipe import CHUNKER
from aefsync.disk.assembly import unfinished
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.filesystem import FileSystem, file_system_of
from aefsync.disk.filter import IGNORE_FILE
from aefsync.disk.home import Home, furnish, open_home
from aefsync.disk.index import Index
from aefsync.disk.storing import stores_of
from aefsync.errors import AefsyncError, LockedError, RootError

JUST_BEGUN = "another run has just begun on this root"
"""Said where a home appeared since the root was looked at."""


class OpenRoot(NamedTuple):
    """`fd` is -1 where the root is missing and counts as empty."""

    fd: int
    path: bytes
    created: bool


def open_root(request: Open) -> OpenRoot:
    """Open the root of a session; a symlink is resolved once, here."""
    path = os.path.realpath(request.root)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        return OpenRoot(os.open(path, flags), path, created=False)
    except FileNotFoundError:
        if request.missing is Missing.REFUSE:
            raise RootError("no such directory") from None
    except NotADirectoryError:
        raise RootError("is not a directory") from None
    except OSError as error:
        raise RootError(reason_of(error)) from None
    if request.missing is Missing.EMPTY:
        return OpenRoot(-1, path, created=False)
    try:
        os.mkdir(path)
        return OpenRoot(os.open(path, flags), path, created=True)
    except OSError as error:
        reason = reason_of(error)
        raise RootError(f"cannot be created: {reason}", hint="only the last component of a root is created") from None


def describe(opened: OpenRoot, clock_ns: int, home: Home | None, access: Access) -> Opened:
    """What the replica says of its root."""
    may_try = access is Access.WRITE and (home is None or home.lock.is_held)
    rules = _ignore_rules(ConfinedRoot(opened.fd)) if opened.fd >= 0 else ()
    ancestors = tuple(_ancestors(opened))
    return Opened(
        opened.path,
        host(),
        ancestors,
        rules,
        clock_ns,
        opened.created,
        seen_before=home is not None,
        empty=_is_empty(opened.fd),
        chunker=CHUNKER,
        unfinished=home is not None and bool(unfinished(home)),
        identity=home.identity if home is not None else "",
        stores=stores_of(opened.fd, home, tries=may_try),
    )


def _is_empty(fd: int) -> bool:
    if fd < 0:
        return True
    with contextlib.suppress(OSError), os.scandir(fd) as scan:
        return all(os.fsencode(entry.name) == RESERVED for entry in scan)
    return False


def _ancestors(opened: OpenRoot) -> list[tuple[int, int]]:
    # The root itself is open: whatever trouble there is on the way to it, it is told from what is above it.
    root = os.fstat(opened.fd) if opened.fd >= 0 else None
    found = [(root.st_dev, root.st_ino) if root is not None else (0, 0)]
    path = opened.path
    while path != (above := os.path.dirname(path)):
        path = above
        with contextlib.suppress(OSError):
            seen = os.stat(path)
            found.append((seen.st_dev, seen.st_ino))
    return found


def host() -> bytes:
    """What two processes on one running kernel agree on."""
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id", "rb") as file:
        return file.read(64).strip()
    return socket.gethostname().encode("utf-8", "replace")


def _ignore_rules(root: ConfinedRoot) -> tuple[str, ...]:
    try:
        fd = root.open_file(IGNORE_FILE)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise RootError(f"{IGNORE_FILE.decode()}: {reason_of(error)}") from None
    with os.fdopen(fd, "rb") as file:
        text = file.read(MAX_RULES + 1)
    return rules_in(text)


def rules_in(text: bytes) -> tuple[str, ...]:
    """The rules in an ignore file that was read to its end, or one byte further than is allowed; raises `RootError`."""
    if len(text) > MAX_RULES:
        raise RootError(f"{IGNORE_FILE.decode()}: larger than {MAX_RULES} bytes")
    lines = text.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n")
    return tuple(line for line in lines if line.strip() and not line.startswith("#"))


def open_home_of(opened: OpenRoot, request: Open) -> Home | None:
    """The root's `.aefsync` where there is one, locked (and given its new identity) where the run may write."""
    if opened.fd < 0:
        return None
    home = open_home(ConfinedRoot(opened.fd))
    if home is not None and request.access is Access.WRITE:
        with _letting_go(home):
            home.lock.take(request.run)
            if not home.identity:
                furnish(home)  # whoever made it came no further
            if request.new_identity:
                home.identify(request.new_identity)
    return home


def make_home(opened: OpenRoot, run: str, identity: str) -> Home:
    """Make the root's `.aefsync`, lock it, and have the root known by this from now on: the run is about to write there for
    the first time.

    Where one appeared since the root was looked at, whoever made it has given the root an id and perhaps a history of
    which this run knows nothing: raises `LockedError`.
    """
    try:
        os.mkdir(RESERVED, 0o700, dir_fd=opened.fd)
    except FileExistsError:
        raise LockedError(JUST_BEGUN) from None
    except OSError as error:
        raise _unwritable(error) from None
    home = open_home(ConfinedRoot(opened.fd))
    if home is None:
        raise RootError(".aefsync is gone again")
    with _letting_go(home):
        home.lock.take(run)
        furnish(home)
        home.identify(identity)
    return home


@contextlib.contextmanager
def _letting_go(home: Home) -> Iterator[None]:
    """Close a home that cannot be locked, or not be written.

    Nothing is written before it is locked: of two runs that begin on a root at the same moment, each would give it another
    id, and go by its own.
    """
    try:
        yield
    except OSError as error:
        home.close()
        raise _unwritable(error) from None
    except AefsyncError:
        home.close()
        raise


def _unwritable(error: OSError) -> RootError:
    hint = "as a source it can be used all the same: with --mirror, or with --resolve lww"
    return RootError(f"cannot be written: {reason_of(error)}", hint=hint)


def identity_at(path: bytes) -> str:
    """What the root at a path of this machine is known by; empty where there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        home = open_home(ConfinedRoot(fd))
    except RootError:
        return ""
    finally:
        os.close(fd)
    if home is None:
        return ""
    try:
        return home.identity
    finally:
        home.close()


def open_index(opened: OpenRoot, request: Open, home: Home | None, file_system: FileSystem, begun_ns: int) -> Index:
    """The index of a session that began then: in the home where the run may write there, else in the cache directory.

    The home's takes over what the cache knew before there was a home; the cache's falls back on the home's.
    """
    cached = _cache_path(opened, request.cache_dir)
    local = home.index_path if home is not None else None
    if request.access is Access.WRITE and local is not None:
        return Index(local, seed=cached, shared_memory=file_system.stable, begun_ns=begun_ns)
    if cached is not None:
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(cached), mode=0o700, exist_ok=True)
    is_local = cached is None or _is_local(os.path.dirname(cached))
    return Index(cached, fallback=local, shared_memory=is_local, begun_ns=begun_ns)


def _is_local(directory: str) -> bool:
    with contextlib.suppress(OSError):
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return file_system_of(fd).stable
        finally:
            os.close(fd)
    return False


def _cache_path(opened: OpenRoot, cache_dir: bytes) -> str | None:
    """The name says which root it is: its path, inode and file system, so that another disk there is another root."""
    if not cache_dir or opened.fd < 0:
        return None
    identity = (opened.path, str(os.fstat(opened.fd).st_ino).encode(), str(os.fstatvfs(opened.fd).f_fsid).encode())
    name = framed_digest(identity, 16).hex() + ".db"
    return os.path.join(os.fsdecode(cache_dir), "index", name)


def own_paths(opened: OpenRoot, request: Open) -> frozenset[bytes]:
    """Our own files and directories below the root (a home directory may be one), as relative paths.

    The root is recognised by device and inode, under whatever path it was given.
    """
    if opened.fd < 0:
        return frozenset()
    root = os.fstat(opened.fd)
    places = [request.cache_dir, *request.own]
    return frozenset(path for path in (_below(place, root) for place in places if place) if path)


def _below(place: bytes, root: os.stat_result) -> bytes:
    """The path of a file (which need not exist yet) relative to a root; empty where it lies elsewhere."""
    above, path = os.path.realpath(place), b""
    while above != os.path.dirname(above):
        above, name = os.path.split(above)
        path = os.path.join(name, path) if path else name
        with contextlib.suppress(OSError):
            if os.path.samestat(os.stat(above), root):
                return path
    return b""
