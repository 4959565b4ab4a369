"""Guards: what stops a run before it changes anything, judged from counts alone.

Each function returns a `Refusal` or `None`; `sync` raises it as `GuardError`.  Its message is one line that names the
root, what was expected, what would happen, and the flag that allows it once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from aefsync.core.named_tuple import NamedTuple

FEWEST_DELETES = 10
"""A percentage never stops fewer deletes than this."""
FEWEST_ENTRIES = 100
"""Trees of at most this many entries are never called unrelated."""
COMMON_SHARE = 10
"""Related trees have at least one in this many of the smaller one's paths in common."""


class Refusal(NamedTuple):
    """Why the run must not go on, and the flag that allows it once (`None`: there is none)."""

    message: str
    flag: str | None


class DeleteLimit(NamedTuple):
    """What `--max-delete` allows: a number of deletes, or a percentage of the replica's entries."""

    amount: int
    is_percentage: bool

    def allows(self, deletes: int, entries: int) -> bool:
        if not self.is_percentage:
            return deletes <= self.amount
        return deletes < FEWEST_DELETES or deletes * 100 <= entries * self.amount

    def __str__(self) -> str:
        return f"{self.amount} %" if self.is_percentage else str(self.amount)


def parse_max_delete(text: str) -> DeleteLimit:
    """Read `N` or `N%`; raises `ValueError` for anything else."""
    match = re.fullmatch(r"([0-9]{1,18})(%?)", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is neither a number nor a percentage (like 500 or 50%)")
    limit = DeleteLimit(int(match[1]), bool(match[2]))
    if limit.is_percentage and limit.amount > 100:
        raise ValueError(f"{text!r} is more than 100%")
    return limit


def too_many_deletes(root: str, deletes: int, entries: int, limit: DeleteLimit) -> Refusal | None:
    """Whether a plan deletes more of one replica than `--max-delete` allows."""
    if limit.allows(deletes, entries):
        return None
    return Refusal(
        f"{root}: expected at most {limit} deletes, but {deletes} of its {entries} entries would go to the trash; "
        f"to allow it: --max-delete {deletes}",
        "--max-delete",
    )


def mirror_of_empty(roots: Sequence[str], entries: Sequence[int]) -> Refusal | None:
    """Whether `--mirror` would empty the others because the first replica is empty."""
    if entries[0] or not any(entries):
        return None
    doomed = ", ".join(f"{root} ({count})" for root, count in zip(roots, entries, strict=True) if count)
    return Refusal(
        f"{roots[0]}: expected entries, but this would be the mirror of an empty replica: everything in {doomed} "
        "would go to the trash; to allow it: --allow-empty-root",
        "--allow-empty-root",
    )


def unrelated_roots(roots: Sequence[str], entries: Sequence[int], alone: Sequence[int]) -> Refusal | None:
    """Whether, at first contact, one of the trees has next to nothing to do with the others.

    `alone` counts, for each replica, the paths that no other replica has.
    """
    for number, root in enumerate(roots):
        other = max((i for i in range(len(roots)) if i != number), key=lambda i: entries[i])
        smaller = min(entries[number], entries[other])
        common = entries[number] - alone[number]
        if smaller > FEWEST_ENTRIES and common * COMMON_SHARE < smaller:
            return Refusal(
                f"{root}: expected a replica of {roots[other]}, but they have {common} of {smaller} paths in common "
                "and would be mixed; to allow it: --allow-unrelated-roots",
                "--allow-unrelated-roots",
            )
    return None


def nothing_left(root: str, entries: int, excluded: int) -> Refusal | None:
    """Whether the filters leave nothing of a root that is not empty."""
    if entries or not excluded:
        return None
    return Refusal(
        f"{root}: expected entries, but the filters leave nothing ({excluded} excluded), so nothing would be compared; "
        "change --exclude, --include or .aefsyncignore",
        None,
    )
