"""What the trash holds, told page by page: a lazy walk in the order of the listing, so that it may be of any size."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import stat
from collections.abc import Iterator, Sequence

from aefsync.core.past import TRASH_PAGE, TrashItem, TrashQuery
from aefsync.core.path import PathError, RelPath
from aefsync.core.problem import reason_of
from aefsync.disk.home import QUARANTINE, TRASH
from aefsync.disk.readable import Looked, Readable
from aefsync.disk.shelves import shelf_of
from aefsync.errors import RootError

_AT_A_TIME = 1024
_SHELVES = (TRASH, QUARANTINE)


class TrashPages:
    """Pages of the listing; the walk goes on where the page before it ended."""

    def __init__(self, home: Readable) -> None:
        self._home = home
        self._query = TrashQuery()
        self._items: Iterator[TrashItem] = iter(())

    def page(self, query: TrashQuery) -> list[TrashItem]:
        """The things asked for from number `query.start` on; raises `RootError` where the trash cannot be read."""
        if query != self._query or not query.start:
            self._items = itertools.islice(_listing(self._home, query), query.start, None)
        page = list(itertools.islice(self._items, TRASH_PAGE))
        self._query = query._replace(start=query.start + len(page))
        return page


def trash_runs(home: Readable) -> list[str]:
    """The runs that put something into the trash, oldest first."""
    return _names(home, TRASH)


def _reasons(home: Readable, run: str, shelves: Sequence[bytes] = _SHELVES) -> list[str]:
    """Why a run put things on these shelves: into the trash, or into quarantine."""
    found = {shelf: _names(home, shelf + b"/" + os.fsencode(run)) for shelf in shelves}
    return sorted(why for shelf, names in found.items() for why in names if shelf_of(why) == shelf)


def _names(home: Readable, path: bytes) -> list[str]:
    """The names of runs, or of reasons: what somebody else put there is not shown."""
    try:
        names = list(map(os.fsdecode, home.names(path)))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RootError(f"the trash cannot be read: {reason_of(error)}") from None
    return sorted(name for name in names if name.isprintable())


def _listing(home: Readable, query: TrashQuery) -> Iterator[TrashItem]:
    """Newest run first, in path order within a run; what is in quarantine among it."""
    shelves = (QUARANTINE,) if query.quarantine else _SHELVES
    for run in sorted({run for shelf in shelves for run in _names(home, shelf)}, reverse=True):
        if query.run in ("", run) and run >= query.since:
            walks = [_below(home, run, why, query.path) for why in _reasons(home, run, shelves)]
            yield from heapq.merge(*walks, key=lambda item: item.path.key)


def _below(home: Readable, run: str, why: str, path: bytes) -> Iterator[TrashItem]:
    """What a run put there for one reason, at and below a path, in path order."""
    base = b"/".join([shelf_of(why), os.fsencode(run), os.fsencode(why)])
    pending = [_only(home, base, path) if path else _look(home, base, b"")]
    while pending:
        found = next(pending[-1], None)
        if found is None:
            pending.pop()
            continue
        inside, seen = found
        is_directory = stat.S_ISDIR(seen.st_mode)
        if is_directory:
            pending.append(_look(home, base, inside))
        # A directory without the mark was only made to hold what it holds.
        if not is_directory or seen.st_mode & stat.S_ISVTX:
            with contextlib.suppress(PathError):
                yield TrashItem(run, why, RelPath(inside), is_directory, 0 if is_directory else seen.st_size)


def _only(home: Readable, base: bytes, path: bytes) -> Iterator[tuple[bytes, Looked]]:
    with contextlib.suppress(OSError):
        yield path, home.lstat(base + b"/" + path)


def _look(home: Readable, base: bytes, inside: bytes) -> Iterator[tuple[bytes, Looked]]:
    """What a directory of the trash holds, by path, sorted; stats are taken as they are wanted."""
    path = base + b"/" + inside if inside else base
    with contextlib.suppress(OSError):
        names = sorted(home.names(path))
        for start in range(0, len(names), _AT_A_TIME):
            some = names[start : start + _AT_A_TIME]
            stats = zip(some, home.stats(path, some), strict=True)
            yield from ((inside + b"/" + name if inside else name, seen) for name, seen in stats if seen is not None)


def shelves(home: Readable, run: str) -> list[tuple[str, bytes]]:
    """Why a run put things away, and where they stand, as paths below the home; raises `RootError`."""
    found = [(name, b"/".join([shelf_of(name), os.fsencode(run), os.fsencode(name)])) for name in _reasons(home, run)]
    return [(name.partition(".")[0], place) for name, place in found]
