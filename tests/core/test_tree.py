from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core import snapshot as snapshots
from aefsync.core import tree
from aefsync.core.digest import NODE_DIGEST, PUBLIC_KEY
from aefsync.core.entry import Entry
from aefsync.core.path import END
from aefsync.core.snapshot import Block, Snapshot, block_digests
from aefsync.core.tree import LEAF, LEAVES, KeyRange, Question, answer, even_cuts, range_digest, separator
from aefsync.core.view import View
from tests.core.test_snapshot import TREES
from tests.support.snapshots import directory, file, generated, snapshot

ALL = KeyRange(b"", END)
VIEWS = st.sampled_from(list(View))


def root(packed: Snapshot, view: View = View.FULL) -> bytes:
    return range_digest(packed, view, 0, packed.count, PUBLIC_KEY)


@given(st.binary(max_size=6), st.binary(max_size=6))
def test_a_separator_separates_and_is_as_short_as_can_be(one: bytes, other: bytes) -> None:
    below, above = sorted([one, other])
    if below == above:
        return
    found = separator(below, above)
    assert below < found <= above
    assert not any(below < above[:length] <= above for length in range(len(found)))


@given(st.integers(0, 100), st.integers(0, 300), st.integers(-1, 50))
def test_even_cuts(low: int, length: int, parts: int) -> None:
    cuts = even_cuts(low, low + length, parts)
    assert (cuts[0], cuts[-1]) == (low, low + length)
    sizes = [stop - start for start, stop in itertools.pairwise(cuts)]
    assert len(sizes) == max(1, min(parts, length))
    assert max(sizes) - min(sizes) <= 1


@given(TREES, VIEWS, st.integers(1, 4))
def test_the_digest_of_a_range_does_not_depend_on_blocks(entries: list[Entry], view: View, rows: int) -> None:
    assert root(snapshot(entries, rows), view) == root(snapshot(entries), view)


@given(TREES, VIEWS)
def test_the_digest_of_a_range_sees_each_of_its_entries(entries: list[Entry], view: View) -> None:
    packed = snapshot(entries)
    for entry in entries:
        others = [each for each in entries if each is not entry]
        assert root(snapshot(others), view) != root(packed, view)


def test_names_cannot_be_shifted_between_directories_in_the_shape() -> None:
    one = [directory(b"a"), file(b"a/x"), directory(b"b")]
    other = [directory(b"a"), directory(b"b"), file(b"b/x")]
    assert root(snapshot(one), View.SHAPE) != root(snapshot(other), View.SHAPE)


def test_the_root_digest_is_the_same_for_ever() -> None:
    packed = snapshot([directory(b"d"), file(b"d/a.txt", b"hello", mtime_ns=-1), file(b"e")])
    assert root(packed).hex() == "fe5488c22e6aab3e"
    assert root(packed, View.CONTENT).hex() == "d68ff86c355fe718"


@given(TREES, VIEWS, st.integers(2, 5), st.lists(st.binary(max_size=3), max_size=4))
def test_splits_and_plain_answers_agree(entries: list[Entry], view: View, parts: int, bounds: list[bytes]) -> None:
    packed = snapshot(entries)
    edges = [b"", *sorted(set(bounds) - {b""}), END]
    ranges = tuple(KeyRange(low, high) for low, high in itertools.pairwise(edges))
    split = answer(packed, Question(view, ranges, parts), PUBLIC_KEY)
    inner = iter(split.bounds)
    children = []
    for (low, high), number in zip(ranges, split.children, strict=True):
        cuts = [low, *itertools.islice(inner, number - 1), high]
        assert cuts == sorted(set(cuts))
        children += [KeyRange(*pair) for pair in itertools.pairwise(cuts)]
    assert next(inner, None) is None
    plain = answer(packed, Question(view, tuple(children), 0), PUBLIC_KEY)
    assert (plain.counts, plain.digests) == (split.counts, split.digests)
    assert sum(plain.counts) == packed.count


@pytest.mark.parametrize("view", list(View))
def test_a_large_range_is_split_into_leaves_of_about_equal_size(view: View) -> None:
    packed = generated(3000, depth=3)
    found = answer(packed, Question(view, (ALL,), 1000), PUBLIC_KEY)
    assert found.children == (len(found.counts),) == (-(-packed.count // LEAF),)
    assert set(found.counts) <= {LEAF - 1, LEAF}
    assert len(found.digests) == NODE_DIGEST * len(found.counts)
    assert len(found.bounds) == len(found.counts) - 1


@given(TREES, VIEWS)
def test_leaves_are_a_short_digest_for_each_entry(entries: list[Entry], view: View) -> None:
    whole = answer(snapshot(entries), Question(view, (ALL,), LEAVES), PUBLIC_KEY)
    assert whole.counts == (len(entries),)
    halves = answer(
        snapshot(entries, 2), Question(view, (KeyRange(b"", b"b"), KeyRange(b"b", END)), LEAVES), PUBLIC_KEY
    )
    assert (sum(halves.counts), halves.digests) == (len(entries), whole.digests)


@pytest.mark.parametrize("view", list(View))
def test_leaves_of_one_block_take_no_more_digests_than_it_has_entries(
    view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed, taken = snapshot([file(b"%02d" % number, b"x") for number in range(100)], 100), list[int]()

    def counted(block: Block, *others: object) -> bytes:
        taken.append(block.length)
        return block_digests(block, *others)  # type: ignore[arg-type]

    for module in (tree, snapshots):
        monkeypatch.setattr(module, "block_digests", counted)
    cuts = [packed.key(position) for position in range(0, packed.count, 10)]
    ranges = tuple(map(KeyRange, cuts, [*cuts[1:], END]))
    assert answer(packed, Question(view, ranges, LEAVES), PUBLIC_KEY).counts == (10,) * 10
    assert sum(taken) <= packed.count


def test_a_range_that_ends_before_it_begins_is_empty() -> None:
    packed = snapshot([file(b"a"), file(b"b"), file(b"c")])
    assert answer(packed, Question(View.FULL, (KeyRange(b"c", b"a"),), 0), PUBLIC_KEY).counts == (0,)


def test_another_key_gives_other_digests() -> None:
    packed = snapshot([file(b"a")])
    question = Question(View.FULL, (ALL,), 0)
    assert answer(packed, question, PUBLIC_KEY).digests != answer(packed, question, bytes(32)).digests
