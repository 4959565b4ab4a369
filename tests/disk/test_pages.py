from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.digest import ENTRY_DIGEST
from aefsync.core.entry import UNKNOWN
from aefsync.core.snapshot import Block, Snapshot
from aefsync.disk import pages as pages_module
from aefsync.disk.blocks import assemble
from aefsync.disk.page import RACY, UNREAD, Page, PageKey, nothing
from aefsync.disk.pages import Pages
from aefsync.disk.spill import Spill
from aefsync.errors import RootError
from tests.disk.test_key_order import NAMES, known, page, paged

KEYS: list[PageKey] = [(b"", 0), (b"b\0", 0), (b"b\0", 1), (b"c\0", 0)]


def settled(names: list[bytes], directories: tuple[int, ...] = ()) -> Page:
    """A page of which nothing is left to be found out."""
    return page(names, directories)._replace(seen=b"seen")


PAGES = [settled([b"a", b"b", b"c", b"d"], (1, 2)), settled([b"1", b"2"]), settled([b"3"]), settled([b"e", b"f"])]


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pages:
    """All of which are put away that can be."""
    monkeypatch.setattr(pages_module, "AT_HAND", 0)
    pages = Pages(str(tmp_path))
    pages.update(zip(KEYS, PAGES, strict=True))
    return pages


def in_memory_of(pages: Pages) -> int:
    return sum(isinstance(each, Page) for each in pages.known.values())


def in_memory() -> Pages:
    pages = Pages()
    pages.update(zip(KEYS, PAGES, strict=True))
    return pages


def test_what_is_put_away_is_as_it_was(pages: Pages) -> None:
    assert dict(pages) == dict(zip(KEYS, PAGES, strict=True))
    assert list(pages.unsettled()) == []
    assert list(pages.known.values()) == [each.brief() for each in PAGES]
    assert len(pages) == 4
    assert KEYS[0] in pages
    assert pages.pop(KEYS[0]) == PAGES[0]
    assert KEYS[0] not in pages
    pages.clear()
    assert dict(pages) == {}


def test_the_file_has_no_name_and_goes_with_the_session(tmp_path: Path) -> None:
    spill = Spill(str(tmp_path))
    place = spill.put(b"some bytes")
    assert list(tmp_path.iterdir()) == []
    assert spill.get(place) == b"some bytes"
    before = len(os.listdir("/proc/self/fd"))
    del spill
    assert len(os.listdir("/proc/self/fd")) == before - 1


def test_few_are_kept_in_memory_and_nothing_is_written(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    pages = Pages(str(tmp_path))
    pages.update(zip(KEYS, PAGES, strict=True))
    assert all(kept is own for kept, own in zip(pages.values(), PAGES, strict=True))
    assert len(os.listdir("/proc/self/fd")) == before


def test_as_many_are_kept_as_there_is_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = settled([b"%06d" % number for number in range(100)])
    monkeypatch.setattr(pages_module, "AT_HAND", 40_000)
    pages = Pages(str(tmp_path))
    for number in range(10):
        pages[b"", number] = large
    kept = in_memory_of(pages)
    assert 0 < kept < 10
    for number in range(10):  # those that come in the place of others take no more room than these
        pages[b"", number] = large
    assert in_memory_of(pages) == kept
    assert all(each == large for each in pages.values())


@pytest.mark.parametrize(
    "open_page",
    [
        PAGES[1]._replace(flags=bytes([UNREAD, 0])),
        PAGES[1]._replace(flags=bytes([0, RACY])),
        PAGES[1]._replace(digests=nothing(ENTRY_DIGEST, 2)),
        PAGES[1]._replace(listed=b"1\x002\0left out", listed_stats=PAGES[0].stats[: 3 * 40]),
        PAGES[1]._replace(seen=b""),
    ],
    ids=["unread", "racy", "without digests", "with names left out", "its listing no longer known"],
)
def test_what_is_not_settled_is_told_apart(pages: Pages, open_page: Page) -> None:
    kept = in_memory()
    for each in (pages, kept):
        each[KEYS[1]] = open_page
        assert list(each.unsettled()) == [(KEYS[1], open_page)]
        assert each.known[KEYS[1]].length == 2
        assert each.known[KEYS[1]].is_flagged == any(open_page.flags)
    assert in_memory_of(pages) == 0
    for each in (pages, kept):
        each[KEYS[1]] = PAGES[1]
        assert list(each.unsettled()) == []


def test_what_is_not_settled_and_gone_is_passed_over(pages: Pages) -> None:
    for key in KEYS[:2]:
        pages[key] = PAGES[1]._replace(flags=bytes([UNREAD, 0]))
    coming = pages.unsettled()
    next(coming)
    del pages[KEYS[1]]
    assert list(coming) == []
    pages.clear()
    assert list(pages.unsettled()) == []


def test_blocks_are_those_of_pages_in_memory(pages: Pages) -> None:
    wanted = list(assemble(in_memory()))
    blocks = assemble(pages)
    assert list(blocks) == wanted
    assert [blocks[number] for number in reversed(range(len(blocks)))] == wanted[::-1]
    assert blocks[-1] == wanted[-1]
    with pytest.raises(IndexError):
        blocks[len(wanted)]
    assert Snapshot(blocks).digests == Snapshot(wanted).digests


def test_a_snapshot_stays_though_pages_are_replaced(pages: Pages) -> None:
    blocks = assemble(pages)
    before: list[Block] = list(assemble(in_memory()))
    for key in KEYS:
        pages[key] = settled([b"other", b"and more"])
    pages.clear()
    assert list(blocks) == before


def test_a_directory_of_many_others_is_not_read_for_each_of_them(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    pages.clear()
    names = [b"%04d" % number for number in range(100)]
    pages[b"", 0] = settled(names, tuple(range(100)))
    for name in names:
        pages[name + b"\0", 0] = settled([b"x"])
    blocks = assemble(pages)
    reads: list[int] = []
    get = Spill.get
    monkeypatch.setattr(Spill, "get", lambda spill, place: reads.append(place) or get(spill, place))
    assert sum(block.length for block in blocks) == 200
    assert len(reads) == 101


def test_a_full_disk_leaves_pages_in_memory(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: len(data) // 2)
    pages[KEYS[3]] = PAGES[2]
    monkeypatch.undo()
    pages[b"later\0", 0] = PAGES[3]
    assert {key for key, each in pages.known.items() if isinstance(each, Page)} == {KEYS[3], (b"later\0", 0)}
    assert pages[KEYS[0]] == PAGES[0]


def test_where_nothing_may_be_written_pages_stay_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pages_module, "AT_HAND", 0)
    for pages in (Pages(), Pages(str(tmp_path / "nowhere"))):
        pages[b"", 0] = PAGES[0]
        assert pages[b"", 0] is PAGES[0]


def test_damage_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spill = Spill(str(tmp_path))
    place = spill.put(b"some bytes")
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, count, offset: pread(fd, count, offset)[:-1] + b"?")
    with pytest.raises(RootError, match="damaged on the disk"):
        spill.get(place)


def test_what_a_page_that_is_put_away_gets_later_counts(pages: Pages) -> None:
    known = pages[KEYS[1]]
    pages[KEYS[1]] = known.with_contents({0: UNKNOWN})
    assert [key for key, _ in pages.unsettled()] == [KEYS[1]]
    assert pages[KEYS[1]].flags == bytes([UNREAD, 0])


@given(NAMES, NAMES, st.integers(1, 4))
def test_names_are_found_in_whatever_page_they_stand(there: list[bytes], wanted: list[bytes], size: int) -> None:
    pages = known({**paged(b"d\0", there, size), **paged(b"e\0", [b"else"], size)})
    found = list(pages.holding(b"d\0", wanted))
    assert sorted(name for _, _, here in found for name in here.values()) == sorted(set(there) & set(wanted))
    assert len({key for key, _, _ in found}) == len(found)
    for key, own, here in found:
        assert pages[key] is own
        assert all(own.name_list()[index] == name for index, name in here.items())


def test_only_the_pages_that_may_hold_a_name_are_looked_into() -> None:
    names = [b"%03d" % number for number in range(100)]
    pages = known(paged(b"", names, 10))
    assert [key for key, _, _ in pages.holding(b"", [b"005", b"0051", b"077"])] == [(b"", 0), (b"", 7)]
    assert list(pages.holding(b"", [])) == []
    assert list(pages.holding(b"other\0", [b"005"])) == []


def test_names_are_found_though_all_of_a_page_between_has_vanished() -> None:
    pages = known(paged(b"", [b"%d" % number for number in range(8)], 2))
    for number in (1, 2):
        pages[b"", number] = pages[b"", number].without([0, 1])
    found = [(key, list(here.values())) for key, _, here in pages.holding(b"", [b"1", b"3", b"6"])]
    assert found == [((b"", 0), [b"1"]), ((b"", 3), [b"6"])]


def test_what_is_taken_out_can_be_put_back(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    both = pages, in_memory()
    kept = [[each.withdraw(key) for key in KEYS] for each in both]
    assert [dict(each) for each in both] == [{}, {}]
    monkeypatch.setattr(Spill, "put", lambda *_: pytest.fail("put away once more"))
    for each, own in zip(both, kept, strict=True):
        for key, one in zip(KEYS, own, strict=True):
            assert each.put_back(key, one) is each.known[key]
        assert dict(each) == dict(zip(KEYS, PAGES, strict=True))
    assert in_memory_of(pages) == 0


def test_those_with_anything_unread_or_racy(pages: Pages) -> None:
    pages[KEYS[1]] = PAGES[1]._replace(flags=bytes([UNREAD, 0]))
    pages[KEYS[3]] = PAGES[3]._replace(flags=bytes([0, RACY]))
    pages[KEYS[0]] = PAGES[0]._replace(seen=b"")
    assert [key for key, _ in pages.flagged()] == [KEYS[1], KEYS[3]]
    assert [key for key, _ in pages.flagged({b"c\0"})] == [KEYS[3]]
    assert {key for key, _ in pages.unsettled()} == {KEYS[0], KEYS[1], KEYS[3]}
