"""Along: which versions everything in a directory has once that was renamed, should the run end there.

A directory is renamed as a whole, and what is in it comes along, wanted there or not.  Until the rest of the plan is
carried out, and recorded, nothing but this tells what its user has left, and what the run has:

    comes along as             has
    what is wanted there       the version that is wanted, so that what its user does to it follows that
    something else             PASSING: whatever the others have there follows it, and no edit of it is lost
    what nobody wants there    STRAY, with all below it: it goes, or is moved on, unless somebody edits it
"""

from __future__ import annotations

from collections.abc import Iterable

from aefsync.core.entry import Entry
from aefsync.core.metadata import Aspects
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.version import PASSING, STRAY, Version

MOST, MOST_BYTES = 1 << 15, 2 << 20
"""Paths that are told one by one, and their bytes: a batch of actions is a message."""


class Along(NamedTuple):
    """What a directory brings along to its new path, itself included, has `version`; but `others` have their own: each path
    alone, a stray with all below it."""

    version: Version
    others: tuple[tuple[RelPath, Version], ...] = ()

    @property
    def size(self) -> int:
        """Bytes of paths that are told."""
        return sum(len(path) for path, _ in self.others)


def along(usual: Version, brought: Iterable[tuple[RelPath, Version]]) -> Along:
    """What is `brought` with a directory of which most has one version; where too much has others, all of it is passing,
    which never does more harm than that an edit is a conflict."""
    size = 0
    others: list[tuple[RelPath, Version]] = []
    for path, version in brought:
        if version != usual:
            others.append((path, version))
            size += len(path)
            if len(others) > MOST or size > MOST_BYTES:
                return Along(PASSING)
    return Along(usual, tuple(others))


def dated(found: Entry, wanted: Entry | None, aspects: Aspects) -> Entry:
    """What is `found` at a path by now, where this is `wanted`, with the version that it has there, if versions count."""
    return found._replace(version=version_by_then(found, wanted, aspects))


def version_by_then(found: Entry, wanted: Entry | None, aspects: Aspects) -> Version | None:
    """The same version by itself; `None` where versions do not count."""
    if found.version is None or wanted is None:
        return found.version and STRAY
    is_wanted = found.same_content(wanted) and found.same_metadata(wanted, aspects)
    return (is_wanted and wanted.version) or PASSING
