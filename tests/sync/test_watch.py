"""`watch` over real directories: its clock is a number, its sleeps are none, and what it does next is scripted."""

from __future__ import annotations

import queue
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aefsync.core.hint import EVERYTHING, Hints
from aefsync.core.path import RelPath
from aefsync.core.policy import Policies
from aefsync.core.problem import Problem
from aefsync.core.silent import Silent
from aefsync.errors import GuardError, LockedError, RootError, UnreachableError, UsageError
from aefsync.sync.events import RECOVERED, Acted, Event, Notice, Started, Summary, Troubled
from aefsync.sync.hooks import Hooks
from aefsync.sync.request import RepairRequest, Request, WatchRequest
from aefsync.sync.resting import Inbox
from aefsync.sync.surroundings import Surroundings
from aefsync.sync.unrepeated import Unrepeated
from aefsync.sync.watch import narrowed, watch
from tests.support.trees import tree
from tests.sync.joined import Threads, threads

LIMIT = 200
"""How often a watch may rest before a test gives up."""


class Script:
    """A watch, pass by pass: `passes` runs it until so many summaries came."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.roots = [tree(folder / name, {"same": "same", "d/same": "same"}) for name in "ab"]
        self.now_s = 0.0
        self.rests = 0
        self.inbox: Inbox = queue.SimpleQueue()
        self.scopes: list[tuple[RelPath, ...]] = []
        common = Request(tuple(map(str, self.roots)), state_dir=str(folder / "state"))
        request = WatchRequest(RepairRequest(common, **options), polls=True, rescan_s=10_000)
        around = Surroundings(self._rest, lambda: self.now_s, self._sleep, lambda: 1.0)
        self.events = watch(request, Silent(), self.inbox, Hooks(), None, around)

    def _sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def _rest(self, due_s: float) -> None:
        """Time passes as if somebody had waited; nobody does."""
        self.rests += 1
        assert self.rests < LIMIT, "nothing more comes"
        if due_s > 0:
            self.now_s += due_s

    def hint(self, *paths: bytes) -> None:
        self.inbox.put((None, Hints(paths)))

    def until_summary(self) -> list[Event]:
        found: list[Event] = []
        for event in self.events:
            found.append(event)
            if isinstance(event, Summary):
                break
        return found


@pytest.fixture
def engine() -> Iterator[Threads]:
    with threads() as started:
        yield started


@pytest.fixture
def script(engine: Threads, tmp_path: Path) -> Iterator[Script]:
    script = Script(tmp_path)
    with closing(script.events):  # type: ignore[type-var]
        yield script


def acted(events: Sequence[Event]) -> list[tuple[str, bytes]]:
    return [(event.action, bytes(event.path)) for event in events if isinstance(event, Acted)]


def scans(engine: Threads) -> list[tuple[bytes, ...]]:
    return [tuple(map(bytes, request.paths)) for number, name, request in engine.log if (number, name) == (0, "scan")]


def test_a_hint_leads_to_a_pass_over_that_part_only(script: Script, engine: Threads) -> None:
    first = script.until_summary()
    assert isinstance(first[0], Started)
    assert first[0].command == "watch"
    (script.roots[0] / "new").write_text("1")
    (script.roots[1] / "d" / "other").write_text("2")
    script.hint(b"new")
    assert acted(script.until_summary()) == [("create", b"new")]
    assert (script.roots[1] / "new").read_text() == "1"
    assert not (script.roots[0] / "d" / "other").exists()
    script.inbox.put((None, EVERYTHING))
    assert acted(script.until_summary()) == [("create", b"d/other")]
    assert scans(engine) == [(), (b"new",), ()]


def test_roots_are_free_between_two_passes(script: Script, engine: Threads) -> None:
    script.until_summary()
    script.hint(b"d")
    script.until_summary()
    names = [name for number, name, _ in engine.log if number == 0]
    assert names.count("wait") >= 1
    assert names[names.index("wait") + 1] in ("hello", "wait")


def test_a_hint_at_nothing_is_no_mistake(script: Script) -> None:
    script.until_summary()
    script.hint(b"never/was")
    (end,) = script.until_summary()
    assert isinstance(end, Summary)
    assert end.exit_code == 0


def test_what_is_too_much_for_a_part_may_be_little_for_the_whole(engine: Threads, tmp_path: Path) -> None:
    script = Script(tmp_path, policies=Policies())
    with closing(script.events):  # type: ignore[type-var]
        for number in range(40):
            (script.roots[0] / f"f{number}").write_text(str(number))
            (script.roots[0] / "d" / f"f{number // 2}").write_text(str(number))
        script.until_summary()
        shutil.rmtree(script.roots[0] / "d")
        script.hint(b"d")
        assert ("delete", b"d/f7") in acted(script.until_summary())
        assert not (script.roots[1] / "d").exists()
        assert scans(engine) == [(), (b"d",), ()]


def test_what_could_not_be_done_is_done_later_though_nobody_speaks_of_it(tmp_path: Path) -> None:
    """A file is renamed on A into a directory that has just gone elsewhere on B: at its old path there, nothing happens."""

    def lead_away(_: object) -> None:
        if (b / "new").is_dir() and not (a / "d" / "file").exists() and not (b / "d" / "elsewhere").exists():
            (b / "new").rename(b / "d" / "elsewhere")

    with threads({(1, "apply"): lead_away}) as engine:
        script = Script(tmp_path, policies=Policies())
        a, b = script.roots
        with closing(script.events):  # type: ignore[type-var]
            tree(a, {"d/file": "moves", "new/here": "x"})
            script.until_summary()
            (a / "d" / "file").rename(a / "new" / "file")
            script.hint(b"d/file", b"new")
            script.until_summary()
            assert (b / "d" / "file").exists()
            script.hint(b"d/elsewhere", b"new")
            while (b / "d" / "file").exists():
                script.until_summary()
            assert (b / "new" / "file").read_text() == "moves"
            assert scans(engine).count(()) == 1


def test_a_root_that_goes_away_and_returns(script: Script) -> None:
    script.until_summary()
    a = script.roots[0]
    shutil.move(a, a.with_name("away"))
    script.inbox.put((None, EVERYTHING))
    told = []
    for event in script.events:
        told.append(event)
        if isinstance(event, Notice) and "trying again" in event.text:
            break
    assert (script.roots[1] / "same").exists()
    assert not a.exists()
    shutil.move(a.with_name("away"), a)
    rest = script.until_summary()
    assert acted(rest) == []
    assert next(script.events) == RECOVERED


@pytest.mark.parametrize(("error", "goes_on"), [(LockedError, True), (RootError, False), (GuardError, False)])
def test_before_anything_went_well_only_what_passes_is_waited_out(
    tmp_path: Path, error: type[Exception], *, goes_on: bool
) -> None:
    times = []

    def fail(_: object) -> None:
        times.append(1)
        if len(times) < 3:
            raise error("not now")

    with threads({(1, "scan"): fail}):
        script = Script(tmp_path)
        with closing(script.events):  # type: ignore[type-var]
            if goes_on:
                events = script.until_summary()
                assert sum(isinstance(event, Notice) and "not now" in event.text for event in events) == 2
            else:
                with pytest.raises(error):
                    script.until_summary()


@pytest.mark.parametrize(("often", "told"), [(3, []), (5, ["not now: trying again"] * 2 + ["all is well again"])])
def test_of_another_run_nothing_is_said_before_it_takes_long(tmp_path: Path, often: int, told: list[str]) -> None:
    times = []

    def fail(_: object) -> None:
        times.append(1)
        if 2 <= len(times) < 2 + often:
            raise LockedError("not now")

    with threads({(1, "scan"): fail}):
        script = Script(tmp_path)
        with closing(script.events):  # type: ignore[type-var]
            script.until_summary()
            script.hint(b"d")
            events = script.until_summary()
            script.hint(b"d")
            events += script.until_summary()
            texts = [event.text for event in events if isinstance(event, Notice)]
            assert [text.removeprefix(f"{script.roots[1]}: ") for text in texts] == told


def test_a_lost_replica_is_started_again(tmp_path: Path) -> None:
    times = []

    def leave(_: object) -> None:
        times.append(1)
        if len(times) == 2:
            raise SystemError("gone")

    with threads({(1, "scan"): leave}):
        script = Script(tmp_path)
        with closing(script.events):  # type: ignore[type-var]
            script.until_summary()
            (script.roots[0] / "new").write_text("1")
            script.hint(b"new")
            assert ("create", b"new") in acted(script.until_summary())


def test_a_host_that_cannot_be_reached_is_called_again(tmp_path: Path) -> None:
    times = []

    def fail(_: object) -> None:
        times.append(1)
        if len(times) == 2:
            raise UnreachableError("far: gone")

    with threads({(1, "scan"): fail}) as engine:
        script = Script(tmp_path)
        with closing(script.events):  # type: ignore[type-var]
            script.until_summary()
            before = engine.replicas
            (script.roots[0] / "new").write_text("1")
            script.hint(b"new")
            events = script.until_summary()
            assert ("create", b"new") in acted(events)
            assert engine.replicas is not before


PATHS = tuple(map(RelPath, (b"docs", b"src/x")))


@pytest.mark.parametrize(
    ("scope", "chosen", "paths"),
    [
        ([b"a/b", b"a", b"c"], (), [b"a", b"c"]),
        ([b"docs/a", b"other"], PATHS, [b"docs/a"]),
        ([b"src"], PATHS, [b"src/x"]),
        ([b"docs"], PATHS, [b"docs"]),
        ([b"other"], PATHS, None),
    ],
)
def test_hints_stay_within_what_was_chosen(
    scope: list[bytes], chosen: tuple[RelPath, ...], paths: list[bytes] | None
) -> None:
    request = narrowed(RepairRequest(Request(("a", "b"), paths=chosen)), scope)
    assert (None if request is None else list(request.common.paths)) == paths
    assert request is None or request.common.hinted


def test_everything_is_what_was_chosen() -> None:
    request = RepairRequest(Request(("a", "b"), paths=PATHS))
    assert narrowed(request, [b""]) is request


def test_the_same_trouble_is_said_once_in_a_while() -> None:
    now_s = 0.0
    unrepeated = Unrepeated(100, lambda: now_s)
    trouble: list[Event] = [Troubled(0, Problem(b"x", "permission denied")), Notice("polled")]
    again: list[Event] = [Troubled(1, Problem(b"x", "permission denied"))]
    assert list(unrepeated.of(_closing(trouble))) == trouble
    assert list(unrepeated.of(_closing([*trouble, *again]))) == again
    now_s = 100.0
    assert list(unrepeated.of(_closing(trouble))) == trouble


def test_that_it_is_over_is_said_each_time_trouble_was_told_of() -> None:
    unrepeated = Unrepeated(100, lambda: 0.0)
    away, lost = Notice("away", warning=True), Notice("lost", warning=True)
    outages: list[Event] = [away, RECOVERED, away, RECOVERED, lost, away, RECOVERED, RECOVERED]
    assert list(unrepeated.of(_closing(outages))) == [away, RECOVERED, lost, RECOVERED]


def _closing(events: Sequence[Event]) -> Iterator[Event]:
    yield from events


def test_usage_errors_end_a_watch(engine: Threads, tmp_path: Path) -> None:
    common = Request((str(tmp_path), str(tmp_path)))
    with pytest.raises(UsageError):
        list(watch(WatchRequest(RepairRequest(common)), Silent(), queue.SimpleQueue(), Hooks()))
