"""Copy things from the trash to a directory outside of the replica."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Sequence

from aefsync.core.action import Applied
from aefsync.core.past import TrashItem
from aefsync.core.problem import Problem, reason_of
from aefsync.disk.confined import ConfinedRoot, split
from aefsync.disk.readable import Looked, Readable
from aefsync.disk.restoring import slot_of
from aefsync.disk.sparse import read_runs, write_all
from aefsync.errors import RootError

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def copy_out(home: Readable, items: Sequence[TrashItem], to: bytes) -> Applied:
    """Copy things from the trash into another directory (its last component made); nothing there is replaced."""
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(to)
        fd = os.open(to, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise RootError(f"{os.fsdecode(to)}: {reason_of(error)}") from None
    try:
        target = ConfinedRoot(fd)
        return _each(items, lambda item: _copy_one(home, target, item))
    finally:
        os.close(fd)


def _each(items: Sequence[TrashItem], put: Callable[[TrashItem], None]) -> Applied:
    done, problems = [], []
    for item in items:
        try:
            put(item)
        except OSError as error:
            done.append(False)
            problems.append(Problem(bytes(item.path), reason_of(error)))
        else:
            done.append(True)
    return Applied(tuple(done), tuple(problems), ())


def _copy_one(home: Readable, target: ConfinedRoot, item: TrashItem) -> None:
    directory, name = split(item.path)
    if item.is_directory or directory:
        target.make_directories(item.path if item.is_directory else directory, 0o755)
    if item.is_directory:
        return
    slot = slot_of(item)
    with target.directory(directory) as new:
        seen = home.lstat(slot)
        times = (seen.st_mtime_ns, seen.st_mtime_ns)
        if stat.S_ISLNK(seen.st_mode):
            os.symlink(home.readlink(slot), name, dir_fd=new)
            os.utime(name, ns=times, dir_fd=new, follow_symlinks=False)
            return
        source = home.open_file(slot)
        try:
            _copy_file(source, os.open(name, _CREATE, 0o600, dir_fd=new), seen)
        except OSError as error:
            # What is there already is not ours; half a copy is.
            if not isinstance(error, FileExistsError):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=new)
            raise
        finally:
            os.close(source)


def _copy_file(source: int, copy: int, seen: Looked) -> None:
    """Copy content, permission bits and mtime; closes `copy`."""
    try:
        for run in read_runs(source):
            if not run.is_hole:
                write_all(copy, run.data, run.offset)
        os.ftruncate(copy, os.fstat(source).st_size)
        os.fchmod(copy, stat.S_IMODE(seen.st_mode) & 0o777)
        os.utime(copy, ns=(seen.st_mtime_ns, seen.st_mtime_ns))
        os.fsync(copy)
    finally:
        os.close(copy)
