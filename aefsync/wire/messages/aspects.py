"""The forms of what counts in a session, and of what entries have beyond their rows where it does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Self

import msgspec
from msgspec import Meta

from aefsync.core.entry import Entry
from aefsync.core.metadata import NEWEST_NS, PERMISSIONS, PLAIN, SPECIAL, Aspects, Extra, Namespaces, Owner
from aefsync.core.path import MAX_PATH, RelPath
from aefsync.core.stores import Folding, Stores
from aefsync.wire.messages.rows import Asked, Int64, Row

Step = Annotated[int, Meta(ge=1, le=NEWEST_NS)]
Window = Annotated[int, Meta(ge=0, le=NEWEST_NS)]


Folds = Annotated[int, Meta(ge=0, le=3)]


class AspectsRow(Row):
    mode_bits: Annotated[int, Meta(ge=0, le=PERMISSIONS | SPECIAL)]
    times: bool
    step_ns: Step
    oldest_ns: Int64
    newest_ns: Int64
    window_ns: Window
    owner: bool
    numeric_ids: bool
    xattrs: Namespaces
    links: bool
    symlinks: bool
    folding: Folds

    def __post_init__(self) -> None:
        if self.oldest_ns > self.newest_ns:
            raise ValueError("times that end before they begin")

    @classmethod
    def of(cls, aspects: Aspects) -> Self | None:
        """Nothing is said of what counts by default."""
        return None if aspects == PLAIN else cls(*aspects)

    def aspects(self) -> Aspects:
        return Aspects(*msgspec.structs.astuple(self))


Number = Annotated[int, Meta(ge=0, le=(1 << 32) - 1)]
Name = Annotated[bytes, Meta(max_length=256)]


Attribute = Annotated[bytes, Meta(max_length=255)]
Value = Annotated[bytes, Meta(max_length=1 << 16)]


class OwnerRow(Row):
    uid: Number
    gid: Number
    user: Name
    group: Name

    def owner(self) -> Owner:
        if b"\0" in self.user or b"\0" in self.group:
            raise ValueError("owner with NUL")
        return Owner(self.uid, self.gid, self.user, self.group)


class ExtraRow(Row):
    owner: OwnerRow | None
    xattrs: Annotated[bytes, Meta(max_length=32)] | None = None
    attributes: Annotated[tuple[tuple[Attribute, Value], ...], Meta(max_length=1024)] = ()
    leader: Annotated[bytes, Meta(max_length=MAX_PATH)] | None = None

    @classmethod
    def of(cls, extra: Extra) -> Self:
        return cls(OwnerRow(*extra.owner) if extra.owner else None, *extra[1:])

    def extra(self) -> Extra:
        if any(b"\0" in name or not name for name, _ in self.attributes):
            raise ValueError("extended attribute without a name, or with NUL")
        if self.leader:
            RelPath(self.leader.removeprefix(b"\0"))
        return Extra(self.owner.owner() if self.owner else None, self.xattrs, self.attributes, self.leader)


Extras = Annotated[tuple[ExtraRow | None, ...], Asked]
"""One for each entry of a form, in order; none at all where no entry has any."""


def pack_extras(entries: Iterable[Entry]) -> tuple[ExtraRow | None, ...]:
    """The extras of the entries of a form."""
    rows = tuple(ExtraRow.of(each.extra) if each.extra else None for each in entries)
    return rows if any(rows) else ()


def with_extras(entries: Sequence[Entry], extras: Sequence[ExtraRow | None]) -> list[Entry]:
    """The entries of a form with their extras; raises `ValueError` where these are not as many."""
    if not extras:
        return list(entries)
    pairs = zip(entries, extras, strict=True)
    return [each._replace(extra=row.extra()) if row else each for each, row in pairs]


class StoresRow(Row):
    mode_bits: Annotated[int, Meta(ge=0, le=PERMISSIONS | SPECIAL)]
    step_ns: Step
    oldest_ns: Int64
    newest_ns: Int64
    owners: bool
    symlinks: bool
    folding: Folds
    xattrs: Namespaces
    links: bool

    @classmethod
    def of(cls, stores: Stores) -> Self | None:
        """Nothing is said where everything can be stored."""
        return None if stores == Stores() else cls(*stores)

    def stores(self) -> Stores:
        row = msgspec.structs.asdict(self)
        return Stores(**{**row, "folding": Folding(self.folding)})
