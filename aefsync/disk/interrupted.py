"""What interrupted runs had declared of paths and did not come to (`modes`, `half_set`): a file for each run, which goes once
all that it tells of was put right.

What is gone needs nothing any more; where anything else fails, the file is left to the next run.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from aefsync.core.named_tuple import NamedTuple
from aefsync.disk.confined import ConfinedRoot

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Declared(Protocol):
    """What was declared of a path; of several declarations the last one counts."""

    @property
    def path(self) -> bytes: ...


T = TypeVar("T", bound=Declared)


class Putting(NamedTuple, Generic[T]):
    """How what was declared is `read`, what it is about `opened` (a descriptor; raises `OSError`), and `put_right`."""

    read: Callable[[bytes], Iterable[T]]
    opened: Callable[[T], int]
    put_right: Callable[[int, T], None]


def finish_all(home: ConfinedRoot, folder: bytes, putting: Putting[T]) -> None:
    """Put right what the files of a folder of the home tell of."""
    with contextlib.suppress(OSError):
        for run in home.names(folder):
            with contextlib.suppress(OSError):
                finish_one(home, folder + b"/" + run, putting)


def finish_one(
    home: ConfinedRoot, name: bytes, putting: Putting[T], is_due: Callable[[T], bool] = lambda each: True
) -> None:
    """Put right what one file tells of and is due; raises `OSError` where it cannot be read, or not removed."""
    with os.fdopen(home.open_file(name), "rb") as file:
        found = {each.path: each for each in putting.read(file.read())}
    left = [each for each in found.values() if is_due(each) and not _put_right(putting, each)]
    if not left:
        home.unlink(name)


def _put_right(putting: Putting[T], each: T) -> bool:
    """Whether it needs nothing any more: what cannot be put right is still to be, whatever is said to be missing then."""
    try:
        fd = putting.opened(each)
    except OSError as error:
        return error.errno in _GONE
    try:
        putting.put_right(fd, each)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True
