"""The file of a sidecar: opened for writing or, creating nothing, for reading; set aside where it is damaged."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Sequence

from aefsync.core.problem import reason_of
from aefsync.core.writing import Durability
from aefsync.disk.filesystem import FileSystem
from aefsync.disk.home import Home
from aefsync.disk.read_only import read_only
from aefsync.disk.sidecar import Damaged, Sidecar, connect
from aefsync.errors import RootError

NAME = "sidecar.db"
LOG = "-wal"
JOURNALS = (LOG, "-journal")
"""Beside a sidecar, where a run was interrupted: without them it is not whole."""
ALL = ("", *JOURNALS, "-shm")
NEW = ".new"


def has_sidecar(home: Home) -> bool:
    """Whether a home has anything by that name."""
    try:
        os.stat(NAME, dir_fd=home.fd, follow_symlinks=False)
        return True
    except FileNotFoundError:
        return False
    except OSError as error:
        raise RootError(f".aefsync/{NAME}: {reason_of(error)}") from None


def open_for_writing(home: Home, file_system: FileSystem, durability: Durability) -> Sidecar:
    """The sidecar of a home that this session has locked, made where there is none; raises as `connect`.

    Where several machines may have the file system, no memory can be shared with other readers (WAL).
    """
    place = home.path_to(NAME)
    if place is None:
        raise RootError("what a replica remembers cannot be kept on this system: it does not name open directories")
    _check_file(home)
    synchronous = "OFF" if durability is Durability.NONE else "FULL"
    if not has_sidecar(home):
        _make(home, place, synchronous)
    return connect(place, journal="WAL" if file_system.stable else "TRUNCATE", synchronous=synchronous)


def _make(home: Home, place: str, synchronous: str) -> None:
    """Make a new sidecar: whole before it has its name, so that none is ever found half made."""
    try:
        _clear(home, ALL)
        connect(place + NEW, journal="TRUNCATE", synchronous=synchronous).close()
        _clear(home, JOURNALS)
        os.rename(NAME + NEW, NAME, src_dir_fd=home.fd, dst_dir_fd=home.fd)
        if synchronous == "FULL":
            os.fsync(home.fd)
    except OSError as error:
        raise RootError(f".aefsync/{NAME}: {reason_of(error)}") from None


def _clear(home: Home, suffixes: Sequence[str]) -> None:
    """Remove what was left of a sidecar in the making."""
    for suffix in suffixes:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(NAME + NEW + suffix, dir_fd=home.fd)


def open_for_reading(home: Home) -> Sidecar | None:
    """The sidecar of a home as it is now, nothing being created or changed; `None` where there is none."""
    place = home.path_to(NAME)
    try:
        _check_file(home)
        if place is None or not _size(home, NAME):
            return None
        if not home.lock.is_taken and any(_size(home, NAME + suffix) for suffix in JOURNALS):
            return _whole_copy(place)
        # Whoever writes shares its lock; where nobody does, nothing changes either.
        return connect(read_only(place, unchanging=not home.lock.is_taken), journal=None)
    except OSError as error:
        raise RootError(f".aefsync/{NAME}: {reason_of(error)}") from None


def set_aside(home: Home, run: str) -> str:
    """Rename a damaged sidecar, with what belongs to it; its new name."""
    name = name_aside(run, os.listdir(home.fd))
    for suffix in ALL:
        with contextlib.suppress(FileNotFoundError):
            os.rename(NAME + suffix, name + suffix, src_dir_fd=home.fd, dst_dir_fd=home.fd)
    return name


def name_aside(run: str, taken: Iterable[str]) -> str:
    """A name for what is set aside in that run, which is not yet taken."""
    aside, known = f"{NAME}.damaged-{run}", set(taken)
    return next(
        name for number in range(len(known) + 1) if (name := f"{aside}.{number}" if number else aside) not in known
    )


def _check_file(home: Home) -> None:
    """Raise `Damaged` where something stands there that is no file with something in it."""
    with contextlib.suppress(FileNotFoundError):
        seen = os.stat(NAME, dir_fd=home.fd, follow_symlinks=False)
        if not stat.S_ISREG(seen.st_mode):
            raise Damaged("is no regular file")
        if not seen.st_size:
            raise Damaged("is empty")


def _size(home: Home, name: str) -> int:
    with contextlib.suppress(FileNotFoundError):
        return os.stat(name, dir_fd=home.fd, follow_symlinks=False).st_size
    return 0


def _whole_copy(place: str) -> Sidecar:
    """What an interrupted run left, made whole elsewhere."""
    import shutil  # hardly ever needed, and they bring much with them

    from aefsync.disk.folder import Folder

    with contextlib.closing(Folder("")) as folder:
        copy = os.path.join(folder.path, NAME)
        for suffix in ("", *JOURNALS):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(place + suffix, copy + suffix)
        whole = connect(copy, journal="TRUNCATE", synchronous="OFF")
        try:
            return Sidecar(whole.in_memory())
        finally:
            whole.close()
