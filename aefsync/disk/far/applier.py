"""Apply elsewhere: actions carried out in **waves**, all actions of a wave at the same time.

An action waits only for earlier ones on the same path, above or below it: what is in a directory comes after the
directory is made, and goes before it goes.  So a tree takes as many waves as it is deep, and each wave a few round
trips, however many files there are.

    mkdir a        1
    create a/f     2
    mkdir a/b      2      create b       1
    create a/b/g   3      delete c/x     1      delete c     2
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence

from aefsync.core.action import Act, Action, Applied
from aefsync.core.files import Task
from aefsync.core.path import RelPath
from aefsync.core.problem import Problem
from aefsync.disk.far.home import FULL, READ_ONLY, why
from aefsync.disk.far.intents import intents_of
from aefsync.disk.far.scene import FarScene
from aefsync.disk.far.steps import delete, make_directory, move, place_file, place_link, set_metadata
from aefsync.disk.intents import Intent
from aefsync.disk.looking import Refused, Spared, is_barred
from aefsync.disk.modes import of_new
from aefsync.disk.setting import new_mode

_PORTION = 256
"""Actions that what is above them is looked at for, at once and just before."""
_STEPS: dict[Act, Callable[[FarScene, Action], Task[None]]] = {
    Act.CREATE: place_file,
    Act.COPY: place_file,
    Act.LINK: place_link,
    Act.MKDIR: make_directory,
    Act.METADATA: set_metadata,
    Act.MOVE: move,
    Act.DELETE: delete,
}


class FarApplier:
    """Carries out actions on one root; `touched`, `placed` and `there` as in `disk/apply`."""

    def __init__(self, scene: FarScene) -> None:
        self._scene = scene
        self._unmade: set[RelPath] = set()
        self._told: set[str] = set()
        self.touched = scene.touched
        self.placed = scene.placed
        self.there = scene.there

    def apply(self, actions: Sequence[Action]) -> Applied:
        """Carry out actions; one that cannot be is a problem, and the others go on."""
        scene = self._scene
        scene.kept.clear()
        scene.placed.clear()
        scene.there.clear()
        self._announce(actions)
        outcomes: list[Exception | None] = [None] * len(actions)
        portions = (
            wave[start : start + _PORTION] for wave in waves(actions) for start in range(0, len(wave), _PORTION)
        )
        for portion in portions:
            scene.home.lease.check()
            scene.look_above(path for n in portion for path in (actions[n].path, actions[n].source) if path)
            self._carry_out([actions[number] for number in portion], portion, outcomes)
        scene.sound.clear()
        pairs = list(zip(actions, outcomes, strict=True))
        problems = tuple(problem for action, outcome in pairs for problem in self._problems(action, outcome))
        spared = tuple(action.path for action, outcome in pairs if isinstance(outcome, Spared))
        return Applied(tuple(outcome is None for outcome in outcomes), problems, tuple(scene.kept), spared)

    def _announce(self, actions: Sequence[Action]) -> None:
        """Write down what passing modes there will be."""
        aspects = self._scene.aspects
        made = (each.wanted for each in actions if each.act is Act.MKDIR and each.wanted is not None)
        with contextlib.suppress(OSError):
            self._scene.intents.modes.declare(of_new(each.path, new_mode(each.mode, aspects)) for each in made)

    def _carry_out(self, actions: Sequence[Action], numbers: Sequence[int], outcomes: list[Exception | None]) -> None:
        """Carry out actions of a wave, what they intend being written down before; their outcomes go to these numbers."""
        intents = [intents_of(action) for action in actions]
        refusal: OSError | None = None
        try:
            self._scene.intents.declare(list(itertools.chain.from_iterable(intents)))
        except OSError as error:
            refusal = error
        results = self._scene.home.files.carry_out(
            self._attempt(action, refusal if own else None) for action, own in zip(actions, intents, strict=True)
        )
        ended: list[Intent] = []
        for number, own, outcome in zip(numbers, intents, results, strict=True):
            outcomes[number] = outcome
            ended += () if isinstance(outcome, OSError) else own
        self._scene.intents.complete(ended)

    def _attempt(self, action: Action, refusal: OSError | None) -> Task[Exception | None]:
        if refusal is not None:
            return refusal
        spared = self._scene.spared
        if is_barred(action, spared):
            return Spared()
        self._scene.touch(action.path)
        if action.source is not None:
            self._scene.touch(action.source)
        try:
            step = _STEPS.get(action.act)
            if step is None:
                raise Refused("cannot be done over SFTP")
            yield from step(self._scene, action)
            self._scene.settle(action.source or action.path)
        except (Spared, Refused, OSError) as error:
            spared.update([action.path] if isinstance(error, Spared) else ())
            return error
        return None

    def _problems(self, action: Action, error: Exception | None) -> Iterator[Problem]:
        """What is to be told of an action that was not carried out; nothing where it is told already (`disk/troubles`)."""
        if error is None or isinstance(error, Spared):
            return
        if action.act is Act.MKDIR:
            self._unmade.add(action.path)
        if isinstance(error, FileNotFoundError) and any(above in self._unmade for above in action.path.ancestors):
            return
        reason = why(self._scene.root, error) if isinstance(error, OSError) else str(error)
        if reason not in (READ_ONLY, FULL):
            yield Problem(bytes(action.source or action.path), reason)
        elif reason not in self._told:
            self._told.add(reason)
            yield Problem(b"", f"{reason}: nothing in it can be changed")


def waves(actions: Sequence[Action]) -> list[list[int]]:
    """The numbers of actions, wave by wave."""
    found: list[list[int]] = []
    at: dict[bytes, int] = {}
    """the last wave of an action on a path"""
    below: dict[bytes, int] = {}
    """and of any action below a path"""
    for number, action in enumerate(actions):
        paths = (action.path,) if action.source is None else (action.path, action.source)
        wave = max(max(at.get(path, 0), below.get(path, 0), *_last_above(path, at)) for path in paths)
        if wave == len(found):
            found.append([])
        found[wave].append(number)
        for path in paths:
            at[path] = wave + 1
            for above in path.ancestors:
                below[above] = max(below.get(above, 0), wave + 1)
    return found


def _last_above(path: RelPath, at: dict[bytes, int]) -> list[int]:
    return [0, *(at.get(above, 0) for above in path.ancestors)]
