"""Planting: a new directory goes into place with all that was staged for it, by one rename.

Files that come to one directory are staged in a directory of their own, under their final names.  Where the action is
to make that very directory, and all those files are to be created by the same request, it is that directory which is
renamed, and nothing is left to be done for each file.  Where anything is in the way, or the file system gives new
directories something that a rename would not bring along, it is made and filled file by file as any other.
"""

from __future__ import annotations

import contextlib
import os
import stat

from aefsync.core.action import Action
from aefsync.disk.looking import wanted_of
from aefsync.disk.renaming import rename_new
from aefsync.disk.scene import Scene
from aefsync.disk.setting import finish_directory

_INHERITED_ACL = "system.posix_acl_default"


def plant(scene: Scene, action: Action, parent: int, name: bytes) -> bool:
    """Put a new directory in place with what was staged for it, if that can be done."""
    bed = scene.staging.beds.get(action.path)
    if bed is None or not bed.paths <= scene.coming or _inherits(parent):
        return False
    try:
        with scene.staging.beds.root.directory(bed.name) as fd:
            # Whatever could not be discarded must not come along.
            if set(os.listdir(fd)) != {os.fsdecode(path.name) for path in bed.paths}:
                return False
            finish_directory(fd, wanted_of(action), scene.aspects)
            scene.durable.step(fd)
        rename_new(scene.staging.fd, bed.name, parent, name)
    except OSError:
        return False
    scene.durable.step(parent)
    scene.staging.beds.leave(action.path)
    return True


def _inherits(parent: int) -> bool:
    """Whether new directories take over their group, or an access list, from the one that they are made in."""
    if os.fstat(parent).st_mode & stat.S_ISGID:
        return True
    with contextlib.suppress(OSError, AttributeError):
        return bool(os.getxattr(parent, _INHERITED_ACL))
    return False
