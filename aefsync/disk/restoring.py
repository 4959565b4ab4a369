"""Put things from the trash back; what is there now takes their place in the trash."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from aefsync.core.action import Applied
from aefsync.core.path import RelPath
from aefsync.core.ports import TrashItem
from aefsync.core.problem import Problem
from aefsync.disk import syscalls
from aefsync.disk.confined import ConfinedRoot, split
from aefsync.disk.home import TRASH, Home
from aefsync.disk.trash import REPLACED, Trash


def restore(root: ConfinedRoot, home: Home, trash: Trash, items: Sequence[TrashItem]) -> Applied:
    """Restore in order (directories before what they hold); a problem for each that could not be."""
    done, problems = [], []
    for item in items:
        try:
            _restore_one(root, home, trash, item)
        except OSError as error:
            done.append(False)
            problems.append(Problem(bytes(item.path), (error.strerror or str(error)).lower()))
        else:
            done.append(True)
    return Applied(tuple(done), tuple(problems), ())


def _restore_one(root: ConfinedRoot, home: Home, trash: Trash, item: TrashItem) -> None:
    slot = b"/".join([TRASH, os.fsencode(item.run), os.fsencode(item.why), item.path])
    if item.is_directory:
        root.make_directories(item.path, 0o755)
        mode = home.lstat(slot).st_mode & 0o777
        with root.directory(item.path) as fd:
            os.fchmod(fd, mode)
        return
    directory, name = split(item.path)
    if directory:
        root.make_directories(directory, 0o755)
    slot_directory, slot_name = split(slot)
    with home.directory(slot_directory) as slot_fd, root.directory(directory) as parent:
        try:
            syscalls.renameat2(slot_fd, slot_name, parent, name, syscalls.RENAME_NOREPLACE)
        except FileExistsError:
            syscalls.renameat2(slot_fd, slot_name, parent, name, syscalls.RENAME_EXCHANGE)
            _keep_replaced(trash, slot_fd, slot_name, item.path)


def _keep_replaced(trash: Trash, slot_fd: int, slot_name: bytes, path: RelPath) -> None:
    home, fresh = trash.slot(REPLACED, path)
    directory, name = split(fresh)
    with home.directory(directory) as fd, contextlib.suppress(FileNotFoundError):
        os.rename(slot_name, name, src_dir_fd=slot_fd, dst_dir_fd=fd)
