"""What programs see, exactly."""

from __future__ import annotations

import json
from typing import Any

from aefsync import __version__
from aefsync.cli.json_lines import failure
from aefsync.core.entry import UNKNOWN, Entry, Kind
from aefsync.core.path import RelPath
from aefsync.core.view import View
from aefsync.sync.events import Conflicted, Digested, Notice, Started, State, Trashed
from tests.cli.scripted import (
    DIFF,
    acted,
    differs,
    directory,
    file,
    json_bytes,
    only_a,
    only_b,
    summary,
    trash_item,
    troubled,
)

FILE = {"kind": "file", "size": 3, "mtime_ns": "1", "mode": 420, "digest": b"1".ljust(32, b".").hex()}


def one(event: Any) -> Any:
    """The one record of an event."""
    (line,) = json_bytes([event]).decode().splitlines()
    return json.loads(line)


def test_start() -> None:
    assert one(DIFF) == {
        "event": "start",
        "schema": 1,
        "command": "diff",
        "version": __version__,
        "replicas": [
            {"label": "A", "location": "/a", "name": None},
            {"label": "B", "location": "/b", "name": None},
        ],
    }


def test_difference() -> None:
    assert one(only_a(b"docs/a.txt")) == {
        "event": "difference",
        "path": "docs/a.txt",
        "state": "only_a",
        "same_stat": False,
        "entries": [FILE, None],
    }


def test_a_directory_has_no_digest_and_a_file_not_read_neither() -> None:
    assert one(only_b(b"d", directory()))["entries"][1]["digest"] is None
    assert one(only_a(b"f", file(UNKNOWN)))["entries"][0]["digest"] is None
    quick = only_a(b"f")._replace(view=View.QUICK)
    assert one(quick)["entries"][0]["digest"] is None


def test_nothing_is_collapsed() -> None:
    assert len(json_bytes([only_b(b"d", directory()), only_b(b"d/1")]).splitlines()) == 2


def test_missing_says_where_it_is() -> None:
    assert one(differs(b"x", State.MISSING, None, file(), file()))["in"] == [1, 2]


def test_a_symlink_has_its_target() -> None:
    link = Entry(RelPath(b"x"), Kind.SYMLINK, 0, 2, -5, 0, 0, b"2" * 32, b"\xff")
    entry = one(only_a(b"l", link))["entries"][0]
    assert entry["target"] == r"\xff"
    assert entry["target_b64"] == "/w=="
    assert entry["mtime_ns"] == "-5"


def test_a_name_that_is_not_utf_8_has_its_bytes_beside_it() -> None:
    assert one(only_a(b"a\xff\n")) | {"entries": 0} == {
        "event": "difference",
        "path": r"a\xff\n",
        "path_b64": "Yf8K",
        "state": "only_a",
        "same_stat": False,
        "entries": 0,
    }


def test_a_name_that_is_utf_8_is_itself() -> None:
    data = json_bytes([only_a("a\n\x1b\u202e\x85é\\".encode())])
    assert b'"path":"a\\n\\u001b\\u202e\\u0085\xc3\xa9\\\\"' in data
    assert json.loads(data)["path"] == "a\n\x1b\u202e\x85é\\"


def test_action() -> None:
    assert one(acted("copy", b"docs/a.txt", 0, 1, size=3)) == {
        "event": "action",
        "action": "copy",
        "path": "docs/a.txt",
        "from": 0,
        "to": [1],
        "bytes": 3,
        "reason": "newer",
    }
    moved = one(acted("move", b"new", None, 1, old=b"old\xff"))
    assert (moved["old"], moved["old_b64"], moved["from"]) == (r"old\xff", "b2xk/w==", None)


def test_conflict() -> None:
    kept = RelPath(b"x.conflict-20261122T101112Z-1f3a.txt")
    assert one(Conflicted(RelPath(b"x.txt"), "keep-both", 0, kept, "r")) == {
        "event": "conflict",
        "path": "x.txt",
        "policy": "keep-both",
        "winner": 0,
        "kept_as": "x.conflict-20261122T101112Z-1f3a.txt",
        "reason": "r",
    }
    standing = one(Conflicted(RelPath(b"x.txt"), "lww", None, None, "r"))
    assert (standing["winner"], standing["kept_as"]) == (None, None)


def test_problem_and_notice() -> None:
    assert one(troubled(1, b"y")) == {"event": "problem", "path": "y", "replica": 1, "reason": "permission denied"}
    assert one(Notice("n\udcff", warning=True)) == {"event": "notice", "text": r"n\xff", "warning": True}


def test_digest_and_trash() -> None:
    assert one(Digested(b"d", b"\x01" * 16, 4, 1, is_directory=True)) == {
        "event": "digest",
        "path": "d",
        "digest": "01" * 16,
        "entries": 4,
        "depth": 1,
        "directory": True,
    }
    assert one(Trashed(1, trash_item("20261122T101112Z-1f3a", b"p"))) == {
        "event": "trash",
        "replica": 1,
        "run": "20261122T101112Z-1f3a",
        "why": "deleted",
        "path": "p",
        "directory": False,
        "size": 1200,
    }


def test_summary_has_every_field_of_the_contract() -> None:
    line = one(summary(1, ("conflicts",), roots=(b"\x01" * 16, b""), elapsed_s=1.2))
    assert line["event"] == "summary"
    assert line["exit_code"] == 1
    assert line["causes"] == ["conflicts"]
    assert line["root"] == ["01" * 16, None]
    assert line["entries"] == [10, 12]
    assert line["elapsed_s"] == 1.2
    contract = """event exit_code causes run equal root entries differences conflicts suspects problems copied_files
        deleted moved sent_bytes received_bytes literal_bytes reused_bytes round_trips verified elapsed_s"""
    assert set(contract.split()) <= set(line)


def test_a_failure_is_a_summary_too() -> None:
    line = failure(3, ("root", "unreachable"), "no such directory: \udcff", None)
    assert set(one(summary())) <= set(line)
    assert (line["exit_code"], line["causes"], line["equal"]) == (3, ["root", "unreachable"], None)
    assert line["message"] == r"no such directory: \xff"


def test_every_event_is_one_line() -> None:
    started = Started("diff", ("a\nb", "\udcff"))
    assert len(json_bytes([started, only_a(b"a\nb"), summary()]).splitlines()) == 3
    assert one(started)["replicas"][1]["location_b64"] == "/w=="
