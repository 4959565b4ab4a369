"""The line or two that a run ends with, in words."""

from __future__ import annotations

import shlex

from aefsync.cli.diff_lines import metadata_text
from aefsync.cli.escape import escape_text
from aefsync.cli.replica_names import spoken
from aefsync.cli.units import count_text
from aefsync.core.labels import label
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.space import size_text
from aefsync.sync.events import Acted, Grew, Started, Summary

_PLACES_CONTENT = {"create", "copy", "conflict_copy", "merge", "repair_rot"}


class Tally(NamedTuple):
    """What the actions of a run came to, beyond what its summary tells."""

    size: int = 0
    directories: int = 0
    links: int = 0
    moves: int = 0
    conflict_copies: int = 0
    changed: frozenset[int] = frozenset()

    def add(self, event: Acted) -> Tally:
        """The tally with one more action."""
        word, times = event.action, len(event.to)
        is_copy = word == "conflict_copy"  # on one of the replicas it is only renamed
        placed = times - is_copy if word in _PLACES_CONTENT else 0
        return Tally(
            self.size + event.size * placed,
            self.directories + (times if word == "mkdir" else 0),
            self.links + (times if word == "link" else 0),
            self.moves + (times if word == "move" else 0),
            self.conflict_copies + is_copy,
            self.changed | frozenset(event.to),
        )

    def grow(self, event: Grew) -> Tally:
        """The tally with many more actions."""
        weight, times = event.growth.weigh(), len(event.to)
        return self._replace(
            size=self.size + weight.size * times,
            directories=self.directories + weight.directories * times,
            links=self.links + weight.links * times,
            changed=self.changed | frozenset(event.to),
        )


def itemized(event: Acted, *, verbose: bool) -> str:
    """What is said of an action behind its path: of metadata what becomes of it, of all others only if asked to say more.

    Like ` (mode 644 755)`, and ` (28 B, mtime +35 s, newer)`.
    """
    if not verbose and event.action != "metadata":
        return ""
    altered, changed = event.altered, ""
    if altered is not None and altered.found.kind is altered.wanted.kind:
        changed = metadata_text(*altered)
    size = size_text(event.size) if event.action in _PLACES_CONTENT else ""
    reason = escape_text(event.reason) if verbose and event.reason != "missing" else ""
    told = ", ".join(filter(None, (size, changed, reason)))
    return f" ({told})" if told else ""


def repaired(started: Started, summary: Summary, tally: Tally) -> str:
    """The last line of `repair`; empty where nothing was done and all is well."""
    if summary.dry_run:
        what = ", ".join(would for _, would in _parts(summary, tally))
        return f"would {what}; nothing was changed" if what else ""
    what = ", ".join(done for done, _ in _parts(summary, tally))
    standing, where = _standing(summary, tally), _where(started, summary)
    if not (what or where) and (summary.equal or not standing):
        return ""
    names = spoken([label(i) for i in range(len(started.locations)) if i not in summary.absent])
    agreement = "" if summary.absent else " agree" if summary.equal else " still differ"
    told = ", ".join(part for part in (what, standing, where) if part)
    return f"{names}{agreement}: {told}{undo_hint(started, summary, tally)}"


def _where(started: Started, summary: Summary) -> str:
    """How to see what differs, where a run has no reason for it: a file system may make other names of those it is given."""
    unexplained = "still different" in summary.causes
    return f"see aefsync diff {' '.join(map(quoted, started.locations))}" if unexplained else ""


def _parts(summary: Summary, tally: Tally) -> list[tuple[str, str]]:
    """What was done and, of a dry run, what would be: each part in both ways of saying it."""
    copied, replaced = summary.copied_files - summary.replaced_files, summary.replaced_files
    size = f" ({size_text(tally.size)})"
    copies = count_text(tally.conflict_copies, "conflict copy", "conflict copies")
    directories, links = count_text(tally.directories, "directory", "directories"), count_text(tally.links, "link")
    # With files copied before it, the number alone is understood; the size, behind both, is that of both.
    others = str(replaced) if copied else count_text(replaced, "file")
    own_size = "" if replaced else size
    parts = (
        (copied, f"{count_text(copied, 'file')} copied{own_size}", f"copy {count_text(copied, 'file')}{own_size}"),
        (replaced, f"{others} replaced{size}", f"replace {others}{size}"),
        (tally.moves, f"{tally.moves} moved", f"move {tally.moves}"),
        (tally.conflict_copies, f"{copies} kept", f"keep {copies}"),
        (tally.directories, f"{directories} made", f"make {directories}"),
        (tally.links, f"{links} made", f"make {links}"),
        (summary.metadata, f"metadata set on {summary.metadata}", f"set metadata on {summary.metadata}"),
        (summary.deleted, f"{summary.deleted} deleted", f"delete {summary.deleted}"),
    )
    return [(done, would) for number, done, would in parts if number]


def _standing(summary: Summary, tally: Tally) -> str:
    unsettled = summary.conflicts - tally.conflict_copies
    counts = (
        (max(0, unsettled), "conflict", "conflicts"),
        (summary.rot, "damaged file", "damaged files"),
        (summary.suspects, "suspect", "suspects"),
        (summary.problems, "problem", "problems"),
        (summary.skipped, "entry skipped", "entries skipped"),
    )
    return ", ".join(count_text(number, one, many) for number, one, many in counts if number)


def caveats(summary: Summary) -> list[str]:
    """What the replicas that were changed do not promise, a line for each."""
    texts: dict[int, list[str]] = {}
    for number, text in summary.caveats:
        texts.setdefault(number, []).append(escape_text(text))
    return [f"{label(number)}: {'; '.join(own)}" for number, own in texts.items()]


def undo_hint(started: Started, summary: Summary, tally: Tally) -> str:
    """How to take back a run that replaced or deleted something, or that nobody can."""
    if not (summary.replaced_files or summary.deleted):
        return ""
    kept = [number for number in sorted(tally.changed) if number in summary.append_only]
    others = [number for number in sorted(tally.changed) if number not in kept]
    parts = []
    if others and not summary.keeps_trash:
        where = f" on {spoken([label(number) for number in others])}" if kept else ""
        parts.append(f"what was replaced or deleted{where} is gone for good (--no-trash)")
    elif others:
        roots = " ".join(quoted(started.locations[number]) for number in others)
        parts.append(f"undo: aefsync undo {roots} {summary.run}")
    if kept:
        roots = " ".join(quoted(started.locations[number]) for number in kept)
        keep = "keeps in its trash" if len(kept) == 1 else "keep in their trash"
        what = f"{spoken([label(number) for number in kept])} {keep} what was replaced or deleted (append-only)"
        parts.append(f"{what}: aefsync trash {roots} list --run {summary.run}")
    return "".join(f"; {part}" for part in parts)


def quoted(location: str) -> str:
    """A location as one would type it, safe to print."""
    return escape_text(shlex.quote(location))


def compared(started: Started, summary: Summary) -> str:
    """What `diff -v` says at the end."""
    names = spoken([label(i) for i in range(len(started.locations))])
    entries = " and ".join(map(str, dict.fromkeys(summary.entries)))
    if summary.equal:
        return f"{names} are equal: {entries} entries, {summary.elapsed_s:.2f} s"
    return f"{names} differ: {count_text(summary.differences, 'difference')}, {summary.elapsed_s:.2f} s"


def figures(summary: Summary) -> str:
    """What `--stats` says."""
    entries = ", ".join(f"{number} in {label(i)}" for i, number in enumerate(summary.entries) if number is not None)
    return (
        f"entries: {entries or 0}; differences: {summary.differences}; "
        f"content: {size_text(summary.literal_bytes)} travelled, {size_text(summary.reused_bytes)} reused; "
        f"protocol: {size_text(summary.sent_bytes)} sent, {size_text(summary.received_bytes)} received, "
        f"{count_text(summary.round_trips, 'round trip')}; {summary.elapsed_s:.2f} s"
    )
