from __future__ import annotations

from aefsync.core.compare import Difference
from aefsync.core.differences import Differences
from aefsync.core.entry import Entry
from aefsync.core.lookalikes import LITTLE, Lookalikes
from aefsync.core.reconcile import needs_content
from aefsync.core.verdict import Rules
from aefsync.core.verdict import unread as unread_of
from tests.support.snapshots import directory, file, link, planted, unread


def wanted(*trees: list[Entry], mirror: bool = False) -> list[tuple[int, bytes]]:
    """What has to be read, nothing being known."""
    found = planted([[unread(entry) for entry in tree] for tree in trees])
    return [tuple(each) for each in needs_content(Differences(found), Rules(10**6, mirror))]


def test_a_file_of_that_size_under_another_name_is_read_on_both_sides() -> None:
    for mirror in (False, True):
        assert wanted([file(b"new", b"12345")], [file(b"old", b"12345")], mirror=mirror) == [(0, b"new"), (1, b"old")]


def test_a_file_of_another_size_is_read_when_it_is_copied() -> None:
    assert wanted([file(b"new", b"12345")], [file(b"old", b"1234")]) == []


def test_so_is_one_that_nobody_else_has_anything_like() -> None:
    assert wanted([file(b"a", b"12345"), file(b"b", b"12345")], []) == []
    assert wanted([file(b"a", b"12345")], [link(b"b", b"12345"), directory(b"c")]) == []


def test_what_is_replaced_may_be_under_another_name_as_well() -> None:
    large = b"2" * (LITTLE + 1)
    a = [file(b"log", b"333", 9), file(b"log.1", large, 8)]
    b = [file(b"log", large, 8), file(b"log.1", b"1", 7)]
    assert wanted(a, b) == [(1, b"log"), (0, b"log.1")]


def test_a_little_one_that_replaces_another_is_brought_unread() -> None:
    a = [file(b"log", b"333", 9), file(b"log.1", b"2" * LITTLE, 8)]
    b = [file(b"log", b"2" * LITTLE, 8), file(b"log.1", b"1", 7)]
    assert wanted(a, b) == []


def test_of_three_each_that_may_be_moved() -> None:
    a, b, c = file(b"a", b"12345"), file(b"b", b"12345"), file(b"c", b"123")
    assert wanted([a], [b], [c]) == [(0, b"a"), (1, b"b")]


def test_sizes_beyond_the_sketch() -> None:
    huge = file(b"a")._replace(size=(1 << 40) + 7, content=bytes(32))
    other = huge._replace(path=file(b"b").path)
    columns = [Difference(huge.path, (huge, None)), Difference(other.path, (None, other))]
    assert [list(Lookalikes(columns).maybe_moved(each.entries, unread_of(each.entries))) for each in columns] == [
        [0],
        [1],
    ]
    columns[1] = Difference(other.path, (None, other._replace(size=other.size + 1)))
    assert [list(Lookalikes(columns).maybe_moved(each.entries, unread_of(each.entries))) for each in columns] == [
        [],
        [],
    ]
