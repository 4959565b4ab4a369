"""The last line of `conflicts`."""

from __future__ import annotations

from aefsync.cli.sentences import Tally, undo_hint
from aefsync.cli.units import count_text
from aefsync.sync.events import Started, Summary


def resolved(started: Started, summary: Summary, tally: Tally) -> str:
    """What was done about conflict copies, or would be."""
    counts = ((summary.moved, "put in place"), (summary.deleted, "moved to the trash"))
    done = ", ".join(f"{number} {words}" for number, words in counts if number)
    left = f"{count_text(summary.skipped, 'conflict')} left standing" if summary.skipped else ""
    said = ", ".join(filter(None, (done, left)))
    if summary.dry_run:
        return f"would be: {said}; nothing was changed" if said else ""
    return said + undo_hint(started, summary, tally) if said else ""
