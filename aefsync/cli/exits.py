"""Exit codes: the table printed in every help, and the code and word for an error."""

from __future__ import annotations

from aefsync.errors import AefsyncError

TROUBLE = 2
"""What `diff` and `status` answer for any error: 1 is taken for "different", or "needs a look"."""

Table = tuple[tuple[str, str], ...]
"""Codes (several of them may be one row), and what they mean."""

_SIGNALS: Table = (("129 130 141 143", "ended by SIGHUP, SIGINT, closed stdout, SIGTERM"),)

_COMPARING: Table = (
    ("0", "same"),
    ("1", "different"),
    ("2", "trouble: nothing can be said for sure"),
    *_SIGNALS,
)

_STANDING: Table = (
    ("0", "all well"),
    ("1", "something needs a look: conflicts, suspects, rot, no success for too long"),
    ("2", "trouble: nothing can be said for sure"),
    *_SIGNALS,
)

_WORKING: Table = (
    ("0", "all replicas agree, or the job is done"),
    ("1", "done, but something needs a person: conflicts, suspects, rot, skips"),
    ("2", "usage error"),
    ("3", "nothing could be done"),
    ("4", "partly done: problems on some paths"),
    ("5", "a guard stopped it, nothing was changed"),
    ("6", "another run holds the lock"),
    ("7", "a replica could not be reached, or was lost"),
    ("8", "no agent there, or versions do not fit"),
    *_SIGNALS,
)

_ENVIRONMENT = """
Long options are also read from the environment: AEFSYNC_CACHE_DIR for
--cache-dir, and so on; never --allow-*, --mirror and --no-trash."""


def table(command: str) -> Table:
    """The exit codes of a command."""
    return {"diff": _COMPARING, "status": _STANDING}.get(command, _WORKING)


def epilog(command: str) -> str:
    """What the help of a command ends with."""
    rows = "".join(f"\n  {codes}  {meaning}" for codes, meaning in table(command))
    return f"\b\nExit codes:{rows}\n\n\b{_ENVIRONMENT}"


def exit_code(error: AefsyncError, command: str) -> int:
    """The exit code for an error that ended a command."""
    return TROUBLE if command in ("diff", "status") else error.exit_code
