"""`aefsync undo` and `aefsync runs`: words, and what people and programs see."""

from __future__ import annotations

import json

import pytest

from aefsync.cli import app
from aefsync.sync.events import Started
from tests.cli.scripted import Engine, acted, human, install, json_bytes, lines, past_run, summary, troubled

RUN = "20261122T101112Z-1f3a"
UNDO = Started("undo", ("/a", "/srv/b"))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine([UNDO, summary()])
    install(monkeypatch, "undo", undo=engine)
    return engine


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["a", "last"], (("a",), "last", False)),
        (["a", "b", RUN], (("a", "b"), RUN, False)),
        (["-n", "a", "last"], (("a",), "last", True)),
    ],
)
def test_words(engine: Engine, words: list[str], asked: tuple[object, ...]) -> None:
    assert app.run(["undo", *words]) == 0
    ((common, run, _, dry_run),) = engine.asked
    assert (common.locations, run, dry_run) == asked


@pytest.mark.parametrize("words", [[], ["a"], ["last"], ["a", "b"], ["a", "20261122"]])
def test_bad_words(engine: Engine, words: list[str]) -> None:
    assert app.run(["undo", *words]) == 2
    assert engine.asked == []


DID = [
    UNDO,
    acted("delete", b"new", None, 0),
    acted("copy", b"changed", None, 1, size=5),
    acted("mkdir", b"d", None, 1),
    acted("move", b"old", None, 0, old=b"moved"),
    acted("link", b"l", None, 0),
    troubled(1, b"mine", "changed since that run"),
]
COUNTS = {"copied_files": 1, "replaced_files": 1, "deleted": 1, "moved": 1, "metadata": 2, "skipped": 1}


def test_an_undo_ends_with_one_line() -> None:
    printed = human([*DID, summary(1, **COUNTS)], itemize=True)
    assert printed.out.decode().splitlines() == [
        ">A delete new",
        ">B copy changed",
        ">B mkdir d/",
        ">A move moved -> old",
        ">A link l",
        (
            "2 put back, 1 moved back, 1 directories made, 2 metadata set back, 1 removed, "
            f"1 path touched since and left; undo: aefsync undo /a /srv/b {RUN}"
        ),
    ]
    assert printed.err == "! B mine: changed since that run\n"


def test_a_dry_run_promises_nothing() -> None:
    assert lines([*DID, summary(1, dry_run=True, **COUNTS)])[-1].startswith("would be: 2 put back, ")
    assert lines([*DID, summary(1, dry_run=True, **COUNTS)])[-1].endswith("; nothing was changed")
    assert lines([UNDO, summary(dry_run=True)]) == []


def test_nothing_to_do_is_said() -> None:
    assert lines([UNDO, summary()]) == ["nothing to undo: all is as before that run"]
    assert lines([UNDO, summary()], quiet=True) == []


RUNS = [
    Started("runs", ("/a",)),
    past_run(RUN, "undo 20261121T101112Z-0000", created=12, metadata=1),
    past_run("20261121T101112Z-0000", "repair --mirror", created=1, replaced=2, moved=3, deleted=4, metadata=5),
    past_run("20261120T101112Z-\x1b", ""),
    summary(),
]


def test_runs_a_line_each() -> None:
    assert lines(RUNS) == [
        f"{RUN}  12 created, 1 metadata                    undo 20261121T101112Z-0000",
        "20261121T101112Z-0000  1 created, 2 replaced, 3 moved, 4 deleted, 5 metadata  repair --mirror",
        r"20261120T101112Z-\x1b  only in the trash",
    ]


def test_runs_for_programs() -> None:
    record = json.loads(json_bytes(RUNS).splitlines()[1])
    assert record == {
        "event": "run",
        "replica": 0,
        "run": RUN,
        "command": "undo 20261121T101112Z-0000",
        "replicas": [{"location": "/a"}, {"location": "/b"}],
        "created": 12,
        "replaced": 0,
        "moved": 0,
        "deleted": 0,
        "metadata": 1,
    }
