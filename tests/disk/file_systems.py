"""File systems that can do less than the one the tests run on: the system calls refuse what those would."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aefsync.disk import annexes, mounts, syscalls

Refusal = Callable[..., Any]


def refusing(number: int) -> Refusal:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


def telling_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each name of a directory is told twice, as POSIX lets it be where names change meanwhile."""
    names, entries = os.listdir, os.scandir

    @contextlib.contextmanager
    def twice(fd: int) -> Iterator[Iterator[os.DirEntry[str]]]:
        with entries(fd) as found:
            yield itertools.chain.from_iterable(itertools.repeat(each, 2) for each in found)

    monkeypatch.setattr(os, "listdir", lambda fd: names(fd) * 2)
    monkeypatch.setattr(os, "scandir", twice)


def like_nfs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No flags of `renameat2`, but hard links."""
    monkeypatch.setattr(syscalls, "renameat2", refusing(errno.EINVAL))


def like_vfat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither flags nor links of any sort."""
    like_nfs(monkeypatch)
    monkeypatch.setattr(os, "link", refusing(errno.EPERM))
    monkeypatch.setattr(os, "symlink", refusing(errno.EPERM))


def like_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is here."""


def place_of(fd: int, name: bytes) -> bytes:
    return os.readlink(f"/proc/self/fd/{fd}".encode()) + b"/" + name


class Mounted:
    """Takes a directory for a mount of its own: renames and links across its border end with EXDEV."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, top: bytes, root: bytes) -> None:
        self.top = top
        self.root = root
        self.refused = 0
        self._renameat2, self._rename, self._link = syscalls.renameat2, os.rename, os.link
        monkeypatch.setattr(syscalls, "renameat2", self._guarded_flags)
        monkeypatch.setattr(os, "rename", self._guarded(self._rename))
        monkeypatch.setattr(os, "link", self._guarded(self._link))
        monkeypatch.setattr(mounts, "mounts_below", lambda _: [os.path.relpath(self.top, self.root)])
        assert annexes.top_of is mounts.top_of

    def check(self, *places: bytes) -> None:
        if len({(place + b"/").startswith(self.top + b"/") for place in places}) > 1:
            self.refused += 1
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    def _guarded_flags(self, old_fd: int, old: bytes, new_fd: int, new: bytes, flags: int) -> None:
        self.check(place_of(old_fd, old), place_of(new_fd, new))
        self._renameat2(old_fd, old, new_fd, new, flags)

    def _guarded(self, call: Refusal) -> Refusal:
        def guarded(old: bytes, new: bytes, **more: Any) -> None:
            if more:
                self.check(place_of(more["src_dir_fd"], old), place_of(more["dst_dir_fd"], new))
            call(old, new, **more)

        return guarded
