"""`aefsync trash`: words, choices, times."""

from __future__ import annotations

from typing import Any

import pytest

from aefsync.cli import app
from aefsync.cli.trash import Wanted, run_at, sorted_out
from aefsync.cli.units import duration_s, moment_s, run_time_s, seconds_text
from aefsync.core.space import size_text
from aefsync.errors import UsageError
from aefsync.sync.events import Started, Trashed
from tests.cli.scripted import Engine, install, summary, trash_item

OLD, NEW = "20200102T030405Z-aaaa", "20991122T101112Z-1f3a"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["a"], Wanted(("a",), "list", b"")),
        (["a", "b"], Wanted(("a", "b"), "list", b"")),
        (["a", "list"], Wanted(("a",), "list", b"")),
        (["list"], Wanted(("list",), "list", b"")),
        (["a", "b", "list", "docs/"], Wanted(("a", "b"), "list", b"docs")),
        (["a", "restore", "list"], Wanted(("a",), "restore", b"list")),
        (["a", "restore", "./x/y"], Wanted(("a",), "restore", b"x/y")),
        (["a", "restore", "\udcff"], Wanted(("a",), "restore", b"\xff")),
        (["a", "purge"], Wanted(("a",), "purge", b"")),
    ],
)
def test_roots_come_first(words: list[str], wanted: Wanted) -> None:
    assert sorted_out(words) == wanted


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> dict[str, Engine]:
    started = Started("trash", ("a",))
    items = [trash_item(NEW, b"docs/x"), trash_item(NEW, b"docs-2"), trash_item(OLD, b"docs/x")]
    engines = {
        "list_trash": Engine([started, *(Trashed(0, item) for item in items), summary()]),
        "restore_trash": Engine([started, summary(1)]),
        "purge_trash": Engine([started, summary()]),
    }
    install(monkeypatch, "trash", **engines)
    return engines


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ([], [(NEW, "docs/x"), (NEW, "docs-2"), (OLD, "docs/x")]),
        (["list", "docs"], [(NEW, "docs/x"), (OLD, "docs/x")]),
        (["list", "--since", "2d"], [(NEW, "docs/x"), (NEW, "docs-2")]),
        (["list", "docs/x", "--run", OLD], [(OLD, "docs/x")]),
    ],
)
def test_list(
    engines: dict[str, Engine], capsysbinary: pytest.CaptureFixture[bytes], words: list[str], shown: list[Any]
) -> None:
    assert app.run(["trash", "a", *words]) == 0
    lines = [line.split() for line in capsysbinary.readouterr().out.decode().splitlines()]
    assert [(line[0], line[-1]) for line in lines] == shown


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["docs/x"], (("a",), b"docs/x", None, None)),
        (["docs/x", "--run", OLD, "--to", "/t"], (("a",), b"docs/x", OLD, b"/t")),
        (["docs/x", "--at", "2020-01-01"], (("a",), b"docs/x", OLD, None)),
        (["docs/x", "--at", "2026-01-01T00:00:00Z"], (("a",), b"docs/x", NEW, None)),
        (["docs/x", "--at", OLD], (("a",), b"docs/x", OLD, None)),
    ],
)
def test_restore(engines: dict[str, Engine], words: list[str], asked: tuple[Any, ...]) -> None:
    assert app.run(["trash", "a", "restore", *words]) == 1
    ((common, *arguments, _),) = engines["restore_trash"].asked
    assert (common.locations, *arguments) == asked


def test_purge(engines: dict[str, Engine]) -> None:
    assert app.run(["trash", "a", "b", "purge", "--older-than", "30d"]) == 0
    ((common, older_than_s, _),) = engines["purge_trash"].asked
    assert (common.locations, older_than_s) == (("a", "b"), 30 * 86400)


def test_no_version_after_that_time() -> None:
    with pytest.raises(UsageError, match="no version of this path"):
        run_at([trash_item(OLD, b"x")], b"x", "2021-01-01")


@pytest.mark.parametrize(
    ("text", "seconds"), [("30d", 2592000), ("1d12h", 129600), ("90s", 90), ("0s", 0), ("2w", 1209600)]
)
def test_durations(text: str, seconds: int) -> None:
    assert duration_s(text, "--x") == seconds


@pytest.mark.parametrize("text", ["", "3", "3x", "-3d", "3d ", "d"])
def test_bad_durations(text: str) -> None:
    with pytest.raises(UsageError):
        duration_s(text, "--x")


def test_moments() -> None:
    assert moment_s("2020-01-02T03:04:05Z", "--at") == moment_s(OLD, "--at") == run_time_s(OLD) == 1577934245
    assert run_time_s("nonsense") == 0
    with pytest.raises(UsageError):
        moment_s("yesterday", "--at")


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (1_234_567, "1.2 MB"), (10**13, "10.0 TB")],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("ns", "text"), [(3_600 * 10**9, "+3600 s"), (-(10**9) // 2, "-0.5 s"), (1, "+0.000000001 s"), (0, "+0 s")]
)
def test_time_differences(ns: int, text: str) -> None:
    assert seconds_text(ns) == text
