"""The lines of `diff`: a code and a path for each difference, in key order.

A directory that only some replicas have is followed by everything beneath it, because that is key order: it is held
back and its entries are counted until one comes that does not stand below it, or does not stand on the same side.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

from aefsync.cli.escape import escape, escape_text
from aefsync.cli.units import count_text, seconds_text
from aefsync.core.entry import Entry, Kind
from aefsync.core.labels import label
from aefsync.core.metadata import PLAIN, Aspects
from aefsync.core.path import END
from aefsync.core.problem import Problem
from aefsync.core.space import size_text
from aefsync.sync.events import Differs, State, Troubled

Line = Callable[[str, str], None]
"""Writes a code and what it is about."""

_CODES = {State.ONLY_A: "<", State.ONLY_B: ">", State.CONTENT: "*", State.METADATA: "m", State.KIND: "k"}


def code(event: Differs, unreadable: Callable[[int], bool] | None = None) -> str:
    """The code of a difference: a letter for two replicas; for more a column each (equal letters, equal versions)."""
    entries = event.difference.entries
    if len(entries) == 2 and event.state in _CODES:
        return "?" if event.same_stat else _CODES[event.state]
    versions: list[Entry] = []
    columns = ""
    for replica, entry in enumerate(entries):
        if entry is None:
            columns += "!" if unreadable and unreadable(replica) else "-"
            continue
        alike = [i for i, version in enumerate(versions) if event.view.same([version, entry], event.aspects)]
        if not alike:
            versions.append(entry)
        columns += chr(ord("a") + (alike[0] if alike else len(versions) - 1))
    return columns


def metadata_text(one: Entry, other: Entry, aspects: Aspects = PLAIN) -> str:
    """What differs of what counts beside the content, from the first to the second.

    Like `mode 644 755, mtime +3600 s, owner alice bob, group staff users, xattrs`.
    """
    parts = [f"mode {one.mode:o} {other.mode:o}"] if (one.mode ^ other.mode) & aspects.mode_bits else []
    if not aspects.same_times([one.mtime_ns, other.mtime_ns]) and one.kind is not Kind.DIRECTORY:
        parts.append(f"mtime {seconds_text(other.mtime_ns - one.mtime_ns)}")
    parts += _owner_texts(one, other)
    if one.extra and other.extra and one.extra.xattrs != other.extra.xattrs:
        parts.append("xattrs")
    if aspects.links and one.leader != other.leader:
        parts.append(f"hard link {escape(one.leader) or '-'} {escape(other.leader) or '-'}")
    return ", ".join(parts)


def _owner_texts(one: Entry, other: Entry) -> list[str]:
    a, b = (each.extra.owner if each.extra else None for each in (one, other))
    if a is None or b is None or a.is_same(b):
        return []
    pairs = (("owner", a.shown_user, b.shown_user), ("group", a.shown_group, b.shown_group))
    return [f"{word} {escape(of_a)} {escape(of_b)}" for word, of_a, of_b in pairs if of_a != of_b]


class DiffLines:
    """Shows differences for people; `expanded` shows every entry of a one-sided directory."""

    def __init__(self, line: Line, *, expanded: bool) -> None:
        self._line = line
        self._expanded = expanded
        self._replicas = 2
        self._problems: list[tuple[int, Problem]] = []
        self._waiting: list[tuple[bytes, int, Problem]] = []
        self._directory = b""
        self._code = ""
        self._beneath = 0

    def start(self, replicas: int) -> None:
        """The number of replicas, before the first difference."""
        self._replicas = replicas

    def differs(self, event: Differs) -> None:
        """One difference."""
        path, entries = event.difference.path, event.difference.entries
        its_code = code(event, lambda replica: self._is_unreadable(replica, path))
        if self._directory and its_code == self._code and path.startswith(self._directory + b"/"):
            self._beneath += 1
            return
        self._show_directory()
        self._show_problems(path.key)
        there = [entry for entry in entries if entry is not None]
        one_sided = len(there) < len(entries) and all(entry.kind is Kind.DIRECTORY for entry in there)
        if one_sided and not self._expanded:
            self._directory, self._code = bytes(path), its_code
            return
        self._line(its_code, escape(path) + ("/" if one_sided else "") + _detail(event))

    def troubled(self, event: Troubled) -> None:
        """One path that could not be read: shown in its place, whenever it is told."""
        replica, problem = event
        self._problems.append((replica, problem))
        heapq.heappush(self._waiting, (problem.path.replace(b"/", b"\0"), replica, problem))

    def flush(self) -> None:
        """Write all that is held back."""
        self._show_directory()
        self._show_problems(END)

    def _show_directory(self) -> None:
        if self._directory:
            beneath = f" ({count_text(self._beneath, 'entry', 'entries')})" if self._beneath else ""
            self._line(self._code, f"{escape(self._directory)}/{beneath}")
        self._directory, self._beneath = b"", 0

    def _show_problems(self, before: bytes) -> None:
        while self._waiting and self._waiting[0][0] <= before:
            _, replica, problem = heapq.heappop(self._waiting)
            its_code = _column(replica, self._replicas)
            self._line(its_code, f"{escape(problem.path) or '.'}: {escape_text(problem.reason)} ({label(replica)})")

    def _is_unreadable(self, replica: int, path: bytes) -> bool:
        return any(
            replica == where and (path == problem.path or (problem.subtree and path.startswith(problem.path + b"/")))
            for where, problem in self._problems
        )


class NullLines:
    """Shows differences for programs: `CODE SP RAWPATH NUL`, never collapsed or escaped."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._replicas = 2

    def start(self, replicas: int) -> None:
        self._replicas = replicas

    def differs(self, event: Differs) -> None:
        self._put(code(event), event.difference.path)

    def troubled(self, event: Troubled) -> None:
        self._put(_column(event.replica, self._replicas), event.problem.path)

    def flush(self) -> None:
        return None

    def _put(self, its_code: str, path: bytes) -> None:
        self._write(its_code.encode() + b" " + path + b"\0")


def _column(replica: int, replicas: int) -> str:
    """The code of a path that one replica cannot read."""
    return "!" if replicas == 2 else "".join("!" if i == replica else "." for i in range(replicas))


def _parts_text(parts: Sequence[tuple[int, int]], size: int) -> str:
    """Like ` (8.2 kB of 536.9 MB, in 2 places)`."""
    differing = sum(length for _, length in parts)
    return f" ({size_text(differing)} of {size_text(size)}, in {count_text(len(parts), 'place')})"


def _detail(event: Differs) -> str:
    if event.parts is not None and (last := event.difference.entries[-1]) is not None:
        return _parts_text(event.parts, last.size)
    one, *others = event.difference.entries
    if event.state is not State.METADATA or len(others) != 1 or one is None or others[0] is None:
        return ""
    text = metadata_text(one, others[0], event.aspects)
    return f" ({text})" if text else ""
