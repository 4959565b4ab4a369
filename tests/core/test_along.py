from __future__ import annotations

import struct

import pytest

from aefsync.core import minting
from aefsync.core.action import Act, Action
from aefsync.core.along import MOST, Along, along, dated
from aefsync.core.compare import Tombstones
from aefsync.core.differences import Differences
from aefsync.core.entry import Entry, Kind
from aefsync.core.metadata import PLAIN
from aefsync.core.one_sided import OneSided
from aefsync.core.path import RelPath
from aefsync.core.settling import settle
from aefsync.core.verdict import Remove, Rules, Take, Versions
from aefsync.core.version import FOUND, PASSING, STRAY, Dot, Order, Version, explicit, merge, order
from aefsync.core.version_table import VersionTable
from tests.core.mover import moves_of, tree
from tests.core.test_growth import growth_of
from tests.support.snapshots import directory, file, unread

A, B = b"a" * 16, b"b" * 16
OLD, NEW = Version((Dot(A, 1),), A), Version((Dot(A, 2),), A)
P = RelPath(b"p")
RULES = Rules(now_ns=1 << 62)


def old(*entries: Entry) -> list[Entry]:
    return [each._replace(version=OLD) for each in entries]


def new(*entries: Entry) -> list[Entry]:
    return [each._replace(version=NEW) for each in entries]


def f(path: bytes, data: bytes, mtime_ns: int = 1) -> Entry:
    return file(path, data, mtime_ns)


def moves(has: list[Entry], wanted: list[Entry]) -> list[Action]:
    return [action for action in moves_of(tree(*old(*has)), new(*wanted)).actions if action.act is Act.MOVE]


def test_what_comes_along_with_a_directory() -> None:
    has = [directory(b"d"), *(f(b"d/" + name, name) for name in (b"kept", b"kept too", b"edited", b"touched", b"gone"))]
    has += [directory(b"d/s"), f(b"d/s/gone", b"s")]
    wanted = [directory(b"e"), f(b"e/kept", b"kept"), f(b"e/kept too", b"kept too"), f(b"e/edited", b"other")]
    wanted += [f(b"e/touched", b"touched", 2)]
    (move,) = moves(has, wanted)
    others = {b"e/edited": PASSING, b"e/touched": PASSING, b"e/gone": STRAY, b"e/s": STRAY}
    assert move.along is not None
    assert (move.along.version, dict(move.along.others)) == (NEW, others)
    assert move.version == NEW


def test_what_is_moved_out_of_a_directory_that_was_moved_is_a_stray_before() -> None:
    has = [directory(b"d"), f(b"d/a", b"a"), f(b"d/b", b"b"), directory(b"d/s"), f(b"d/s/x", b"x")]
    wanted = [directory(b"e"), f(b"e/a", b"a"), f(b"e/b", b"b"), directory(b"t"), f(b"t/x", b"x")]
    first, second = moves(has, wanted)
    assert (first.along, second.along) == (Along(NEW, ((RelPath(b"e/s"), STRAY),)), Along(NEW))
    assert second.source == b"e/s"


def test_what_lies_right_needs_no_further_version() -> None:
    left = moves_of(tree(*old(directory(b"d"), f(b"d/a", b"a"))), new(directory(b"e"), f(b"e/a", b"a"))).left()
    assert [fate.found and fate.found.version for fate in left if fate.wanted] == [NEW, NEW]


def test_where_versions_do_not_count_nothing_is_said_of_them() -> None:
    (move,) = moves_of(tree(directory(b"d"), f(b"d/a", b"a")), [directory(b"e"), f(b"e/a", b"a")]).actions
    assert (move.along, move.version) == (None, None)


def test_what_passes_through_a_path_in_a_ring_has_no_version_there() -> None:
    has, wanted = [f(b"a", b"1"), f(b"b", b"2"), f(b"c", b"3")], [f(b"b", b"1"), f(b"c", b"2"), f(b"a", b"3")]
    first, last = moves(has, wanted)
    assert (first.version, last.version) == (NEW, NEW)
    assert first.displaced is not None
    assert last.displaced is not None
    assert (first.displaced.version, last.displaced.version) == (PASSING, NEW)


@pytest.mark.parametrize(
    ("wanted", "version"),
    [(f(P, b"1"), NEW), (f(P, b"1", 2), PASSING), (f(P, b"2"), PASSING), (None, STRAY)],
)
def test_what_is_found_by_now(wanted: Entry | None, version: Version) -> None:
    found = f(P, b"1")._replace(version=OLD)
    assert dated(found, wanted and wanted._replace(version=NEW), PLAIN).version == version
    assert dated(found._replace(version=None), wanted, PLAIN).version is None


def test_what_is_too_much_to_tell_is_passing() -> None:
    brought = [(P, PASSING)] * (MOST + 1)
    assert along(NEW, brought[:MOST]).others == tuple(brought[:MOST])
    assert along(NEW, brought) == Along(PASSING)


@pytest.mark.parametrize("unknown", [PASSING, STRAY])
def test_everything_known_follows_what_is_passing_and_no_edit_of_it_follows_anything(unknown: Version) -> None:
    entry = f(P, b"1")
    for known in (FOUND, OLD, NEW):
        assert order(explicit(unknown, entry), explicit(known, entry)) is Order.BEFORE
        assert merge([unknown.vector, explicit(known, entry)]) == explicit(known, entry)
    edited = minting.judge(f(P, b"2"), minting.Record(unknown, entry), Dot(B, 1), first=False)
    assert edited is not None
    assert edited.version == Version((Dot(B, 1),), B)


def test_what_is_passing_stays_so_among_its_like() -> None:
    assert merge([PASSING.vector, STRAY.vector]) == merge([PASSING.vector, PASSING.vector]) == PASSING.vector


def has(version: Version, data: bytes = b"1", mtime_ns: int = 1) -> Entry:
    return f(P, data, mtime_ns)._replace(version=version)


@pytest.mark.parametrize(
    ("entries", "tombstones", "verdict"),
    [
        ((None, has(PASSING)), (), Take(1, "missing", PASSING)),
        ((None, has(STRAY)), (), Remove("moved")),
        ((None, has(STRAY), has(STRAY)), (), Remove("moved")),
        ((None, has(STRAY)), (NEW, None), Remove("deleted", NEW)),
        ((None, has(PASSING)), (NEW, None), Remove("deleted", NEW)),
        ((has(NEW, b"2"), has(PASSING)), (), Take(0, "newer", NEW)),
        ((has(NEW, b"1", 2), has(PASSING, b"1", 1)), (), Take(0, "newer", NEW)),
        ((has(NEW, b"2"), has(STRAY)), (), Take(0, "newer", NEW)),
        ((has(FOUND, b"2"), has(STRAY)), (), Take(0, "newer", Version())),
        ((has(PASSING, b"1", 2), has(PASSING, b"1", 1)), (), Take(1, "older", PASSING)),
        ((unread(has(NEW, b"2")), has(PASSING)), (), Take(0, "newer", NEW)),
    ],
)
def test_verdicts(entries: Versions, tombstones: Tombstones, verdict: Take | Remove) -> None:
    assert settle(P, entries, tombstones, RULES) == verdict


def test_a_growth_with_a_stray_in_it_is_not_taken_as_a_whole() -> None:
    bare = growth_of(f(b"a", b"1"), f(b"b", b"1"))
    whole, apart = Differences(), Differences()
    whole.grow(OneSided(0, VersionTable((NEW,)).put_into(bare)), 2)
    apart.grow(OneSided(0, VersionTable((NEW, STRAY), struct.pack("<2H", 0, 1)).put_into(bare)), 2)
    assert (whole.holder(0), apart.holder(0)) == (0, None)
    versions = [each.entries[0] and each.entries[0].version for each in apart]
    assert versions == [NEW, STRAY]


def test_of_several_steps_of_a_run_the_one_counts_that_it_has_come_to() -> None:
    before, first, last = (f(P, data) for data in (b"0", b"1", b"2"))
    steps = [minting.Record(PASSING, first), minting.Record(NEW, last)]
    record = minting.Record(OLD, before)
    found = {entry: minting.settle(entry, record, *steps) for entry in (before, first, last, None)}
    assert list(found.values()) == [record, *steps, None]
    assert before.kind is Kind.FILE
