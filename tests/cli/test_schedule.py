"""`schedule`: what cron and systemd are told, each quoted in its way, and a systemctl that only notes what it is told."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.cli import app
from aefsync.cli.timetable import Job, crontab_line, job_of, quoted, service_unit, timer_unit
from aefsync.errors import UsageError

Capture = pytest.CaptureFixture[str]
WORDS = ("/opt/my tools/aefsync", "repair", "/a b", "100%", "$HOME", 'q"\\', "it's", "caf\udce9", "*.tmp", "")


def job(at: str | None = None, every: str | None = None) -> Job:
    return job_of(WORDS, "/home/me", at, every)


@pytest.mark.parametrize(
    ("at", "every", "fields", "spoken"),
    [
        (None, None, "0 3 * * *", "daily at 03:00"),
        ("4:30", None, "30 4 * * *", "daily at 04:30"),
        (None, "15m", "0-59/15 * * * *", "every 15m"),
        (None, "6h", "0 */6 * * *", "every 6h"),
        (None, "1d", "0 0 * * *", "every 1d"),
        (None, "7m", None, "every 7m"),
        (None, "90m", None, "every 1h 30m"),
        (None, "5h", None, "every 5h"),
    ],
)
def test_times(at: str | None, every: str | None, fields: str | None, spoken: str) -> None:
    line = crontab_line(job(at, every))
    assert job(at, every).spoken == spoken
    assert (line is None) if fields is None else line is not None and line.startswith(f"{fields} cd ")


@pytest.mark.parametrize(
    ("at", "every"), [("24:00", None), ("3", None), ("noon", None), (None, "30s"), (None, "90s"), ("3:00", "1h")]
)
def test_times_that_are_none(at: str | None, every: str | None) -> None:
    with pytest.raises(UsageError, match="--at|--every"):
        job(at, every)


@pytest.mark.parametrize(
    ("at", "every", "fields"),
    [
        (None, None, "14 3 * * *"),
        ("23:50", None, "4 0 * * *"),
        (None, "15m", "14-59/15 * * * *"),
        (None, "5m", "4-59/5 * * * *"),
        (None, "1m", "0-59/1 * * * *"),
        (None, "6h", "14 */6 * * *"),
        (None, "1d", "14 0 * * *"),
    ],
)
def test_each_machine_is_later_by_minutes_of_its_own(at: str | None, every: str | None, fields: str) -> None:
    line = crontab_line(job(at, every), 14)
    assert line is not None
    assert line.startswith(f"{fields} cd ")


def test_a_line_has_no_break() -> None:
    with pytest.raises(UsageError, match="line break"):
        job_of(["a\nb"], "/", None, None)


def test_cron_hands_the_words_to_a_shell_as_they_are() -> None:
    line = crontab_line(job())
    assert line is not None
    command = line.split(" ", 5)[5].replace(r"\%", "%")
    assert "%" not in line.replace(r"\%", "")
    assert shlex.split(command) == ["cd", "/home/me", "&&", *WORDS]


@given(st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"])))
def test_systemd_takes_no_word_apart(word: str) -> None:
    text = quoted(word)
    inside = text[1:-1] if text.startswith('"') else text
    assert "%" not in inside.replace("%%", "")
    assert "$" not in inside.replace("$$", "")
    assert '"' not in inside.replace("\\\\", "").replace('\\"', "")
    assert text.startswith('"') or not set(" \t'\\;") & set(text)


def test_units() -> None:
    at, every = timer_unit(job("03:00")), timer_unit(job(None, "15m"))
    assert "OnCalendar=*-*-* 03:00:00\nRandomizedDelaySec=15min\nPersistent=true\n" in at
    assert "OnUnitActiveSec=900\nRandomizedDelaySec=90\n" in every
    line = r'''ExecStart="/opt/my tools/aefsync" repair "/a b" 100%% "$$HOME" "q\"\\" "it's" "caf\xe9" "*.tmp" ""'''
    assert line in service_unit(job()).splitlines()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    own = job_of(["/bin/true", *WORDS[1:]], str(tmp_path), None, "15m")
    for kind, text in (("service", service_unit(own)), ("timer", timer_unit(own))):
        (tmp_path / f"aefsync-x.{kind}").write_text(text)
    command = ["systemd-analyze", "--user", "verify", "--man=no", str(tmp_path / "aefsync-x.timer")]
    runtime = {"XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **runtime})
    assert "aefsync-x" not in done.stderr


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that notes what it is told; the file with its notes."""
    folder, notes = tmp_path / "bin", tmp_path / "notes"
    folder.mkdir()
    (folder / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {notes}\n')
    (folder / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return notes


def test_install_list_remove(systemctl: Path, home: Path, capsys: Capture) -> None:
    assert app.run(["schedule", "a", "host:b", "--every=15m", "--install", "--exclude", "50%"]) == 0
    (service, timer) = sorted((home / "config" / "systemd" / "user").iterdir())
    name = service.stem
    assert capsys.readouterr().out.endswith("loginctl enable-linger has it run at all times\n")
    reload = "--user daemon-reload\n"
    assert systemctl.read_text() == (f"{reload}{reload}--user enable {name}.timer\n--user restart {name}.timer\n")
    assert " repair a host:b --exclude 50%%\n" in service.read_text()
    assert f"WorkingDirectory={systemctl.parent}" in service.read_text()
    assert timer.stem == name
    capsys.readouterr()
    assert app.run(["schedule", "--list"]) == 0
    assert capsys.readouterr().out == f"{name[8:]}  every 15m         aefsync repair a host:b --exclude 50%\n"
    assert app.run(["schedule", "a", "host:b", "--remove"]) == 0
    assert not list((home / "config" / "systemd" / "user").iterdir())
    assert f"--user disable --now {name}.timer\n" in systemctl.read_text()
    assert app.run(["schedule", "a", "host:b", "--uninstall"]) == 3


def test_a_program_is_told_the_same(systemctl: Path, home: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    def told(*words: str) -> list[dict[str, Any]]:
        assert app.run(["schedule", *words, "--json"]) == 0
        start, *said, summary = map(json.loads, capsysbinary.readouterr().out.splitlines())
        assert (start["event"], start["command"]) == ("start", "schedule")
        assert (summary["event"], summary["exit_code"], summary["causes"]) == ("summary", 0, [])
        return said

    (printed,) = told("a", "b\udce9", "--at", "4:05")
    assert (printed["event"], printed["when"], printed["installed"]) == ("schedule", "daily at 04:05", False)
    assert " 4 * * * cd " in printed["crontab"] and printed["timer"].startswith("[Unit]\n")
    assert 'repair a "b\\xe9" --json' in printed["service"]
    (installed,) = told("a", "b", "--every=7m", "--install")
    assert (installed["crontab"], installed["installed"]) == (None, True)
    what = {"name": installed["name"], "when": "every 7m", "what": "repair a b --json"}
    assert told("--list") == [{"event": "scheduled", **what}]
    assert told("a", "b", "--remove") == told("--list") == []


def test_a_systemctl_that_refuses_is_quoted_and_nothing_is_left(systemctl: Path, home: Path, capsys: Capture) -> None:
    (systemctl.parent / "bin" / "systemctl").write_text("#!/bin/sh\necho 'no bus' >&2\nexit 1\n")
    assert app.run(["schedule", "a", "b", "--install"]) == 3
    assert capsys.readouterr().err == (
        "aefsync: systemctl --user daemon-reload: no bus\n"
        "  no systemd serves this login: without --install there is a line for crontab -e\n"
    )
    assert not (home / "config" / "systemd").exists()


@pytest.mark.parametrize(
    "words", [["a"], ["a", "b", "--max-delete", "x"], ["a", "b", "--on-error", "'"], ["a", "b", "--install", "--list"]]
)
def test_what_repair_would_refuse_is_refused(words: list[str], capsys: Capture) -> None:
    assert app.run(["schedule", *words]) == 2
    assert capsys.readouterr().out == ""


def test_what_is_printed(capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert app.run(["schedule", "--at", "4:05", "a", "b", "-X", "--", "--at"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "# crontab -e; what it says is mailed to you, or kept with --log-file FILE"
    assert lines[1].startswith("# (a few minutes later than asked for")
    found = re.match(r"(\d+) 4 \* \* \* cd ", lines[2])
    assert found is not None
    assert 5 <= int(found[1]) < 20
    assert lines[2].endswith(" repair a b -X -- --at")
