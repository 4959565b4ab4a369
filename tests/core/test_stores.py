from __future__ import annotations

import pytest

from aefsync.core.metadata import PLAIN
from aefsync.core.path import RelPath
from aefsync.core.stores import SECOND_NS, Folding, Stores, coarsest, collisions, lacking
from aefsync.core.view import View
from tests.support.snapshots import file, link

FAT = Stores(0, 2 * SECOND_NS, 315_532_800 * SECOND_NS, 4_354_819_198 * SECOND_NS, False, False, Folding.CASE)
BOTH = Folding.CASE | Folding.FORMS


def test_roots_that_store_everything_change_nothing() -> None:
    assert coarsest(PLAIN, [Stores(), Stores()]) == PLAIN
    counting = PLAIN._replace(owner=True, window_ns=5)
    assert coarsest(counting, [Stores(), Stores()]) == counting


def test_what_one_root_lacks_counts_on_none() -> None:
    found = coarsest(PLAIN._replace(owner=True), [Stores(), FAT])
    assert (found.mode_bits, found.step_ns, found.owner, found.symlinks) == (0, 2 * SECOND_NS, False, False)
    assert (found.oldest_ns, found.newest_ns, found.folding) == (FAT.oldest_ns, FAT.newest_ns, Folding.CASE)
    assert found == coarsest(PLAIN._replace(owner=True), [FAT, Stores()])


def test_times_of_roots_that_are_alike_are_compared_as_they_are() -> None:
    assert coarsest(PLAIN, [FAT, FAT]).step_ns == 1


def test_a_copy_on_a_poor_root_is_the_same() -> None:
    counting = coarsest(PLAIN, [Stores(), FAT])
    original = file(b"a", b"x", mtime_ns=1_234_567_891_123_456_789, mode=0o640)
    stored = original._replace(mtime_ns=1_234_567_890 * SECOND_NS, mode=0o755)
    assert View.FULL.same([original, stored], counting)
    assert not View.FULL.same([original, file(b"a", b"y")], counting)
    assert View.FULL.same([link(b"l"), None], counting), "left out"
    assert counting.is_approximate


@pytest.mark.parametrize(
    ("stores", "asked", "words"),
    [
        (Stores(), PLAIN, []),
        (FAT, PLAIN, ["permissions", "times finer than 2 s", "symlinks"]),
        (FAT, PLAIN._replace(mode_bits=0, times=False, owner=True), ["owners", "symlinks"]),
        (Stores(step_ns=100), PLAIN, []),
        (Stores(owners=False), PLAIN, []),
        (Stores(mode_bits=0o777), PLAIN._replace(mode_bits=0o7777), ["special bits"]),
    ],
)
def test_what_a_root_lacks_in_words(stores: Stores, asked: object, words: list[str]) -> None:
    assert lacking(stores, asked) == words  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "folding", "found"),
    [
        (["a", "A"], Folding.NONE, set()),
        (["a", "A", "b"], Folding.CASE, {"a", "A"}),
        (["d/x", "D/y"], Folding.CASE, set()),
        (["d", "D", "d/x", "D/x"], Folding.CASE, {"d", "D", "d/x", "D/x"}),
        (["caf\u00e9", "cafe\u0301"], Folding.CASE, set()),
        (["caf\u00e9", "cafe\u0301", "CAFE\u0301"], BOTH, {"caf\u00e9", "cafe\u0301", "CAFE\u0301"}),
        (["caf\u00e9", "cafe\u0301"], Folding.FORMS, {"caf\u00e9", "cafe\u0301"}),
        (["\udcff", "\udcfe"], BOTH, set()),
    ],
)
def test_names_that_are_one(names: list[str], folding: Folding, found: set[str]) -> None:
    paths = [RelPath(name.encode("utf-8", "surrogateescape")) for name in names]
    assert {str(path) for path in collisions(paths, folding)} == found
