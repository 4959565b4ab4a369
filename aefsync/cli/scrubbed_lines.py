"""The line that a scrub ends with, in words."""

from __future__ import annotations

from aefsync.cli.replica_names import spoken
from aefsync.cli.sentences import Tally
from aefsync.cli.units import count_text
from aefsync.core.labels import label
from aefsync.core.space import size_text
from aefsync.sync.events import Started, Summary


def scrubbed(started: Started, summary: Summary, tally: Tally) -> str:
    """What was found; empty where all is as it was recorded."""
    parts = (
        (summary.copied_files, f"{count_text(summary.copied_files, 'file')} repaired ({size_text(tally.size)})"),
        (summary.rot, f"{count_text(summary.rot, 'file')} damaged"),
        (summary.suspects, count_text(summary.suspects, "suspect", "suspects")),
        (summary.problems, count_text(summary.problems, "problem", "problems")),
    )
    found = ", ".join(text for number, text in parts if number)
    if not found:
        return ""
    names = spoken([label(i) for i in range(len(started.locations)) if i not in summary.absent])
    read = f"{count_text(summary.verified_files, 'file')} ({size_text(summary.verified_bytes)}) read"
    kept = "; the damaged versions are in quarantine: see aefsync trash" if summary.copied_files else ""
    return f"{names}: {read}: {found}{kept}"
