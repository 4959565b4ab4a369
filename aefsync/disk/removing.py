"""Remove a tree of our own (staging, trash) for good, however deep it is; no link is followed."""

from __future__ import annotations

import contextlib
import os
import stat

from aefsync.disk.confined import ConfinedRoot, split

_OWNER = 0o700


def remove_tree(root: ConfinedRoot, path: bytes) -> None:
    """Remove whatever is at `path` and all below it.  Raises `OSError`; what is removed by then stays removed."""
    pending, directories = [path], []
    while pending:
        path = pending.pop()
        if _is_directory(root, path):
            directories.append(path)
            pending += _clear(root, path)
    for path in reversed(directories):
        above, name = split(path)
        with root.directory(above) as fd:
            os.rmdir(name, dir_fd=fd)


def _is_directory(root: ConfinedRoot, path: bytes) -> bool:
    """Make a directory accessible; anything else is unlinked."""
    above, name = split(path)
    with root.directory(above) as fd:
        mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
        if not stat.S_ISDIR(mode):
            os.unlink(name, dir_fd=fd)
            return False
        if mode & _OWNER != _OWNER:
            with contextlib.suppress(OSError):
                os.chmod(name, _OWNER, dir_fd=fd)
    return True


def _clear(root: ConfinedRoot, path: bytes) -> list[bytes]:
    """Unlink all that a directory holds but directories; the paths of those."""
    inner = []
    with root.directory(path) as fd:
        with os.scandir(fd) as scan:
            entries = list(scan)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                inner.append(path + b"/" + os.fsencode(entry.name))
            else:
                os.unlink(entry.name, dir_fd=fd)
    return inner
