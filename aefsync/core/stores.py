"""What a root can store, and what therefore counts where roots differ in that: the coarser view of both.

A FAT disk keeps times to two seconds and no permissions: compared with anything finer it would differ for ever.  So
what one root lacks counts on none of them, for that session; what they all have in common is compared as ever.
"""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Iterable, Sequence

from aefsync.core.metadata import NEWEST_NS, OLDEST_NS, PERMISSIONS, SPECIAL, Aspects, Namespaces
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath

SECOND_NS = 1_000_000_000


class Folding(enum.IntFlag):
    """Which names are one name."""

    NONE = 0
    CASE = 1
    FORMS = 2
    """the normal forms of Unicode"""


ANY_FOLDING = Folding.CASE | Folding.FORMS


class Stores(NamedTuple):
    """What a root can store.  By default: everything."""

    mode_bits: int = PERMISSIONS | SPECIAL
    step_ns: int = 1
    oldest_ns: int = OLDEST_NS
    newest_ns: int = NEWEST_NS
    owners: bool = True
    symlinks: bool = True
    folding: Folding = Folding.NONE
    xattrs: Namespaces = Namespaces.ALL
    links: bool = True

    @property
    def range_ns(self) -> tuple[int, int]:
        return self.oldest_ns, self.newest_ns


def coarsest(asked: Aspects, roots: Sequence[Stores]) -> Aspects:
    """What counts in a session of these roots: what is asked for, as far as each of them can store it."""
    mode_bits, folding = asked.mode_bits, Folding.NONE
    for each in roots:
        mode_bits &= each.mode_bits
        folding |= each.folding
    # Of two roots that are alike in this, neither ever has a time that the other cannot store.
    differ = len({(each.step_ns, each.range_ns) for each in roots}) > 1
    return asked._replace(
        mode_bits=mode_bits,
        step_ns=max(each.step_ns for each in roots) if differ else 1,
        oldest_ns=max(each.oldest_ns for each in roots) if differ else OLDEST_NS,
        newest_ns=min(each.newest_ns for each in roots) if differ else NEWEST_NS,
        owner=asked.owner and all(each.owners for each in roots),
        xattrs=min(asked.xattrs, *(each.xattrs for each in roots)),
        links=asked.links and all(each.links for each in roots),
        symlinks=all(each.symlinks for each in roots),
        folding=folding,
    )


def lacking(stores: Stores, asked: Aspects) -> list[str]:
    """What of all that is to count a root cannot store, in words."""
    words = (
        ("permissions", asked.mode_bits & PERMISSIONS & ~stores.mode_bits),
        ("special bits", asked.mode_bits & SPECIAL & ~stores.mode_bits),
        (f"times finer than {stores.step_ns / SECOND_NS:g} s", asked.times and stores.step_ns >= SECOND_NS // 1000),
        ("extended attributes", asked.xattrs and not stores.xattrs),
        ("owners", asked.owner and not stores.owners),
        ("hard links", asked.links and not stores.links),
        ("symlinks", not stores.symlinks),
    )
    return [word for word, is_lacking in words if is_lacking]


def folded(name: bytes, folding: Folding) -> bytes:
    """What two names have in common that are one name where names fold so."""
    text = name.decode("utf-8", "surrogateescape")
    if folding & Folding.FORMS:
        text = unicodedata.normalize("NFD", text)
    if folding & Folding.CASE:
        text = text.casefold()
    if folding & Folding.FORMS:
        text = unicodedata.normalize("NFC", text)
    return text.encode("utf-8", "surrogateescape")


def collisions(paths: Iterable[RelPath], folding: Folding) -> frozenset[RelPath]:
    """Those of the paths that are one with another of them."""
    if not folding:
        return frozenset()
    groups: dict[bytes, RelPath] = {}
    found: set[RelPath] = set()
    for path in paths:
        first = groups.setdefault(folded(path, folding), path)
        if first != path:
            found |= {first, path}
    return frozenset(found)
