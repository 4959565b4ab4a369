"""Who a root is: what was found at a location at the last run, what is there now, and what must not be guessed.

A root is known by the random id in its `.aefsync/id`; whoever coordinates runs remembers which one was at which
location.  Device and inode numbers prove nothing: they change whenever a disk is plugged in again.  A root that was
never written to has no id, but that it was there, and held something, is remembered all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from aefsync.core.guards import Refusal
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.ports import Opened


class KnownRoot(NamedTuple):
    """What was at a location at the last run: `identity` (empty: it had none), and whether it held any entry.

    `mounts` are the mount points below it, as relative paths (`None`: nobody looked).  `renewed` is the identity that a
    run was about to give it (empty: none): wherever that ended, it has either.
    """

    identity: str
    filled: bool
    mounts: tuple[bytes, ...] | None = None
    renewed: str = ""

    def found(self, identity: str) -> KnownRoot:
        """The same where it has this identity: the one that it was about to be given counts once it has that."""
        return self._replace(identity=identity, renewed="") if self.renewed and identity == self.renewed else self


class Allowed(NamedTuple):
    """Which surprises the user takes for what they are, this once."""

    new_root: bool = False
    empty_root: bool = False


def unexpected(root: str, known: KnownRoot | None, opened: Opened, allowed: Allowed) -> Refusal | None:
    """Whether a root known before is missing, empty, or another one."""
    if known is None or allowed.new_root:
        return None
    if opened.is_missing:
        return Refusal(
            f"{root}: expected the replica of the last run, but there is no such directory (is its disk mounted?): "
            "everything would count as missing there; to start it anew: --allow-new-root",
            "--allow-new-root",
        )
    # An empty directory without an id is what is left where a disk was: it says nothing of another replica.
    if opened.empty and opened.identity in ("", known.identity):
        if not known.filled or allowed.empty_root:
            return None
        return Refusal(
            f"{root}: expected the entries of the last run, but the directory is empty (is its disk mounted?): "
            "everything would count as missing there; to allow it: --allow-empty-root",
            "--allow-empty-root",
        )
    if known.identity in ("", opened.identity):
        return None
    found = f"replica {opened.identity[:8]}" if opened.identity else "a directory without .aefsync/id"
    return Refusal(
        f"{root}: expected replica {known.identity[:8]} of the last run, but this is {found} (another disk?): "
        "it would be taken for that replica; to take it as it is: --allow-new-root",
        "--allow-new-root",
    )


def copies(identities: Sequence[str], expected: Sequence[str], fixed: Collection[int]) -> dict[int, int]:
    """The replicas of a session that are copies, with their `.aefsync`, of another one: number → that one's number.

    `expected` are the identities remembered for their locations; those in `fixed` cannot be given a new one.
    """
    found: dict[int, int] = {}
    for identity in set(identities) - {""}:
        alike = [number for number, each in enumerate(identities) if each == identity]
        original = min(alike, key=lambda number: (number not in fixed, expected[number] != identity, number))
        found |= {number: original for number in alike if number != original and number not in fixed}
    return found
