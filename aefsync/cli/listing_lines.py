"""Lines of commands that list: digests, things in the trash, past runs."""

from __future__ import annotations

from aefsync.cli.escape import escape, escape_text
from aefsync.cli.replica_names import label
from aefsync.core.past import RunRecord
from aefsync.core.space import size_text
from aefsync.sync.events import Digested, Ran, Trashed


def listed(event: Digested | Trashed | Ran, *, verbose: bool) -> str:
    """One line of a list."""
    match event:
        case Digested():
            return _digest(event, verbose=verbose)
        case Trashed():
            return _trashed(event)
        case Ran():
            return _past_run(event.record)


def _digest(event: Digested, *, verbose: bool) -> str:
    name = escape(event.path) + ("/" if event.is_directory and event.path else "") or "."
    entries = f" ({event.entries})" if verbose and event.is_directory else ""
    return f"{event.digest.hex()}  {name}{entries}"


def _trashed(event: Trashed) -> str:
    """Run (its time), replica, why, size, path."""
    item = event.item
    name = escape(item.path) + ("/" if item.is_directory else "")
    size = "-" if item.is_directory else size_text(item.size)
    return f"{escape_text(item.run)}  {label(event.replica)}  {escape_text(item.why):<8}  {size:>8}  {name}"


def _past_run(record: RunRecord) -> str:
    """Run (its time), what it did, its command."""
    done = ", ".join(f"{number} {word}" for word, number in record.counts._asdict().items() if number)
    return f"{escape_text(record.run)}  {done or 'only in the trash':<40}  {escape_text(record.command)}".rstrip()
