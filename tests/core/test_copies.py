"""What a person's word on conflict copies comes to."""

from __future__ import annotations

import pytest

from aefsync.core.action import Act, Action
from aefsync.core.conflict_name import conflict_name, plain_name
from aefsync.core.copies import Copies, Take, Way, are_meant, grouped, original_of, prune, resolve
from aefsync.core.entry import UNKNOWN, Entry, Kind
from aefsync.core.path import RelPath
from aefsync.core.version import Dot, Version
from tests.support.snapshots import directory, file, link

A, B = b"A" * 16, b"B" * 16


def copy_name(name: bytes, number: int) -> bytes:
    return conflict_name(name, b"", number * 10**9, bytes(32))


def at(path: bytes, content: bytes, mtime_ns: int = 5, author: bytes = b"", kind: Kind = Kind.FILE) -> Entry:
    version = Version((Dot(author, 1),), author) if author else None
    return file(path, content)._replace(mtime_ns=mtime_ns, version=version, kind=kind)


ONE, TWO = copy_name(b"x.txt", 1), copy_name(b"x.txt", 2)
ORIGINAL = RelPath(b"x.txt")
CURRENT = at(b"x.txt", b"now", 5, A)
OLD, NEW = at(ONE, b"old", 3, B), at(TWO, b"new", 9, B)


def copies(current: Entry | None, *found: Entry) -> Copies:
    return Copies(ORIGINAL, current, found)


def shown(actions: list[Action]) -> list[str]:
    names = {ONE: "one", TWO: "two"}

    def name(path: RelPath | None) -> str:
        return "" if path is None else names.get(bytes(path), str(path))

    return [f"{each.act} {name(each.source)}>{name(each.path)}{'<>' if each.displaced else ''}" for each in actions]


@pytest.mark.parametrize(
    ("found", "take", "actions"),
    [
        (copies(CURRENT, OLD, NEW), Way.CURRENT, ["delete >one", "delete >two"]),
        (copies(None, OLD), Way.CURRENT, ["delete >one"]),
        (copies(CURRENT, OLD), Way.COPY, ["move one>x.txt<>", "delete >one"]),
        (copies(None, OLD), Way.COPY, ["move one>x.txt"]),
        (copies(CURRENT, OLD), Way.NEWEST, ["delete >one"]),
        (copies(CURRENT, OLD, NEW), Way.NEWEST, ["move two>x.txt<>", "delete >two", "delete >one"]),
        (copies(CURRENT, NEW._replace(mtime_ns=5)), Way.NEWEST, ["delete >two"]),
        (copies(None, OLD, NEW), Way.NEWEST, ["move two>x.txt", "delete >one"]),
        (copies(CURRENT, OLD, NEW), Way.BOTH, ["move one>x (2).txt", "move two>x (4).txt"]),
        (copies(CURRENT, OLD, NEW), A, ["delete >one", "delete >two"]),
        (copies(CURRENT, OLD), B, ["move one>x.txt<>", "delete >one"]),
        (copies(directory(b"x.txt"), OLD), Way.CURRENT, ["delete >one"]),
        (copies(directory(b"x.txt"), OLD), Way.BOTH, ["move one>x (2).txt"]),
    ],
)
def test_what_is_taken(found: Copies, take: Way | bytes, actions: list[str]) -> None:
    taken = {RelPath(b"x (3).txt")}

    def claim(path: RelPath) -> bool:
        is_free = path not in taken
        taken.add(path)
        return is_free

    wanted = Take(take) if isinstance(take, Way) else Take(None, take)
    assert shown(resolve(found, wanted, claim)) == actions


@pytest.mark.parametrize(
    ("found", "take", "reason"),
    [
        (copies(CURRENT, OLD, NEW), Take(Way.COPY), "has 2 conflict copies"),
        (copies(CURRENT, OLD, NEW), Take(None, B), "more than one version of it"),
        (copies(CURRENT, OLD), Take(None, b"C" * 16), "no version of it"),
        (copies(CURRENT._replace(version=None), OLD), Take(None, A), "no version of it"),
        (copies(directory(b"x.txt"), OLD), Take(Way.COPY), "a directory is in its place"),
        (copies(directory(b"x.txt"), OLD), Take(Way.NEWEST), "a directory is in its place"),
    ],
)
def test_what_nobody_can_tell(found: Copies, take: Take, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        resolve(found, take, lambda path: True)


def test_each_action_expects_what_was_found() -> None:
    swap, delete = resolve(copies(CURRENT, OLD), Take(Way.COPY), lambda path: True)
    assert swap == Action(Act.MOVE, ORIGINAL, OLD._replace(path=ORIGINAL), OLD, OLD.path, CURRENT)
    assert delete == Action(Act.DELETE, OLD.path, None, CURRENT._replace(path=OLD.path))


def test_only_copies_that_are_the_same_are_pruned() -> None:
    same, unread = at(ONE, b"now"), at(TWO, b"")._replace(content=UNKNOWN)
    assert shown(prune(copies(CURRENT, same, NEW, unread))) == ["delete >one"]
    assert prune(copies(None, same)) == prune(copies(CURRENT._replace(content=UNKNOWN), unread)) == []


def test_which_copies_are_meant() -> None:
    below = Copies(RelPath(b"d/x"), None, (at(b"d/" + copy_name(b"x", 1), b""),))
    both = copies(CURRENT, OLD, NEW)
    assert are_meant(both, ()) == are_meant(both, [ORIGINAL]) == both
    assert are_meant(both, [OLD.path, RelPath(b"d")]) == copies(CURRENT, OLD)
    assert are_meant(both, [RelPath(b"d")]) is are_meant(both, [RelPath(b"x")]) is None
    assert are_meant(below, [RelPath(b"d")]) == are_meant(below, [below.copies[0].path]) == below


def test_copies_by_their_originals() -> None:
    deep = at(b"d/" + copy_name(b"x.txt", 3), b"")
    others = [CURRENT, directory(copy_name(b"d", 1)), at(b"x.conflict-nothing.txt", b"")]
    assert grouped([OLD, *others, deep, NEW]) == {ORIGINAL: [OLD, NEW], RelPath(b"d/x.txt"): [deep]}
    assert original_of(link(copy_name(b"l", 1), b"t")) == b"l"


def test_a_copy_of_a_copy_is_one_of_the_original() -> None:
    assert original_of(at(copy_name(ONE, 2), b"")) == ORIGINAL


def test_plain_names_fit() -> None:
    assert plain_name(b"n" * 250 + b".txt", 12) == b"n" * 246 + b" (12).txt"
    assert plain_name(copy_name(b".bashrc", 1), 2) == b".bashrc (2)"
