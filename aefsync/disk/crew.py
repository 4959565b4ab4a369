"""The crew: processes that look at directories and read small files for one replica, where it may use several cores.

Threads do not help here: a small file is a few system calls and as much Python, and the interpreter runs one thread at
a time.  Work goes out a directory, or a run of files of one, at a time; results come back as packed columns, in any
order (`worker` is the other end).  A worker does only what is plain: where anything at all is in the way it says so,
and the replica does that piece itself, so that trouble is told in one place.  The same goes for what a worker that died
had in hand.  Workers end when their socket does, whatever becomes of the replica.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from aefsync.core.named_tuple import NamedTuple
from aefsync.disk.columns import receive_columns, send_columns
from aefsync.disk.spawning import spawn_entry

if TYPE_CHECKING:
    import subprocess

ENTRIES = 20_000
"""From about so many on workers save more time than they take to start (60 ms each)."""
_AHEAD = 2
"""Pieces of work that a worker has in hand."""
TASK_BYTES = 48 << 10
"""No piece of work is described in more: what a worker has in hand must fit in its socket, or both could wait for each
other to read."""


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Task(NamedTuple):
    """A piece of work; `what` is for whoever gave it."""

    what: object
    columns: tuple[bytes, ...]


class _Worker(NamedTuple):
    process: subprocess.Popen[bytes]
    socket: socket.socket
    in_hand: deque[Task]


class Crew:
    """Up to `size` workers for the root open at `root_fd`, started when there is work; `size` 1: none.

    With a `staging_fd` they may write below that.
    """

    def __init__(self, root_fd: int, size: int, staging_fd: int = -1) -> None:
        self._roots = [root_fd] if staging_fd < 0 else [root_fd, staging_fd]
        self._size = size if size > 1 else 0
        self._workers: list[_Worker] | None = None

    def pays(self, entries: int) -> bool:
        """Whether so many entries are worth the start of the workers."""
        return entries >= ENTRIES and self._size > 0

    def work(self, following: Callable[[], Task | None]) -> Iterator[tuple[Task, list[bytes] | None]]:
        """Have done what `following` gives, until it gives `None` though every result was seen.

        Yields each task with the columns of its result, or with `None` where it is left to the caller.
        """
        if self._workers is None:
            self._workers = _start(self._roots, self._size)
        workers = self._workers
        try:
            while True:
                lost = self._hand_out(workers, following)
                yield from ((task, None) for task in lost)
                busy = {worker.socket: worker for worker in workers if worker.in_hand}
                if not busy and not lost:
                    break
                for ready in select.select(list(busy), [], [])[0] if busy else ():
                    columns = receive_columns(ready)
                    if columns is None:
                        yield from ((task, None) for task in self._dismiss(workers, busy[ready]))
                    else:
                        yield busy[ready].in_hand.popleft(), columns or None
            while (task := following()) is not None:
                yield task, None
        finally:
            # Given up midway: what these still answer would be taken for the answer to what they are told next.
            for worker in [each for each in workers if each.in_hand]:
                self._dismiss(workers, worker)

    def _hand_out(self, workers: list[_Worker], following: Callable[[], Task | None]) -> list[Task]:
        """Give every worker enough to do; what those had in hand who turn out to be gone."""
        lost: list[Task] = []
        for ahead in range(1, _AHEAD + 1):
            for worker in [each for each in workers if len(each.in_hand) < ahead]:
                task = following()
                if task is None:
                    return lost
                worker.in_hand.append(task)
                try:
                    send_columns(worker.socket, task.columns)
                except OSError:
                    lost += self._dismiss(workers, worker)
        return lost

    @staticmethod
    def _dismiss(workers: list[_Worker], gone: _Worker) -> list[Task]:
        """End a worker; what it had in hand."""
        workers.remove(gone)
        gone.socket.close()
        gone.process.kill()
        gone.process.wait()
        return list(gone.in_hand)

    def close(self) -> None:
        """End the workers, also those that are still at work."""
        workers = self._workers or []
        while workers:
            self._dismiss(workers, workers[-1])


NOBODY = Crew(-1, 1)
"""The crew of a replica that does everything itself."""


def _start(roots: Sequence[int], number: int) -> list[_Worker]:
    """So many workers, or as many as the machine lets us have."""
    workers: list[_Worker] = []
    with contextlib.suppress(OSError):
        while len(workers) < number:
            workers.append(_start_one(roots))
    return workers


def _start_one(roots: Sequence[int]) -> _Worker:
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * TASK_BYTES)
    passed = [theirs.fileno(), *roots]
    try:
        return _Worker(spawn_entry("aefsync.disk.worker", list(map(str, passed)), passed), ours, deque())
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
