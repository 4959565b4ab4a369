"""Intents: what is about to be replaced in two steps, where a file system cannot exchange names (vfat, NFS, SMB).

Between the rename that takes the old file away and the one that brings the new file, nothing stands at the path, and a
run that ends there must not be taken for a deletion.  So the path is written down first, durably; whoever writes next
puts the old file back from its slot before it looks at the tree, and whoever only reads calls the path unknown.

`.aefsync/intents/RUN` holds three words for each, and for each that is complete, an empty word and the same last two.
Every word ends with NUL; what has no such end was never written whole.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence

from aefsync.core.action import Action
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.problem import Problem, reason_of
from aefsync.core.writing import Durability
from aefsync.disk.confined import ConfinedRoot, exists, split
from aefsync.disk.directories import OpenDirectories
from aefsync.disk.durability import Durable
from aefsync.disk.half_set import HalfSets
from aefsync.disk.half_set import finish as set_the_rest
from aefsync.disk.home import INTENTS, Home
from aefsync.disk.lasting import LastingFile, words
from aefsync.disk.modes import PassingModes, finish
from aefsync.disk.renaming import rename_new
from aefsync.disk.retention import half_done
from aefsync.disk.trash import DELETED, REPLACED, slot_names

_SETTLED = (FileExistsError, FileNotFoundError, NotADirectoryError)


class Intent(NamedTuple):
    """`path` may be missing for a while; what belongs there is in the slot that `kept_as` has in the trash, under
    `why`."""

    why: str
    path: RelPath
    kept_as: RelPath


class Intents:
    """The intents of one run.  `are_needed` from the first time on that names could not be exchanged."""

    def __init__(self, home: Home, run: str, durable: Durable) -> None:
        self._home = home
        self._run = run
        self._file = LastingFile(home, INTENTS + b"/" + run.encode(), durable)
        self._declared: set[Intent] = set()
        self.modes = PassingModes(home, run, durable)
        self.half_sets = HalfSets(home, run, durable)
        self.are_needed = False

    def declare(self, intents: Iterable[Intent]) -> None:
        """Write down what is not yet; raises `OSError`: then nothing may be replaced."""
        self.are_needed = True
        fresh = [each for each in dict.fromkeys(intents) if each not in self._declared]
        if not fresh:
            return
        self._file.append(declared(fresh))
        self._file.sync()
        self._declared.update(fresh)

    def complete(self, intents: Sequence[Intent]) -> None:
        """Something stands at their paths again; should it be deleted by its user, that is meant so."""
        self._declared.difference_update(intents)
        with contextlib.suppress(OSError):
            if self._file.is_open:
                self._file.append(completed(intents))

    def clear(self, root: ConfinedRoot) -> None:
        """Forget all of them: everything is in place, durably."""
        self.modes.clear(root)
        self.half_sets.clear()
        if self._file.is_open:
            self._file.close()
            self._declared.clear()
            _forget(self._home, self._run)

    def close(self) -> None:
        self.modes.close()
        self.half_sets.close()
        self._file.close()


def replacing(action: Action) -> Intent:
    """The path where nothing may stand for a while when an action replaces what is there."""
    return Intent(action.aside or REPLACED, action.path, action.path)


def exchanging(action: Action) -> list[Intent]:
    """The same of one that has two things change places: taken out, one of them may be missing at its old path first, and
    then at its new one."""
    assert action.source is not None
    return [Intent(DELETED, missing, action.source) for missing in (action.source, action.path)]


def declared(intents: Iterable[Intent]) -> bytes:
    """How intents are written down."""
    return b"".join([words(why.encode(), *paths) for why, *paths in intents])


def completed(intents: Iterable[Intent]) -> bytes:
    """How it is written down that they are complete."""
    return b"".join([words(b"", *paths) for _, *paths in intents])


def pending_in(data: bytes) -> list[Intent]:
    """The intents that were declared and not completed, as far as they make sense: what a machine leaves that lost its
    power may be cut short, or full of zeros."""
    cut = data.split(b"\0")[:-1]
    pending: dict[tuple[bytes, bytes], Intent] = {}
    for why, path, kept_as in zip(cut[0::3], cut[1::3], cut[2::3], strict=False):
        try:
            intent = Intent(why.decode(), RelPath(path), RelPath(kept_as))
        except ValueError:
            break
        if why:
            pending[path, kept_as] = intent
        else:
            pending.pop((path, kept_as), None)
    return list(pending.values())


def unknown(path: bytes) -> Problem:
    """Nothing is known of a path before the next run that writes has settled it."""
    return Problem(path, "half replaced by a run that was interrupted", subtree=True)


def settle(root: ConfinedRoot, home: Home) -> list[Problem]:
    """Put back what interrupted runs took away and did not replace, and the modes that they changed for a while, and set what
    they had half set; the paths where the first could not be done."""
    set_the_rest(root, home)
    finish(root, home)
    problems: list[Problem] = []
    for run in sorted(half_done(home)):
        failed = []
        modes = PassingModes(home, run, Durable(Durability.NONE))
        with OpenDirectories(root, modes) as parents:
            for intent in _pending(home, run):
                try:
                    _put_back(home, parents, run, intent)
                except OSError as error:
                    failed.append(Problem(bytes(intent.path), f"half replaced: {reason_of(error)}", subtree=True))
        modes.clear(root)
        if not failed:
            _forget(home, run)
        problems += failed
    return problems


def unsettled(root: ConfinedRoot, home: Home) -> list[Problem]:
    """The paths of which nothing is known before the next run that writes has settled them."""
    pending = {
        each.path for run in sorted(half_done(home)) for each in _pending(home, run) if not exists(root, each.path)
    }
    return [unknown(bytes(path)) for path in sorted(pending)]


def _put_back(home: Home, parents: OpenDirectories, run: str, intent: Intent) -> None:
    directory, name = split(intent.path)
    found = list(_taken(home, run, intent.why, intent.kept_as))
    if found:
        above, last = split(found[-1])
        # What stands there by now is newer; and a directory that is gone was not taken by that run.
        with home.directory(above) as fd, contextlib.suppress(*_SETTLED):
            rename_new(fd, last, parents.get(directory), name)


def _taken(home: Home, run: str, why: str, path: bytes) -> Iterator[bytes]:
    """The slots of a path that are filled, in the order in which they were."""
    for slot in slot_names(run, why, path):
        if not exists(home, slot):
            return
        yield slot


def _pending(home: Home, run: str) -> list[Intent]:
    fd = home.open_file(INTENTS + b"/" + os.fsencode(run))
    with os.fdopen(fd, "rb") as file:
        return pending_in(file.read())


def _forget(home: Home, run: str) -> None:
    with contextlib.suppress(FileNotFoundError), home.directory(INTENTS) as fd:
        os.unlink(run, dir_fd=fd)
