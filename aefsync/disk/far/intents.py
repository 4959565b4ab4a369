"""Intents elsewhere (`disk/intents`): every replacement takes two steps there, and in between nothing is at the path.

They are the same files in the same place, so whoever writes next, with an agent or as here, puts back what a run took away
that ended there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence

from aefsync.core.action import Act, Action
from aefsync.core.files import Lstat, Remove, Rename, Replace, Task, ask, raised
from aefsync.core.problem import Problem, reason_of
from aefsync.disk.far.home import FarHome
from aefsync.disk.far.log import FarLog
from aefsync.disk.far.modes import FarModes, finish
from aefsync.disk.far.root import FarRoot
from aefsync.disk.home import INTENTS
from aefsync.disk.intents import Intent, completed, declared, exchanging, pending_in, replacing, unknown
from aefsync.disk.trash import slot_names
from aefsync.errors import RootError

_REPLACES = (Act.COPY, Act.LINK)


def intents_of(action: Action) -> list[Intent]:
    """The paths where nothing may stand for a while when an action is carried out."""
    if action.act in _REPLACES and action.found is not None:
        return [replacing(action)]
    if action.source is None or action.displaced is None:
        return []
    return exchanging(action)


class FarIntents:
    """The intents of one run, and its passing modes; `durable`: they last before anything is replaced."""

    def __init__(self, home: FarHome, run: str, *, durable: bool) -> None:
        self._log = FarLog(home, INTENTS + b"/" + run.encode(), durable=durable)
        self.modes = FarModes(home, run, durable=durable)

    def declare(self, intents: Sequence[Intent]) -> None:
        """Write them down; raises `OSError`: then nothing may be replaced."""
        if intents:
            self._log.append(declared(intents))
            self._log.sync()

    def complete(self, intents: Sequence[Intent]) -> None:
        """Something stands at their paths again."""
        with contextlib.suppress(OSError):
            if intents:
                self._log.append(completed(intents))

    def clear(self, root: FarRoot) -> None:
        """Forget all of them: everything is in place, durably."""
        self.modes.clear(root)
        with contextlib.suppress(OSError):
            self._log.remove()
        self._log.close()


def settle(root: FarRoot, home: FarHome) -> list[Problem]:
    """Put back what interrupted runs took away and did not replace, and the modes that they changed for a while; the paths
    where the former could not be done."""
    finish(root, home)
    problems: list[Problem] = []
    for run, pending in _left(home):
        outcomes = root.files.carry_out(_attempt(root, home, run, intent) for intent in pending)
        failed = [
            Problem(bytes(intent.path), f"half replaced: {reason_of(outcome)}", subtree=True)
            for intent, outcome in zip(pending, outcomes, strict=True)
            if outcome is not None
        ]
        if not failed:
            ask(home.files, Remove(home.at(INTENTS + b"/" + os.fsencode(run))))
        problems += failed
    return problems


def unsettled(root: FarRoot, home: FarHome) -> list[Problem]:
    """The paths of which nothing is known before the next run that writes has settled them."""
    paths = sorted({bytes(intent.path) for _, pending in _left(home) for intent in pending})
    found = ask(root.files, *map(Lstat, map(root.at, paths)))
    return [unknown(path) for path, seen in zip(paths, found, strict=True) if isinstance(seen, OSError)]


def _left(home: FarHome) -> Iterator[tuple[str, list[Intent]]]:
    """What interrupted runs left."""
    try:
        for run in sorted(home.names(INTENTS)):
            yield os.fsdecode(run), pending_in(home.contents(INTENTS + b"/" + run))
    except FileNotFoundError:
        return
    except OSError as error:
        raise RootError(f".aefsync/{INTENTS.decode()}: {reason_of(error)}") from None


def _attempt(root: FarRoot, home: FarHome, run: str, intent: Intent) -> Task[OSError | None]:
    try:
        # What stands there by now is newer; and a directory that is gone was not taken by that run.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if (yield from root.look(intent.path)) is None:
                yield from _put_back(root, home, slot_names(run, intent.why, intent.kept_as), intent.path)
    except OSError as error:
        return error
    return None


def _put_back(root: FarRoot, home: FarHome, slots: Iterable[bytes], path: bytes) -> Task[None]:
    """Bring what is in the last of the slots that are filled."""
    last = None
    for slot in slots:
        (seen,) = yield [Lstat(home.at(slot))]
        if isinstance(seen, FileNotFoundError):
            break
        last = home.at(slot)
    if last is None:
        return
    (moved,) = yield [Rename(last, root.at(path))]
    if isinstance(moved, OSError) and home.files.abilities.replace:
        # What is not ours may not be linked, which is how servers see to it that nothing is replaced.
        if (yield from root.look(path)) is None:
            raised((yield [Replace(last, root.at(path))])[0])
        return
    raised(moved)
