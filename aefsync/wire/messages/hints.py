"""The forms of waiting: how long, and what was heard."""

from __future__ import annotations

from typing import Annotated, Self

from msgspec import Meta

from aefsync.core.hint import MOST_HINTS, Hints, Wait
from aefsync.core.path import RelPath
from aefsync.wire.messages.rows import Form, Strings, Text, pack_text, unpack_text

LONGEST_MS = 3_600_000


class WaitCall(Form, tag="wait"):
    limit_ms: Annotated[int, Meta(ge=0, le=LONGEST_MS)]
    listen: bool

    @classmethod
    def of(cls, *values: Wait) -> Self:
        return cls(*values[0])

    def values(self) -> tuple[Wait]:
        return (Wait(self.limit_ms, self.listen),)


class WaitReply(Form, tag="wait"):
    changed: Strings
    deaf: Strings
    reason: Text

    @classmethod
    def of(cls, *values: Hints) -> Self:
        changed, deaf, reason = values[0]
        return cls(Strings.of(changed), Strings.of(deaf), pack_text(reason))

    def values(self) -> tuple[Hints]:
        return (Hints(_sub_trees(self.changed.decode()), _sub_trees(self.deaf.decode()), unpack_text(self.reason)),)


def _sub_trees(paths: list[bytes]) -> tuple[bytes, ...]:
    """Paths below the root, or the root itself."""
    if len(paths) > MOST_HINTS:
        raise ValueError(f"{len(paths)} hints")
    return tuple(RelPath(path) if path else path for path in paths)
