"""Company: the replicas of a run that are there, where others cannot be reached as it begins.

The others are done without them, just as by a run over those alone: what the absent ones miss is brought to them when
they are there again.  What such a run says is told with the numbers that the user's order gives the replicas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from aefsync.core.policy import Policies, Policy, PolicyKind
from aefsync.errors import UnreachableError
from aefsync.sync.events import Acted, Begun, Conflicted, Event, Filtered, Grew, LeftUndone, Notice, Summary, Troubled
from aefsync.sync.location import parse
from aefsync.sync.request import RepairRequest
from aefsync.sync.together import together

T = TypeVar("T")


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


class Company(NamedTuple):
    """The replicas of a run that are there, by their `numbers`, and why others are not; `request` is of the former."""

    request: RepairRequest
    numbers: tuple[int, ...]
    absent: Mapping[int, UnreachableError] = {}

    def without(self, error: AbsentError) -> Company:
        """Those that are left, of which there are two at least; raises the error where nothing can be done without the
        others: they are the truth of a mirror, or of this machine."""
        left = [own for own in range(len(self.numbers)) if own not in error.absent]
        locations = self.request.common.locations
        is_here = any(parse(locations[own]).login is None for own in error.absent)
        if len(left) < 2 or is_here or (self.request.mirror and 0 in error.absent):
            raise error
        absent = {self.numbers[own]: each for own, each in error.absent.items()}
        return Company(_of(self.request, left), tuple(self.numbers[own] for own in left), {**self.absent, **absent})

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
            case Troubled() | Filtered():
                return event._replace(replica=self.numbers[event.replica])
            case _:
                return event

    def summed_up(self, ended: Summary, *, is_allowed: bool) -> Summary:
        """What the run came to, over all replicas; `is_allowed`: that some are absent is as the user expects."""
        if not self.absent:
            return ended
        roots = dict(zip(self.numbers, ended.roots, strict=True))
        entries = dict(zip(self.numbers, ended.entries, strict=True))
        everybody = range(len(self.numbers) + len(self.absent))
        fails = {"exit_code": UnreachableError.exit_code, "causes": ("unreachable", *ended.causes)}
        return ended._replace(
            **({} if is_allowed else fails),  # type: ignore[arg-type]
            equal=False,
            roots=tuple(roots.get(number, b"") for number in everybody),
            entries=tuple(entries.get(number) for number in everybody),
            caveats=tuple((self.numbers[number], text) for number, text in ended.caveats),
            absent=tuple(sorted(self.absent)),
        )

    def notices(self) -> list[Notice]:
        """What there is to say of those who are absent."""
        rest = "the others are done" if self.numbers else "nothing is done without it"
        return [
            Notice(text, warning=True)
            for error in self.absent.values()
            for text in (f"{error.message}; {rest}", *(error.hint or "").splitlines())
        ]

    def _all(self, numbers: Sequence[int]) -> tuple[int, ...]:
        return tuple(self.numbers[number] for number in numbers)


def company(request: RepairRequest) -> Company:
    """All replicas of a run."""
    return Company(request, tuple(range(len(request.common.locations))))


def _of(request: RepairRequest, left: Sequence[int]) -> RepairRequest:
    """The same for some of its replicas."""
    common = request.common
    common = common._replace(
        locations=tuple(common.locations[own] for own in left),
        names=tuple(common.names[own] for own in left if own < len(common.names)),
    )
    preferred = tuple((called, left.index(own)) for called, own in request.preferred if own in left)
    gone = {called for called, own in request.preferred if own not in left}
    policies = request.policies
    return request._replace(
        common=common, preferred=preferred, policies=None if policies is None else _waiting(policies, gone)
    )


def _waiting(policies: Policies, gone: set[str]) -> Policies:
    """The policies where the word of some replicas is waited for: conflicts that it would settle are left standing."""

    def waits(policy: Policy | None) -> bool:
        return policy is not None and policy.kind is PolicyKind.PREFER and policy.argument in gone

    skip = Policy(PolicyKind.SKIP)
    return policies._replace(
        default=skip if waits(policies.default) else policies.default,
        rules=tuple(rule._replace(policy=skip) if waits(rule.policy) else rule for rule in policies.rules),
    )
