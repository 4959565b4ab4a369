"""What versions tell without contents: the verdict on an unread file is the one on the same file read, or awaits it."""

from __future__ import annotations

import itertools

import pytest

from aefsync.core.entry import Entry
from aefsync.core.policy import Policies
from aefsync.core.settling import hinging, settle
from aefsync.core.verdict import Remove, Rules, Stand, Take, Why
from aefsync.core.version import FOUND, Dot, Version, base, minted
from tests.support.snapshots import file, unread

A, B = b"A" * 16, b"B" * 16
RULES = Rules(10**6, policies=Policies())
OLD = file(b"f", b"old", 5)._replace(version=FOUND)


def edited(found: Entry, content: bytes, author: bytes, counter: int) -> Entry:
    """The next version of a file."""
    vector = found.version.vector if found.version and found.version.vector else (Dot(base(found), 0),)
    new = file(b"f", content, 9)
    return new._replace(version=Version(minted(vector, Dot(author, counter)), author))


NEW = edited(OLD, b"newer", A, 1)
NEWER = edited(NEW, b"newest", B, 1)
OTHER = edited(OLD, b"another", B, 7)
STRANGE = file(b"f", b"strange", 3)._replace(version=FOUND)
PAIRS = list(itertools.product((OLD, NEW, NEWER, OTHER, STRANGE), repeat=2))


def test_the_first_edit_of_what_another_replica_found_needs_no_look_at_its_content() -> None:
    assert NEW.version is not None
    assert hinging((unread(NEW), OLD), ()) == []
    assert settle(OLD.path, (unread(NEW), OLD), (), RULES) == Take(0, "newer", NEW.version)
    assert settle(OLD.path, (OLD, unread(NEW)), (), RULES) == Take(1, "newer", NEW.version)


def test_whether_it_is_that_which_was_edited_is_known_only_when_that_is_read() -> None:
    for found in (OLD, STRANGE):
        assert hinging((NEW, unread(found)), ()) == [1]
        assert settle(OLD.path, (NEW, unread(found)), (), RULES) == Stand(Why.UNREAD)


def test_an_edit_of_something_else_than_was_found_is_read() -> None:
    assert hinging((unread(NEW), STRANGE), ()) == [0]
    assert hinging((unread(NEW), OLD, STRANGE), ()) == [0]


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("hidden", [(0,), (1,), (0, 1)])
def test_a_verdict_without_contents_is_the_verdict_with_them(
    pair: tuple[Entry, Entry], hidden: tuple[int, ...]
) -> None:
    known = tuple(unread(each) if i in hidden else each for i, each in enumerate(pair))
    verdict = settle(OLD.path, known, (), RULES)
    assert verdict == settle(OLD.path, pair, (), RULES) or verdict == Stand(Why.UNREAD)
    assert (verdict == Stand(Why.UNREAD)) == bool(hinging(known, ()))


@pytest.mark.parametrize("three", list(itertools.product((OLD, NEW, NEWER, OTHER, STRANGE), repeat=3)))
def test_so_it_is_with_three(three: tuple[Entry, Entry, Entry]) -> None:
    verdict = settle(OLD.path, three, (), RULES)
    for hidden in itertools.product((False, True), repeat=3):
        known = tuple(unread(each) if own else each for own, each in zip(hidden, three, strict=True))
        own = settle(OLD.path, known, (), RULES)
        assert own == (Stand(Why.UNREAD) if hinging(known, ()) else verdict)


def test_nothing_is_read_where_one_has_seen_what_all_others_have() -> None:
    known = (unread(NEW), unread(NEW), unread(NEWER))
    assert hinging(known, ()) == []
    assert settle(OLD.path, known, (), RULES) == Take(2, "newer", NEWER.version)
    assert NEWER.version is not None
    gone = (None, None, Version(minted(NEWER.version.vector, Dot(A, 9)), A))
    assert hinging((*known[:2], None), gone) == []
    assert settle(OLD.path, (*known[:2], None), gone, RULES) == Remove("deleted", gone[2])


@pytest.mark.parametrize("pair", PAIRS)
def test_two_replicas_are_judged_as_two_of_three(pair: tuple[Entry, Entry]) -> None:
    two, three = settle(OLD.path, pair, (), RULES), settle(OLD.path, (*pair, pair[1]), (), RULES)
    if isinstance(two, Take) and isinstance(three, Take):
        assert (two.winner, two.version) == (three.winner, three.version)


@pytest.mark.parametrize(
    ("change", "winner", "word"),
    [({"mtime_ns": 9}, 0, "older"), ({"mode": 0o600}, 0, "mode"), ({"mode": 0o777}, 1, "mode")],
)
def test_why_metadata_is_set_where_replicas_meet_first(change: dict[str, int], winner: int, word: str) -> None:
    other = OLD._replace(**change)  # type: ignore[arg-type]
    for more in ((), (None,)):
        verdict = settle(OLD.path, (OLD, other, *more), (), RULES)
        assert isinstance(verdict, Take)
        assert (verdict.winner, verdict.reason) == (winner, word)
