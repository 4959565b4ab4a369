"""Result: what a run came to, as a value."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from aefsync.core.named_tuple import NamedTuple
from aefsync.errors import UnreachableError
from aefsync.sync.events import Acted, Conflicted, Differs, Event, Grew, LeftUndone, Notice, Summary, Troubled, closing


class Result(NamedTuple):
    """All that a run said, in order; the last event is its summary.

    `differences` are what a diff found; `actions` what a repair or a scrub did (or, as a rehearsal, would do), and
    `left_undone` what a replica that is read-only did not let be done; `conflicts` those settled and those left
    standing; `problems` trouble with single paths, and `notices` whatever else a person should know.  Replicas are
    numbers here, in the order of the locations, 0 first.
    """

    events: tuple[Event, ...]

    @property
    def summary(self) -> Summary:
        """The figures of the run; `exit_code` is what the program would have ended with."""
        last = self.events[-1]
        assert isinstance(last, Summary)
        return last

    @property
    def equal(self) -> bool:
        """Whether the replicas are known to agree now, contents read."""
        return self.summary.equal

    @property
    def differences(self) -> tuple[Differs, ...]:
        return tuple(event for event in self.events if isinstance(event, Differs))

    @property
    def actions(self) -> Iterator[Acted]:
        for event in self.events:
            if isinstance(event, Acted):
                yield event
            elif isinstance(event, Grew):
                yield from event.acted()

    @property
    def left_undone(self) -> tuple[LeftUndone, ...]:
        return tuple(event for event in self.events if isinstance(event, LeftUndone))

    @property
    def conflicts(self) -> tuple[Conflicted, ...]:
        return tuple(event for event in self.events if isinstance(event, Conflicted))

    @property
    def problems(self) -> tuple[Troubled, ...]:
        return tuple(event for event in self.events if isinstance(event, Troubled))

    @property
    def notices(self) -> tuple[Notice, ...]:
        return tuple(event for event in self.events if isinstance(event, Notice))


def results(begin: Callable[[], Iterator[Event]]) -> Generator[Result]:
    """One result for each summary that comes; all processes of the run have ended when it has, or is closed."""
    said: list[Event] = []
    try:
        with closing(begin()) as events:
            for event in events:
                said.append(event)
                if isinstance(event, Summary):
                    yield Result(tuple(said))
                    said = []
    except BrokenPipeError as error:
        raise UnreachableError("the process of a replica has gone away") from error


def the_result(begin: Callable[[], Iterator[Event]]) -> Result:
    """The only result of a run."""
    (result,) = results(begin)
    return result
