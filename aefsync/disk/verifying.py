"""Verifying one directory: each file read anew, and judged by its record.

The record is what the sidecar remembers, or else what the index has; a file of which neither knows anything is recorded
as it is found.  What the pages of the scan say of a damaged file stays as it was recorded.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping

from aefsync.core.digest import content_digester
from aefsync.core.entry import UNKNOWN, Entry, Kind, kind_of
from aefsync.core.metadata import PERMISSIONS
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.problem import Problem, reason_of
from aefsync.core.rot import Circumstances, Damage, Verdict, is_settled, judge
from aefsync.core.snapshot import CONTENT, STAT_COLUMNS
from aefsync.core.view import STAT
from aefsync.disk.building import directory_path
from aefsync.disk.hashing import Seen
from aefsync.disk.index import Index
from aefsync.disk.page import RACY, UNREAD, Page
from aefsync.disk.records import Record
from aefsync.disk.rereading import Moved, Opened, is_open_for_writing, reread
from aefsync.disk.sidecar import Sidecar
from aefsync.disk.verified import Mark, Noted, Verified

_LOST = {errno.EIO, errno.EBADMSG, getattr(errno, "EUCLEAN", errno.EIO), getattr(errno, "EREMOTEIO", errno.EIO)}
"""How a disk says that it cannot give back what was written to it."""


_TIMES, _INODE = slice(8, 24), slice(32, 40)
"""Size and mtime in a packed stat, and the inode."""


class Row(NamedTuple):
    """One file: where it stands in the pages of its directory, and what these say of it."""

    number: int
    position: int
    name: bytes
    shown: Record

    @property
    def size(self) -> int:
        return int(STAT.unpack(self.shown.stat)[1])


def rows_of(number: int, page: Page) -> Iterator[Row]:
    """The files of one page, in the order of their names."""
    width, modes = STAT.size, memoryview(page.stats).cast("q")[0::STAT_COLUMNS].tolist()
    for position, name in enumerate(page.name_list()):
        if kind_of(modes[position]) is Kind.FILE:
            stat = page.stats[position * width : (position + 1) * width]
            content = page.contents[position * CONTENT : (position + 1) * CONTENT]
            yield Row(number, position, name, Record(stat, content, page.flags[position], 0))


def sizes_of(page: Page) -> list[int]:
    """The sizes of the files of one page."""
    numbers = memoryview(page.stats).cast("q")
    pairs = zip(numbers[0::STAT_COLUMNS].tolist(), numbers[1::STAT_COLUMNS].tolist(), strict=True)
    return [size for mode, size in pairs if kind_of(mode) is Kind.FILE]


class Fresh(NamedTuple):
    """A file of which there was no record: where it is, and what is in it."""

    prefix: bytes
    path: RelPath
    row: Row
    content: bytes

    @property
    def entry(self) -> Entry:
        return self.row.shown.entry(self.path, PERMISSIONS)._replace(content=self.content)


class Found(NamedTuple):
    """What there is to say of a directory: damage, trouble, and contents that were not known before, by page and position,
    unless others are asked about them first (`fresh`: `None` where nobody is)."""

    damaged: list[Damage]
    problems: list[Problem]
    contents: dict[int, dict[int, bytes]]
    fresh: list[Fresh] | None = None


class Verifying:
    """One directory, `prefix` its key with a closing NUL, while it is open as `directory`."""

    def __init__(self, prefix: bytes, index: Index, sidecar: Sidecar | None, verified: Verified) -> None:
        self._prefix = prefix
        self._path = directory_path(prefix)
        self._index = index
        self._verified = verified
        self._digest = content_digester()
        self._remembered = records_of(sidecar, prefix)
        self._remembers = sidecar is not None
        self._before: dict[bytes, Record] | None = None
        self._since_ns = index.since_ns(prefix)
        self._verified_ns = verified.marks.get(prefix, Mark()).since_ns

    def verify(self, directory: int, row: Row, opened: Opened, found: Found, passed: Callable[[int], None]) -> None:
        """Read a file as it was `opened`, and add to `found` what there is to say of it; `passed` hears of its bytes."""
        trouble: OSError | None = None
        try:
            content = reread(opened, Seen._make(STAT.unpack(row.shown.stat)[1:]), self._digest, passed)
        except Moved:
            return  # whoever is at work on it: the next scan sees it
        except OSError as error:
            content, trouble = UNKNOWN, error
        record = self.record(row)
        if trouble is not None and (record is None or trouble.errno not in _LOST):
            found.problems.append(Problem(self._path_of(row), reason_of(trouble)))
            return
        if record is not None and content != record.content:
            self._judge(directory, row, record, content, found)
            return
        if self._is_stranger(row):
            noted = self._verified.damage[self._path_of(row)]
            found.damaged.append(
                Damage(row.shown.entry(self._path_of(row))._replace(content=UNKNOWN), content, noted.verdict)
            )
            return
        if record is not None and self._verified.damage:
            self._verified.clear(self._path_of(row))
        if row.shown.flags == UNREAD:
            self._record(row, content, found)

    def _is_stranger(self, row: Row) -> bool:
        """Whether a file is damaged, and what it should be is recorded elsewhere only, if anywhere."""
        noted = self._verified.damage.get(self._path_of(row)) if self._remembers and self._verified.damage else None
        return (
            noted is not None and noted.stat == row.shown.stat and is_stranger(self._remembered, row.name, noted.stat)
        )

    def _record(self, row: Row, content: bytes, found: Found) -> None:
        """Have a file be what it is from now on, of which there was no record, unless others may know better."""
        path = self._path_of(row)
        noted = self._verified.damage.get(path)
        if found.fresh is not None:
            found.fresh.append(Fresh(self._prefix, path, row, content))
        elif noted is not None and noted.stat == row.shown.stat:
            found.damaged.append(Damage(row.shown.entry(path, PERMISSIONS), content, noted.verdict))
        else:
            found.contents.setdefault(row.number, {})[row.position] = content

    def _path_of(self, row: Row) -> RelPath:
        return RelPath.again(os.path.join(self._path, row.name))

    def _judge(self, directory: int, row: Row, record: Record, content: bytes, found: Found) -> None:
        path = self._path_of(row)
        recorded, shown = record.entry(path, PERMISSIONS), row.shown.entry(path, PERMISSIONS)._replace(content=content)
        is_open = bool(shown.inode) and is_open_for_writing(directory, row.name)
        verdict = judge(recorded, shown, Circumstances(self._is_settled(record, row, path), is_open))
        if verdict is Verdict.EDIT:
            return
        self._verified.note(path, Noted(verdict, row.shown.stat))
        as_it_should_be = shown._replace(content=record.content, mode=recorded.mode)
        found.damaged.append(Damage(as_it_should_be, b"" if content == UNKNOWN else content, verdict))

    def _is_settled(self, record: Record, row: Row, path: RelPath) -> bool:
        """Whether the record says what is in the file as long as its stat is the same."""
        noted = self._verified.damage.get(path)
        if noted is not None and noted.stat == row.shown.stat:
            # It was in doubt when its directory was verified last: that proves nothing of it.
            return noted.verdict is Verdict.ROT
        # What the index says of a file that the sidecar remembers otherwise was not taken from what it remembers.
        since_ns = self._since_ns if row.shown.content == record.content else 0
        return is_settled(row.shown.entry(path), max(since_ns, self._verified_ns))

    def record(self, row: Row) -> Record | None:
        """What the file should be; `None`: nobody knows, or it was written so shortly before that it proves nothing."""
        remembered = self._remembered.get(row.name)
        if remembered is not None and remembered.is_read and _is_same_file(remembered.stat, row.shown.stat):
            return None if remembered.flags & RACY else remembered
        if row.shown.is_read:
            return None if row.shown.flags & RACY else row.shown
        before = self._indexed().get(row.name)
        return before if before is not None and _is_same_file(before.stat, row.shown.stat) else None

    def _indexed(self) -> dict[bytes, Record]:
        """What the index knew of the files whose stats have changed since."""
        if self._before is None:
            pages = (row for page in self._index.pages(self._prefix) for row in rows_of(0, page))
            self._before = {row.name: row.shown for row in pages if row.shown.is_read and not row.shown.flags & RACY}
        return self._before


def _is_same_file(mine: bytes, theirs: bytes) -> bool:
    """Whether size, mtime and inode are the same in two packed stats."""
    return mine[_TIMES] == theirs[_TIMES] and mine[_INODE] == theirs[_INODE]


def is_stranger(records: Mapping[bytes, Record], name: bytes, stat: bytes) -> bool:
    """Whether what has a name, and this packed stat, is no file that is recorded under it."""
    return name not in records or not _is_same_file(records[name].stat, stat)


def records_of(sidecar: Sidecar | None, prefix: bytes) -> dict[bytes, Record]:
    """The records of a directory, by name."""
    if sidecar is None:
        return {}
    heads = sidecar.heads_of(prefix)
    return {name: record for head in heads for name, record in sidecar.records(prefix, head.first).each()}
