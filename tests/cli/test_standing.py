"""`aefsync status`, `init` and `members`: words, and what people and programs see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aefsync.cli import app
from aefsync.cli.members import Wanted, sorted_out
from aefsync.cli.units import moment_text
from aefsync.core.members import Member, State
from aefsync.core.path import RelPath
from aefsync.core.unsettled import StandingPath
from aefsync.errors import AefsyncError, UsageError
from aefsync.sync.events import Started
from aefsync.sync.standing import Enrolled, Stood
from tests.cli.scripted import Engine, install, json_bytes, lines, summary

STATUS = Started("status", ("/a", "/b"))
SECOND = 1_577_934_245
ID = "0123456789abcdef" * 2


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> dict[str, Engine]:
    engines = {name: Engine([STATUS, summary(1)]) for name in ("status", "init", "list", "add", "leave", "forget")}
    for name in ("status", "init"):
        install(monkeypatch, name, **{name: engines[name]})
    own = {"list_members": engines["list"], "add_member": engines["add"]}
    install(monkeypatch, "members", **own, leave=engines["leave"], forget=engines["forget"])
    return engines


def asked(engine: Engine) -> tuple[Any, ...]:
    """What an engine was asked, but for the monitor."""
    ((common, *rest),) = engine.asked
    return common.locations, *(each for each in rest if not hasattr(each, "progress"))


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["status", "a"], ("status", (("a",), False, None))),
        (["status", "a", "b", "--live", "--max-age", "26h"], ("status", (("a", "b"), True, 26 * 3600))),
        (["init", "a", "b"], ("init", (("a", "b"), ("", "")))),
        (["init", "a", "--name", "nas"], ("init", (("a",), ("nas",)))),
        (["members", "a"], ("list", (("a",),))),
        (["members", "a", "list"], ("list", (("a",),))),
        (["members", "a", "add", "nas", "nas:p"], ("add", (("a",), "nas", "nas:p"))),
        (["members", "a", "add", "nas", "--no-location"], ("add", (("a",), "nas", None))),
        (["members", "a", "leave"], ("leave", (("a",),))),
        (["members", "a", "forget", "0123"], ("forget", (("a",), "0123"))),
    ],
)
def test_words(engines: dict[str, Engine], words: list[str], wanted: tuple[str, tuple[Any, ...]]) -> None:
    assert app.run(words) == 1
    assert asked(engines[wanted[0]]) == wanted[1]


def test_a_set_names_its_replicas(engines: dict[str, Engine], home: Path) -> None:
    place = home / "config" / "aefsync" / "config.toml"
    place.parent.mkdir(parents=True)
    place.write_text('[sets.p]\nreplicas = [{name = "nas", location = "nas:p"}, "/b"]\n')
    app.run(["init", "@p"])
    assert asked(engines["init"]) == (("nas:p", "/b"), ("nas", ""))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["status"], "missing argument"),
        (["status", "a", "--max-age", "soon"], "--max-age: 'soon' is no duration"),
        (["init", "a", "b", "--name", "x"], "--name is for one replica at a time"),
        (["init", "a", "--name", "both"], "--name: 'both' is not only a name"),
        (["members", "a", "nas"], "members: 'nas' is none of list, add, leave, forget"),
        (["members", "a", "add", "nas"], "members add: it is aefsync members ROOT add NAME LOCATION"),
        (["members", "a", "add", "nas", "x", "--no-location"], "members add: it is aefsync members ROOT add NAME"),
        (["members", "a", "add", " nas", "x"], "members add: ' nas': "),
        (["members", "a", "list", "--no-location"], "members list: --no-location has no meaning here"),
        (["members", "a", "leave", "now"], "members leave: it is aefsync members ROOT leave"),
        (["members", "a", "forget"], "members forget: it is aefsync members ROOT forget NAME"),
    ],
)
def test_bad_words(engines: dict[str, Engine], capsys: pytest.CaptureFixture[str], words: list[str], line: str) -> None:
    assert app.run(words) == 2
    assert capsys.readouterr().err.startswith(f"aefsync: {line}")
    assert not any(engine.asked for engine in engines.values())


def test_verbs_of_members() -> None:
    assert sorted_out([]) == Wanted("list")
    with pytest.raises(UsageError):
        sorted_out(["x"])


def test_trouble_is_2_for_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "status", status=Engine([STATUS], AefsyncError("no such directory")))
    assert app.run(["status", "a"]) == 2


STOOD = Stood(0, ID, "nas", True, SECOND, 2, 1200, "20261122T101112Z-1f3a", rot=2, suspects=1, oldest_verified_s=77)
STANDING = (StandingPath(RelPath(b"d/x\x1b"), is_suspect=False), StandingPath(RelPath(b"y"), is_suspect=True))
STOOD = STOOD._replace(left_standing=3, stands=STANDING, quarantined=1)
EVENTS = [
    STATUS,
    STOOD,
    Enrolled(0, Member(ID, "nas", last_s=SECOND), "", is_self=True, is_behind=False),
    Enrolled(0, Member("f" * 32, "a\x1b"), "usb:p", is_self=False, is_behind=True),
    Enrolled(0, Member("e" * 32, state=State.LEFT), "", is_self=False, is_behind=False),
    Enrolled(0, Member("d" * 32), "", is_self=False, is_behind=True),
    Stood(1, "", "", False, 0, 0, 0, ""),
    Stood(2, ID, "", False, 0, 0, 0, "", "sidecar.db is damaged (it is\x07 empty)"),
    Stood(3, "", "usb", True, SECOND, 0, 0, "", age_s=9 * 86_400 + 5),
    summary(1),
]


def test_a_line_for_each_replica_and_member() -> None:
    assert lines(EVENTS) == [
        (
            "A (nas): last success 2020-01-02T03:04:05Z, 2 conflict copies, 3 conflicts left standing, 2 damaged files, "
            "1 suspect, trash 1.2 kB, 1 entry in quarantine, last run 20261122T101112Z-1f3a"
        ),
        r"  left standing: d/x\x1b",
        "  suspect: y",
        "  nas           2020-01-02T03:04:05Z  01234567  this replica",
        r"  a\x1b         never                 ffffffff  usb:p, behind",
        "  -             never                 eeeeeeee  not reached from here, left",
        (
            "  -             never                 dddddddd  not reached from here, "
            "behind: aefsync members ROOT forget dddddddd, if it is gone for good"
        ),
        "B: no history yet",
        r"C (01234567): sidecar.db is damaged (it is\x07 empty)",
        "D (usb): last success 2020-01-02T03:04:05Z (9 days ago)",
    ]


def test_what_waits_for_a_person_is_named_with_what_shows_it() -> None:
    causes = ("different", "conflicts", "left standing", "rot", "suspects", "late", "unreadable history")
    assert lines([Started("status", ("/a", "/b c")), summary(1, causes, differences=1)]) == [
        (
            "1 difference: aefsync diff /a '/b c'; conflict copies: aefsync conflicts /a '/b c' list; left standing: "
            "aefsync repair -n /a '/b c'; damaged files: aefsync scrub /a '/b c'; suspects: aefsync scrub -n /a '/b c'; "
            "unreadable history: the next repair sets it aside and begins anew"
        )
    ]
    assert lines([Started("status", ("/a",)), summary(1, ("left standing",))]) == [
        "left standing: aefsync repair -n /a OTHER"
    ]
    assert lines([STATUS, summary()]) == []


def test_replicas_and_members_for_programs() -> None:
    records = [json.loads(line) for line in json_bytes(EVENTS).splitlines()]
    assert records[1] == {
        "event": "replica",
        "replica": 0,
        "identity": ID,
        "name": "nas",
        "conflicts": 2,
        "trash_bytes": 1200,
        "last_run": "20261122T101112Z-1f3a",
        "history": True,
        "unreadable": None,
        "age_s": None,
        "rot": 2,
        "suspects": 1,
        "oldest_verified_s": 77,
        "left_standing": 3,
        "quarantined": 1,
        "stands": [{"path": "d/x\x1b", "suspect": False}, {"path": "y", "suspect": True}],
        "last_success_s": SECOND,
    }
    assert records[3] == {
        "event": "member",
        "replica": 0,
        "id": "f" * 32,
        "name": "a\x1b",
        "state": "active",
        "last_success_s": None,
        "location": "usb:p",
        "self": False,
        "behind": True,
    }
    assert [records[6][name] for name in ("identity", "name", "last_run", "last_success_s")] == [None] * 4


def test_times_that_no_calendar_holds() -> None:
    assert moment_text(SECOND) == "2020-01-02T03:04:05Z"
    assert moment_text(1 << 60) == f"@{1 << 60}"
