"""Passing modes elsewhere (`disk/modes`): a directory is made, and gets its mode in a second step, or when it is filled.

They are the same files in the same place, so whoever writes next, with an agent or as here, puts right what a run left that
ended there.
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterable

from aefsync.core.files import SetStat, Task, raised
from aefsync.disk.far.home import FarHome
from aefsync.disk.far.log import FarLog
from aefsync.disk.far.root import FarRoot
from aefsync.disk.modes import MODES, PassingMode, declared, declared_in, righted


class FarModes:
    """The passing modes of one run; `durable`: those that last do so over there before any directory is made."""

    def __init__(self, home: FarHome, run: str, *, durable: bool) -> None:
        self._log = FarLog(home, MODES + b"/" + run.encode(), durable=durable)
        self._lasting: list[PassingMode] = []

    def declare(self, modes: Iterable[PassingMode]) -> None:
        """Write down what is about to be; raises `OSError`."""
        todo = list(modes)
        if not todo:
            return
        lasting = [each for each in todo if each.lasts]
        self._lasting += lasting
        self._log.append(declared(todo))
        if lasting:
            self._log.sync()

    def clear(self, root: FarRoot) -> None:
        """Forget them: everything is made, and filled as far as it will be."""
        if _put_right(root, self._lasting):
            with contextlib.suppress(OSError):
                self._log.remove()
        self._log.close()
        self._lasting.clear()


def finish(root: FarRoot, home: FarHome) -> None:
    """Put right the modes that interrupted runs left."""
    with contextlib.suppress(OSError):
        for run in home.names(MODES):
            place = MODES + b"/" + run
            with contextlib.suppress(OSError):
                if _put_right(root, {each.path: each for each in declared_in(home.contents(place))}.values()):
                    home.unlink(place)


def _put_right(root: FarRoot, modes: Iterable[PassingMode]) -> bool:
    """Whether all that could be done was done."""
    return all(list(root.files.carry_out(_attempt(root, each) for each in modes)))


def _attempt(root: FarRoot, wanted: PassingMode) -> Task[bool]:
    try:
        seen = yield from root.look(wanted.path)
        mode = righted(seen.st_mode, wanted) if seen is not None and stat.S_ISDIR(seen.st_mode) else None
        if mode is not None:
            raised((yield [SetStat(root.at(wanted.path), mode=mode)])[0])
    except (FileNotFoundError, NotADirectoryError):
        return True  # nobody needs it any more
    except OSError:
        return False
    return True
