"""Changes: what a run did to one replica, entry by entry, and what takes each of them back.

A change tells what stood at a path before and what the run left there, so it can be undone without looking anything
up: what was created goes, what was deleted comes back from the trash, what was replaced takes its place again, what
was moved moves back.  The changes of a run are taken back in reverse order, and taking back is a run of its own: the
inverse of a change is a change.

    created  docs/a        ->  deleted  docs/a
    moved    x -> y        ->  moved    y -> x
    replaced b (1) by (2)  ->  replaced b (2) by (1)
"""

from __future__ import annotations

import enum

from aefsync.core.action import ROTTEN, Act, Action
from aefsync.core.entry import Entry
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath


class Did(enum.IntEnum):
    """The kinds of change."""

    CREATED = 1
    REPLACED = 2
    MOVED = 3
    DELETED = 4
    METADATA = 5

    @property
    def label(self) -> str:
        return self.name.lower()


class Change(NamedTuple):
    """One change of one replica.

    `before` is what stood at `path` (at `source`, for a move), `after` what the run left at `path`; `None` where there
    was nothing.  A move of something nobody looked at (an edit that raced the run, set aside) has neither.  Where a
    move made two things change places, `displaced` is what stood at `path` before and stands at `source` now.
    """

    did: Did
    path: RelPath
    before: Entry | None
    after: Entry | None
    source: RelPath | None = None
    displaced: Entry | None = None

    @property
    def inverse(self) -> Change:
        """The change that takes this one back."""
        if self.source is not None:
            displaced = self.displaced and self.displaced._replace(path=self.source)
            return Change(Did.MOVED, self.source, self.after, self.before, self.path, displaced)
        return Change(_INVERSE[self.did], self.path, self.after, self.before)


_INVERSE = {
    Did.CREATED: Did.DELETED,
    Did.DELETED: Did.CREATED,
    Did.REPLACED: Did.REPLACED,
    Did.METADATA: Did.METADATA,
}
_EITHER = (Act.LINK, Act.JOIN)
_DID = {
    Act.CREATE: Did.CREATED,
    Act.MKDIR: Did.CREATED,
    Act.COPY: Did.REPLACED,
    Act.METADATA: Did.METADATA,
    Act.MOVE: Did.MOVED,
    Act.DELETE: Did.DELETED,
}


def change_of(action: Action, content: bytes = b"") -> Change | None:
    """The change that an action makes where it is carried out; `content` that of the file staged for it (empty: none is).

    `None` for what changes nothing that anybody wrote, or completes an earlier action of the same run: the permission
    bits of a directory just made.
    """
    act, path, wanted, found, source, displaced, _, aside, _ = action
    if act is Act.RECORD or aside == ROTTEN or (act is Act.METADATA and found is None):
        return None
    if wanted is not None and not wanted.is_read and content:
        wanted = wanted.having(content)
    if act in _EITHER:
        return Change(Did.REPLACED if found is not None else Did.CREATED, path, found, wanted)
    return Change(_DID[act], path, found, wanted, source, displaced)
