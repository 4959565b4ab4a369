"""The renderer for programs: JSON Lines, field names as in CLI.md; the last line is always the summary.

A name that is UTF-8 stands in JSON as it is (what a terminal would act on as `\\uXXXX`); any other has its escaped form
and beside it, with `_b64` at the end of the field's name, its bytes.
"""

from __future__ import annotations

import itertools
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import fsencode
from typing import Any

from aefsync import __version__
from aefsync.cli.escape import escape, escape_json, escape_text
from aefsync.cli.replica_names import history_starts
from aefsync.cli.writer import Writer
from aefsync.core.entry import Entry, Kind
from aefsync.core.labels import label
from aefsync.core.view import View
from aefsync.sync.events import (
    Acted,
    Begun,
    Conflicted,
    CopyKept,
    Differs,
    Digested,
    Event,
    Examined,
    Filtered,
    Grew,
    LeftUndone,
    Notice,
    Ran,
    Single,
    Started,
    State,
    Summary,
    Trashed,
    Troubled,
)
from aefsync.sync.standing import Enrolled, Stood

SCHEMA = 1
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

Record = dict[str, Any]


class JsonLines:
    """Writes each event as one line of JSON."""

    def __init__(self, out: Writer) -> None:
        self._out = out

    def show(self, event: Event) -> None:
        for each in event.acted() if isinstance(event, Grew) else (event,):
            self._out.raw(encoded(record(each)))

    def finish(self) -> None:
        self._out.flush()


def encoded(line: Mapping[str, Any]) -> bytes:
    """A record as a line of JSON in UTF-8."""
    return escape_json(_encode(line)).encode() + b"\n"


def record(event: Single) -> Record:
    """An event as a record."""
    match event:
        case Differs():
            return _difference(event)
        case Acted() | LeftUndone():
            return _action(event)
        case Troubled():
            reason = _text(event.problem.reason)
            return {"event": "problem", **_name("path", event.problem.path), "replica": event.replica, "reason": reason}
        case Conflicted():
            return _conflict(event)
        case Notice() | Begun():
            return _notice(event)
        case Filtered() | Examined():
            return _look(event)
        case Digested():
            return _digest(event)
        case Trashed() | Ran():
            return _past(event)
        case CopyKept() | Stood() | Enrolled():
            return _standing(event)
        case Started():
            return _start(event)
        case Summary():
            return _summary(event)


def failure(exit_code: int, causes: Sequence[str], message: str, hint: str | None) -> Record:
    """The summary of a run that an error ended: what is not known is null."""
    unknown: Record = dict.fromkeys(_summary(Summary(exit_code)))
    known = {"event": "summary", "exit_code": exit_code, "causes": list(causes), "message": _text(message)}
    return unknown | known | {"hint": _text(hint) if hint else None}


def framed(command: str, locations: Sequence[str], records: Iterable[Mapping[str, Any]]) -> Iterator[Record]:
    """What a command says that no run is part of, between its start and its summary."""
    yield record(Started(command, tuple(locations)))
    for each in records:
        yield {field: _text(value) if isinstance(value, str) else value for field, value in each.items()}
    yield record(Summary(0))


def _name(field: str, name: bytes) -> Record:
    try:
        return {field: name.decode()}
    except UnicodeDecodeError:
        return {field: escape(name), f"{field}_b64": b64encode(name).decode()}


def _text(text: str) -> str:
    return text if _is_unicode(text) else escape_text(text)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _start(event: Started) -> Record:
    replicas = [
        {"label": label(i), **_name("location", fsencode(location)), "name": _text(name) or None}
        for i, (location, name) in enumerate(itertools.zip_longest(event.locations, event.names, fillvalue=""))
    ]
    opening = {"event": "start", "schema": SCHEMA, "command": event.command, "version": __version__}
    return {**opening, "replicas": replicas}


def _difference(event: Differs) -> Record:
    path, entries, _ = event.difference
    line: Record = {"event": "difference", **_name("path", path), "state": event.state.value}
    if event.state is State.MISSING:
        line["in"] = [i for i, entry in enumerate(entries) if entry is not None]
    line["same_stat"] = event.same_stat
    line["entries"] = [None if entry is None else _entry(entry, event.view) for entry in entries]
    if event.parts is not None:
        line["parts"] = [{"offset": offset, "length": length} for offset, length in event.parts]
    return line


def _entry(entry: Entry, view: View) -> Record:
    has_digest = view.reads and entry.is_read and entry.kind is not Kind.DIRECTORY
    line: Record = {
        "kind": entry.kind.label,
        "size": entry.size,
        "mtime_ns": str(entry.mtime_ns),
        "mode": entry.mode,
        "digest": entry.content.hex() if has_digest else None,
    }
    if entry.extra is not None and (owner := entry.extra.owner) is not None:
        line |= {"uid": owner.uid, "gid": owner.gid, **_name("owner", owner.shown_user)}
        line |= _name("group", owner.shown_group)
    if entry.extra is not None and entry.extra.xattrs is not None:
        line["xattrs"] = [escape(name) for name, _ in entry.extra.attributes]
    if entry.extra is not None and entry.extra.leader is not None:
        line |= _name("linked_to", entry.leader) if entry.leader else {"linked_to": None}
    return line | _name("target", entry.target) if entry.target else line


def _action(event: Acted | LeftUndone) -> Record:
    if isinstance(event, LeftUndone):
        undone: Record = {"event": "left_undone", "action": event.action, **_name("path", event.path)}
        return {**undone, "to": list(event.to), "reason": "read-only"}
    line: Record = {"event": "action", "action": event.action, **_name("path", event.path)}
    if event.old is not None:
        line |= _name("old", event.old)
    if event.leader is not None:
        line |= _name("linked_to", event.leader)
    kind = {"directory": True} if event.is_directory else {}
    ends = {"from": event.source, "to": list(event.to), "bytes": event.size, "reason": _text(event.reason)}
    return {**line, **ends, **kind}


def _notice(event: Notice | Begun) -> Record:
    notice = Notice(history_starts(event.replicas)) if isinstance(event, Begun) else event
    return {"event": "notice", "text": _text(notice.text), "warning": notice.warning}


def _conflict(event: Conflicted) -> Record:
    kept = {"kept_as": None} if event.kept_as is None else _name("kept_as", event.kept_as)
    line = {"event": "conflict", **_name("path", event.path), "policy": event.policy, "winner": event.winner}
    return {**line, **kept, "reason": _text(event.reason)}


def _look(event: Filtered | Examined) -> Record:
    if isinstance(event, Filtered):
        line = {"event": "filtered", **_name("path", event.path), "replica": event.replica}
        return {**line, "directory": event.is_directory}
    step, state, text, remedy = event.finding
    return {"event": "check", "step": _text(step), "state": state.value, "text": _text(text), "remedy": _text(remedy)}


def _digest(event: Digested) -> Record:
    line = {"event": "digest", **_name("path", event.path), "digest": event.digest.hex(), "entries": event.entries}
    return {**line, "depth": event.depth, "directory": event.is_directory}


def _past(event: Trashed | Ran) -> Record:
    if isinstance(event, Ran):
        return _run(event)
    item = event.item
    line = {"event": "trash", "replica": event.replica, "run": _text(item.run), "why": _text(item.why)}
    return {**line, **_name("path", item.path), "directory": item.is_directory, "size": item.size}


def _run(event: Ran) -> Record:
    run, command, replicas, counts = event.record
    places = [_name("location", place) for place in replicas]
    line = {"event": "run", "replica": event.replica, "run": _text(run), "command": _text(command) or None}
    return {**line, "replicas": places, **counts._asdict()}


def _standing(event: CopyKept | Stood | Enrolled) -> Record:
    match event:
        case CopyKept(replica, entry, original, is_alone, by):
            line = {"event": "conflict_copy", "replica": replica, **_name("path", entry.path)}
            known = {"alone": is_alone, "size": entry.size, "mtime_ns": str(entry.mtime_ns), "by": _text(by) or None}
            return {**line, **_name("original", original), **known}
        case Enrolled(replica, member, location, is_self, is_behind):
            line = {"event": "member", "replica": replica, "id": member.id, "name": _text(member.name) or None}
            known = {"state": member.state.name.lower(), "last_success_s": member.last_s or None}
            place = {"location": None, **(_name("location", fsencode(location)) if location else {})}
            return {**line, **known, **place, "self": is_self, "behind": is_behind}
        case Stood():
            words = {name: _text(getattr(event, name)) for name in ("name", "last_run", "unreadable")}
            fields = event._asdict() | words
            history, last_s = fields.pop("remembers"), fields.pop("last_s")
            fields["stands"] = [{**_name("path", path), "suspect": is_suspect} for path, is_suspect in event.stands]
            known = {name: value if value != "" else None for name, value in fields.items()}
            return {"event": "replica", **known, "history": history, "last_success_s": last_s or None}


def _summary(event: Summary) -> Record:
    fields = {"root" if name == "roots" else name: value for name, value in event._asdict().items()}
    caveats = [{"replica": number, "text": _text(text)} for number, text in event.caveats]
    fields.pop("gauges")  # for files of figures
    fields.pop("undone")  # for a watch's next pass
    fields.pop("append_only")  # for the words of the last line
    return {"event": "summary", **fields, "root": _hex(event.roots), "caveats": caveats}


def _hex(digests: Sequence[bytes]) -> list[str | None]:
    return [digest.hex() if digest else None for digest in digests]
