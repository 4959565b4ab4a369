from __future__ import annotations

import contextlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.digest import ENTRY_DIGEST
from aefsync.core.entry import UNKNOWN
from aefsync.core.snapshot import CONTENT, Block, block_digests
from aefsync.core.view import STAT, View
from aefsync.disk.page import NOT_TAKEN, RACY, UNREAD, Brief, Page, pack, pack_brief, unpack, unpack_brief

FILE, DIRECTORY = 0o100644, 0o40755
NAME = st.binary(min_size=1, max_size=12).filter(lambda name: not set(name) & {0, 47} and name not in (b".", b".."))
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)


@st.composite
def pages(draw: st.DrawFn, whole: bool = False) -> Page:
    names = sorted(draw(st.sets(NAME, max_size=8)))
    count = len(names)
    kinds = [draw(st.sampled_from([FILE, DIRECTORY])) for _ in names]
    stats = b"".join(STAT.pack(kind, *[draw(INT64) for _ in range(4)]) for kind in kinds)
    flags = bytes(0 if whole else draw(st.sampled_from([0, RACY, UNREAD, RACY | UNREAD])) for _ in names)
    contents = draw(st.binary(min_size=count * CONTENT, max_size=count * CONTENT))
    page = Page(
        names=b"\0".join(names),
        stats=stats,
        contents=contents,
        flags=flags,
        digests=NOT_TAKEN * count,
        directories=tuple(index for index, kind in enumerate(kinds) if kind == DIRECTORY),
        listed=b"\0".join(names),
        listed_stats=stats,
        rules=draw(st.binary(max_size=9)),
        seen=draw(st.binary(min_size=16, max_size=16)),
    )
    if not whole and draw(st.booleans()):
        extra = sorted({*names, b"zz"})
        more = [
            STAT.unpack_from(stats, names.index(name) * STAT.size) if name in names else (4480, 1, 2, 3, 4)
            for name in extra
        ]
        page = page._replace(listed=b"\0".join(extra), listed_stats=b"".join(STAT.pack(*row) for row in more))
    return page.sealed(b"docs\0") if whole or draw(st.booleans()) else page


@given(pages())
def test_packing_loses_nothing(page: Page) -> None:
    assert unpack(pack(page)) == page


@given(pages(whole=True))
def test_briefs_too(page: Page) -> None:
    brief = page.brief()
    assert brief is not None
    assert unpack_brief(pack_brief(brief)) == brief
    assert (brief.length, brief.digests, brief.seen, brief.rules) == (page.length, page.digests, page.seen, page.rules)
    names = page.name_list()
    assert brief.names == tuple(names[index] for index in page.directories)


def sound(page: Page) -> None:
    """What every user of a page counts on."""
    assert len(page.name_list()) == page.length
    assert (len(page.stats), len(page.contents)) == (page.length * STAT.size, page.length * CONTENT)
    assert len(page.digests) == page.length * ENTRY_DIGEST
    assert all(index < page.length for index in page.directories)
    assert len(page.listed_stats) % STAT.size == 0


@given(pages(), st.data())
def test_damaged_rows_are_refused_or_still_hang_together(page: Page, data: st.DataObject) -> None:
    row = bytearray(pack(page))
    if data.draw(st.booleans()):
        del row[data.draw(st.integers(0, len(row) - 1)) :]
    else:
        row[data.draw(st.integers(0, len(row) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(ValueError):
        sound(unpack(bytes(row)))


@given(pages(whole=True), st.data())
def test_damaged_briefs_are_refused_or_still_hang_together(page: Page, data: st.DataObject) -> None:
    brief = page.brief()
    assert brief is not None
    packed = bytearray(pack_brief(brief))
    if data.draw(st.booleans()):
        del packed[data.draw(st.integers(0, len(packed) - 1)) :]
    else:
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(ValueError):
        found = unpack_brief(bytes(packed))
        assert len(found.names) == len(found.directories)
        assert all(index < found.length for index in found.directories)


@given(st.binary(max_size=200))
def test_any_bytes_at_all(row: bytes) -> None:
    with contextlib.suppress(ValueError):
        sound(unpack(row))
    with contextlib.suppress(ValueError):
        unpack_brief(row)


def simple(names: Sequence[bytes], flags: bytes | None = None) -> Page:
    stats = b"".join(STAT.pack(FILE, index, index, index, index + 1) for index in range(len(names)))
    joined = b"\0".join(names)
    return Page(
        names=joined,
        stats=stats,
        contents=b"".join(bytes([index + 1]) * CONTENT for index in range(len(names))),
        flags=bytes(len(names)) if flags is None else flags,
        digests=NOT_TAKEN * len(names),
        directories=(),
        listed=joined,
        listed_stats=stats,
        rules=b"",
        seen=b"s" * 16,
    )


@pytest.mark.parametrize("flag", [RACY, UNREAD, RACY | UNREAD])
def test_what_must_be_looked_at_is_not_settled(flag: int) -> None:
    assert simple([b"a", b"b"]).sealed(b"").is_settled
    assert not simple([b"a", b"b"]).is_settled
    flagged = simple([b"a", b"b"], bytes([0, flag])).sealed(b"")
    assert not flagged.is_settled
    assert flagged.brief().is_flagged
    assert not simple([b"a"]).sealed(b"")._replace(listed=b"a\0b").is_settled
    assert not simple([b"a"]).sealed(b"")._replace(seen=b"").is_settled


def test_the_brief_of_an_empty_directory() -> None:
    assert simple([]).sealed(b"").brief() == Brief(b"s" * 16, b"", b"", (), (), simple([]).stamp)


def test_contents_become_known_and_unknown() -> None:
    page = simple([b"a", b"b", b"c"], bytes([UNREAD, UNREAD | RACY, 0])).sealed(b"")
    assert list(page.unread()) == [0, 1]
    read = page.with_contents({0: b"x" * CONTENT, 1: UNKNOWN})
    assert list(read.unread()) == [1]
    assert read.flags == bytes([0, UNREAD | RACY, 0])
    assert read.digests[:ENTRY_DIGEST] == NOT_TAKEN
    assert read.digests[2 * ENTRY_DIGEST :] == page.digests[2 * ENTRY_DIGEST :]
    everything = page.with_contents({index: bytes([9]) * CONTENT for index in range(3)})
    assert everything.flags == bytes([0, RACY, 0])
    assert everything.contents == bytes([9]) * CONTENT * 3
    assert page.with_contents({}) == page


def test_sealing_takes_the_digests_that_are_missing() -> None:
    page = simple([b"a", b"b", b"c"])
    whole = page.sealed(b"d\0")
    assert whole.digests == block_digests(Block(b"d\0", page.names, page.stats, page.contents, 3), View.FULL)
    changed = whole.with_contents({1: b"y" * CONTENT}).sealed(b"d\0")
    fresh = page.with_contents({1: b"y" * CONTENT}).sealed(b"d\0")
    assert changed == fresh
    assert whole.sealed(b"d\0") is whole


def test_without_some_entries() -> None:
    stats = b"".join(STAT.pack(mode, 0, 0, 0, 1) for mode in (DIRECTORY, FILE, DIRECTORY))
    page = simple([b"a", b"b", b"c"])._replace(stats=stats, directories=(0, 2)).sealed(b"")
    left = page.without({1})
    assert (left.name_list(), left.directories, left.seen) == ([b"a", b"c"], (0, 1), b"")
    assert left.contents == page.contents[:CONTENT] + page.contents[2 * CONTENT :]
    nothing = page.without({0, 1, 2})
    assert (nothing.length, nothing.name_list(), nothing.directories) == (0, [], ())
    assert unpack(pack(nothing)).length == 0
