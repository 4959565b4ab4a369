"""Conflict copies: which there are of a path, and what a person's word on them comes to, as actions on one replica.

    current   what is at the path stays; its copies go to the trash
    copy      the one copy takes the place of what is at the path, which goes to the trash
    newest    whatever was written last, of what is at the path and its copies; the others go to the trash
    a member  the version that this one wrote; the others go to the trash
    both      each copy gets a plain name, `x (2).txt`, and is a file like any other

What is decided here are edits like those of any user: the next run finds them and spreads them.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from aefsync.core.action import Act, Action
from aefsync.core.conflict_name import original_name, plain_name
from aefsync.core.entry import Entry, Kind
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath


class Way(enum.StrEnum):
    """The ways of resolving conflicts, named as users write them."""

    CURRENT = "current"
    COPY = "copy"
    BOTH = "both"
    NEWEST = "newest"


class Take(NamedTuple):
    """Which version a person wants: by a way, or that of `author`."""

    way: Way | None
    author: bytes = b""


class Copies(NamedTuple):
    """The conflict copies of one path on one replica, in key order, and what is at the path (`None`: nothing)."""

    original: RelPath
    current: Entry | None
    copies: tuple[Entry, ...]


def original_of(entry: Entry) -> RelPath | None:
    """The path that an entry is a conflict copy of; `None` where it is none."""
    if entry.kind is Kind.DIRECTORY:
        return None
    name = original_name(entry.path.name)
    return entry.path.sibling(name) if name != entry.path.name else None


def are_meant(copies: Copies, paths: Collection[RelPath]) -> Copies | None:
    """Those that a person means by naming them, or their original, or a directory above; by no path all are meant."""
    if not paths or any(copies.original == path or copies.original.is_below(path) for path in paths):
        return copies
    named = tuple(each for each in copies.copies if each.path in paths)
    return copies._replace(copies=named) if named else None


def resolve(copies: Copies, take: Take, claim: Callable[[RelPath], bool]) -> list[Action]:
    """The actions that a word on these copies comes to; raises `ValueError` where it does not say which version.

    `claim` takes a path for something new, and tells whether it was free.
    """
    if take.way is Way.BOTH:
        return [_move(copy, next(filter(claim, plain_paths(copy)))) for copy in copies.copies]
    if take.way is not Way.CURRENT and copies.current is not None and copies.current.kind is Kind.DIRECTORY:
        raise ValueError("a directory is in its place: --take both keeps it beside that, --take current drops it")
    winner = _winner(copies, take)
    losers = [_delete(copy) for copy in copies.copies if copy != winner]
    if winner is None or winner == copies.current:
        return losers
    if copies.current is None:
        return [_move(winner, copies.original), *losers]
    # They change places first: wherever this stops, neither is lost, and neither is without a name.
    given_way = copies.current._replace(path=winner.path)
    return [_move(winner, copies.original, copies.current), _delete(given_way), *losers]


def plain_paths(copy: Entry) -> Iterator[RelPath]:
    """The paths that a conflict copy may get as a file of its own, the best one first."""
    return (copy.path.sibling(plain_name(copy.path.name, number)) for number in itertools.count(2))


def prune(copies: Copies) -> list[Action]:
    """The copies that are what is at the path anyway, deleted."""
    current = copies.current
    return [_delete(copy) for copy in copies.copies if current is not None and copy.same_content(current)]


def _winner(copies: Copies, take: Take) -> Entry | None:
    versions = [each for each in (copies.current, *copies.copies) if each is not None]
    match take.way:
        case Way.CURRENT:
            return copies.current
        case Way.COPY:
            return _only(copies.copies, f"has {len(copies.copies)} conflict copies: name the one to take")
        case Way.NEWEST:
            return max(versions, key=lambda each: each.mtime_ns)
    written = [each for each in versions if each.version is not None and each.version.author == take.author]
    return _only(written, f"{'more than one' if written else 'no'} version of it is known to be of that member")


def _only(versions: Sequence[Entry], otherwise: str) -> Entry:
    if len(versions) != 1:
        raise ValueError(otherwise)
    return versions[0]


def _move(copy: Entry, path: RelPath, displaced: Entry | None = None) -> Action:
    return Action(Act.MOVE, path, copy._replace(path=path), copy, copy.path, displaced)


def _delete(entry: Entry) -> Action:
    return Action(Act.DELETE, entry.path, None, entry)


def grouped(copies: Iterable[Entry]) -> dict[RelPath, list[Entry]]:
    """Conflict copies by their originals, in the order in which they come; what is none is left out."""
    groups: dict[RelPath, list[Entry]] = {}
    for entry in copies:
        original = original_of(entry)
        if original is not None:
            groups.setdefault(original, []).append(entry)
    return groups
