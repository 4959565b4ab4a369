"""Steps elsewhere: one action each, as a task that looks just before it changes anything and again at what came out.

There is no exchange of names: the old one goes to its slot in the trash, then the new one comes, by a rename that
OpenSSH refuses where something is.  In between nothing is at the path, which is written down before (`intents`).
"""

from __future__ import annotations

import stat

from aefsync.core.action import Act, Action
from aefsync.core.change import Change
from aefsync.core.entry import Entry, Kind, kind_of
from aefsync.core.files import (
    FarStat,
    List,
    Lstat,
    Mkdir,
    Op,
    Readlink,
    Remove,
    Rename,
    Rmdir,
    SetLinkTime,
    SetStat,
    Symlink,
    Task,
    raised,
)
from aefsync.core.metadata import PERMISSIONS, USABLE
from aefsync.disk.far.scene import FarScene
from aefsync.disk.far.staging import seconds, setting
from aefsync.disk.looking import Refused, in_the_way, new_name_taken, not_empty, shows, wanted_of
from aefsync.disk.modes import MADE
from aefsync.disk.setting import changed_mode, new_mode
from aefsync.disk.trash import DELETED, REPLACED


def place_file(scene: FarScene, action: Action) -> Task[None]:
    """Put what was staged for a path there."""
    place = scene.staging.place(action.path)
    content = scene.staging.content(action.path)
    if place is None or not content:
        raise Refused("was not staged")
    wanted, found = wanted_of(action)._replace(content=content), action.found
    if found is not None and found.kind is Kind.FILE and PERMISSIONS & ~scene.aspects.mode_bits:
        mode = changed_mode(wanted, found.mode & PERMISSIONS, scene.aspects)
        raised((yield [SetStat(place, mode=mode)])[0])
    yield from _put(scene, action, place, wanted)
    scene.staging.take(action.path)


def place_link(scene: FarScene, action: Action) -> Task[None]:
    """Make a symlink in staging, and put it in place."""
    wanted, place = wanted_of(action), scene.staging.new_place()
    if not wanted.target:
        raise Refused("its target changed since the scan")
    made, target = yield [Symlink(wanted.target, place), Readlink(place)]
    if isinstance(made, OSError) or target != wanted.target:
        raise Refused("symlinks cannot be stored here")
    if scene.aspects.times:
        raised((yield [SetLinkTime(place, seconds(wanted.mtime_ns, scene.aspects))])[0])
    yield from _put(scene, action, place, wanted)


def _put(scene: FarScene, action: Action, staged: bytes, wanted: Entry) -> Task[None]:
    path = action.path
    seen = yield from scene.look(path)
    if action.found is None:
        if seen is None:
            (placed,) = yield [Rename(staged, scene.root.at(path))]
            if isinstance(placed, OSError):
                seen = yield from scene.look(path)
                if seen is None:
                    raise placed
        if seen is not None:
            if not (yield from scene.is_already_there(path, seen, wanted)):
                raise in_the_way(action, seen, scene.is_unmanaged)
            scene.there.add(path)
            raised((yield [Remove(staged)])[0])
    else:
        yield from _replace(scene, action, action.found, seen, staged)
    yield from scene.stamp_as_seen(wanted, wanted.content)


def _replace(scene: FarScene, action: Action, found: Entry, seen: FarStat | None, staged: bytes) -> Task[None]:
    path = action.path
    if seen is None:
        raise Refused("vanished since the scan")
    if not shows(seen, found):
        raise Refused("changed since the scan")
    slot, is_known = yield from scene.put_away(action.aside or REPLACED, path, found)
    (placed,) = yield [Rename(staged, scene.root.at(path))]
    if isinstance(placed, OSError):
        yield from scene.put_back(slot, path)
        raise placed
    if not is_known:
        yield from scene.set_aside(slot, path, None)


def make_directory(scene: FarScene, action: Action) -> Task[None]:
    """Make a directory that can be filled; one that is there already will do."""
    wanted, place = wanted_of(action), scene.root.at(action.path)
    seen = yield from scene.look(action.path)
    if seen is None:
        raised((yield [Mkdir(place, MADE)])[0])
    elif stat.S_ISDIR(seen.st_mode):
        scene.there.add(action.path)
    else:
        raise in_the_way(action, seen, scene.is_unmanaged)
    raised((yield [SetStat(place, mode=new_mode(wanted.mode, scene.aspects) | USABLE)])[0])


def set_metadata(scene: FarScene, action: Action) -> Task[None]:
    """Set what counts on what the plan saw."""
    wanted, place = wanted_of(action), scene.root.at(action.path)
    seen = yield from scene.look_for(action.path, action.found)
    if kind_of(seen.st_mode) is not wanted.kind:
        raise Refused("changed since the scan")
    op: Op | None
    if wanted.kind is Kind.SYMLINK:
        op = SetLinkTime(place, seconds(wanted.mtime_ns, scene.aspects)) if scene.aspects.times else None
    else:
        mode = changed_mode(wanted, stat.S_IMODE(seen.st_mode), scene.aspects)
        op = setting(place, wanted, mode, scene.aspects) if wanted.kind is Kind.FILE else SetStat(place, mode=mode)
    if op is not None:
        raised((yield [op])[0])
    if wanted.kind is not Kind.DIRECTORY:
        yield from scene.stamp_as_seen(wanted)


def delete(scene: FarScene, action: Action) -> Task[None]:
    """Move a file or symlink to the trash, or remove an empty directory."""
    seen = yield from scene.look_for(action.path, action.found)
    if stat.S_ISDIR(seen.st_mode):
        yield from _remove_directory(scene, action)
        yield from scene.keep_directory(action.aside or DELETED, action.path, seen.st_mode)
        return
    slot, is_known = yield from scene.put_away(action.aside or DELETED, action.path, action.found)
    if not is_known:
        yield from scene.put_back(slot, action.path)
        raise Refused("changed since the scan")


def _remove_directory(scene: FarScene, action: Action) -> Task[None]:
    place = scene.root.at(action.path)
    (removed,) = yield [Rmdir(place)]
    if not isinstance(removed, OSError):
        return
    (listed,) = yield [List(place)]
    inside = [(action.path + b"/" + name, seen) for name, seen in raised(listed)]
    if not inside:
        raise removed
    raise not_empty(inside, scene.spared, scene.aspects, scene.is_unmanaged)


def move(scene: FarScene, action: Action) -> Task[None]:
    """Rename `source` to `path`; where the same file is there already, the source goes to the trash."""
    assert action.source is not None
    yield from scene.look_for(action.source, action.found)
    if action.displaced is not None:
        yield from _change_places(scene, action)
        return
    old, new = scene.root.at(action.source), scene.root.at(action.path)
    wanted = wanted_of(action)
    seen = yield from scene.look(action.path)
    if seen is not None:
        if not (yield from scene.is_already_there(action.path, seen, wanted)):
            raise new_name_taken(action, seen, scene.is_unmanaged)
        scene.there.add(action.path)
        yield from delete(scene, action._replace(path=action.source))
        return
    yield from _rename(scene, action, old, new)
    (seen,) = yield [Lstat(new)]
    if action.found is not None and not shows(raised(seen), action.found):
        raised((yield [Rename(new, old)])[0])
        raise Refused("changed since the scan")
    if wanted.kind is not Kind.DIRECTORY:
        scene.stamp(wanted, raised(seen))


def _rename(scene: FarScene, action: Action, old: bytes, new: bytes) -> Task[None]:
    (moved,) = yield [Rename(old, new)]
    if isinstance(moved, OSError):
        # What is not ours may not be linked, which is how servers see to it that nothing is replaced.
        seen = yield from scene.look(action.path)
        if seen is not None:
            raise new_name_taken(action, seen, scene.is_unmanaged)
        raised((yield [scene.aside(old, new)])[0])


def _change_places(scene: FarScene, action: Action) -> Task[None]:
    """By way of the trash slot of the source: a run that ends there has lost nothing."""
    assert action.source is not None
    assert action.displaced is not None
    yield from scene.look_for(action.path, action.displaced)
    slot, is_known = yield from scene.put_away(DELETED, action.source, action.found)
    old, new, between = scene.root.at(action.source), scene.root.at(action.path), scene.home.at(slot)
    if not is_known:
        yield from scene.put_back(slot, action.source)
        raise Refused("changed since the scan")
    (first,) = yield [Rename(new, old)]
    if isinstance(first, OSError):
        yield from scene.put_back(slot, action.source)
        raise first
    second, seen = yield [Rename(between, new), Lstat(old)]
    if isinstance(second, OSError) or not shows(raised(seen), action.displaced):
        back = [] if isinstance(second, OSError) else [Rename(new, between)]
        for outcome in (yield [*back, Rename(old, new), Rename(between, old)]):
            raised(outcome)
        raise second if isinstance(second, OSError) else Refused("changed since the scan")
    if wanted_of(action).kind is not Kind.DIRECTORY:
        yield from scene.stamp_as_seen(wanted_of(action))
    if action.displaced.kind is not Kind.DIRECTORY:
        yield from scene.stamp_as_seen(action.displaced._replace(path=action.source))


def put_back(scene: FarScene, change: Change, slot: bytes) -> Task[None]:
    """Put what is in a slot of the trash in place, or in the place of `change.before`."""
    path, place = change.path, scene.home.at(slot)
    scene.touch(path)
    if change.before is None:
        if (yield from scene.look(path)) is not None:
            raise Refused("something else is there now")
        raised((yield [Rename(place, scene.root.at(path))])[0])
        return
    seen = yield from scene.look(path)
    yield from _replace(scene, Action(Act.COPY, path, None, None), change.before, seen, place)
