"""What `doctor` finds: one statement on one step, and what to do about it."""

from __future__ import annotations

import enum

from aefsync.core.named_tuple import NamedTuple


class State(enum.StrEnum):
    """What a finding means for a run."""

    FINE = "ok"
    NOTE = "note"
    """worth knowing: a run goes on, with less"""
    TROUBLE = "trouble"
    """a run would fail, or leave something undone"""


class Finding(NamedTuple):
    """`remedy` says what helps, where something does."""

    step: str
    state: State
    text: str
    remedy: str = ""
