"""Spread over the crew what can be spread: looking at directories, and reading small files, some of a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from aefsync.core.entry import UNKNOWN
from aefsync.core.growth import SMALL
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.view import STAT
from aefsync.disk.building import directory_path
from aefsync.disk.crew import TASK_BYTES, Crew, Task
from aefsync.disk.filesystem import LOCAL, FileSystem
from aefsync.disk.hashing import Seen
from aefsync.disk.listing import Listing
from aefsync.disk.page import Page, PageKey
from aefsync.disk.worker import contents_read, look_columns, looked, read_columns

_RUN_BYTES = 4 << 20
"""What one piece of work reads at most: nobody waits long for a worker, and a worker not long for its end."""


class Look(NamedTuple):
    """What was seen of a directory, when (ns), the listings being taken once, each when it is asked for; the contents that
    were read there, by name, and what its file system can be trusted with."""

    seen_at: int
    listings: Iterator[Listing]
    contents: dict[bytes, bytes]
    file_system: FileSystem = LOCAL


def used_up(listings: list[Listing]) -> Iterator[Listing]:
    """Each of some listings, let go of as it is taken: what is made of it may be put away."""
    listings.reverse()
    while listings:
        yield listings.pop()


def looks(
    crew: Crew, pending: list[bytes], device: int, clock_ns: Callable[[], int], *, eager: bool
) -> Iterator[tuple[bytes, Look | None]]:
    """Every directory of `pending`, to which the caller may add as they come, looked at by workers.

    Directories on other devices than this one, and those that are in any trouble, are left to the replica.
    """

    def following() -> Task | None:
        if not pending:
            return None
        prefix = pending.pop()
        return Task(_Visit(prefix, clock_ns()), look_columns(directory_path(prefix), device, eager=eager))

    for task, columns in crew.work(following):
        assert isinstance(task.what, _Visit)
        prefix, seen_at = task.what
        if columns is None:
            yield prefix, None
            continue
        listings, contents = looked(columns)
        yield prefix, Look(seen_at, used_up(listings), contents)


class _Visit(NamedTuple):
    prefix: bytes
    seen_at: int


Spread = tuple[PageKey, dict[int, bytes]]
"""A page, and contents of its files by position."""


class _Run(NamedTuple):
    """Files of one page, by their positions."""

    page: PageKey
    positions: list[int]


def spread(crew: Crew, pages: Mapping[PageKey, Page], wanted: Mapping[PageKey, Sequence[int]]) -> Iterator[Spread]:
    """Every page that is wanted, in any order, with the contents that workers read of it.

    What they leave to the replica: files that are not small, and those in any trouble.
    """
    found: dict[PageKey, dict[int, bytes]] = {}
    open_runs: dict[PageKey, int] = {}
    done: list[PageKey] = []

    def tasks() -> Iterator[Task]:
        for key in sorted(wanted):
            runs = list(_runs(key, pages[key], wanted[key]))
            found[key], open_runs[key] = {}, len(runs)
            if not runs:
                done.append(key)
            yield from runs

    for task, columns in crew.work(partial(next, tasks(), None)):
        assert isinstance(task.what, _Run)
        key, positions = task.what
        if columns is not None:
            pairs = zip(positions, contents_read(columns), strict=True)
            found[key].update({index: content for index, content in pairs if content != UNKNOWN})
        open_runs[key] -= 1
        if not open_runs[key]:
            done.append(key)
        while done:
            yield done[-1], found.pop(done.pop())
    for key in done:
        yield key, found.pop(key)


def _runs(key: PageKey, page: Page, positions: Sequence[int]) -> Iterator[Task]:
    """The small files among those at these positions, in runs that are described and read in little."""
    names, stats = page.name_list(), list(STAT.iter_unpack(page.stats))
    path = directory_path(key[0])
    run: list[int] = []
    described = size = 0
    for index in positions:
        seen = Seen._make(stats[index][1:])
        if seen.size > SMALL:
            continue
        described += len(names[index]) + STAT.size
        size += seen.size
        if run and (described > TASK_BYTES - len(path) - STAT.size or size > _RUN_BYTES):
            yield _task(key, path, names, stats, run)
            run, described, size = [], len(names[index]) + STAT.size, seen.size
        run.append(index)
    if run:
        yield _task(key, path, names, stats, run)


def _task(key: PageKey, path: bytes, names: Sequence[bytes], stats: Sequence[tuple[int, ...]], run: list[int]) -> Task:
    seen = [Seen._make(stats[index][1:]) for index in run]
    return Task(_Run(key, run), read_columns(path, [names[index] for index in run], seen))
