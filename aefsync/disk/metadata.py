"""Metadata: what counts of it set on what is in place, and directories made with it."""

from __future__ import annotations

import os
import stat

from aefsync.core.action import Act, Action, StageFile
from aefsync.core.entry import Entry, Kind, kind_of
from aefsync.core.metadata import SPECIAL, Namespaces
from aefsync.disk.confined import split
from aefsync.disk.half_set import HalfSet, State
from aefsync.disk.looking import Refused, in_the_way, look, shows, wanted_of
from aefsync.disk.modes import MADE
from aefsync.disk.placing import place_file
from aefsync.disk.present import entry_of
from aefsync.disk.scene import Scene
from aefsync.disk.setting import changed_mode, finish_directory, finish_link, meant, set_owner, set_time, set_xattrs
from aefsync.disk.xattrs import read_attributes

_O_PATH = getattr(os, "O_PATH", 0)
"""Opens what its owner may change but not read; changed through /proc, which names the very same file."""
_FLAGS = (_O_PATH or os.O_NONBLOCK) | os.O_NOFOLLOW | os.O_CLOEXEC


def make_directory(scene: Scene, action: Action) -> None:
    """Make a directory that can be filled; one that is there already will do."""
    directory, name = split(action.path)
    parent = scene.parents.get(directory)
    if scene.aspects.alone.has_extras:
        scene.intents.half_sets.declare(HalfSet(action.path, 0, State(), *_meant(scene, wanted_of(action))))
    try:
        os.mkdir(name, MADE, dir_fd=parent)
    except FileExistsError:
        seen = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISDIR(seen.st_mode):
            raise in_the_way(action, seen, scene.is_unmanaged) from None
        scene.there.add(action.path)
    with scene.root.directory(action.path) as fd:
        finish_directory(fd, wanted_of(action), scene.aspects)
        scene.durable.step(fd, parent)


def _set_apart(scene: Scene, action: Action, found: Entry) -> None:
    """A file of its own with this metadata, in the place of one of several names: the others are not to change with it."""
    content = action.found.content if action.found else wanted_of(action).content
    wanted = wanted_of(action)._replace(size=found.size, content=content)
    staged = scene.staging.stage([StageFile(wanted, action.path, found)], scene.root)
    if not all(staged.contents):
        raise Refused(staged.reason)
    place_file(scene, action._replace(act=Act.COPY, wanted=wanted, found=found))
    directory, name = split(action.path)
    scene.stamp(wanted, os.stat(name, dir_fd=scene.parents.get(directory), follow_symlinks=False))


def set_metadata(scene: Scene, action: Action) -> None:
    """Set what counts on a descriptor whose fstat is what the plan saw."""
    directory, name = split(action.path)
    parent, wanted = scene.parents.get(directory), wanted_of(action)
    if wanted.kind is Kind.SYMLINK:
        look(parent, name, action.found)
        finish_link(name, wanted, scene.aspects, parent)
        scene.renew(action.found, os.stat(name, dir_fd=parent, follow_symlinks=False))
        return
    fd = os.open(name, _FLAGS, dir_fd=parent)
    try:
        seen = os.fstat(fd)
        if kind_of(seen.st_mode) is not wanted.kind or (action.found and not shows(seen, action.found)):
            raise Refused("changed since the scan")
        if wanted.kind is Kind.FILE and seen.st_nlink > 1 and not scene.aspects.links:
            _set_apart(scene, action, entry_of(action.path, seen))
            return
        handle = f"/proc/self/fd/{fd}" if _O_PATH else fd
        mode = changed_mode(wanted, stat.S_IMODE(seen.st_mode), scene.aspects)
        if scene.aspects.alone.has_extras:
            scene.intents.half_sets.declare(_half_set(scene, wanted, handle, seen, mode))
        set_owner(handle, wanted, seen, scene.aspects)
        if scene.aspects.xattrs:
            os.chmod(handle, mode | 0o200)  # its owner may set attributes only of what he may write
            set_xattrs(os.fsencode(handle) if isinstance(handle, str) else handle, wanted, scene.aspects)
        os.chmod(handle, mode)
        if (mode ^ os.fstat(fd).st_mode) & SPECIAL & scene.aspects.mode_bits:
            raise Refused("its special bits cannot be set")
        if wanted.kind is Kind.DIRECTORY:
            return
        if os.fstat(fd).st_mtime_ns != seen.st_mtime_ns:
            raise Refused("changed since the scan")
        set_time(handle, wanted, scene.aspects)
        scene.stamp(wanted, os.fstat(fd))
        scene.renew(action.found, os.fstat(fd))
    finally:
        os.close(fd)


def _meant(scene: Scene, wanted: Entry) -> tuple[State, Namespaces]:
    return meant(wanted, scene.aspects), scene.aspects.xattrs


def _half_set(scene: Scene, wanted: Entry, handle: int | str, seen: os.stat_result, mode: int) -> HalfSet:
    """What is about to be set, step by step, on what is open; raises `OSError`."""
    state, namespaces = _meant(scene, wanted)
    place = os.fsencode(handle) if isinstance(handle, str) else handle
    times = wanted.kind is not Kind.DIRECTORY and scene.aspects.times
    before = State(
        (seen.st_uid, seen.st_gid),
        None if state.attributes is None else read_attributes(place, namespaces, follow=True),
        stat.S_IMODE(seen.st_mode),
        seen.st_mtime_ns if times else None,
    )
    whole = state._replace(mode=mode, mtime_ns=wanted.mtime_ns if times else None)
    return HalfSet(wanted.path, seen.st_ino, before, whole, namespaces)
