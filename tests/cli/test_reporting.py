"""`--log-file` and `--metrics-file`: what they hold of runs that end well, and of others."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from aefsync.cli import app
from aefsync.cli.metrics import Metrics
from aefsync.errors import AefsyncError, GuardError
from aefsync.sync.events import Event, Gauges, Notice
from tests.cli.scripted import REPAIR, Engine, acted, install, summary, troubled


def figures(file: Path) -> dict[str, float]:
    """What a metrics file says, by names without the prefix, and the member it is about."""
    found = {}
    for family in text_string_to_metric_families(file.read_text()):
        for sample in family.samples:
            assert sample.labels.pop("job") == "/a /b"
            found[sample.name.removeprefix("aefsync_") + "".join(map(":{}".format, sample.labels.values()))] = (
                sample.value
            )
    return found


def test_metrics_of_a_run_that_ends_well(tmp_path: Path) -> None:
    file = tmp_path / "aefsync.prom"
    end = summary(conflicts=2, suspects=1, problems=3, sent_bytes=4, received_bytes=5)
    assert list(Metrics(str(file), "/a /b", lambda: 1000.5).of(iter(_events(end)))) == [REPAIR, end]
    assert figures(file) == {
        "last_run_timestamp_seconds": 1000.5,
        "last_success_timestamp_seconds": 1000.5,
        "last_run_exit_code": 0,
        "conflicts_open": 3,
        "rot_files": 0,
        "problems": 3,
        "sent_bytes": 4,
        "received_bytes": 5,
    }
    assert [each.name for each in tmp_path.iterdir()] == ["aefsync.prom"]


def test_a_run_that_fails_keeps_how_things_stood(tmp_path: Path) -> None:
    file = tmp_path / "aefsync.prom"
    gauges = Gauges(4096, (("nas", 7), ('a "b"', 0)))
    expected = {"trash_bytes": 4096, "member_last_seen_timestamp_seconds:nas": 7}
    expected['member_last_seen_timestamp_seconds:a "b"'] = 0
    for end in (summary(gauges=gauges), GuardError("no")):
        with contextlib.suppress(GuardError):
            list(Metrics(str(file), "/a /b", lambda: 1000.5).of(iter(_events(end))))
        found = figures(file)
        assert {name: value for name, value in found.items() if name in expected} == expected
    list(Metrics(str(file), "/a /b").of(iter(_events(summary(gauges=Gauges(0))))))
    assert [name for name in figures(file) if name in expected] == ["trash_bytes"]


def test_conflicts_stay_open_until_a_run_over_everything_says_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "aefsync.prom"

    def open_after(end: Event | Exception) -> float:
        with contextlib.suppress(GuardError):
            list(Metrics(str(file), "/a /b").of(iter(_events(end))))
        return figures(file)["conflicts_open"]

    # What one run made or left is not all that is there.
    assert open_after(summary(conflicts=1, gauges=Gauges(0, copies=2, left_standing=3))) == 5
    assert open_after(GuardError("no")) == 5
    assert open_after(summary(gauges=Gauges(0, copies=2, sees_all=False))) == 5
    assert open_after(summary(gauges=Gauges(0, left_standing=6, sees_all=False))) == 6
    assert open_after(summary(conflicts=1, gauges=Gauges(0, copies=2))) == 2
    assert open_after(summary(1, run="")) == 2


def test_runs_that_follow_each_other_know_what_copies_there_were(tmp_path: Path) -> None:
    file, all_seen = tmp_path / "aefsync.prom", [True, False, False, True]
    ends = [
        summary(gauges=Gauges(0, copies=copies, left_standing=left, sees_all=sees_all))
        for sees_all, copies, left in zip(all_seen, (2, 0, 3, 1), (4, 1, 0, 0), strict=True)
    ]
    metrics = Metrics(str(file), "/a /b").of(each for each in ends)
    assert [figures(file)["conflicts_open"] for _ in metrics] == [6, 3, 3, 1]


@pytest.mark.parametrize("text", ["", "{", "aefsync_trash_bytes soon", "\x00\x01"])
def test_a_damaged_file_of_figures_is_replaced(tmp_path: Path, text: str) -> None:
    file = tmp_path / "aefsync.prom"
    file.write_text(text)
    list(Metrics(str(file), "/a /b", lambda: 2.0).of(iter(_events(summary(4)))))
    assert figures(file)["last_success_timestamp_seconds"] == 0


def test_metrics_of_a_scrub(tmp_path: Path) -> None:
    end = summary(1, rot=2, verified_files=9, oldest_verified_s=77)
    list(Metrics(str(tmp_path / "aefsync.prom"), "/a /b", lambda: 1000.5).of(iter(_events(end))))
    found = figures(tmp_path / "aefsync.prom")
    assert (found["rot_files"], found["oldest_verified_timestamp_seconds"]) == (2, 77)


def _events(end: Event | Exception) -> Iterator[Event]:
    yield REPAIR
    if isinstance(end, BaseException):
        raise end
    yield end


@pytest.mark.parametrize(("end", "code"), [(summary(4), 4), (GuardError("no"), 5), (KeyboardInterrupt(), 130)])
def test_a_run_that_fails_keeps_the_last_success(tmp_path: Path, end: Event | Exception, code: int) -> None:
    file = tmp_path / "aefsync.prom"
    list(Metrics(str(file), "/a /b", lambda: 1000.5).of(iter(_events(summary()))))
    try:
        list(Metrics(str(file), "/a /b", lambda: 2000.0).of(iter(_events(end))))
    except BaseException as error:  # noqa: BLE001
        assert error is end
    found = figures(file)
    assert found["last_run_exit_code"] == code
    assert found["last_run_timestamp_seconds"] == 2000.0
    assert found["last_success_timestamp_seconds"] == 1000.5


def test_metrics_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(AefsyncError, match="--metrics-file: .*: no such file or directory"):
        list(Metrics(str(tmp_path / "no" / "x"), "j").of(iter(_events(summary()))))


@pytest.mark.parametrize(
    "words",
    [
        ["repair", "--max-duration", "soon", "/a", "/b"],
        ["watch", "--settle", "soon", "/a", "/b"],
        ["gossip", "--rounds", "0", "/a /b"],
        ["scrub", "--read-percent", "some", "/a", "/b"],
    ],
)
def test_metrics_of_a_run_that_was_asked_for_wrongly(
    words: list[str], tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = tmp_path / "aefsync.prom"
    code = app.run([words[0], "--metrics-file", str(file), *words[1:]])
    assert figures(file)["last_run_exit_code"] == code
    told = capsysbinary.readouterr().err
    file.unlink()
    assert app.run([words[0], "--metrics-file", str(tmp_path / "no" / "x"), *words[1:]]) == code
    assert capsysbinary.readouterr().err == told
    assert list(tmp_path.iterdir()) == []


LINE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "


def test_a_log_holds_what_is_said_with_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    events = [REPAIR, troubled(0, b"x"), acted("create", b"y", 0, 1), summary(4, ("problems",))]
    install(monkeypatch, "repair", repair=Engine(events))
    assert app.run(["repair", "a", "b", "-i", "-q", "--json", "--log-file", str(log)]) == 4
    assert capsysbinary.readouterr().out.count(b"\n") == 4
    before, *lines = log.read_text().splitlines()
    assert before == "before"
    patterns = [r"! A x: permission denied", r"A>B create y"]
    assert all(re.fullmatch(LINE + pattern, line) for pattern, line in zip(patterns, lines[:2], strict=True))


def test_a_log_holds_why_a_run_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    log = tmp_path / "log"
    install(monkeypatch, "repair", repair=Engine([REPAIR], GuardError("b: expected something")))
    assert app.run(["repair", "a", "b", "--log-file", str(log)]) == 5
    assert re.fullmatch(LINE + "aefsync: b: expected something\n", log.read_text())
    assert app.run(["repair", "a", "b", "--log-file", str(tmp_path / "no" / "log")]) == 2
    assert b"--log-file: " in capsysbinary.readouterr().err


@pytest.mark.parametrize("argv", [["diff", "a", "b"], ["digest", "a"], ["status", "a"]], ids=lambda argv: argv[0])
def test_whatever_compares_can_keep_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], argv: list[str]
) -> None:
    log = tmp_path / "log"
    install(monkeypatch, argv[0], **{argv[0]: Engine([REPAIR, Notice("worth knowing"), summary()])})
    assert app.run([*argv, "--log-file", str(log)]) == 0
    assert re.fullmatch(LINE + "aefsync: worth knowing\n", log.read_text())
