"""Joining: a path becomes another name of a file that is in place, its leader (`-H`).

The new name is made in staging, where it holds on to the file whatever becomes of the leader's path.  What it holds must
be what is wanted: known from when this run put it in place, or else by its bytes.  Then it is put in place as anything
else that is staged.
"""

from __future__ import annotations

import contextlib
import errno
import os

from aefsync.core.action import Action
from aefsync.core.entry import Entry, Kind
from aefsync.core.path import RelPath
from aefsync.core.problem import reason_of
from aefsync.disk.confined import split
from aefsync.disk.directories import OpenDirectories
from aefsync.disk.hashing import HashFailure, hash_file, seen_as
from aefsync.disk.looking import Refused, look, shows, wanted_of
from aefsync.disk.placing import put
from aefsync.disk.present import entry_of
from aefsync.disk.scene import Scene
from aefsync.disk.staging import Staging

_NO_LINKS = (errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS)


def join(scene: Scene, action: Action) -> None:
    """Make a path another name of its leader."""
    directory, _ = split(action.path)
    try:
        _join(scene, action, scene.annexes.at(directory) or scene.staging)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        try:
            _join(scene, action, scene.annexes.make(directory))
        except OSError as again:
            if again.errno != errno.EXDEV:
                raise
            raise Refused("what it is to be linked to is on another file system here") from None


def _join(scene: Scene, action: Action, staging: Staging) -> None:
    leader = RelPath(wanted_of(action).leader)
    directory, name = split(action.path)
    with OpenDirectories(scene.root) as leaders:
        file = _leader(scene, leaders.get(split(leader)[0]), leader, wanted_of(action))
        staged = _name_anew(leaders.get(split(leader)[0]), leader.name, staging)
    try:
        seen = os.stat(staged, dir_fd=staging.fd, follow_symlinks=False)
        if not shows(seen, file, after_rename=True):
            raise Refused("what it is to be linked to changed since the scan")
        scene.renew(file, seen)
        target = (scene.parents.get(directory), name)
        if action.found is not None:
            look(*target, scene.as_left(action.found))
        if action.found is None or not os.path.samestat(seen, os.stat(name, dir_fd=target[0], follow_symlinks=False)):
            put(scene, action._replace(found=scene.as_left(action.found)), (staging.fd, staged), target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(staged, dir_fd=staging.fd)
    # Each name that comes or goes moves the ctime that all of them share.
    scene.renew(scene.as_left(file), os.stat(name, dir_fd=scene.parents.get(directory), follow_symlinks=False))


def _name_anew(directory: int, name: bytes, staging: Staging) -> bytes:
    """Another name in staging."""
    staged = staging.new_name()
    try:
        os.link(name, staged, src_dir_fd=directory, dst_dir_fd=staging.fd, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        raise Refused(f"no further hard link can be made: {reason_of(error)}") from None
    return staged


def _leader(scene: Scene, directory: int, leader: RelPath, wanted: Entry) -> Entry:
    """The file that is to get another name, as it is now; raises `Refused` where that is not what is wanted."""
    placed = scene.as_left(scene.anchors.get(leader))
    try:
        now = entry_of(RelPath(leader.name), os.stat(leader.name, dir_fd=directory, follow_symlinks=False))
        if now.kind is not Kind.FILE or now.size != wanted.size:
            raise Refused("what it is to be linked to is not in place")
        if placed is None or now.stat_key != placed.stat_key:
            content = hash_file(directory, leader.name, seen_as(now))
            if isinstance(content, HashFailure) or not wanted.is_read:
                raise Refused("what it is to be linked to is not in place")
            placed = scene.anchors[leader] = now._replace(path=leader, content=content)
    except FileNotFoundError:
        raise Refused("what it is to be linked to is not in place") from None
    times = [placed.mtime_ns, wanted.mtime_ns]
    if not scene.aspects.same_times(times) or (wanted.is_read and placed.content != wanted.content):
        raise Refused("what it is to be linked to is not in place")
    return placed
