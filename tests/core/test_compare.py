from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.compare import BATCH, Difference, Span, select
from aefsync.core.digest import PUBLIC_KEY
from aefsync.core.entry import Entry
from aefsync.core.pairing import batches, differences
from aefsync.core.path import RelPath
from aefsync.core.ports import Scanned
from aefsync.core.snapshot import Snapshot
from aefsync.core.tree import Answer, Question, answer
from aefsync.core.view import View
from aefsync.wire.dialogue import Call, Method, Reply
from aefsync.wire.messages import encode
from tests.support.snapshots import directory, fetch_from, file, generated, link, planted, snapshot, with_changed


class Link:
    """Stands between the comparison and the replicas; counts, for each, the exchanges and the bytes."""

    def __init__(self, snapshots: Sequence[Snapshot]) -> None:
        self._snapshots = snapshots
        self._fetch = fetch_from(snapshots)
        self.exchanges = [1] * len(snapshots)
        self.bytes = sum(len(encode(Reply(Method.SCAN, Scanned(bytes(16), 10**6, 0, 0, 0, 0, ())))) for _ in snapshots)

    def ask(self, questions: Sequence[Question | None]) -> list[Answer | None]:
        return [question and self._answer(number, question) for number, question in enumerate(questions)]

    def _answer(self, number: int, question: Question) -> Answer:
        found = answer(self._snapshots[number], question, PUBLIC_KEY)
        self._count(number, Method.FINGERPRINTS, question, found)
        return found

    def fetch(self, replica: int, spans: Sequence[Span]) -> Sequence[Entry]:
        found = self._fetch(replica, spans)
        self._count(replica, Method.ENTRIES, spans, found)
        return found

    def _count(self, number: int, method: Method, argument: object, value: object) -> None:
        self.exchanges[number] += 1
        self.bytes += len(encode(Call(method, (argument,)))) + len(encode(Reply(method, value)))


def compare(snapshots: Sequence[Snapshot], view: View = View.FULL) -> tuple[list[Difference], Link]:
    between = Link(snapshots)
    selections = select(between.ask, view, [each.count for each in snapshots])
    return list(differences(between.fetch, view, selections)), between


def bare(found: Sequence[Difference]) -> list[Difference]:
    return [Difference(path, tuple(e and e._replace(target=b"") for e in entries)) for path, entries, _ in found]


# --- exact difference ------------------------------------------------------------------------------------------------

DIRECTORIES = [b"", b"d/", b"d/e/", b"d-/", b"z/y/x/"]


@st.composite
def replicas(draw: st.DrawFn) -> list[list[Entry]]:
    """2 to 4 trees with much in common: a few hundred entries, and edits of some of them on some replicas."""
    number = draw(st.integers(2, 4))
    size = draw(st.sampled_from([0, 3, 60, 120, 400, 1500]))
    common = {RelPath(path): file(path) for path in (DIRECTORIES[i % 5] + b"%04d" % i for i in range(size))}
    trees = [dict(common) for _ in range(number)]
    edits = draw(st.lists(st.tuples(st.integers(0, size + 20), st.integers(0, 6), st.integers(1, 14)), max_size=25))
    for name, edit, where in edits:
        path = DIRECTORIES[name % 5] + b"%04d" % name
        for i, tree in enumerate(trees):
            if where >> i & 1:
                _edit(tree, path, edit)
    if draw(st.booleans()):
        trees[0] = {}
    return [list(tree.values()) for tree in trees]


def _edit(tree: dict[RelPath, Entry], path: bytes, edit: int) -> None:
    made = [file(path, b"xyz"), file(path, b"abc"), file(path, mtime_ns=5), file(path, mode=0o600)]
    made += [directory(path), link(path)]
    if edit == len(made):
        tree.pop(RelPath(path), None)
    else:
        tree[RelPath(path)] = made[edit]


@given(replicas(), st.sampled_from(list(View)), st.integers(1, 300))
def test_exact_difference(trees: list[list[Entry]], view: View, rows: int) -> None:
    found, _ = compare([snapshot(tree, rows) for tree in trees], view)
    assert found == bare([each for each in planted(trees) if not view.same(each.entries)])


@given(replicas(), st.sampled_from(list(View)))
def test_exact_selection_leaves_out_what_agrees(trees: list[list[Entry]], view: View) -> None:
    between = Link([snapshot(tree) for tree in trees])
    selections = select(between.ask, view, [len(tree) for tree in trees], exact=True)
    for number, tree in enumerate(trees):
        chosen = [path for each in selections for path in _paths(between, number, each.spans[number])]
        own = {entry.path for entry in tree}
        expected = [each.path for each in planted(trees) if not view.same(each.entries) and each.path in own]
        assert chosen == expected


def _paths(between: Link, number: int, spans: Sequence[Span]) -> list[RelPath]:
    return [entry.path for entry in between.fetch(number, spans)]


def test_many_differences_come_in_key_order_and_in_batches() -> None:
    ours = [file(b"d/%05d" % i) for i in range(5000)]
    theirs = [file(b"d/%05d" % i, b"x" if i % 2 else b"") for i in range(5000)]
    found, between = compare([snapshot(ours), snapshot(theirs)])
    assert [each.path for each in found] == [b"d/%05d" % i for i in range(1, 5000, 2)]
    assert between.exchanges[0] <= 8


def test_equal_replicas_differ_in_nothing() -> None:
    packed = generated(50_000, depth=5)
    found, between = compare([packed, packed, packed])
    assert found == []
    assert between.exchanges == [2, 2, 2]


def test_nothing_at_all() -> None:
    found, between = compare([Snapshot([]), Snapshot([])])
    assert (found, between.exchanges) == ([], [1, 1])


def test_what_only_one_replica_has_is_fetched_without_descent() -> None:
    found, between = compare([generated(6000, depth=2), Snapshot([])])
    assert len(found) == 6001
    assert all(each.entries[1] is None for each in found)
    assert between.exchanges == [1 + -(-6001 // BATCH), 1]


# --- what it costs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 40])
@pytest.mark.parametrize("share", [0.0, 0.37, 1.0])
def test_one_difference_in_a_million(million: dict[int, Snapshot], depth: int, share: float) -> None:
    ours = million[depth]
    position = round(share * (ours.count - 1))
    found, between = compare([ours, with_changed(ours, position)])
    assert [each.path.key for each in found] == [ours.key(position)]
    assert max(between.exchanges) <= 4
    assert between.bytes <= 32_000


@pytest.fixture(scope="module")
def million() -> dict[int, Snapshot]:
    return {depth: generated(1_000_000, depth) for depth in (1, 40)}


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 5000)), max_size=8))
def test_batches_cover_the_spans(gaps: list[tuple[int, int]]) -> None:
    spans: list[Span] = []
    end = 0
    for gap, length in gaps:
        spans.append((end + gap, end + gap + length))
        end += gap + length
    found = list(batches(spans))
    covered = [position for batch in found for span in batch for position in range(*span)]
    assert covered == [position for span in spans for position in range(*span)]
    sizes = [sum(high - low for low, high in batch) for batch in found]
    assert all(size == BATCH for size in sizes[:-1])
    assert not sizes or 0 < sizes[-1] <= BATCH
