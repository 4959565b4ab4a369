"""Placing: a staged file or a new symlink is put where nothing is, or takes the place of what is there.

Replacing: the staged file is moved to the *trash slot* of the path it will replace, and the two are exchanged in one
system call, so that what was there is in the trash from that instant and no clean-up ever unlinks it.  If what came
out is not what the plan saw, somebody edited the file at that very moment: it is put back beside the new one as a
conflict copy.  Creating never replaces (`RENAME_NOREPLACE`).

Where names cannot be exchanged it takes two renames, and an intent before them (`intents`).  Where the path is on another
mount, all of it happens in the annex there (`annexes`).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from aefsync.core.action import Action, KeptCopy
from aefsync.core.conflict_name import conflict_name
from aefsync.core.entry import Entry
from aefsync.core.metadata import Aspects
from aefsync.disk import syscalls
from aefsync.disk.annexes import bring
from aefsync.disk.confined import split
from aefsync.disk.intents import Intent, Intents, replacing
from aefsync.disk.looking import Place, Refused, in_the_way, is_already_there, look, shows, wanted_of
from aefsync.disk.renaming import NO_FLAGS, rename_new, rename_out
from aefsync.disk.scene import Scene
from aefsync.disk.setting import finish_link, keep_mode
from aefsync.disk.staging import Staging
from aefsync.disk.trash import REPLACED

_NO_SYMLINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
"""How a file system says that it knows no symlinks (vfat, exFAT, some FUSE and SMB)."""


def place_file(scene: Scene, action: Action) -> None:
    """Put what was staged for a path there."""
    name = scene.staging.name(action.path)
    if name is None:
        raise Refused("was not staged")
    wanted = wanted_of(action)

    def keep(staging: Staging, staged: bytes) -> bytes:
        if action.found is not None:
            keep_mode(staged, wanted, action.found, scene.aspects, staging.fd)
        return staged

    keep(scene.staging, name)
    _place(scene, action, name, lambda annex: keep(annex, _brought(scene, action, name, annex)))
    scene.staging.take(action.path)


def _brought(scene: Scene, action: Action, name: bytes, annex: Staging) -> bytes:
    """The name of a copy of a staged file in the staging of another mount."""
    return bring(scene.staging, name, annex, wanted_of(action).having(scene.staging.content(action.path)))


def place_link(scene: Scene, action: Action) -> None:
    """Make a symlink in staging, and put it in place."""
    wanted = wanted_of(action)
    name = _make_link(scene.staging, wanted, scene.aspects)
    _place(scene, action, name, lambda annex: _make_link(annex, wanted, scene.aspects))


def _make_link(staging: Staging, wanted: Entry, aspects: Aspects) -> bytes:
    if not wanted.target:
        raise Refused("its target changed since the scan")
    name = staging.new_name()
    try:
        os.symlink(wanted.target, name, dir_fd=staging.fd)
    except OSError as error:
        if error.errno not in _NO_SYMLINKS:
            raise
        raise Refused("symlinks cannot be stored here") from None
    finish_link(name, wanted, aspects, staging.fd)
    return name


def _place(scene: Scene, action: Action, staged: bytes, bring_to: Callable[[Staging], bytes]) -> None:
    """Put a staged thing in place; on another mount what `bring_to` makes of it in the staging there."""
    directory, name = split(action.path)
    target = (scene.parents.get(directory), name)
    annex = scene.annexes.at(directory)
    try:
        put(scene, action, (scene.staging.fd, staged) if annex is None else (annex.fd, bring_to(annex)), target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        annex = scene.annexes.make(directory)
        put(scene, action, (annex.fd, bring_to(annex)), target)


def put(scene: Scene, action: Action, staged: Place, target: Place) -> None:
    """Put a staged thing in place, on one mount."""
    if action.found is None:
        try:
            rename_new(*staged, *target)
        except FileExistsError:
            content = scene.staging.content(action.path)
            if not is_already_there(*target, wanted_of(action), content):
                seen = os.stat(target[1], dir_fd=target[0], follow_symlinks=False)
                raise in_the_way(action, seen, scene.is_unmanaged) from None
            scene.there.add(action.path)
        scene.durable.step(target[0])
        return
    look(*target, action.found)
    slot = scene.trash.slot(action.aside or REPLACED, action.path)
    _exchange(scene, action, staged, slot, target)
    _look_at_trash(scene, slot, target, action, action.found)
    scene.durable.step(target[0], slot[0])


def _exchange(scene: Scene, action: Action, staged: Place, slot: Place, target: Place) -> None:
    rename_out(*staged, *slot)
    try:
        syscalls.renameat2(*slot, *target, syscalls.RENAME_EXCHANGE)
    except OSError as error:
        if error.errno not in NO_FLAGS and action.found is not None and _is_in(slot, action.found):
            return  # it was done all the same, as network file systems may say: what is ours is in place
        os.rename(slot[1], staged[1], src_dir_fd=slot[0], dst_dir_fd=staged[0])
        if error.errno not in NO_FLAGS:
            raise
        replace_in_two(scene.intents, replacing(action), staged, slot, target)


def _is_in(slot: Place, found: Entry) -> bool:
    return shows(os.stat(slot[1], dir_fd=slot[0], follow_symlinks=False), found, after_rename=True)


def replace_in_two(intents: Intents, intent: Intent, new: Place, slot: Place, target: Place) -> None:
    """Where names cannot be exchanged: out with the old, in with the new; back with the old if that fails."""
    intents.declare([intent])
    rename_out(*target, *slot)
    try:
        rename_new(*new, *target)
    except OSError:
        # Where even that fails, the intent stays, and the next run does it.
        rename_new(*slot, *target)
        intents.complete([intent])
        raise
    intents.complete([intent])


def _look_at_trash(scene: Scene, slot: Place, target: Place, action: Action, found: Entry) -> None:
    """What came out must be what the plan saw; a local edit that raced us stays beside the new file."""
    seen = os.stat(slot[1], dir_fd=slot[0], follow_symlinks=False)
    if shows(seen, found, after_rename=True):
        scene.renew(found, seen)
        return
    name = conflict_name(action.path.name, b"", seen.st_mtime_ns, os.urandom(32))
    rename_new(*slot, target[0], name)
    kept_as = action.path.sibling(name)
    scene.touch(kept_as)
    scene.kept.append(KeptCopy(action.path, kept_as))
