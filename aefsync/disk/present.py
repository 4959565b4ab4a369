"""What stands at a path right now, as an entry: for whoever changes it next and has no snapshot."""

from __future__ import annotations

import stat

from aefsync.core.digest import content_digest
from aefsync.core.entry import UNKNOWN, Entry, Kind, kind_of
from aefsync.core.path import RelPath
from aefsync.disk.listing import INODE
from aefsync.disk.readable import Looked, Readable


def present(root: Readable, path: RelPath) -> Entry | None:
    """What stands at a path now, files unread."""
    try:
        return entry_at(root, path, path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def entry_at(root: Readable, place: bytes, path: RelPath) -> Entry:
    """What stands at a place, as the entry of a path, files unread; raises `OSError`."""
    entry = entry_of(path, root.lstat(place))
    if entry.kind is not Kind.SYMLINK:
        return entry
    target = root.readlink(place)
    return entry._replace(content=content_digest(target), target=target)


def entry_of(path: RelPath, seen: Looked) -> Entry:
    """The entry that a stat tells of, unread; raises `OSError` for what is never replicated."""
    kind = kind_of(seen.st_mode)
    if kind is None:
        raise OSError("neither a file nor a directory nor a symlink")
    mode = 0 if kind is Kind.SYMLINK else stat.S_IMODE(seen.st_mode)
    size, content = (0, bytes(32)) if kind is Kind.DIRECTORY else (seen.st_size, UNKNOWN)
    return Entry(path, kind, mode, size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino & INODE, content)
