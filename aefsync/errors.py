"""The exceptions that end a run, each with the exit code that scripts see; trouble with one path is a `Problem`."""

from __future__ import annotations


class AefsyncError(Exception):
    """Trouble that ends the run: one clear line for the user, and an exit code."""

    exit_code = 3

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.beside: tuple[str, ...] = ()
        """words for what went wrong beside it"""

    def put_before(self, place: str) -> None:
        """Begin the message with the place that it is about, unless it does already."""
        if not self.message.startswith(f"{place}: "):
            self.message = f"{place}: {self.message}"
            self.args = (self.message,)

    @property
    def cause(self) -> str:
        """One word for what went wrong: usage, root, guard, locked, unreachable, incompatible, protocol, fatal."""
        kinds = (kind for kind in type(self).__mro__ if kind.__module__ == __name__ and kind is not AefsyncError)
        return next((kind.__name__.removesuffix("Error").lower() for kind in kinds), "fatal")


class UsageError(AefsyncError):
    """The command line asks for something that makes no sense."""

    exit_code = 2


class RootError(AefsyncError):
    """A root that is missing, unreadable or no directory: nothing could be done."""


class GuardError(AefsyncError):
    """A guard stopped the run before anything was changed."""

    exit_code = 5


class LockedError(AefsyncError):
    """Another run holds the root's lock."""

    exit_code = 6


class UnreachableError(AefsyncError):
    """A replica could not be reached, or was lost midway; `transient`: it may be there again in a moment."""

    exit_code = 7

    def __init__(self, message: str, *, hint: str | None = None, transient: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.transient = transient


class IncompatibleError(AefsyncError):
    """No agent there, or one whose version does not fit."""

    exit_code = 8


class ProtocolError(AefsyncError):
    """A peer sent something that no honest peer sends."""

    exit_code = 7
