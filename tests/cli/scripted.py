"""Events to play, and an engine that plays them: the command line is tested without one replica."""

from __future__ import annotations

import io
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import pytest

from aefsync.cli.human import Human, Style
from aefsync.cli.json_lines import JsonLines
from aefsync.cli.writer import Writer
from aefsync.core.compare import Difference
from aefsync.core.entry import UNKNOWN, Entry, Kind
from aefsync.core.past import ChangeCounts, RunRecord, TrashItem
from aefsync.core.path import RelPath
from aefsync.core.problem import Problem
from aefsync.core.view import View
from aefsync.sync.events import Acted, Differs, Event, Ran, Started, State, Summary, Troubled

HOUR_NS = 3_600_000_000_000


def file(content: bytes = b"1", mode: int = 0o644, mtime_ns: int = 1, size: int = 3, kind: Kind = Kind.FILE) -> Entry:
    """An entry, its path left to `differs`."""
    digest = content if content == UNKNOWN else content.ljust(32, b".")
    return Entry(RelPath(b"x"), kind, mode, size, mtime_ns, 0, 0, digest)


def directory(mode: int = 0o755) -> Entry:
    return Entry(RelPath(b"x"), Kind.DIRECTORY, mode, 0, 1, 0, 0, bytes(32))


def differs(path: bytes, state: State, *entries: Entry | None, same_stat: bool = False) -> Differs:
    at = RelPath(path)
    placed = tuple(None if entry is None else entry._replace(path=at) for entry in entries)
    return Differs(Difference(at, placed), state, same_stat, View.FULL)


def only_a(path: bytes, entry: Entry | None = None) -> Differs:
    return differs(path, State.ONLY_A, entry or file(), None)


def only_b(path: bytes, entry: Entry | None = None) -> Differs:
    return differs(path, State.ONLY_B, None, entry or file())


def troubled(replica: int, path: bytes, reason: str = "permission denied", *, subtree: bool = False) -> Troubled:
    return Troubled(replica, Problem(path, reason, subtree))


def acted(action: str, path: bytes, source: int | None, *to: int, old: bytes | None = None, size: int = 0) -> Acted:
    was = None if old is None else RelPath(old)
    return Acted(action, RelPath(path), source, to, size, "newer", was, action == "mkdir")


def summary(exit_code: int = 0, causes: tuple[str, ...] = (), **more: Any) -> Summary:
    opening: dict[str, Any] = {
        "run": "20261122T101112Z-1f3a",
        "dry_run": False,
        "equal": exit_code == 0,
        "roots": (b"\x01" * 16, b"\x02" * 16),
        "entries": (10, 12),
    }
    return Summary(exit_code, causes, **{**opening, **more})


def trash_item(run: str, path: bytes, why: str = "deleted", size: int = 1200) -> TrashItem:
    return TrashItem(run, why, RelPath(path), is_directory=False, size=size)


def past_run(run: str, command: str, **counts: int) -> Ran:
    return Ran(0, RunRecord(run, command, (b"/a", b"/b"), ChangeCounts(**counts)))


DIFF = Started("diff", ("/a", "/b"))
REPAIR = Started("repair", ("/a", "/srv/it's b"))


class Printed(NamedTuple):
    out: bytes
    err: str


def human(events: Iterable[Event], *, colored: bool = False, **style: Any) -> Printed:
    """What people see of some events."""
    out, err = io.BytesIO(), io.BytesIO()
    renderer = Human(Writer(out, colored=colored), Writer(err, colored=colored), Style(**style))
    for event in events:
        renderer.show(event)
    renderer.finish()
    return Printed(out.getvalue(), err.getvalue().decode())


def lines(events: Iterable[Event], **style: Any) -> list[str]:
    """The lines on stdout."""
    return human(events, **style).out.decode().splitlines()


def json_bytes(events: Iterable[Event]) -> bytes:
    out = io.BytesIO()
    renderer = JsonLines(Writer(out))
    for event in events:
        renderer.show(event)
    renderer.finish()
    return out.getvalue()


class Engine:
    """Stands in for a module of `aefsync.sync`: keeps what it was asked, plays its events, raises its error."""

    def __init__(self, events: Iterable[Event] = (), error: BaseException | None = None) -> None:
        self.events = list(events)
        self.error = error
        self.asked: list[tuple[Any, ...]] = []
        self.closed = False

    def __call__(self, *asked: Any, **named: Any) -> Iterator[Event]:
        self.asked.append((*asked, *named.values()))
        try:
            yield from self.events
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True


def install(monkeypatch: pytest.MonkeyPatch, module: str, **functions: Callable[..., Any]) -> None:
    """Put functions in the place of a module of the engine."""
    name = f"aefsync.sync.{module}"
    stand_in = types.ModuleType(name)
    vars(stand_in).update(functions)
    monkeypatch.setitem(sys.modules, name, stand_in)
