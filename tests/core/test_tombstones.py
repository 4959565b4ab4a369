from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.digest import ENTRY_DIGEST, PUBLIC_KEY
from aefsync.core.snapshot import VersionList
from aefsync.core.tombstones import buried, history, tombstones_at
from aefsync.core.tree import LEAVES, KeyRange, Question, answer
from aefsync.core.version import FOUND, Dot, Tombstone, Version
from aefsync.core.view import View
from tests.core.test_path import PATHS
from tests.support.snapshots import file, snapshot

VERSIONS = st.integers(1, 5).map(lambda counter: Version((Dot(b"a" * 16, counter),), b"a" * 16))
TOMBSTONES = st.lists(st.builds(Tombstone, PATHS, VERSIONS), max_size=30, unique_by=lambda tombstone: tombstone.path)
EVERYTHING = (KeyRange(b"", b"\xff" * 256),)


def in_order(tombstones: list[Tombstone]) -> list[Tombstone]:
    return sorted(tombstones, key=lambda tombstone: tombstone.path.key)


@given(TOMBSTONES, st.integers(0, 30), st.integers(0, 30))
def test_tombstones_come_back_in_key_order(tombstones: list[Tombstone], low: int, high: int) -> None:
    assert tombstones_at(buried(tombstones), low, high) == in_order(tombstones)[low:high]


@given(TOMBSTONES, TOMBSTONES)
def test_leaves_differ_where_the_tombstones_do(mine: list[Tombstone], theirs: list[Tombstone]) -> None:
    question = Question(View.BURIED, EVERYTHING, LEAVES)
    answers = [answer(buried(tombstones), question, PUBLIC_KEY) for tombstones in (mine, theirs)]
    assert [each.counts for each in answers] == [(len(mine),), (len(theirs),)]
    assert (answers[0].digests == answers[1].digests) == (in_order(mine) == in_order(theirs))


@given(TOMBSTONES, TOMBSTONES)
def test_histories_differ_where_the_tombstones_do(mine: list[Tombstone], theirs: list[Tombstone]) -> None:
    pasts = [history(b"entries", buried(tombstones)) for tombstones in (mine, theirs)]
    assert (pasts[0] == pasts[1]) == (in_order(mine) == in_order(theirs))


@given(st.lists(st.one_of(st.just(FOUND), VERSIONS), min_size=1, max_size=9), st.integers(1, 4))
def test_entries_have_versions_and_the_versioned_view_tells_them_apart(versions: list[Version], rows: int) -> None:
    entries = [file(b"%d" % number) for number in range(len(versions))]
    plain = snapshot(entries, rows)
    with_versions = snapshot(entries, rows)
    starts = range(0, len(versions), rows)
    with_versions.blocks = [
        block._replace(versions=VersionList(versions[start : start + rows]))
        for block, start in zip(plain.blocks, starts, strict=True)
    ]
    assert [entry.version for entry in with_versions.entries()] == versions
    assert with_versions.digests == plain.digests
    seen = with_versions.digests_in(View.VERSIONED)
    for number, version in enumerate(versions):
        part = slice(number * ENTRY_DIGEST, (number + 1) * ENTRY_DIGEST)
        assert (seen[part] == plain.digests[part]) == (version == FOUND)


def test_without_versions_the_versioned_view_is_the_full_one() -> None:
    plain = snapshot([file(b"a"), file(b"b")])
    assert plain.digests_in(View.VERSIONED) == plain.digests
    assert [entry.version for entry in plain.entries()] == [None, None]
