"""Deleting: a rename into the trash slot, with a look at what went, and back again where it shows something else."""

from __future__ import annotations

import errno
import os

from aefsync.core.action import Action
from aefsync.core.entry import Kind
from aefsync.core.path import RelPath
from aefsync.disk.confined import split
from aefsync.disk.looking import Place, Refused, look, not_empty, shows
from aefsync.disk.renaming import rename_new, rename_out
from aefsync.disk.scene import Scene
from aefsync.disk.trash import DELETED


def delete(scene: Scene, action: Action) -> None:
    """Move a file or symlink to the trash, or remove an empty directory."""
    directory, name = split(action.path)
    parent = scene.parents.get(directory)
    look(parent, name, action.found)
    if action.found is not None and action.found.kind is Kind.DIRECTORY:
        mode = _remove_directory(scene, parent, name, action.path)
        scene.trash.keep_directory(action.aside or DELETED, action.path, mode)
        scene.durable.step(parent)
        return
    try:
        _discard(scene, action, (parent, name))
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        scene.annexes.make(directory)
        _discard(scene, action, (parent, name))


def _discard(scene: Scene, action: Action, target: Place) -> None:
    slot_fd, slot = scene.trash.slot(action.aside or DELETED, action.path)
    rename_out(*target, slot_fd, slot)
    seen = os.stat(slot, dir_fd=slot_fd, follow_symlinks=False)
    if action.found is not None and not shows(seen, action.found, after_rename=True):
        rename_new(slot_fd, slot, *target)
        raise Refused("changed since the scan")
    scene.renew(action.found, seen)
    scene.durable.step(target[0], slot_fd)


def _remove_directory(scene: Scene, parent: int, name: bytes, path: RelPath) -> int:
    """Remove an empty directory; its mode."""
    mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        with scene.root.directory(path) as fd:
            inside = [(path + b"/" + os.fsencode(left), os.lstat(left, dir_fd=fd)) for left in os.listdir(fd)]
        raise not_empty(inside, scene.spared, scene.aspects, scene.is_unmanaged) from None
    return mode
