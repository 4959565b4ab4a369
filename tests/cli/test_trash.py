"""`aefsync trash`: words, choices, times."""

from __future__ import annotations

from typing import Any

import pytest

from aefsync.cli import app
from aefsync.cli.trash import Wanted, sorted_out
from aefsync.cli.units import duration_ns, duration_s, moment_s, seconds_text
from aefsync.core.past import TrashQuery
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
    engines = {
        "list_trash": Engine([started, Trashed(0, trash_item(NEW, b"docs/x")), summary()]),
        "restore_trash": Engine([started, summary(1)]),
        "purge_trash": Engine([started, summary()]),
    }
    install(monkeypatch, "trash", **engines)
    return engines


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ([], TrashQuery()),
        (["list", "docs/"], TrashQuery(b"docs")),
        (["list", "docs/x", "--run", OLD], TrashQuery(b"docs/x", OLD)),
    ],
)
def test_list(
    engines: dict[str, Engine], capsysbinary: pytest.CaptureFixture[bytes], words: list[str], query: TrashQuery
) -> None:
    assert app.run(["trash", "a", *words]) == 0
    ((common, asked, _),) = engines["list_trash"].asked
    assert (common.locations, asked) == (("a",), query)
    assert capsysbinary.readouterr().out.split() == [NEW.encode(), b"A", b"deleted", b"1.2", b"kB", b"docs/x"]


def test_list_since(engines: dict[str, Engine]) -> None:
    assert app.run(["trash", "a", "list", "--since", "2d"]) == 0
    ((_, query, _),) = engines["list_trash"].asked
    assert OLD < query.since < NEW
    assert query._replace(since="") == TrashQuery()


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["docs/x"], (("a",), TrashQuery(b"docs/x"), None, False)),
        (["docs/x", "--run", OLD, "--to", "/t"], (("a",), TrashQuery(b"docs/x", OLD), b"/t", False)),
        (["x", "--at", "2020-01-01T00:00:00Z"], (("a",), TrashQuery(b"x", "", "20200101T000000Z"), None, True)),
        (["x", "--at", OLD], (("a",), TrashQuery(b"x", "", OLD), None, True)),
    ],
)
def test_restore(engines: dict[str, Engine], words: list[str], asked: tuple[Any, ...]) -> None:
    assert app.run(["trash", "a", "restore", *words]) == 1
    ((common, query, to, _, at),) = engines["restore_trash"].asked
    assert (common.locations, query, to, at) == asked


def test_no_time(engines: dict[str, Engine]) -> None:
    assert app.run(["trash", "a", "restore", "x", "--at", "yesterday"]) == 2
    assert engines["restore_trash"].asked == []


def test_purge(engines: dict[str, Engine]) -> None:
    assert app.run(["trash", "a", "b", "purge", "--older-than", "30d"]) == 0
    ((common, older_than_s, _),) = engines["purge_trash"].asked
    assert (common.locations, older_than_s) == (("a", "b"), 30 * 86400)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30d", 2592000), ("1d12h", 129600), ("90s", 90), ("0s", 0), ("2w", 1209600)]
)
def test_durations(text: str, seconds: int) -> None:
    assert duration_s(text, "--x") == seconds


@pytest.mark.parametrize(
    ("text", "expected_ns"), [("2s", 2 * 10**9), ("1.5s", 15 * 10**8), ("10ms", 10**7), ("0.001s1m", 60_001_000_000)]
)
def test_durations_in_nanoseconds(text: str, expected_ns: int) -> None:
    assert duration_ns(text, "--x") == expected_ns


@pytest.mark.parametrize("text", ["", "3", "3x", "-3d", "3d ", "d", "36526d"])
def test_bad_durations(text: str) -> None:
    with pytest.raises(UsageError):
        duration_s(text, "--x")


def test_moments() -> None:
    assert moment_s("2020-01-02T03:04:05Z", "--at") == moment_s(OLD, "--at") == 1577934245
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
