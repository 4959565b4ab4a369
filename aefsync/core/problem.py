"""Trouble with one path, as a value: collected and reported, never raised."""

from __future__ import annotations

from aefsync.core.named_tuple import NamedTuple

ROT = "content changed under an unchanged stat"
"""Why nothing is done about a file: its bytes are others than were recorded, though nothing says that anybody wrote."""
SUSPECT = "content changed, size and mtime did not"
"""The same where somebody may have written, and put the mtime back."""

FOLDED = "its name and that of another path are one name on a replica"
"""Why nothing is done about names that stand beside each other on one replica, and cannot on another."""
ALTERED = "its bytes are not those that were compared"
"""Why a file is not staged: it may be damaged where it comes from."""


def reason_of(error: Exception) -> str:
    """What an exception says, in our style: no capital."""
    return ((isinstance(error, OSError) and error.strerror) or str(error)).lower()


DAMAGE = (ROT, SUSPECT)


class Problem(NamedTuple):
    """Trouble with `path` (bytes, as found; it may be a name that aefsync refuses) on one replica.

    `subtree` says that nothing below the path is known either: it must not be taken for absent.
    """

    path: bytes
    reason: str
    subtree: bool = False

    @property
    def is_damage(self) -> bool:
        """Whether a file is not as it was recorded: nothing failed, but a person has to look."""
        return self.reason in DAMAGE

    @property
    def is_failure(self) -> bool:
        """Whether anything failed: what is left standing is for a person, and as it should be."""
        return self.reason not in (*DAMAGE, FOLDED)
