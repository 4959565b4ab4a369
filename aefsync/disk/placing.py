"""Placing: a staged file or a new symlink is put where nothing is, or takes the place of what is there.

Replacing: the staged file is moved to the *trash slot* of the path it will replace, and the two are exchanged in one
system call, so that what was there is in the trash from that instant and no clean-up ever unlinks it.  If what came
out is not what the plan saw, somebody edited the file at that very moment: it is put back beside the new one as a
conflict copy.  Creating never replaces (`RENAME_NOREPLACE`).
"""

from __future__ import annotations

import contextlib
import os

from aefsync.core.action import Action, KeptCopy
from aefsync.core.conflict import conflict_name
from aefsync.core.entry import Entry
from aefsync.core.metadata import Aspects
from aefsync.disk import syscalls
from aefsync.disk.confined import split
from aefsync.disk.looking import Refused, is_already_there, look, shows, wanted_of
from aefsync.disk.renaming import NO_FLAGS, rename_new, rename_out
from aefsync.disk.scene import Scene
from aefsync.disk.setting import finish_link, keep_mode
from aefsync.disk.staging import Staging
from aefsync.disk.trash import REPLACED

Place = tuple[int, bytes]
"""A directory by descriptor, and a name in it."""


def place_file(scene: Scene, action: Action) -> None:
    """Put what was staged for a path there."""
    name = scene.staging.name(action.path)
    if name is None:
        raise Refused("was not staged")
    if action.found is not None:
        keep_mode(name, wanted_of(action), action.found, scene.aspects, scene.staging.fd)
    _place(scene, action, name)
    scene.staging.take(action.path)


def place_link(scene: Scene, action: Action) -> None:
    """Make a symlink in staging, and put it in place."""
    _place(scene, action, _make_link(scene.staging, wanted_of(action), scene.aspects))


def _make_link(staging: Staging, wanted: Entry, aspects: Aspects) -> bytes:
    if not wanted.target:
        raise Refused("its target changed since the scan")
    name = staging.new_name()
    os.symlink(wanted.target, name, dir_fd=staging.fd)
    finish_link(name, wanted, aspects, staging.fd)
    return name


def _place(scene: Scene, action: Action, staged: bytes) -> None:
    directory, name = split(action.path)
    parent = scene.parents.get(directory)
    if action.found is None:
        try:
            rename_new(scene.staging.fd, staged, parent, name)
        except FileExistsError:
            content = scene.staging.content(action.path)
            if not is_already_there(parent, name, wanted_of(action), content):
                raise Refused("appeared since the scan") from None
            scene.there.add(action.path)
        scene.durable.step(parent)
        return
    look(parent, name, action.found)
    home, slot = scene.trash.slot(REPLACED, action.path)
    slot_directory, slot_name = split(slot)
    with home.directory(slot_directory) as slot_fd:
        _exchange(scene.staging, staged, (slot_fd, slot_name), (parent, name))
        _look_at_trash(scene, (slot_fd, slot_name), (parent, name), action, action.found)
        scene.durable.step(parent, slot_fd)


def _exchange(staging: Staging, staged: bytes, slot: Place, target: Place) -> None:
    os.rename(staged, slot[1], src_dir_fd=staging.fd, dst_dir_fd=slot[0])
    try:
        syscalls.renameat2(*slot, *target, syscalls.RENAME_EXCHANGE)
    except OSError as error:
        os.rename(slot[1], staged, src_dir_fd=slot[0], dst_dir_fd=staging.fd)
        if error.errno not in NO_FLAGS:
            raise
        _replace_in_two(staging, staged, slot, target)


def _replace_in_two(staging: Staging, staged: bytes, slot: Place, target: Place) -> None:
    """Where names cannot be exchanged: out with the old, in with the new; back with the old if that fails."""
    rename_out(*target, *slot)
    try:
        rename_new(staging.fd, staged, *target)
    except OSError:
        with contextlib.suppress(OSError):
            rename_new(*slot, *target)
        raise


def _look_at_trash(scene: Scene, slot: Place, target: Place, action: Action, found: Entry) -> None:
    """What came out must be what the plan saw; a local edit that raced us stays beside the new file."""
    seen = os.stat(slot[1], dir_fd=slot[0], follow_symlinks=False)
    if shows(seen, found, after_rename=True):
        return
    name = conflict_name(action.path.name, b"", seen.st_mtime_ns, os.urandom(32))
    rename_new(*slot, target[0], name)
    kept_as = action.path.sibling(name)
    scene.touch(kept_as)
    scene.kept.append(KeptCopy(action.path, kept_as))
