"""`aefsync conflicts`: words, and what people and programs see."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aefsync.cli import app
from aefsync.cli.conflicts import Wanted, sorted_out
from aefsync.core.copies import Take, Way
from aefsync.core.path import RelPath
from aefsync.errors import RootError
from aefsync.sync.events import CopyKept, Started
from tests.cli.scripted import Engine, acted, file, human, install, json_bytes, lines, summary, troubled

COPY = b"x.conflict-19700101T000000Z-de8bfa80.txt"
CONFLICTS = Started("conflicts", ("/a", "/srv/b"))


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["a"], Wanted(("a",), "list", ())),
        (["a", "b", "list"], Wanted(("a", "b"), "list", ())),
        (["list"], Wanted(("list",), "list", ())),
        (["a", "list", "d/"], Wanted(("a",), "list", (RelPath(b"d"),))),
        (["a", "list", "d", "."], Wanted(("a",), "list", ())),
        (["a", "resolve", "x", "./prune"], Wanted(("a",), "resolve", (RelPath(b"x"), RelPath(b"prune")))),
        (["a", "prune"], Wanted(("a",), "prune", ())),
    ],
)
def test_roots_come_first(words: list[str], wanted: Wanted) -> None:
    assert sorted_out(words) == wanted


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> dict[str, Engine]:
    engines = {name: Engine([CONFLICTS, summary(1)]) for name in ("list", "resolve", "prune")}
    install(monkeypatch, "conflicts", **{f"{name}_conflicts": engine for name, engine in engines.items()})
    return engines


@pytest.mark.parametrize(
    ("words", "verb", "asked"),
    [
        (["a"], "list", ((),)),
        (["a", "list", "d"], "list", ((b"d",),)),
        (["a", "resolve", "x", "--take", "copy"], "resolve", ((b"x",), Take(Way.COPY), False)),
        (["a", "resolve", "--all", "--take", "newest", "-n"], "resolve", ((), Take(Way.NEWEST), True)),
        (["a", "resolve", "--all", "--take", "nas"], "resolve", ((), "nas", False)),
        (["a", "prune", "-n"], "prune", (True,)),
    ],
)
def test_words(engines: dict[str, Engine], words: list[str], verb: str, asked: tuple[Any, ...]) -> None:
    assert app.run(["conflicts", *words]) == 1
    ((common, *given),) = engines[verb].asked
    assert common.locations == ("a",)
    assert tuple(each for each in given if not hasattr(each, "progress")) == asked


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["a", "resolve", "--take", "copy"], "conflicts resolve needs paths, or --all"),
        (["a", "resolve", "x", "--all", "--take", "copy"], "conflicts resolve needs paths, or --all"),
        (["a", "resolve", "x"], "conflicts resolve needs --take"),
        (["a", "resolve", "../x", "--take", "copy"], "../x: name is . or .."),
        (["a", "list", "--take", "copy"], "conflicts list: --take has no meaning here"),
        (["a", "list", "-n"], "conflicts list: --dry-run has no meaning here"),
        (["a", "prune", "--all"], "conflicts prune: --all has no meaning here"),
        (["a", "prune", "x"], "conflicts prune takes no paths"),
    ],
)
def test_bad_words(engines: dict[str, Engine], capsys: pytest.CaptureFixture[str], words: list[str], line: str) -> None:
    assert app.run(["conflicts", *words]) == 2
    assert capsys.readouterr().err.startswith(f"aefsync: {line}")
    assert not any(engine.asked for engine in engines.values())


ENTRY = file(size=1200, mtime_ns=1_577_934_245 * 10**9)._replace(path=RelPath(COPY))
LISTED = [
    CONFLICTS,
    CopyKept(0, ENTRY, RelPath(b"x.txt"), is_alone=False, by="nas"),
    CopyKept(1, ENTRY._replace(path=RelPath(b"d\x1b/" + COPY)), RelPath(b"d\x1b/x.txt"), is_alone=True, by=""),
    summary(),
]


def test_a_line_for_each_copy() -> None:
    assert lines(LISTED) == [
        f"A  2020-01-02T03:04:05Z    1.2 kB  nas         {COPY.decode()}",
        rf"B  2020-01-02T03:04:05Z    1.2 kB  -           d\x1b/{COPY.decode()}  (the original is gone)",
    ]


def test_copies_for_programs() -> None:
    first, second = map(json.loads, json_bytes(LISTED).splitlines()[1:3])
    assert first == {
        "event": "conflict_copy",
        "replica": 0,
        "path": COPY.decode(),
        "original": "x.txt",
        "alone": False,
        "size": 1200,
        "mtime_ns": "1577934245000000000",
        "by": "nas",
    }
    assert (second["alone"], second["by"]) == (True, None)


def test_it_ends_with_one_line() -> None:
    did = [CONFLICTS, acted("move", b"x.txt", None, 0, old=COPY), acted("delete", COPY, None, 0)]
    printed = human([*did, troubled(0, b"y", "has 2 conflict copies"), summary(1, moved=1, deleted=1, skipped=1)])
    assert printed.out.decode().splitlines() == [
        "1 put in place, 1 moved to the trash, 1 conflict left standing; undo: aefsync undo /a 20261122T101112Z-1f3a"
    ]
    assert printed.err == "! A y: has 2 conflict copies\n"
    assert lines([*did, summary(dry_run=True, moved=1, deleted=1)], itemize=True) == [
        f">A move {COPY.decode()} -> x.txt",
        f">A delete {COPY.decode()}",
        "would be: 1 put in place, 1 moved to the trash; nothing was changed",
    ]
    assert lines([CONFLICTS, summary()]) == []


def test_a_path_taken_for_a_root_is_told_how_it_is_named(
    engines: dict[str, Engine], capsys: pytest.CaptureFixture[str]
) -> None:
    engines["list"].error = RootError("d/my x: no such directory")
    assert app.run(["conflicts", "a", "d/my x"]) == 3
    assert capsys.readouterr().err.splitlines() == [
        "aefsync: d/my x: no such directory",
        "  a path comes after the verb: aefsync conflicts a list 'd/my x'",
    ]
