"""Apply: actions carried out in order, each by the file for its sort; the one place that changes the tree.

Every step looks just before it changes anything, and again at what came out: `placing` for what is new or replaced,
`deleting`, `moving`, and `metadata` for what only gets other permissions and times.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence

from aefsync.core.action import Act, Action, Applied
from aefsync.core.entry import Entry
from aefsync.core.path import RelPath
from aefsync.core.problem import Problem
from aefsync.disk.confined import split
from aefsync.disk.deleting import delete
from aefsync.disk.intents import replacing
from aefsync.disk.joining import join
from aefsync.disk.looking import Refused, Spared, is_barred
from aefsync.disk.metadata import make_directory, set_metadata
from aefsync.disk.modes import of_new
from aefsync.disk.moving import move
from aefsync.disk.placing import place_file, place_link
from aefsync.disk.scene import Scene
from aefsync.disk.setting import new_mode
from aefsync.disk.troubles import Troubles

_STEPS: dict[Act, Callable[[Scene, Action], os.stat_result | None]] = {
    Act.CREATE: place_file,
    Act.COPY: place_file,
    Act.LINK: place_link,
    Act.JOIN: join,
    Act.MKDIR: make_directory,
    Act.METADATA: set_metadata,
    Act.MOVE: move,
    Act.DELETE: delete,
}
_REPLACES = (Act.COPY, Act.LINK, Act.JOIN)
_STAGED = (Act.CREATE, Act.COPY)
_PUTS = (Act.CREATE, Act.COPY, Act.LINK, Act.JOIN, Act.MOVE)


class Applier:
    """Carries out actions on one root; `touched`, `placed`, `there`, `as_left`, `renew` and `renewed` as in `Scene`."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._troubles = Troubles(scene.root)
        self.touched = scene.touched
        self.placed = scene.placed
        self.there = scene.there
        self.as_left = scene.as_left
        self.renew = scene.renew
        self.renewed = scene.renewed

    def apply(self, actions: Sequence[Action]) -> Applied:
        """Carry out actions in order; one that cannot be is a problem, and the others go on."""
        done: list[bool] = []
        problems: list[Problem] = []
        spared: list[RelPath] = []
        self._scene.kept.clear()
        self._scene.placed.clear()
        self._scene.there.clear()
        self._announce(actions)
        with self._scene.parents, self._scene.olds, contextlib.closing(self._scene.trash):
            for action in actions:
                self._scene.trash.begin()
                try:
                    self._perform(action)
                except Spared:
                    self._scene.spared.add(action.path)
                    spared.append(action.path)
                    done.append(False)
                except (Refused, OSError) as error:
                    self._scene.trash.owe()
                    problems += self._troubles.of(action, error)
                    done.append(False)
                else:
                    done.append(True)
        return Applied(tuple(done), tuple(problems), tuple(self._scene.kept), tuple(spared))

    def _announce(self, actions: Sequence[Action]) -> None:
        """Write down what passing modes there will be; and, where it is known that names cannot be exchanged, one durable
        intent for all that will be replaced."""
        aspects = self._scene.aspects
        with contextlib.suppress(OSError):
            made = (each.wanted for each in actions if each.act is Act.MKDIR and each.wanted is not None)
            self._scene.intents.modes.declare(of_new(each.path, new_mode(each.mode, aspects)) for each in made)
        if self._scene.intents.are_needed:
            # Where that fails, each step tries for itself, and is not carried out if it fails again.
            with contextlib.suppress(OSError):
                replaced = (each for each in actions if each.found and each.act in _REPLACES)
                self._scene.intents.declare(map(replacing, replaced))

    def _perform(self, action: Action) -> None:
        scene = self._scene
        if is_barred(action, scene.spared):
            raise Spared
        scene.touch(action.path)
        if action.source is not None:
            scene.touch(action.source)
        content = scene.staging.content(action.path) if action.act in _STAGED else b""
        found, displaced = scene.as_left(action.found), scene.as_left(action.displaced)
        if found is not action.found or displaced is not action.displaced:
            action = action._replace(found=found, displaced=displaced)
        seen = _STEPS[action.act](scene, action)
        if action.act is Act.JOIN and action.wanted is not None:
            content = scene.anchors[RelPath.again(action.wanted.leader)].content
        if action.act in _PUTS and action.wanted is not None:
            if seen is not None:
                scene.stamp(action.wanted, seen, content, moved=action.source is not None)
            else:
                self._stamp(action.wanted, content, moved=action.source is not None)
        if action.source is not None and displaced is not None:
            self._stamp(displaced._replace(path=action.source), moved=True)

    def _stamp(self, wanted: Entry, content: bytes = b"", *, moved: bool) -> None:
        directory, name = split(wanted.path)
        with contextlib.suppress(FileNotFoundError):
            seen = os.stat(name, dir_fd=self._scene.parents.get(directory), follow_symlinks=False)
            self._scene.stamp(wanted, seen, content, moved=moved)
