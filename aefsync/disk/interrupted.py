"""What interrupted runs had declared of paths and did not come to (`modes`, `half_set`): a file for each run, which goes once
all that it tells of was put right.

What is gone needs nothing any more; where anything else fails, the file is left to the next run.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from aefsync.disk.confined import ConfinedRoot

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Declared(Protocol):
    """What was declared of a path; of several declarations the last one counts."""

    @property
    def path(self) -> bytes: ...


T = TypeVar("T", bound=Declared)


def finish_all(
    home: ConfinedRoot, folder: bytes, read: Callable[[bytes], Iterable[T]], put_right: Callable[[T], None]
) -> None:
    """Put right what the files of a folder of the home tell of, as they are `read`."""
    with contextlib.suppress(OSError):
        for run in home.names(folder):
            with contextlib.suppress(OSError):
                finish_one(home, folder + b"/" + run, read, put_right)


def finish_one(
    home: ConfinedRoot, name: bytes, read: Callable[[bytes], Iterable[T]], put_right: Callable[[T], None]
) -> None:
    """Put right what one file tells of; raises `OSError` where it cannot be read, or not removed."""
    is_whole = True
    with os.fdopen(home.open_file(name), "rb") as file:
        found = {each.path: each for each in read(file.read())}
    for each in found.values():
        try:
            put_right(each)
        except OSError as error:
            is_whole &= error.errno in _GONE
    if is_whole:
        home.unlink(name)
