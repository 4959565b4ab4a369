"""What is said between a coordinator and an agent: calls of the port's methods, replies, progress, failures.

How it is written as bytes is the business of `messages`.
"""

from __future__ import annotations

import enum
from typing import Any

from aefsync.core.named_tuple import NamedTuple
from aefsync.core.ports import Phase
from aefsync.errors import (
    AefsyncError,
    GuardError,
    IncompatibleError,
    LockedError,
    ProtocolError,
    RootError,
    UnreachableError,
    UsageError,
)


class Method(enum.StrEnum):
    """The methods of `core.ports.Replica`, by their names."""

    HELLO = "hello"
    SCAN = "scan"
    READ_UNREAD = "read_unread"
    FINGERPRINTS = "fingerprints"
    ENTRIES = "entries"
    GROWTH = "growth"
    READ = "read"
    RECIPES = "recipes"
    MATCH = "match"
    WRITE = "write"
    REUSE = "reuse"
    STAGE = "stage"
    GATHER = "gather"
    GROW = "grow"
    PLANT = "plant"
    MOVABLE = "movable"
    LEARN = "learn"
    APPLY = "apply"
    RECORD = "record"
    SEARCH = "search"
    TOMBSTONES = "tombstones"
    MINT = "mint"
    REMEMBER = "remember"
    SPACE = "space"
    ALLOCATED = "allocated"
    TRASH = "trash"
    RESTORE = "restore"
    PURGE = "purge"
    RUNS = "runs"
    UNDO = "undo"
    SCRUB = "scrub"
    EXAMINE = "examine"
    WAIT = "wait"
    CLOSE = "close"


class Call(NamedTuple):
    """Client to server: call this method."""

    method: Method
    arguments: tuple[Any, ...] = ()


class Reply(NamedTuple):
    """Server to client, the end of a call: what the method returned."""

    method: Method
    value: Any


class Progress(NamedTuple):
    """Server to client, any number of times during a call."""

    phase: Phase
    done: int
    total: int


class Failed(NamedTuple):
    """Server to client, the end of a call: the method raised the error named `kind`."""

    kind: str
    message: str
    hint: str | None = None
    transient: bool = False


Message = Call | Reply | Progress | Failed


class Step(enum.Enum):
    """What a message is in the dialogue."""

    CALL = "a call"
    PROGRESS = "progress"
    END = "the end of a call"


def step_of(message: Message) -> Step:
    """The step that a message is."""
    if isinstance(message, Call):
        return Step.CALL
    return Step.PROGRESS if isinstance(message, Progress) else Step.END


MAX_TEXT = 4096
_KINDS = {
    kind.__name__: kind
    for kind in (
        AefsyncError, UsageError, RootError, GuardError, LockedError, UnreachableError, IncompatibleError, ProtocolError,
    )
}  # fmt: skip


def failure_of(error: AefsyncError) -> Failed:
    """The failure that stands for an error: of its own class, or the nearest one above that both sides know."""
    kind = next(each.__name__ for each in type(error).__mro__ if each.__name__ in _KINDS)
    hint = error.hint[:MAX_TEXT] if error.hint is not None else None
    return Failed(kind, error.message[:MAX_TEXT], hint, isinstance(error, UnreachableError) and error.transient)


def error_of(failed: Failed) -> AefsyncError:
    """The error that a failure stands for; a kind that is not known is an `AefsyncError`."""
    error = _KINDS.get(failed.kind, AefsyncError)(failed.message, hint=failed.hint)
    if isinstance(error, UnreachableError):
        error.transient = failed.transient
    return error
