from __future__ import annotations

import stat
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.entry import UNKNOWN, Entry
from aefsync.core.minting import is_same, is_same_time
from aefsync.core.path import RelPath
from aefsync.core.view import STAT
from aefsync.disk.page import RACY
from aefsync.disk.records import NOTHING, ROWS, Record, Records, joined, pack, pieces, record_of, unpack
from aefsync.disk.vectors import packed
from tests.support.snapshots import directory, file, link

NUMBERS = st.integers(-(2**63), 2**63 - 1)
RECORDS = st.builds(
    Record,
    st.tuples(st.just(stat.S_IFREG | 0o644), NUMBERS, NUMBERS, NUMBERS, NUMBERS).map(lambda row: STAT.pack(*row)),
    st.binary(min_size=32, max_size=32),
    st.sampled_from([0, RACY]),
    st.integers(0, 2**32 - 1),
)
NAMES = st.binary(min_size=1, max_size=9).filter(lambda name: b"\0" not in name)
TREES = st.dictionaries(NAMES, RECORDS, max_size=12).map(lambda tree: joined(sorted(tree.items())))


@given(TREES)
def test_records_come_back(records: Records) -> None:
    assert unpack(pack(records), packed(records.versions)) == records
    assert joined(list(records.each())) == records


@given(TREES, st.data())
def test_damage_is_noticed(records: Records, data: st.DataObject) -> None:
    body = bytearray(pack(records))
    body[data.draw(st.integers(2, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        assert unpack(bytes(body), packed(records.versions)) == records  # a bit that nothing depends on
    except ValueError:
        return


def test_a_body_cut_short() -> None:
    with pytest.raises(ValueError):
        unpack(pack(NOTHING)[:-1], b"")


@pytest.mark.parametrize("count", [0, 1, ROWS, ROWS + 1, 3 * ROWS])
def test_pieces_are_full_at_most(count: int) -> None:
    names = tuple(b"%05d" % number for number in range(count))
    whole = Records(names, bytes(40 * count), bytes(32 * count), bytes(count), array("I", bytes(4 * count)))
    parts = list(pieces(whole))
    assert len(parts) == max(1, -(-count // ROWS))
    assert all(len(part.names) <= ROWS for part in parts)
    assert sum((part.names for part in parts), ()) == names
    assert b"".join(part.stats for part in parts) == whole.stats


@pytest.mark.parametrize("entry", [file(b"d/a", b"1"), directory(b"d/b", 0o700), link(b"d/c")])
def test_the_record_of_an_entry(entry: Entry) -> None:
    record = record_of(entry, 3)
    assert record.entry(entry.path) == entry._replace(target=b"")
    assert record.version == 3


def test_what_a_stat_says_of_an_entry() -> None:
    a, b = (record_of(directory(b"d", ctime_ns=each), 0) for each in (1, 2))
    assert a.is_like(b)
    c, d = (record_of(file(b"f", ctime_ns=each), 0) for each in (1, 2))
    assert not c.is_like(d)
    assert not record_of(file(b"f")._replace(content=UNKNOWN), 0).is_read


LOOKS = st.builds(
    lambda mode, size, mtime_ns, rest, content: Record(STAT.pack(mode, size, mtime_ns, *rest), content, 0, 0),
    st.sampled_from([stat.S_IFREG | 0o644, stat.S_IFREG | 0o755, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777]),
    st.sampled_from([0, 3, 4]),
    st.sampled_from([-1, 0, 1, 10**9 - 1, 10**9, 3 * 10**9]),
    st.tuples(st.sampled_from([0, 7]), st.sampled_from([0, 8])),
    st.sampled_from([UNKNOWN, bytes(31) + b"1", bytes(31) + b"2"]),
)


@given(LOOKS, LOOKS)
def test_what_is_plainly_another_is_neither_the_same_nor_damaged(before: Record, now: Record) -> None:
    path = RelPath(b"f")
    entry, found = before.entry(path), now.entry(path)
    if before.is_plainly_another(now):
        assert not is_same(entry, found)
        assert entry.size != found.size or not is_same_time(entry, found), "or it may be damage"


def test_an_edit_is_plain_by_its_size_or_its_time() -> None:
    before = record_of(file(b"f", b"1", mtime_ns=5 * 10**9), 0)
    assert before.is_plainly_another(record_of(file(b"f", b"22", mtime_ns=5 * 10**9), 0))
    assert before.is_plainly_another(record_of(file(b"f", b"1", mtime_ns=6 * 10**9), 0))
    assert not before.is_plainly_another(record_of(file(b"f", b"2", mtime_ns=5 * 10**9 + 1), 0)), "told whole seconds"
    assert not before.is_plainly_another(record_of(directory(b"f"), 0))
