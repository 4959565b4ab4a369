from __future__ import annotations

import errno
import os
import stat
import sys
from array import array
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.pairing import joined
from aefsync.core.problem import ROT
from aefsync.disk import sight
from aefsync.disk.building import Limits
from aefsync.disk.index import Index
from aefsync.disk.page import PageKey
from aefsync.disk.reading import read_pages, unread, within
from aefsync.disk.scan import Scanner
from aefsync.disk.sparse import BLOCK
from tests.disk.ground import ALL, Ground, finish, later
from tests.disk.test_key_order import known, page, paged
from tests.support.rot import Mapped

PAGES = known(
    {
        (b"", 0): page([b"a", b"d", b"f", b"g", b"z"], (1,)),
        **paged(b"d\0", [b"%d" % number for number in range(7)], 3),
    }
)
ORDER: list[tuple[PageKey, int]] = [
    *(((b"", 0), position) for position in (0, 1)),
    *(((b"d\0", number // 3), number % 3) for number in range(7)),
    *(((b"", 0), position) for position in (2, 3, 4)),
]
"""Where each position of the snapshot is."""


@given(st.sets(st.sampled_from(range(len(ORDER)))), st.sets(st.sampled_from(ORDER)), st.booleans())
def test_what_is_wanted_inside_spans_or_outside_of_them(
    chosen: set[int], wanted: set[tuple[PageKey, int]], inside: bool
) -> None:
    asked = {
        key: array("H", sorted(position for page, position in wanted if page == key))
        for key in {key for key, _ in wanted}
    }
    spans = joined((position, position + 1) for position in sorted(chosen))
    found = within(asked, PAGES, spans, inside=inside)
    told = {(key, position) for key, positions in found.items() for position in positions}
    assert told == {each for number, each in enumerate(ORDER) if (number in chosen) == inside} & wanted
    assert all(positions.tolist() == sorted(positions) for positions in found.values())


class Stopped(Exception):
    """Nobody waits for the rest."""


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is a part of its page."""
    monkeypatch.setattr(sight, "_PART_BYTES", 1)


def stop_after(size: int) -> Callable[[int], None]:
    def told(done: int) -> None:
        if done >= size:
            raise Stopped

    return told


def left(scanner: Scanner) -> list[int]:
    return [position for positions in unread(scanner.pages).values() for position in positions]


@pytest.mark.usefixtures("in_parts")
def test_a_page_that_comes_in_parts_is_known_as_a_whole(ground: Ground) -> None:
    for name in (b"a", b"b", b"c", b"d", b"e"):
        ground.write(name, b"in " + name)
    expected = {name: ground.entry(name) for name in (b"b", b"d", b"e")}
    scanner = ground.scanner()
    for name in (b"a", b"c"):
        os.remove(ground.place(name))
    assert finish(scanner) == expected


def test_a_large_file_is_told_of_as_it_is_read(ground: Ground) -> None:
    ground.write(b"large", bytes(2 * BLOCK) + b"end")
    ground.write(b"small", b"1234")
    scanner, told = ground.scanner(), list[int]()
    read_pages(scanner, unread(scanner.pages), told.append)
    assert told == [BLOCK, 2 * BLOCK, 2 * BLOCK + 3, 2 * BLOCK + 7]


@pytest.mark.usefixtures("in_parts")
def test_what_was_read_before_the_end_is_known_to_the_next(ground: Ground, index: Index) -> None:
    for name in (b"a", b"b", b"c"):
        ground.write(name, b"1234")
    scanner = ground.scanner(index, clock_ns=later)
    with pytest.raises(Stopped):
        read_pages(scanner, unread(scanner.pages), stop_after(8))
    index.flush()
    again = ground.scanner(index, clock_ns=later)
    again.materialise()
    assert left(again) == [2]


@pytest.mark.parametrize("limits", [ALL, ALL._replace(ignore_index=True)], ids=["as known", "anew"])
def test_a_file_that_cannot_be_closed_costs_no_other_its_content(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, limits: Limits
) -> None:
    for name in (b"a/1", b"a/2", b"a/3", b"b/1", b"b/2"):
        ground.write(name, b"in " + name)
    expected = {name: ground.entry(name) for name in (b"a/1", b"b/1", b"b/2")}
    scanner, closed, real = ground.scanner(limits=limits), list[int](), os.close

    def close(fd: int) -> None:
        is_file = stat.S_ISREG(os.fstat(fd).st_mode)
        real(fd)
        if is_file:
            closed.append(fd)
        if is_file and len(closed) == 2:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "close", close)
    found = finish(scanner)
    monkeypatch.undo()
    assert {path: found[path] for path in expected} == expected
    told = {each.path for own in scanner.problems.values() for each in own}
    assert told == {b"a/2", b"a/3"}


@pytest.mark.skipif(sys.platform != "linux", reason="rot is planted as Linux lets one")
@pytest.mark.usefixtures("in_parts")
def test_who_reads_everything_anew_and_stops_forgets_no_record(quietly: Ground, index: Index) -> None:
    for name in (b"a", b"b", b"c"):
        quietly.write(name, b"1234")
    damaged = Mapped(quietly.place(b"c"))
    quietly.look(index, clock_ns=later)
    damaged.flip()
    anew = ALL._replace(ignore_index=True)
    scanner = quietly.scanner(index, anew, clock_ns=later)
    with pytest.raises(Stopped):
        read_pages(scanner, unread(scanner.pages), stop_after(1))
    index.flush()
    scanner = quietly.scanner(index, anew, clock_ns=later)
    finish(scanner)
    assert [(each.path, each.reason) for found in scanner.problems.values() for each in found] == [(b"c", ROT)]
