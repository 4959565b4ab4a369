"""Try out what a file system can do, in a directory of our own that is empty."""

from __future__ import annotations

import contextlib
import os
import unicodedata
from collections.abc import Callable

from aefsync.core.named_tuple import NamedTuple
from aefsync.disk import syscalls

_MTIME_NS = 1_234_567_891_123_456_789
_STEPS_NS = (1, 100, 1_000, 1_000_000, 1_000_000_000, 2_000_000_000)


class Abilities(NamedTuple):
    """`time_step_ns` is that of the mtimes that it keeps; `cannot` are words for what it lacks; `folds_case` and
    `folds_forms` say that names which differ only in case, or in Unicode normal form, are one."""

    time_step_ns: int
    folds_case: bool
    folds_forms: bool
    cannot: tuple[str, ...]


def probe(fd: int) -> Abilities:
    """Try it out in the empty directory open at `fd`; everything made there is removed.  Raises `OSError`."""
    lacks = [word for word, attempt in _ATTEMPTS if not _works(attempt, fd)]
    name = "é".encode()
    return Abilities(
        _time_step(fd),
        _is_one(fd, b"aefsync-case", b"AEFSYNC-case"),
        _is_one(fd, name, unicodedata.normalize("NFD", name.decode()).encode()),
        tuple(lacks),
    )


def _works(attempt: Callable[[int], bool], fd: int) -> bool:
    try:
        return attempt(fd)
    except OSError:
        return False
    finally:
        _clear(fd)


def _clear(fd: int) -> None:
    for name in os.listdir(fd):
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=fd)


def _make(fd: int, name: bytes, mode: int = 0o600) -> None:
    os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=fd))


def _time_step(fd: int) -> int:
    _make(fd, b"time")
    try:
        os.utime(b"time", ns=(_MTIME_NS, _MTIME_NS), dir_fd=fd)
        kept = os.stat(b"time", dir_fd=fd).st_mtime_ns
    finally:
        _clear(fd)
    return next((step for step in _STEPS_NS if kept == _MTIME_NS // step * step), _STEPS_NS[-1])


def _is_one(fd: int, name: bytes, other: bytes) -> bool:
    _make(fd, name)
    try:
        os.stat(other, dir_fd=fd)
    except OSError:
        return False
    finally:
        _clear(fd)
    return True


def _keeps_modes(fd: int) -> bool:
    modes = []
    for mode in (0o640, 0o755):
        _make(fd, b"mode")
        os.chmod(b"mode", mode, dir_fd=fd)
        modes.append(os.stat(b"mode", dir_fd=fd).st_mode & 0o777)
        os.unlink(b"mode", dir_fd=fd)
    return modes == [0o640, 0o755]


def _makes_symlinks(fd: int) -> bool:
    os.symlink(b"nowhere", b"link", dir_fd=fd)
    return os.readlink(b"link", dir_fd=fd) == b"nowhere"


def _makes_hard_links(fd: int) -> bool:
    _make(fd, b"one")
    os.link(b"one", b"other", src_dir_fd=fd, dst_dir_fd=fd)
    return os.stat(b"one", dir_fd=fd).st_nlink > 1


def _exchanges(fd: int) -> bool:
    _make(fd, b"one")
    _make(fd, b"other")
    syscalls.renameat2(fd, b"one", fd, b"other", syscalls.RENAME_EXCHANGE)
    return True


def _keeps_xattrs(fd: int) -> bool:
    _make(fd, b"attributes")
    file = os.open(b"attributes", os.O_RDONLY | os.O_CLOEXEC, dir_fd=fd)
    try:
        os.setxattr(file, "user.aefsync", b"1")
        return os.getxattr(file, "user.aefsync") == b"1"
    except AttributeError:  # this system has none that Python knows of
        return False
    finally:
        os.close(file)


def _takes_any_name(fd: int) -> bool:
    for name in (b'a:b?*"<>|\\', b"trailing.", b"caf\xe9", b"n" * 255):
        _make(fd, name)
    return len(os.listdir(fd)) == 4


_ATTEMPTS: tuple[tuple[str, Callable[[int], bool]], ...] = (
    ("permission bits", _keeps_modes),
    ("symbolic links", _makes_symlinks),
    ("hard links", _makes_hard_links),
    ("exchange of two names", _exchanges),
    ("extended attributes", _keeps_xattrs),
    ("names of any bytes", _takes_any_name),
)
