"""Actions on the wire, a row each, with the entries that they speak of in columns behind one another.

    MOVE a -> b, COPY c          paths  b a c     acts  move copy     there  2 3
    entries                      wanted: c's      found: a's, c's     displaced: none

Extras are those of the entries wanted; versions those of the entries wanted or of tombstones, those that moves bring
apart from them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Annotated, Self

from msgspec import Meta

from aefsync.core.action import Act, Action
from aefsync.core.entry import Entry
from aefsync.core.path import RelPath
from aefsync.core.version import Version
from aefsync.wire.messages.aspects import Extras, pack_extras, with_extras
from aefsync.wire.messages.brought import Brought
from aefsync.wire.messages.columns import EntryColumns
from aefsync.wire.messages.rows import MAX_ENTRIES, Aside, Asked, Form, Strings
from aefsync.wire.messages.versions import Versions

_MOVE, _DELETE, _RECORD, _JOIN = Act.MOVE, Act.DELETE, Act.RECORD, Act.JOIN
_WANTED, _FOUND, _DISPLACED = 1, 2, 4
"""The bits of `there`: which entries an action has."""
_ALL = _WANTED | _FOUND | _DISPLACED


class ApplyCall(Form, tag="apply"):
    """A path a row, and behind it the source where the row is a move.  `asides` of all, or nothing: they are empty."""

    paths: Strings
    acts: Annotated[tuple[Act, ...], Asked]
    there: Annotated[bytes, Meta(max_length=MAX_ENTRIES)]
    entries: EntryColumns
    asides: Annotated[tuple[Aside, ...], Asked] = ()
    extras: Extras = ()
    versions: Versions | None = None
    brought: Brought | None = None

    @classmethod
    def of(cls, *values: Sequence[Action]) -> Self:
        actions = values[0]
        paths: list[RelPath] = []
        for action in actions:
            _check_said(action)
            paths += [action.path] if action.source is None else [action.path, action.source]
        wanted = [each.wanted for each in actions if each.wanted is not None]
        found = [each.found for each in actions if each.found is not None]
        displaced = [each.displaced for each in actions if each.displaced is not None]
        asides = tuple(each.aside for each in actions)
        return cls(
            Strings.of(paths),
            tuple(each.act for each in actions),
            bytes(map(_bits, actions)),
            EntryColumns.of([*wanted, *found, *displaced]),
            asides if any(asides) else (),
            pack_extras(wanted),
            Versions.of(each.version for each in actions),
            Brought.of(actions),
        )

    def values(self) -> tuple[tuple[Action, ...]]:
        places = self._places()
        asides = self.asides or ("",) * len(self.acts)
        versions = self.versions.column() if self.versions else [None] * len(self.acts)
        wanted, found, displaced = self._entries(places, versions)
        actions = []
        rows = zip(self.acts, places, self.there, versions, asides, strict=True)
        for act, (path, source), bits, version, aside in rows:
            action = Action(
                act,
                path,
                next(wanted) if bits & _WANTED else None,
                next(found) if bits & _FOUND else None,
                source,
                next(displaced) if bits & _DISPLACED else None,
                None if bits & _WANTED else version,
                aside,
            )
            _check_heard(action, version)
            actions.append(action)
        return (tuple(self.brought.put_into(actions) if self.brought is not None else actions),)

    def _places(self) -> list[tuple[RelPath, RelPath | None]]:
        """The path of each action, and the source of those that are moves."""
        paths = self.paths.paths()
        if len(paths) != len(self.acts) + self.acts.count(_MOVE) or max(self.there, default=0) > _ALL:
            raise ValueError("paths and actions do not fit")
        following = iter(paths)
        return [(next(following), next(following) if act is _MOVE else None) for act in self.acts]

    def _entries(
        self, places: Sequence[tuple[RelPath, RelPath | None]], versions: Sequence[Version | None]
    ) -> tuple[Iterator[Entry], Iterator[Entry], Iterator[Entry]]:
        """The entries wanted, found and displaced."""
        rows = list(zip(places, self.there, strict=True))
        wanted = [path for (path, _), bits in rows if bits & _WANTED]
        found = [source or path for (path, source), bits in rows if bits & _FOUND]
        displaced = [path for (path, _), bits in rows if bits & _DISPLACED]
        own = [version for version, bits in zip(versions, self.there, strict=True) if bits & _WANTED]
        entries = self.entries.entries([*wanted, *found, *displaced], itertools.chain(own, itertools.repeat(None)))
        middle, end = len(wanted), len(wanted) + len(found)
        return iter(with_extras(entries[:middle], self.extras)), iter(entries[middle:end]), iter(entries[end:])


def _bits(action: Action) -> int:
    """Which entries an action has."""
    wanted, found, displaced = action.wanted is not None, action.found is not None, action.displaced is not None
    return wanted * _WANTED | found * _FOUND | displaced * _DISPLACED


def _check_said(action: Action) -> None:
    """Raise `ValueError` for what the form could not tell."""
    act, path, wanted, found, source, displaced, tombstone, _, _ = action
    if (source is None) == (act is _MOVE):
        raise ValueError(f"{act} of {path} with source {source}")
    if tombstone is not None and (wanted is not None if act is not _MOVE else displaced is not None):
        raise ValueError(f"{act} of {path} with a tombstone and an entry")
    for entry, place in ((wanted, path), (displaced, path), (found, source or path)):
        if entry is not None and entry.path != place:
            raise ValueError(f"{act} of {path} with an entry of another path")


def _check_heard(action: Action, version: Version | None) -> None:
    """Raise `ValueError` for an action that no plan has."""
    act, path, wanted, found, _, displaced, *_ = action
    if (wanted is None) != (act is _DELETE) and act is not _RECORD:
        raise ValueError("action without the entry that it makes")
    if act is _RECORD and (wanted is None) != (found is None):
        raise ValueError("version of what is not there, or of the deletion of what is")
    if act is _RECORD and version is None:
        raise ValueError("nothing to remember")
    if displaced is not None and act is not _MOVE:
        raise ValueError("nothing but a move changes places with anything")
    if act is _JOIN and wanted is not None and RelPath(wanted.leader) == path:
        raise ValueError("a path that is to be another name of itself")
