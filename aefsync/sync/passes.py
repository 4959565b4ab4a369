"""Carry a plan out, pass by pass and window by window, on all replicas at once (the order: `core.plan`).

Only what a window comes to is kept when it is over: a flag for each action of MOVE and DELETE, which are told of when
PUT comes to the same paths, so that everything is told in key order.

Once everything has been moved, the files of a window are brought while the one before it is put in place, so that a
replica has something to do whenever it has done something.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial

from aefsync.core.action import Act, Action, Applied, KeptCopy
from aefsync.core.conflict_name import original_name
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.one_sided import OneSided
from aefsync.core.path import RelPath, is_within
from aefsync.core.ports import Monitor, Phase
from aefsync.core.problem import Problem
from aefsync.core.step import Pass, Place, Transfer
from aefsync.sync.attending import Attending
from aefsync.sync.deadline import Deadline
from aefsync.sync.decide import Decided, Window
from aefsync.sync.growing import Grown, all_grown
from aefsync.sync.together import Begun, one_ahead
from aefsync.sync.transfer import WEIGHT, Transferred

BATCH = 4096
"""Actions in one request."""

Flags = tuple[bytes, ...]
"""For each replica, a byte for each of its actions of one pass over one window: 1 where it was carried out."""


class Outcome(NamedTuple):
    """How one pass over one window turned out; `done` holds the passes so far over that window, `grown` what of it was
    brought by columns (the window is then what was left to do)."""

    step: Pass
    window: Window
    done: dict[Pass, Flags]
    problems: tuple[tuple[int, Problem], ...] = ()
    kept: tuple[tuple[int, KeptCopy], ...] = ()
    literal_bytes: int = 0
    reused_bytes: int = 0
    spared: int = 0
    """actions not carried out for the sake of what filters leave out"""
    barred: tuple[RelPath, ...] = ()
    """paths at which it is in the way: told of once each"""
    grown: Grown | None = None

    def is_done(self, replica: int, place: Place) -> bool:
        """Whether an action was carried out."""
        return bool(self.done[place.step][replica][place.number])

    @property
    def skipped(self) -> int:
        """How many actions of this pass were not, though nothing speaks for it."""
        return sum(flags.count(0) for flags in self.done[self.step]) - self.spared

    def undone(self, read_only: Collection[int]) -> Iterator[RelPath]:
        """The paths of those, both of a move; not of replicas on which nothing is ever done."""
        for number, own in enumerate(zip(self.window.plan.of(self.step), self.done[self.step], strict=True)):
            if number not in read_only:
                for action in (action for action, done in zip(*own, strict=True) if not done):
                    yield from (path for path in (action.path, action.source) if path is not None)


def rehearse(decided: Decided, read_only: Collection[int]) -> Iterator[Outcome]:
    """What `carry_out` would come to if all went well, nothing being done."""
    flags = [bytes([number not in read_only]) for number in range(decided.replicas)]
    for number in range(len(decided.loads)):
        window = decided.window(number)
        done: dict[Pass, Flags] = {}
        for step in Pass:
            own = window.plan.of(step)
            done[step] = tuple(flag * len(each) for flag, each in zip(flags, own, strict=True))
            if step is not Pass.PUT:
                if any(own):
                    yield Outcome(step, window, dict(done))
                continue
            grown = None if window.one_sided is None else all_grown(window.one_sided, decided.replicas)
            yield Outcome(step, window, dict(done), grown=grown)


def carry_out(attending: Attending, decided: Decided, monitor: Monitor, deadline: Deadline) -> Iterator[Outcome]:
    """Do everything; outcomes of PUT come for every window, in order, those of the other passes where there are any.

    When the time is up nothing further is begun.
    """
    passes = _Passes(attending, decided, monitor, deadline)
    for step in Pass:
        numbers = [number for number, load in enumerate(decided.loads) if step is Pass.PUT or load.has(step)]
        ordered = reversed(numbers) if step.backwards else iter(numbers)
        in_time = itertools.takewhile(lambda _: not deadline.is_up(), ordered)
        yield from one_ahead(
            map(partial(passes.begin, step), map(decided.window, in_time)), partial(passes.carry, step)
        )
        if deadline.late:
            return


class _Ahead(NamedTuple):
    """A window, and its bytes where they are on their way already."""

    window: Window
    brought: Begun[Transferred] | None


class _Passes:
    """What must be remembered between windows."""

    def __init__(self, attending: Attending, decided: Decided, monitor: Monitor, deadline: Deadline) -> None:
        self._session = attending.session
        self._decided = decided
        self._attending = attending
        self._monitor = monitor
        self._deadline = deadline
        self._totals = [sum(own) for own in decided.load.actions]
        self._applied = [0] * decided.replicas
        self._done: dict[tuple[int, Pass], Flags] = {}
        self._failed: dict[int, tuple[frozenset[RelPath], ...]] = {}
        """Conflict copies that did not arrive, by window."""
        self._undone: set[RelPath] = set()
        """Paths on which some replica did not do its part, and those that have lost a conflict copy so."""
        self._bringing = threading.Lock()
        """The files of one window come after those of another."""
        self._spared: tuple[set[RelPath], ...] = tuple(set() for _ in range(decided.replicas))
        """by replica, the paths that stay as they are for the sake of what filters leave out"""
        self._barred: set[RelPath] = set()
        self._unmoved: set[bytes] = set()
        """Both paths of what some replica did not move: nothing at them, or below, is what the others have there."""
        for number, size in enumerate(decided.load.sizes):
            self._watch(number, size)

    def _watch(self, number: int, size: int) -> None:
        """Tell the monitor of bytes that arrive, out of all that will."""
        replica, monitor = self._session.replicas[number], self._monitor
        replica.on_progress = lambda phase, done, total: monitor.progress(
            number, phase, done, size if phase is Phase.COPY else total
        )

    def begin(self, step: Pass, window: Window) -> _Ahead:
        """Have begun what need not wait for the windows before: once everything has been moved, the bytes of files."""
        if step is not Pass.PUT or window.one_sided is not None or not window.plan.transfers:
            return _Ahead(window, None)
        return _Ahead(window, Begun(partial(self._bring, step, window)))

    def carry(self, step: Pass, ahead: _Ahead) -> Outcome:
        """One pass over one window: bring what it needs, apply, remember what was done."""
        window = ahead.window
        none = tuple(b"" for _ in self._totals)
        grown = None
        if step is Pass.PUT and window.one_sided is not None:
            grown = self._grow(window.one_sided)
            window = self._decided.rest(window.number, grown)
        transferred = self._bring(step, window) if ahead.brought is None else ahead.brought.result()
        failed = transferred.failed
        if step is Pass.PUT:
            failed = tuple(map(frozenset.union, failed, self._failed.pop(window.number, failed)))
        actions = window.plan.of(step)
        applied = self._attending.each(
            lambda number, _: self._apply(number, actions[number], failed[number]),
            lambda number: _left_undone(actions[number]),
        )
        done = {earlier: self._done.pop((window.number, earlier), none) for earlier in Pass if earlier < step}
        done[step] = tuple(bytes(own.done) for own in applied)
        for own, result in zip(actions, applied, strict=True):
            self._leave(() if all(result.done) else (a for a, ok in zip(own, result.done, strict=True) if not ok))
        if step in (Pass.MOVE, Pass.DELETE):
            self._done |= {(window.number, each): flags for each, flags in done.items()}
        problems = [(number, problem) for number, own in enumerate(applied) for problem in own.problems]
        kept = tuple((number, copy) for number, own in enumerate(applied) for copy in own.kept)
        spared = sum(len(own.spared) for own in applied)
        barred = tuple(self._barred_among(zip(actions, applied, strict=True))) if spared else ()
        literal = transferred.literal_bytes + (grown.literal_bytes if grown is not None else 0)
        told = (*transferred.problems, *problems)
        return Outcome(step, window, done, told, kept, literal, transferred.reused_bytes, spared, barred, grown)

    def _barred_among(self, applied: Iterable[tuple[Sequence[Action], Applied]]) -> Iterator[RelPath]:
        """The paths of what could not be put in place, as what filters leave out stands there; each only once."""
        for number, (actions, result) in enumerate(applied):
            own = self._spared[number]
            own.update(result.spared)
            for action, done in zip(actions, result.done, strict=True):
                is_put = not done and action.path in own and action.act not in (Act.DELETE, Act.RECORD)
                if is_put and action.path not in self._barred and not is_within(action.path.parent, own):
                    self._barred.add(action.path)
                    yield action.path

    def _leave(self, undone: Iterable[Action]) -> None:
        for path, source in ((each.path, each.source) for each in undone):
            self._undone |= {path, path.sibling(original_name(path.name))}
            if source is not None:
                self._unmoved |= {path, source}

    def _grow(self, found: OneSided) -> Grown:
        grown = self._attending.grow(found, self._deadline)
        for number, flags in enumerate(grown.flags):
            if flags:
                self._advance(number, flags.count(1))
        return grown

    def _advance(self, number: int, count: int) -> None:
        self._applied[number] += count
        self._monitor.progress(number, Phase.APPLY, self._applied[number], self._totals[number])

    def _bring(self, step: Pass, window: Window) -> Transferred:
        wanted: Sequence[Transfer] = ()
        if step is Pass.MOVE or step is Pass.PUT:
            wanted = window.plan.early if step is Pass.MOVE else window.plan.transfers
            if any(self._spared):
                wanted = [each for each in wanted if not is_within(each.file.path, self._spared[each.receiver])]
        if not wanted:
            return Transferred((frozenset(),) * len(self._totals), ())
        with self._bringing:
            transferred = self._attending.transfer(wanted, self._deadline)
        if step is Pass.MOVE and any(transferred.failed):
            self._failed[window.number] = transferred.failed
        return transferred

    def _apply(self, number: int, actions: Sequence[Action], failed: frozenset[RelPath]) -> Applied:
        """Apply a replica's actions in batches, without those whose content did not arrive."""
        if number in self._attending.read_only:
            return _left_undone(actions)
        done: list[bool] = []
        problems: list[Problem] = []
        kept: list[KeptCopy] = []
        spared: list[RelPath] = []
        for batch in batches(actions):
            able = [not self._is_idle(action, failed) for action in batch]
            result = self._session.replicas[number].apply([a for a, ok in zip(batch, able, strict=True) if ok])
            outcomes = iter(result.done)
            done += [ok and next(outcomes) for ok in able]
            problems += result.problems
            kept += result.kept
            spared += result.spared
            self._advance(number, len(batch))
        return Applied(tuple(done), tuple(problems), tuple(kept), tuple(spared))

    def _is_idle(self, action: Action, failed: frozenset[RelPath]) -> bool:
        """Whether an action would have nothing to put in place, or adopt a version that others failed to make."""
        if action.act is Act.RECORD:
            return action.path in self._undone or (bool(self._unmoved) and is_within(action.path, self._unmoved))
        return action.act in (Act.CREATE, Act.COPY) and action.path in failed


def _left_undone(actions: Sequence[Action]) -> Applied:
    return Applied((False,) * len(actions), (), ())


def batches(actions: Sequence[Action]) -> Iterator[list[Action]]:
    """Actions in requests of bounded number and size."""
    batch: list[Action] = []
    rows = weight = 0
    for action in actions:
        others, own = (0, 0) if action.along is None else (len(action.along.others), action.along.size)
        own += len(action.path) if action.wanted is None else action.wanted.weight
        rows, weight = rows + 1 + others, weight + own
        if batch and (rows > BATCH or weight > WEIGHT):
            yield batch
            batch, rows, weight = [], 1 + others, own
        batch.append(action)
    if batch:
        yield batch
