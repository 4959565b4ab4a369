"""Which replicas of a run are there, where others cannot be reached as it begins: the others are done without them.

What such a run says is told with the numbers that the user's order gives the replicas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from aefsync.core.named_tuple import NamedTuple
from aefsync.errors import AefsyncError, UnreachableError
from aefsync.sync.events import (
    Acted,
    Begun,
    Conflicted,
    CopyKept,
    Event,
    Filtered,
    Grew,
    LeftUndone,
    Notice,
    Started,
    Summary,
    Trashed,
    Troubled,
)
from aefsync.sync.location import parse
from aefsync.sync.request import Request
from aefsync.sync.standing import Enrolled, Stood
from aefsync.sync.together import together

T = TypeVar("T")
_OUTWEIGHED = (0, 1, 4)
"""Exit codes that give way to that of a replica which could not be reached (CLI.md)."""


class AbsentError(UnreachableError):
    """Some replicas of a session cannot be reached: `absent` says why, by their numbers.  It reads as the first does."""

    def __init__(self, absent: Mapping[int, UnreachableError]) -> None:
        first = absent[min(absent)]
        super().__init__(first.message, hint=first.hint, transient=first.transient)
        self.absent = absent


def of_all(calls: Sequence[Callable[[], T]]) -> list[T]:
    """What each replica answers, asked at once; raises `AbsentError` when all of them were tried."""

    def tried(call: Callable[[], T]) -> T | UnreachableError:
        try:
            return call()
        except UnreachableError as error:
            return error

    answers = together([partial(tried, call) for call in calls])
    absent = {number: each for number, each in enumerate(answers) if isinstance(each, UnreachableError)}
    if absent:
        raise AbsentError(absent)
    return [each for each in answers if not isinstance(each, UnreachableError)]


class Present(NamedTuple):
    """The replicas that are there, by their `numbers`, and why others are not."""

    numbers: tuple[int, ...]
    absent: Mapping[int, UnreachableError] = {}

    def without(self, error: AbsentError) -> Present:
        """Those of these that are left; the error numbers them among themselves."""
        numbers = tuple(number for own, number in enumerate(self.numbers) if own not in error.absent)
        return Present(numbers, {**self.absent, **{self.numbers[own]: each for own, each in error.absent.items()}})

    def told(self, event: Event) -> Event:
        """What is said of these replicas, said of the same among all."""
        if not self.absent:
            return event
        match event:
            case Acted() | Grew():
                source = None if event.source is None else self.numbers[event.source]
                return event._replace(source=source, to=self._all(event.to))  # type: ignore[arg-type]
            case LeftUndone():
                return event._replace(to=self._all(event.to))
            case Begun():
                return Begun(self._all(event.replicas))
            case Conflicted(winner=int(winner)):
                return event._replace(winner=self.numbers[winner])
            case Troubled() | Filtered() | CopyKept() | Trashed() | Stood() | Enrolled():
                return event._replace(replica=self.numbers[event.replica])
            case _:
                return event

    def summed_up(self, ended: Summary, *, is_allowed: bool = False) -> Summary:
        """What the run came to, over all replicas; `is_allowed`: that some are absent is as the user expects."""
        if not self.absent:
            return ended
        exit_code = UnreachableError.exit_code if ended.exit_code in _OUTWEIGHED else ended.exit_code
        fails: dict[str, Any] = {"exit_code": exit_code, "causes": ("unreachable", *ended.causes)}
        return ended._replace(
            **({} if is_allowed else fails),
            equal=False,
            roots=self._spread(ended.roots, b""),
            entries=self._spread(ended.entries, None),
            caveats=tuple((self.numbers[number], text) for number, text in ended.caveats),
            absent=tuple(sorted(self.absent)),
            append_only=self._all(ended.append_only),
        )

    def notices(self, rest: str = "the others are done") -> list[Notice]:
        """What there is to say of those who are absent; `rest` is what that means."""
        return [
            Notice(text, warning=True)
            for error in self.absent.values()
            for text in (f"{error.message}; {rest}" if rest else error.message, *(error.hint or "").splitlines())
        ]

    def _all(self, numbers: Sequence[int]) -> tuple[int, ...]:
        return tuple(self.numbers[number] for number in numbers)

    def _spread(self, values: Sequence[T], missing: T) -> tuple[T, ...]:
        """What is said of each of these, said of all; nothing where nothing is."""
        known = dict(zip(self.numbers, values, strict=True)) if values else {}
        return tuple(known.get(number, missing) for number in range(len(self.numbers) + len(self.absent)) if known)


def chosen(common: Request, left: Sequence[int]) -> Request:
    """The same request for some of its replicas."""
    return common._replace(
        locations=tuple(common.locations[own] for own in left),
        names=tuple(common.names[own] for own in left if own < len(common.names)),
    )


def others_done(common: Request, run: Callable[[Request], Iterator[Event]]) -> Iterator[Event]:
    """The events of a run that deals with each replica by itself; where some cannot be reached, of the same run over the
    others.

    Raises what the run raises; `AbsentError` where none of the replicas is there, or it is one of this machine that is not.
    """
    everybody = Present(tuple(range(len(common.locations))))
    try:
        yield from run(common)
        return
    except AbsentError as error:
        there = everybody.without(error)
        if not there.numbers or any(parse(common.locations[number]).login is None for number in there.absent):
            raise
    try:
        for event in run(chosen(common, there.numbers)):
            match event:
                case Started():
                    continue
                case Summary():
                    yield from there.notices()
                    yield there.summed_up(event)
                case _:
                    yield there.told(event)
    except AefsyncError as error:
        yield from there.notices("")
        error.beside = ("unreachable",)
        raise
