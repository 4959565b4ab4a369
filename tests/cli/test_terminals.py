"""No event, of whatever verb, brings anything raw to a terminal: every name and text in each is made as bad as it can be.

Events are put together from their types, so that one that is added later is looked at, too.
"""

from __future__ import annotations

import enum
import json
import re
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aefsync.core.compare import Difference
from aefsync.core.entry import Entry
from aefsync.core.first_growth import growth_of
from aefsync.core.growth import Growth
from aefsync.core.metadata import PLAIN, Aspects
from aefsync.core.path import RelPath
from aefsync.sync import events
from aefsync.sync.events import Event, Started, Summary
from tests.cli.scripted import human, json_bytes, summary
from tests.cli.test_escape import UNSAFE
from tests.support.snapshots import file, link, snapshot

BAD = b"a\x1b]0;t\x07\x1b[2J\r\x9b\xff\xc2\x9b\x7f\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8[bold]$(id)`id`;\n{x}"
TEXT = BAD.decode("utf-8", "surrogateescape")
FILE, LINK = file(BAD), link(BAD, BAD)
STYLES = (
    {},
    {"verbose": 2, "itemize": True, "stats": True},
    {"quiet": True},
    {"itemize": True, "null": False},
)
OURS = {"action": "copy", "policy": "newest", "identity": "f" * 32, "id": "f" * 32}
"""Words that never come from anybody else."""
COMMANDS = ("diff", "repair", "watch", "gossip", "undo", "conflicts", "scrub", "trash", "status", "digest", "doctor")

PAIRS = ((FILE, LINK), (FILE, None), (None, LINK), (FILE, FILE._replace(mode=0o600)), (FILE, FILE._replace(size=9)))
SPECIAL: dict[Any, Callable[[int], Any]] = {
    Entry: lambda number: (FILE, LINK)[number % 2],
    Difference: lambda number: Difference(FILE.path, PAIRS[number % len(PAIRS)]),
    Growth: lambda _: growth_of(snapshot([FILE, link(BAD + b"l", BAD)]).runs(0, 2), 0o777, lambda found: found),
    Aspects: lambda _: PLAIN,
}


def made(kind: Any, number: int) -> Any:
    """A value of a type, all text in it bad; by its number what may be missing is there or not."""
    if kind is RelPath:
        return RelPath(BAD)
    if kind in (str, bytes, int, bool, float):
        return {str: TEXT, bytes: BAD, int: 1, bool: bool(number % 2), float: 1.5}[kind]
    if kind in SPECIAL:
        return SPECIAL[kind](number)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        some = [each for each in inner if each is not type(None)]
        return None if number % 3 == 2 and len(some) < len(inner) else made(some[0], number)
    if origin is tuple:
        return (made(inner[0], number),) * 2 if inner[1:] == (...,) else tuple(made(each, number) for each in inner)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        members = list(kind)
        return members[number % len(members)]
    hints = typing.get_type_hints(kind)
    return kind(**{name: OURS.get(name) or made(hints[name], number) for name in kind._fields})


def every(number: int) -> Iterator[Event]:
    """One event of each sort, but for those that begin and end a run."""
    for kind in (*typing.get_args(events.Single), events.Grew):
        if kind not in (Started, Summary):
            yield made(kind, number)


def whole(command: str, number: int) -> list[Event]:
    """A run whose locations, names and member names are as bad as its paths."""
    end = summary(1, ("problems",), caveats=((0, TEXT),), gauges=made(events.Gauges, number))
    return [Started(command, (TEXT, TEXT + "2"), (TEXT, "")), *every(number), end]


def check(text: str) -> None:
    for line in text.split("\n"):
        assert not UNSAFE.search(line), line


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_raw_is_printed(command: str) -> None:
    for number in range(6):
        for style in STYLES:
            printed = human(whole(command, number), **style)
            check(printed.out.decode())
            check(printed.err)


def test_json_stays_valid() -> None:
    for number in range(6):
        said = json_bytes(whole("repair", number)).decode()
        check(said)
        assert [json.loads(line)["event"] for line in said.splitlines()][-1] == "summary"


def test_colours_are_ours_alone() -> None:
    printed = human(whole("diff", 0), colored=True, itemize=True, verbose=1)
    for text in (printed.out.decode(), printed.err):
        check(re.sub(r"\x1b\[[\d;]*m", "", text))
