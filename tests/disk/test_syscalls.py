from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aefsync.disk import syscalls
from aefsync.disk.filesystem import LOCAL, REMOTE, file_system_of
from aefsync.disk.renaming import rename_new, rename_out
from tests.disk.ground import Ground

Rename = Callable[[int, bytes, int, bytes], None]


@pytest.fixture(params=[None, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def flags(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int | None:
    """A file system that knows the flags of `renameat2`, or says in one of these ways that it does not."""
    if request.param is not None:

        def refuse(*args: object) -> None:
            raise OSError(request.param, "unknown flag")

        monkeypatch.setattr(syscalls, "renameat2", refuse)
    number: int | None = request.param
    return number


@pytest.mark.parametrize("rename", [rename_new, rename_out])
def test_a_rename_never_replaces(ground: Ground, flags: int | None, rename: Rename) -> None:
    fd = ground.root.fd
    ground.write(b"old", b"old")
    ground.write(b"taken", b"taken")
    with pytest.raises(FileExistsError):
        rename(fd, b"old", fd, b"taken")
    assert (ground.read(b"old"), ground.read(b"taken")) == (b"old", b"taken")
    rename(fd, b"old", fd, b"new")
    assert ground.names() == {b"new", b"taken"}
    with pytest.raises(FileNotFoundError):
        rename(fd, b"old", fd, b"newer")
    os.symlink(b"nowhere", ground.place(b"link"))
    with pytest.raises(FileExistsError):
        rename(fd, b"new", fd, b"link")
    rename(fd, b"link", fd, b"moved")
    assert os.readlink(ground.place(b"moved")) == b"nowhere"
    os.mkdir(ground.place(b"directory"))
    rename(fd, b"directory", fd, b"elsewhere")
    assert ground.names() == {b"new", b"taken", b"moved", b"elsewhere"}


def test_without_flags_and_hard_links(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """exFAT: nothing but a plain rename is left, after a look."""

    def refuse(*args: object, **options: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    def unknown(*args: object) -> None:
        raise OSError(errno.EINVAL, "unknown flag")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(syscalls, "renameat2", unknown)
    fd = ground.root.fd
    ground.write(b"old", b"old")
    ground.write(b"taken", b"taken")
    with pytest.raises(FileExistsError):
        rename_new(fd, b"old", fd, b"taken")
    rename_new(fd, b"old", fd, b"new")
    assert (ground.read(b"new"), ground.read(b"taken")) == (b"old", b"taken")


def test_other_trouble_is_raised(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(syscalls, "renameat2", full)
    ground.write(b"old", b"old")
    for rename in (rename_new, rename_out):
        with pytest.raises(OSError, match="no space"):
            rename(ground.root.fd, b"old", ground.root.fd, b"new")
    assert ground.names() == {b"old"}


def test_exchange(ground: Ground) -> None:
    ground.write(b"a", b"a")
    ground.write(b"b", b"b")
    fd = ground.root.fd
    syscalls.renameat2(fd, b"a", fd, b"b", syscalls.RENAME_EXCHANGE)
    assert (ground.read(b"a"), ground.read(b"b")) == (b"b", b"a")
    with pytest.raises(FileNotFoundError):
        syscalls.renameat2(fd, b"a", fd, b"none", syscalls.RENAME_EXCHANGE)


def test_a_missing_call_is_enosys(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "_libc", object)
    syscalls._function.cache_clear()
    with pytest.raises(OSError, match=os.strerror(errno.ENOSYS)):
        syscalls.renameat2(ground.root.fd, b"a", ground.root.fd, b"b", 0)
    syscalls.syncfs(ground.root.fd)


def test_openat2_does_not_spin(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease on a file gives EAGAIN, too, for as long as its holder takes."""
    calls = []

    class Leased:
        @staticmethod
        def syscall(*args: object) -> int:
            calls.append(args)
            ctypes.set_errno(errno.EAGAIN)
            return -1

    monkeypatch.setattr(syscalls, "_libc", Leased)
    with pytest.raises(BlockingIOError):
        syscalls.openat2_beneath(ground.root.fd, b"x", os.O_RDONLY)
    assert 1 < len(calls) <= 1000


def test_file_systems(ground: Ground, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert syscalls.file_system_magic(ground.root.fd) == syscalls.file_system_magic(ground.root.fd) > 0
    for magic, expected in ((0xEF53, LOCAL), (0x6969, REMOTE), (0xFF534D42, REMOTE), (0x4D44, REMOTE), (0, LOCAL)):
        monkeypatch.setattr(syscalls, "file_system_magic", lambda fd, magic=magic: magic)
        assert file_system_of(ground.root.fd) is expected
