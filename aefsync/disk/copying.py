"""Copying: small files of another root on this machine, into staging; by several processes where there are many."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from functools import partial

from aefsync.core.snapshot import CONTENT
from aefsync.core.view import STAT
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.crew import TASK_BYTES, Crew, Task
from aefsync.disk.ready import Job, T
from aefsync.disk.small_files import NOT_WRITTEN, Spoiled, Written, copy_files
from aefsync.disk.worker import copied, copy_columns

MANY = 8192
"""A session that has copied so many new files will copy more: workers, who take long to start, are worth it."""
_ROW = STAT.size + CONTENT + 8
"""Bytes that describe a file beside its name."""
_RUN_BYTES = 4 << 20
"""What one piece of work copies at most: nobody waits long for a worker."""


class Copying:
    """Copies to the staging open at `staging_fd`, with up to `parallel` processes once there were `patience` times `MANY` files."""

    def __init__(self, staging_fd: int, parallel: int, *, times: bool, patience: int = 1) -> None:
        self._patience = patience
        self._staging = ConfinedRoot(staging_fd)
        self._parallel = parallel
        self._times = times
        self._crews: dict[int, Crew] = {}
        self._count = 0

    def copy(self, origin: ConfinedRoot, jobs: Sequence[Job[T]]) -> Iterator[tuple[Job[T], list[Written]]]:
        """Do all jobs, in any order, and perhaps in parts; what could not be is not there.  Raises `Spoiled`."""
        self._count += sum(len(job.positions) for job in jobs)
        runs = (run for job in jobs for run in _runs(job))
        if self._parallel < 2 or self._count < MANY * self._patience:
            yield from ((run, self._copy(origin, run)) for run in runs)
            return
        crew = self._crews.setdefault(origin.fd, Crew(origin.fd, self._parallel, self._staging.fd))
        tasks = (Task(run, copy_columns(run.path, run.place, run.files, times=self._times)) for run in runs)
        for task, columns in crew.work(partial(next, tasks, None)):
            assert isinstance(task.what, Job)
            if columns is None:
                self._clean(task.what)
            yield task.what, self._copy(origin, task.what) if columns is None else copied(columns)

    def _copy(self, origin: ConfinedRoot, job: Job[T]) -> list[Written]:
        try:
            with origin.directory(job.path) as source, self._staging.directory(job.place) as directory:
                return copy_files(job.files, source, directory, times=self._times)
        except OSError:
            return [NOT_WRITTEN] * len(job.positions)

    def _clean(self, job: Job[T]) -> None:
        """Take away what a worker left that did not come to its end; raises `Spoiled`."""
        try:
            with self._staging.directory(job.place) as directory:
                for name in job.files.names:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=directory)
        except OSError as error:
            raise Spoiled from error

    def close(self) -> None:
        for crew in self._crews.values():
            crew.close()
        self._crews.clear()


def _runs(job: Job[T]) -> Iterator[Job[T]]:
    """A job in parts that are described and copied in little."""
    low = described = size = 0
    room = TASK_BYTES - len(job.path) - len(job.place) - _ROW
    for high, (name, row) in enumerate(zip(job.files.names, job.files.rows, strict=True)):
        described += len(name) + _ROW
        size += row[1]
        if high > low and (described > room or size > _RUN_BYTES):
            yield job.part(low, high)
            low, described, size = high, len(name) + _ROW, row[1]
    yield job.part(low, len(job.positions))
