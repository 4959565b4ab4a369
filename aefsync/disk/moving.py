"""Moving: a rename within the root that never replaces anything, or two things that change places.

What is moved is looked at before and after, a directory by its inode; what shows something else then was put there at
that very moment and goes back.  Where names cannot be exchanged, one of the two waits in the trash slot of its path, so
that a run which ends there has lost nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from aefsync.core.action import Act, Action, StageFile
from aefsync.core.entry import Entry, Kind
from aefsync.core.path import RelPath
from aefsync.core.stores import ANY_FOLDING, folded
from aefsync.disk import syscalls
from aefsync.disk.confined import split
from aefsync.disk.deleting import delete
from aefsync.disk.intents import Intent, exchanging
from aefsync.disk.looking import Place, Refused, is_already_there, look, new_name_taken, shows, wanted_of
from aefsync.disk.metadata import make_directory
from aefsync.disk.modes import PassingMode, of_new
from aefsync.disk.placing import place_file, place_link
from aefsync.disk.present import present
from aefsync.disk.renaming import NO_FLAGS, rename_new, rename_out
from aefsync.disk.scene import Scene
from aefsync.disk.setting import new_mode
from aefsync.disk.trash import DELETED

_DIRECTORY = Kind.DIRECTORY
_WRITABLE = 0o200
_O_PATH = getattr(os, "O_PATH", 0)
"""Opens also what its owner may not read."""


class _Apart(Exception):
    """A directory that cannot be renamed as a whole: from mount to mount, or out of a lower layer of an overlay."""


def move(scene: Scene, action: Action) -> os.stat_result | None:
    """Rename `source` to `path`; where the same file is there already, the source goes to the trash.  What was renamed, as
    it was seen right afterwards."""
    seen = None
    try:
        seen = _move_whole(scene, action)
    except _Apart:
        _move_in_pieces(scene, action)
    finally:
        scene.olds.let_go()
    if _DIRECTORY in (_kind(action.found), _kind(action.displaced)):
        # Directories that are open are known by paths that may lead elsewhere now.
        scene.parents.close()
        scene.olds.close()
    return seen


def _move_whole(scene: Scene, action: Action) -> os.stat_result | None:
    assert action.source is not None
    new_directory, new_name = split(action.path)
    old_directory, old_name = split(action.source)
    old_fd, new_fd = _both(scene, old_directory, new_directory)
    old, new = (old_fd, old_name), (new_fd, new_name)
    look(*old, action.found)
    if action.displaced is not None:
        look(*new, action.displaced)
        _change_places(scene, action, old, new)
        return None
    return _rename(scene, action, old, new)


def _both(scene: Scene, old: bytes, new: bytes) -> tuple[int, int]:
    """The descriptors of the directories that something is moved out of, and into.

    None is open twice: one of the two would put its mode back while there is work left in it.
    """
    if scene.olds.is_at(new):
        scene.olds.close()
    fd = scene.parents.get(new)
    return (fd if old == new else scene.olds.get(old)), fd


def _move_in_pieces(scene: Scene, action: Action) -> None:
    """Each thing that the directory holds by itself, each with its looks; what is left behind keeps its directory."""
    assert action.source is not None
    assert action.found is not None
    scene.intents.modes.declare([of_new(action.path, new_mode(wanted_of(action).mode, scene.aspects))])
    make_directory(scene, action._replace(act=Act.MKDIR, found=None, source=None))
    with scene.root.directory(action.source) as fd:
        names = sorted(map(os.fsencode, os.listdir(fd)))
    for name in names:
        source, path = (RelPath(place + b"/" + name) for place in (action.source, action.path))
        found = present(scene.root, source)
        if found is None:
            continue
        scene.touch(source)
        scene.touch(path)
        move(scene, Action(Act.MOVE, path, found._replace(path=path), found, source))
    _discard(scene, action)


def _kind(entry: Entry | None) -> Kind | None:
    return entry.kind if entry is not None else None


def _rename(scene: Scene, action: Action, old: Place, new: Place) -> os.stat_result | None:
    try:
        if _kind(action.found) is _DIRECTORY:
            with _movable(scene, action, *old, action.found):
                rename_new(*old, *new)
        else:
            rename_new(*old, *new)
    except FileExistsError:
        if _are_one(old, new):
            return _respell(scene, action, old, new)
        if not is_already_there(*new, wanted_of(action), wanted_of(action).content):
            seen = os.stat(new[1], dir_fd=new[0], follow_symlinks=False)
            raise new_name_taken(action, seen, scene.is_unmanaged) from None
        scene.there.add(action.path)
        _discard(scene, action)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _carry_over(scene, action, old)
    else:
        seen = os.stat(new[1], dir_fd=new[0], follow_symlinks=False)
        if action.found is not None and not shows(seen, action.found, after_rename=True):
            rename_new(*new, *old)
            raise Refused("changed since the scan")
        scene.renew(action.found, seen)
        scene.durable.step(new[0], old[0])
        return seen
    return None


def _are_one(old: Place, new: Place) -> bool:
    """Whether the new name of something is in its way because this file system takes it for the old one."""
    if old[0] != new[0] or folded(old[1], ANY_FOLDING) != folded(new[1], ANY_FOLDING):
        return False
    return new[1] not in map(os.fsencode, os.listdir(new[0]))


def _respell(scene: Scene, action: Action, old: Place, new: Place) -> os.stat_result:
    """By way of the trash slot of the old name: nothing stands in the way of the new one then."""
    assert action.source is not None
    intents = [Intent(DELETED, action.source, action.source)]
    scene.intents.declare(intents)
    slot = scene.trash.slot(DELETED, action.source)
    with _movable(scene, action, *old, action.found):
        rename_out(*old, *slot)
        try:
            rename_new(*slot, *new)
        except OSError:
            rename_new(*slot, *old)
            raise
        finally:
            scene.intents.complete(intents)
    seen = os.stat(new[1], dir_fd=new[0], follow_symlinks=False)
    if action.found is not None and not shows(seen, action.found._replace(inode=0), after_rename=True):
        raise Refused("changed since the scan")
    scene.renew(action.found, seen)
    scene.durable.step(new[0], slot[0])
    return seen


def _discard(scene: Scene, action: Action) -> None:
    assert action.source is not None
    delete(scene, Action(Act.DELETE, action.source, None, action.found))


def _carry_over(scene: Scene, action: Action, old: Place) -> None:
    """To another mount: a copy, verified like all that is staged, and the old one to the trash."""
    assert action.found is not None
    wanted = wanted_of(action)
    match action.found.kind:
        case Kind.DIRECTORY:
            raise _Apart
        case Kind.SYMLINK:
            target = os.readlink(old[1], dir_fd=old[0])
            place_link(scene, Action(Act.LINK, action.path, wanted._replace(target=target), None))
        case Kind.FILE:
            staged = scene.staging.stage([StageFile(action.found, action.path)], scene.root)
            if not all(staged.contents):
                raise Refused(staged.reason)
            place_file(scene, Action(Act.CREATE, action.path, wanted, None))
    _discard(scene, action)


def _change_places(scene: Scene, action: Action, old: Place, new: Place) -> None:
    """Have the two take each other's place."""
    with _movable(scene, action, *old, action.found), _movable(scene, action, *new, action.displaced):
        try:
            syscalls.renameat2(*old, *new, syscalls.RENAME_EXCHANGE)
        except OSError as error:
            if error.errno not in NO_FLAGS:
                raise
            _rename_in_three(scene, action, old, new)
            return
    if not (_shows(new, action.found) and _shows(old, action.displaced)):
        syscalls.renameat2(*old, *new, syscalls.RENAME_EXCHANGE)
        raise Refused("changed since the scan")
    scene.durable.step(new[0], old[0])


def _rename_in_three(scene: Scene, action: Action, old: Place, new: Place) -> None:
    assert action.source is not None
    intents = exchanging(action)
    scene.intents.declare(intents)
    slot = scene.trash.slot(DELETED, action.source)
    rename_out(*old, *slot)
    try:
        rename_new(*new, *old)
    except OSError:
        rename_new(*slot, *old)
        scene.intents.complete(intents)
        raise
    rename_new(*slot, *new)
    scene.intents.complete(intents)
    scene.durable.step(new[0], old[0], slot[0])


def _shows(place: Place, found: Entry | None) -> bool:
    seen = os.stat(place[1], dir_fd=place[0], follow_symlinks=False)
    return found is None or shows(seen, found, after_rename=True)


@contextlib.contextmanager
def _movable(scene: Scene, action: Action, parent: int, name: bytes, found: Entry | None) -> Iterator[None]:
    """Make a directory writable while it is moved: its entry for the one above it changes."""
    if _kind(found) is not _DIRECTORY or os.access(name, os.W_OK, dir_fd=parent, effective_ids=True):
        yield
        return
    fd = os.open(name, _O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    handle = f"/proc/self/fd/{fd}" if _O_PATH else fd
    try:
        mode = stat.S_IMODE(os.fstat(fd).st_mode)
        paths = [path for path in (action.path, action.source) if path is not None]
        passing = [PassingMode(path, mode, (mode | _WRITABLE,)) for path in paths]
        scene.intents.modes.declare(passing, briefly=True)
        os.chmod(handle, mode | _WRITABLE)
        try:
            yield
        finally:
            os.chmod(handle, mode)
    finally:
        os.close(fd)
