"""Hooks: what they are told, that no shell is involved, and that a failing one never loses the summary."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.path import RelPath
from aefsync.core.problem import Problem
from aefsync.errors import AefsyncError, RootError, UsageError
from aefsync.sync.events import Acted, Conflicted, Event, Notice, Started, Summary, Troubled
from aefsync.sync.hooks import Hooks, hook, hooked

START = Started("repair", ("/a", "/b"))
EVENTS: list[Event] = [
    START,
    Acted("copy", RelPath(b"docs/a\n"), 0, (1,), 3, "newer"),
    Acted("move", RelPath(b"new"), None, (1,), 0, "moved", RelPath(b"old")),
    Conflicted(RelPath(b"x"), "keep-both", 0, RelPath(b"x.conflict"), "why"),
    Conflicted(RelPath(b"y"), "skip", None, None, "why"),
    Troubled(1, Problem(b"caf\xe9", "permission denied")),
]


def summary(exit_code: int = 0, *, dry_run: bool = False) -> Summary:
    causes = ("problems",) if exit_code else ()
    return Summary(exit_code, causes, "20261122T101112Z-1f3a", dry_run, True, (), ())


def play(*events: Event) -> Iterator[Event]:
    yield from events


class Told:
    """A command that writes down what it is told."""

    def __init__(self, place: Path) -> None:
        self._place = place
        code = (
            "import json, os, sys; data = sys.stdin.buffer.read();"
            "json.dump([data.decode('latin-1'), os.environ['AEFSYNC_RUN'], sys.argv[2:]], open(sys.argv[1], 'w'))"
        )
        self.words = (sys.executable, "-c", code, str(place), "$HOME *")

    @property
    def by(self) -> tuple[str, str, list[str]] | None:
        if not self._place.exists():
            return None
        data, run, words = json.loads(self._place.read_text())
        return data, run, words


@pytest.fixture
def told(tmp_path: Path) -> dict[str, Told]:
    return {name: Told(tmp_path / name) for name in Hooks._fields}


def test_each_hears_of_its_paths(told: dict[str, Told]) -> None:
    hooks = Hooks(**{name: each.words for name, each in told.items()})
    events = list(hooked(play(*EVENTS, summary(4)), hooks))
    assert events == [*EVENTS, summary(4)]
    run, words = "20261122T101112Z-1f3a", ["$HOME *"]
    assert told["on_change"].by == ("docs/a\n\0old\0new\0", run, words)
    assert told["on_conflict"].by == ("x\0x.conflict\0y\0", run, words)
    assert told["on_error"].by == ("caf\xe9\0", run, words)


def test_nothing_to_tell_nothing_run(told: dict[str, Told]) -> None:
    hooks = Hooks(**{name: each.words for name, each in told.items()})
    assert list(hooked(play(START, summary()), hooks)) == [START, summary()]
    assert list(hooked(play(*EVENTS, summary(dry_run=True)), hooks))[-1] == summary(dry_run=True)
    assert [each.by for each in told.values()] == [None, None, None]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((sys.executable, "-c", "raise SystemExit(3)"), "exit code 3"),
        ((sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"), "ended by signal 9"),
        (("/no/such/program",), "no such file or directory"),
    ],
)
def test_a_failing_hook_is_told_of(words: tuple[str, ...], reason: str) -> None:
    *events, notice, last = hooked(play(*EVENTS, summary()), Hooks(on_change=words))
    assert events == EVENTS
    assert isinstance(notice, Notice)
    assert notice.text.startswith("--on-change: ")
    assert notice.text.endswith(reason)
    assert last == summary()._replace(exit_code=1, causes=("hook failed",))


def test_a_worse_exit_code_stays() -> None:
    *_, last = hooked(play(*EVENTS, summary(4)), Hooks(on_change=("/no/such/program",)))
    assert isinstance(last, Summary)
    assert (last.exit_code, last.causes) == (4, ("problems", "hook failed"))


def test_an_error_that_ends_the_run_is_told_too(told: dict[str, Told]) -> None:
    def run() -> Iterator[Event]:
        yield START
        raise RootError("vanished")

    with pytest.raises(RootError):
        list(hooked(run(), Hooks(on_change=told["on_change"].words, on_error=told["on_error"].words)))
    assert told["on_error"].by == ("", "", ["$HOME *"])
    assert told["on_change"].by is None


@pytest.mark.parametrize("others", [(), (Troubled(1, Problem(b"x", "permission denied")),)])
def test_a_replica_that_is_not_there_is_an_error_though_the_others_are_done(
    told: dict[str, Told], others: tuple[Event, ...]
) -> None:
    ended = summary(7)._replace(causes=("unreachable",), absent=(2,))
    events = list(hooked(play(START, *others, ended), Hooks(on_error=told["on_error"].words)))
    assert events == [START, *others, ended]
    assert told["on_error"].by == ("x\0" if others else "", "20261122T101112Z-1f3a", ["$HOME *"])


def test_a_replica_that_may_be_away_is_no_error(told: dict[str, Told]) -> None:
    list(hooked(play(START, summary()._replace(absent=(2,))), Hooks(on_error=told["on_error"].words)))
    assert told["on_error"].by is None


def test_an_interrupted_run_tells_nobody(told: dict[str, Told]) -> None:
    events = hooked(play(*EVENTS), Hooks(on_change=told["on_change"].words))
    assert next(events) == START
    events.close()  # type: ignore[attr-defined]
    assert told["on_change"].by is None


def test_the_words_of_a_command() -> None:
    assert hook("--on-change", "tell 'the world'  now") == ("tell", "the world", "now")
    assert hook("--on-change", None) == ()
    for text in ("", "  ", "'open"):
        with pytest.raises(UsageError, match="--on-change"):
            hook("--on-change", text)


def test_an_error_stays_an_error_when_its_hook_fails() -> None:
    def run() -> Iterator[Event]:
        raise AefsyncError("no")
        yield START

    events = hooked(run(), Hooks(on_error=("/no/such/program",)))
    assert isinstance(next(events), Notice)
    with pytest.raises(AefsyncError, match="no"):
        next(events)


def test_a_path_is_told_once(told: dict[str, Told]) -> None:
    again = [
        Acted("conflict_copy", RelPath(b"x.conflict"), 0, (1,), 3, "conflict", RelPath(b"x")),
        *(Acted("copy", RelPath(path), 0, (1,), 3, "newer") for path in (b"x", b"z", b"x.conflict", b"y")),
        *(Troubled(number, Problem(b"", "permission denied")) for number in (0, 1)),
    ]
    list(hooked(play(START, *again, summary()), Hooks(told["on_change"].words, (), told["on_error"].words)))
    assert [each.by and each.by[0] for each in told.values()] == ["x\0x.conflict\0z\0y\0", None, "\0"]
