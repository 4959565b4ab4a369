"""Who a root is: what is expected, what is found, and which flag takes it for what it is."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from aefsync.core.identity import Allowed, KnownRoot, copies, unexpected
from aefsync.core.ports import Opened

ONE, OTHER = "1" * 32, "2" * 32


def found(identity: str = "", *, empty: bool = False, missing: bool = False) -> Opened:
    ancestors = ((0, 0),) if missing else ((1, 2),)
    seen_before = bool(identity)
    return Opened(
        b"/r", b"here", ancestors, (), 0, created=False, seen_before=seen_before, empty=empty, identity=identity
    )


class Case(NamedTuple):
    known: KnownRoot | None
    opened: Opened
    flags: frozenset[str]
    """which flags let it pass (none: it passes without)"""


NEW, EMPTY = "--allow-new-root", "--allow-empty-root"
FILLED = KnownRoot(ONE, filled=True)
BARE = KnownRoot("", filled=True)
HOLLOW = KnownRoot(ONE, filled=False)
CASES = {
    "a root never seen": Case(None, found(ONE), frozenset()),
    "a root never seen, missing": Case(None, found(missing=True, empty=True), frozenset()),
    "a root never seen, empty": Case(None, found(empty=True), frozenset()),
    "the root of the last run": Case(FILLED, found(ONE), frozenset()),
    "missing": Case(FILLED, found(missing=True, empty=True), frozenset({NEW})),
    "missing, and it was empty": Case(HOLLOW, found(missing=True, empty=True), frozenset({NEW})),
    "missing, and it had no id": Case(BARE, found(missing=True, empty=True), frozenset({NEW})),
    "everything in it is gone": Case(FILLED, found(ONE, empty=True), frozenset({NEW, EMPTY})),
    "it is empty again": Case(HOLLOW, found(ONE, empty=True), frozenset()),
    "a bare mount point": Case(FILLED, found(empty=True), frozenset({NEW, EMPTY})),
    "a root without id became empty": Case(BARE, found(empty=True), frozenset({NEW, EMPTY})),
    "another disk": Case(FILLED, found(OTHER), frozenset({NEW})),
    "another disk, empty": Case(FILLED, found(OTHER, empty=True), frozenset({NEW})),
    "another directory without an id": Case(FILLED, found(), frozenset({NEW})),
    "it was empty, and is another one": Case(HOLLOW, found(OTHER), frozenset({NEW})),
    "it was given an id": Case(BARE, found(ONE), frozenset()),
    "it has no id still": Case(BARE, found(), frozenset()),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_expected(name: str) -> None:
    known, opened, flags = CASES[name]
    refusal = unexpected("/r", known, opened, Allowed())
    assert (refusal is None) == (not flags)
    if refusal is not None:
        assert refusal.flag in flags
        assert refusal.message.startswith("/r: expected ")
        assert refusal.message.endswith(str(refusal.flag))
    for flag, allowed in ((NEW, Allowed(new_root=True)), (EMPTY, Allowed(empty_root=True))):
        assert (unexpected("/r", known, opened, allowed) is None) == (not flags or flag in flags)


def test_the_message_tells_the_two_apart() -> None:
    refusal = unexpected("/r", FILLED, found(OTHER), Allowed())
    assert refusal is not None
    assert "11111111" in refusal.message
    assert "22222222" in refusal.message


COPIES = {
    "all their own": (("1", "2", ""), ("", "", ""), (), {}),
    "without ids": (("", "", ""), ("", "", ""), (), {}),
    "the later one is the copy": (("1", "1"), ("", ""), (), {1: 0}),
    "the one known by it keeps it": (("1", "1"), ("", "1"), (), {0: 1}),
    "one that cannot be written keeps it": (("1", "1"), ("", "1"), (0,), {1: 0}),
    "neither can be written": (("1", "1"), ("", ""), (0, 1), {}),
    "three": (("1", "2", "1", "1"), ("", "", "1", ""), (), {0: 2, 3: 2}),
    "two pairs": (("1", "2", "1", "2"), ("",) * 4, (), {2: 0, 3: 1}),
}


@pytest.mark.parametrize("name", COPIES)
def test_copies(name: str) -> None:
    identities, expected, fixed, wanted = COPIES[name]
    assert copies(identities, expected, fixed) == wanted
