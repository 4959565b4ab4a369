from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from aefsync.disk import syscalls
from aefsync.disk.confined import ConfinedRoot, split
from tests.disk.ground import Ground
from tests.support.trees import deep_tree

LINKED = (errno.ELOOP, errno.ENOTDIR)


@pytest.fixture(params=["openat2", "walk"])
def root(request: pytest.FixtureRequest, ground: Ground) -> ConfinedRoot:
    return ConfinedRoot(ground.root.fd, openat2=request.param == "openat2")


def refused(root: ConfinedRoot, path: bytes) -> int | None:
    with pytest.raises(OSError) as caught:
        os.close(root.open_file(path))
    return caught.value.errno


def test_what_is_below_is_opened(root: ConfinedRoot, ground: Ground) -> None:
    ground.write(b"a/b/c", b"data")
    fd = root.open_file(b"a/b/c")
    assert os.read(fd, 10) == b"data"
    assert not os.get_inheritable(fd)
    os.close(fd)
    with root.directory(b"a/b") as directory:
        assert os.listdir(directory) == ["c"]
    with root.directory(b"") as directory:
        assert os.listdir(directory) == ["a"]
    assert stat.S_ISREG(root.lstat(b"a/b/c").st_mode)


@pytest.mark.parametrize("target", [b"inside", b"/etc", b"../outside", b"."])
def test_a_symlink_is_never_followed(root: ConfinedRoot, ground: Ground, target: bytes, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "passwd").write_bytes(b"secret")
    ground.write(b"inside/passwd", b"x")
    os.symlink(target, ground.place(b"link"))
    os.symlink(b"inside/passwd", ground.place(b"last"))
    os.mkdir(ground.place(b"deep"))
    os.symlink(b"../inside", ground.place(b"deep/link"))
    for path in (b"link/passwd", b"link/inside/passwd", b"last", b"deep/link/passwd"):
        assert refused(root, path) in LINKED
    for path in (b"link", b"deep/link"):
        with pytest.raises(OSError, match="symbolic|directory"), root.directory(path):
            pass
    with pytest.raises(OSError, match="symbolic|directory"):
        root.lstat(b"link/passwd")
    with pytest.raises(OSError, match="symbolic|directory"):
        root.open(b"link/new", os.O_WRONLY | os.O_CREAT, 0o600)
    assert os.listdir(tmp_path / "outside") == ["passwd"]


def test_nothing_leads_out(root: ConfinedRoot, ground: Ground, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    ground.write(b"a/x")
    for path in (b"../secret", b"a/../../secret", b"a/../x", b".."):
        assert refused(root, path) == errno.EXDEV
    assert refused(root, os.fsencode(tmp_path / "secret")) in (errno.EXDEV, errno.ENOENT)
    with pytest.raises(OSError, match="leads out"):
        root.make_directories(b"a/../../new")
    assert not (tmp_path / "new").exists()


def test_names_with_dots_are_names(root: ConfinedRoot, ground: Ground) -> None:
    ground.write(b"..a/b../...", b"dots")
    fd = root.open_file(b"..a/b../...")
    os.close(fd)


def test_only_regular_files_are_opened_for_reading_and_nothing_blocks(root: ConfinedRoot, ground: Ground) -> None:
    os.mkfifo(ground.place(b"fifo"))
    os.mkdir(ground.place(b"directory"))
    before = os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd") else []
    assert refused(root, b"fifo") == errno.EINVAL
    assert refused(root, b"directory") == errno.EINVAL
    after = os.listdir("/proc/self/fd") if before else []
    assert len(before) == len(after)


def test_paths_longer_than_the_kernel_takes(root: ConfinedRoot, tmp_path: Path) -> None:
    deep_tree(tmp_path / "deep", levels=60)
    fd = os.open(tmp_path / "deep", os.O_RDONLY | os.O_DIRECTORY)
    below = ConfinedRoot(fd, openat2=root._openat2)
    path = b"/".join([b"deep" * 25] * 59)
    assert len(path) > 5000
    assert stat.S_ISREG(below.lstat(path + b"/file").st_mode)
    opened = below.open_file(path + b"/file")
    assert os.read(opened, 10) == b"59"
    os.close(opened)
    assert refused(below, path + b"/link") in LINKED
    below.make_directories(path + b"/new/er")
    assert stat.S_ISDIR(below.lstat(path + b"/new/er").st_mode)
    os.close(fd)


def test_make_directories_keeps_what_is_there(root: ConfinedRoot, ground: Ground) -> None:
    ground.write(b"a/file", b"x")
    os.chmod(ground.place(b"a"), 0o711)
    root.make_directories(b"a/b/c", 0o700)
    root.make_directories(b"a/b/c", 0o755)
    assert ground.mode(b"a") == 0o711
    assert ground.mode(b"a/b/c") == 0o700
    with pytest.raises(OSError, match="directory"):
        root.make_directories(b"a/file/c")


@pytest.mark.parametrize("reason", [errno.ENOSYS, errno.EPERM])
def test_without_openat2_the_walk_takes_over(ground: Ground, monkeypatch: pytest.MonkeyPatch, reason: int) -> None:
    calls = []

    def missing(*args: object) -> int:
        calls.append(args)
        raise OSError(reason, "not here")

    monkeypatch.setattr(syscalls, "openat2_beneath", missing)
    ground.write(b"a/b", b"x")
    root = ConfinedRoot(ground.root.fd)
    for _ in range(3):
        os.close(root.open_file(b"a/b"))
    assert len(calls) == 1


def test_no_descriptor_is_left_open(root: ConfinedRoot, ground: Ground) -> None:
    ground.write(b"a/b/c", b"x")
    before = os.listdir("/proc/self/fd")
    for path in (b"a/b/none", b"a/none/c", b"a/b/c/d", b"none"):
        refused(root, path)
    with pytest.raises(FileNotFoundError):
        root.lstat(b"a/none/x")
    root.lstat(b"a/b/c")
    assert len(os.listdir("/proc/self/fd")) == len(before)


@pytest.mark.parametrize(
    ("path", "parts"), [(b"a", (b"", b"a")), (b"a/b", (b"a", b"b")), (b"a/b/c", (b"a/b", b"c")), (b"", (b"", b""))]
)
def test_split(path: bytes, parts: tuple[bytes, bytes]) -> None:
    assert split(path) == parts
