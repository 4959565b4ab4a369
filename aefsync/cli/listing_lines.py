"""Lines of commands that list: digests, things in the trash, past runs."""

from __future__ import annotations

from aefsync.cli.escape import escape, escape_text
from aefsync.cli.units import count_text, moment_text
from aefsync.core.labels import label
from aefsync.core.members import State
from aefsync.core.past import RunRecord
from aefsync.core.space import size_text
from aefsync.sync.events import CopyKept, Digested, Ran, Trashed
from aefsync.sync.standing import Enrolled, Stood

Listed = Digested | Trashed | Ran | CopyKept | Stood | Enrolled


def listed(event: Listed, *, verbose: bool) -> str:
    """One line of a list."""
    match event:
        case Digested():
            return _digest(event, verbose=verbose)
        case Trashed():
            return _trashed(event)
        case Ran():
            return _past_run(event.record)
        case CopyKept():
            return _copy(event)
        case Stood():
            return _stood(event)
        case Enrolled():
            return _enrolled(event)


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


def _copy(event: CopyKept) -> str:
    """Replica, time, size, whose version, path."""
    when, size = moment_text(event.entry.mtime_ns // 10**9), size_text(event.entry.size)
    alone = "  (the original is gone)" if event.is_alone else ""
    return f"{label(event.replica)}  {when}  {size:>8}  {escape_text(event.by) or '-':<10}  {escape(event.entry.path)}{alone}"


def _stood(event: Stood) -> str:
    """Label, name, and how it stands, in words; below it the first paths that stand."""
    name = escape_text(event.name) or event.identity[:8]
    days = (event.age_s or 0) // 86_400
    age = f" ({count_text(days, 'day')} ago)" if days else ""
    success = f"last success {moment_text(event.last_s)}{age}" if event.last_s else "no success yet"
    parts = (
        success if event.remembers else escape_text(event.unreadable) or "no history yet",
        count_text(event.conflicts, "conflict copy", "conflict copies") if event.conflicts else "",
        f"{count_text(event.left_standing, 'conflict')} left standing" if event.left_standing else "",
        count_text(event.rot, "damaged file") if event.rot else "",
        count_text(event.suspects, "suspect") if event.suspects else "",
        f"trash {size_text(event.trash_bytes)}" if event.trash_bytes else "",
        f"{count_text(event.quarantined, 'entry', 'entries')} in quarantine" if event.quarantined else "",
        f"last run {escape_text(event.last_run)}" if event.last_run else "",
    )
    who = f"{label(event.replica)} ({name})" if name else label(event.replica)
    stands = (f"\n  {'suspect' if each.is_suspect else 'left standing'}: {escape(each.path)}" for each in event.stands)
    return f"{who}: {', '.join(filter(None, parts))}{''.join(stands)}"


def _enrolled(event: Enrolled) -> str:
    """Name, last success, id, where it is, and whatever is out of the ordinary."""
    member = event.member
    when = moment_text(member.last_s) if member.last_s else "never"
    location = "this replica" if event.is_self else escape_text(event.location) or "not reached from here"
    state = "" if member.state is State.ACTIVE else member.state.name.lower()
    behind = "behind" if event.is_behind else ""
    if behind and not event.is_self and not event.location:
        behind = (
            f"behind: aefsync members ROOT forget {escape_text(member.name) or member.id[:8]}, if it is gone for good"
        )
    words = ", ".join(filter(None, (location, state, behind)))
    return f"  {escape_text(member.name) or '-':<12}  {when:<20}  {member.id[:8]}  {words}"


def _past_run(record: RunRecord) -> str:
    """Run (its time), what it did, its command."""
    done = ", ".join(f"{number} {word}" for word, number in record.counts._asdict().items() if number)
    return f"{escape_text(record.run)}  {done or 'only in the trash':<40}  {escape_text(record.command)}".rstrip()
