"""Entries on the wire, many of them: columns as a snapshot packs them, the paths apart."""

from __future__ import annotations

import itertools
import stat
import struct
from collections.abc import Iterable, Sequence
from typing import Annotated, Self

from msgspec import Meta

from aefsync.core.entry import FORMATS, KIND_BITS, Entry, Kind, kind_of
from aefsync.core.metadata import PERMISSIONS, SPECIAL
from aefsync.core.path import MAX_PATH, RelPath
from aefsync.core.snapshot import CONTENT, STAT_COLUMNS
from aefsync.core.version import Version
from aefsync.core.view import STAT
from aefsync.wire.messages.rows import MAX_ENTRIES, ByteStrings, Row

_SYMLINK = Kind.SYMLINK
MOST = 3 * MAX_ENTRIES
"""An action has three entries at most."""


class EntryColumns(Row):
    """Entries without their paths; `targets` are those of the symlinks among them."""

    stats: Annotated[bytes, Meta(max_length=MOST * STAT.size)]
    contents: Annotated[bytes, Meta(max_length=MOST * CONTENT)]
    targets: ByteStrings = ()

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Self:
        numbers = [number for each in entries for number in (FORMATS[each.kind] | each.mode, *each[3:7])]
        targets = tuple(each.target for each in entries if each.kind is _SYMLINK)
        stats = struct.pack(f"={len(numbers)}q", *numbers)
        return cls(stats, b"".join([each.content for each in entries]), targets)

    def entries(
        self, paths: Sequence[RelPath], versions: Iterable[Version | None] = itertools.repeat(None)
    ) -> list[Entry]:
        """The entries of these paths; raises `ValueError` for what is none, or where they are not as many."""
        links = check_stats(self.stats, len(paths))
        if len(self.contents) != len(paths) * CONTENT or len(self.targets) != links:
            raise ValueError("digests, or targets, that do not fit their entries")
        if any(len(target) > MAX_PATH or b"\0" in target for target in self.targets):
            raise ValueError("symlink target with NUL, or too long")
        contents = (self.contents[i : i + CONTENT] for i in range(0, len(self.contents), CONTENT))
        columns = zip(paths, STAT.iter_unpack(self.stats), contents, versions, strict=False)
        targets, known = iter(self.targets), dict[int, tuple[Kind, int]]()
        found = []
        for path, (mode, size, mtime_ns, ctime_ns, inode), content, version in columns:
            if mode not in known:
                kind = kind_of(mode)
                assert kind is not None
                known[mode] = kind, mode & ~KIND_BITS
            kind, bits = known[mode]
            target = next(targets) if kind is _SYMLINK else b""
            found.append(Entry(path, kind, bits, size, mtime_ns, ctime_ns, inode, content, target, None, version))
        return found


def check_stats(stats: bytes, count: int) -> int:
    """Check packed stats; how many are those of symlinks."""
    if len(stats) != count * STAT.size:
        raise ValueError("stats that do not fit their names")
    columns = memoryview(stats).cast("q")
    modes = columns[0::STAT_COLUMNS].tolist()
    links = 0
    for mode in set(modes):
        if kind_of(mode) is None or not 0 <= mode <= KIND_BITS | PERMISSIONS | SPECIAL:
            raise ValueError(f"mode {mode:o}")
        links += modes.count(mode) if mode & KIND_BITS == stat.S_IFLNK else 0
    if modes and (min(columns[1::STAT_COLUMNS].tolist()) < 0 or min(columns[4::STAT_COLUMNS].tolist()) < 0):
        raise ValueError("negative size or inode")
    return links
