"""The last line of `undo`."""

from __future__ import annotations

from aefsync.cli.sentences import Tally, undo_hint
from aefsync.cli.units import count_text
from aefsync.sync.events import Started, Summary


def undone(started: Started, summary: Summary, tally: Tally) -> str:
    """What an undo did, or would do."""
    counts = (
        (summary.copied_files + tally.links, "put back"),
        (tally.moves, "moved back"),
        (tally.directories, "directories made"),
        (summary.metadata, "metadata set back"),
        (summary.deleted, "removed"),
    )
    done = ", ".join(f"{number} {words}" for number, words in counts if number)
    left = f"{count_text(summary.skipped, 'path')} touched since and left" if summary.skipped else ""
    said = ", ".join(filter(None, (done, left)))
    if summary.dry_run:
        return f"would be: {said}; nothing was changed" if said else ""
    return said + undo_hint(started, summary, tally) if said else "nothing to undo: all is as before that run"
