"""`aefsync gossip`: words, and what people see of a round."""

from __future__ import annotations

from typing import Any

import pytest

from aefsync.cli import app
from aefsync.core.policy import Policy, PolicyKind
from aefsync.sync.events import Notice, Started
from aefsync.sync.request import GossipRequest
from tests.cli.scripted import Engine, acted, install, lines, summary

STARTED = Started("gossip", ("/a",))
MET = Started("gossip", ("/a", "nas:p"), ("", "nas"))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine([STARTED, MET, summary(1)])
    install(monkeypatch, "gossip", gossip=engine)
    return engine


def asked(engine: Engine) -> GossipRequest:
    request: GossipRequest = engine.asked[0][0]
    return request


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], (0, 1, 1)),
        (["--rounds", "3", "--fanout", "2"], (0, 3, 2)),
        (["--every", "5m"], (300, None, 1)),
        (["--every", "1h30m", "--rounds", "4"], (5400, 4, 1)),
    ],
)
def test_words(engine: Engine, words: list[str], wanted: tuple[Any, ...]) -> None:
    assert app.run(["gossip", "/a", *words]) == 1
    request = asked(engine)
    assert (request.every_s, request.rounds, request.fanout) == wanted
    assert request.repair.common.locations == ("/a",)


def test_the_options_of_repair(engine: Engine) -> None:
    words = ["-n", "--conflicts", "prefer:nas", "--max-delete", "7", "--log-file", "/dev/null", "--exclude", "x"]
    assert app.run(["gossip", "/a", *words]) == 1
    repair = asked(engine).repair
    assert (repair.dry_run, repair.max_delete, repair.common.own) == (True, "7", ("/dev/null",))
    assert repair.policies is not None
    assert repair.policies.default == Policy(PolicyKind.PREFER, "nas")
    assert repair.common.rules == ("x",)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["gossip"], "missing argument"),
        (["gossip", "a", "b"], "got unexpected extra argument"),
        (["gossip", "a", "--every", "soon"], "--every: 'soon' is no duration"),
        (["gossip", "a", "--every", "10ms"], "--every: 10ms is too short"),
        (["gossip", "a", "--rounds", "0"], "--rounds: 0 is too few"),
        (["gossip", "a", "--rounds", "x"], "invalid value for '--rounds'"),
        (["gossip", "a", "--fanout", "-1"], "--fanout: -1 is too few"),
        (["gossip", "a", "--mirror"], "gossip goes by versions"),
        (["gossip", "a", "--resolve", "lww"], "gossip goes by versions"),
        (["gossip", "a", "--mirror-from", "x"], "gossip goes by versions"),
    ],
)
def test_bad_words(engine: Engine, capsys: pytest.CaptureFixture[str], words: list[str], line: str) -> None:
    assert app.run(words) == 2
    assert capsys.readouterr().err.startswith(f"aefsync: {line}")
    assert not engine.asked


def test_a_round_as_people_see_it() -> None:
    events = [STARTED, MET, Notice("B is nas (nas:p)"), acted("create", b"x", 0, 1, size=3), summary(copied_files=1)]
    assert lines(events) == ["A and B agree: 1 file copied (3 B)"]
    assert lines([STARTED, MET, summary()]) == []
