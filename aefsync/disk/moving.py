"""Moving: one rename within the root that never replaces anything, after a look at what is moved."""

from __future__ import annotations

from aefsync.core.action import Act, Action
from aefsync.disk.confined import split
from aefsync.disk.deleting import delete
from aefsync.disk.directories import OpenDirectories
from aefsync.disk.looking import Refused, is_already_there, look, wanted_of
from aefsync.disk.renaming import rename_new
from aefsync.disk.scene import Scene


def move(scene: Scene, action: Action) -> None:
    """Rename `source` to `path`; where the same file is there already, the source goes to the trash."""
    assert action.source is not None
    old_directory, old_name = split(action.source)
    new_directory, new_name = split(action.path)
    new = scene.parents.get(new_directory)
    # Opened after the other one: should they be the same, that one makes it writable and puts it back at the end.
    with OpenDirectories(scene.root, writable=True) as olds:
        old = olds.get(old_directory)
        look(old, old_name, action.found)
        try:
            rename_new(old, old_name, new, new_name)
            scene.durable.step(new, old)
        except FileExistsError:
            if not is_already_there(new, new_name, wanted_of(action), wanted_of(action).content):
                raise Refused("its new name appeared since the scan") from None
            delete(scene, Action(Act.DELETE, action.source, None, action.found))
