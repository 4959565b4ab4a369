from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from aefsync.core.digest import content_digest
from aefsync.disk import hashing
from aefsync.disk.hashing import SMALL, HashFailure, Seen, hash_file, hash_files
from aefsync.disk.sparse import BLOCK
from tests.disk.ground import Ground

NOISE = random.Random(1).randbytes(1 << 20)


def seen(ground: Ground, name: bytes) -> Seen:
    found = os.lstat(ground.place(name))
    return Seen(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def noise(size: int) -> bytes:
    return (NOISE * (size // len(NOISE) + 1))[:size]


@pytest.mark.parametrize("size", [0, 1, SMALL - 1, SMALL, SMALL + 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK])
def test_every_size(ground: Ground, size: int) -> None:
    ground.write(b"a", noise(size))
    assert hash_file(ground.root.fd, b"a", seen(ground, b"a")) == content_digest(noise(size))


def test_a_sparse_file(ground: Ground) -> None:
    ground.write(b"a")
    os.truncate(ground.place(b"a"), 3 << 20)
    assert hash_file(ground.root.fd, b"a", seen(ground, b"a")) == content_digest(bytes(3 << 20))


def change(ground: Ground) -> None:
    ground.write(b"a", b"x" * os.path.getsize(ground.place(b"a")))


def grow(ground: Ground) -> None:
    with open(ground.place(b"a"), "ab") as file:
        file.write(b"more")


def shrink(ground: Ground) -> None:
    os.truncate(ground.place(b"a"), os.path.getsize(ground.place(b"a")) - 1)


def replace(ground: Ground) -> None:
    """By another file of the same size and mtime."""
    found = os.lstat(ground.place(b"a"))
    ground.write(b"b", b"y" * found.st_size, mtime_ns=found.st_mtime_ns)
    os.rename(ground.place(b"b"), ground.place(b"a"))


def touch_back(ground: Ground) -> None:
    """Other bytes, the old mtime."""
    found = os.lstat(ground.place(b"a"))
    change(ground)
    os.utime(ground.place(b"a"), ns=(found.st_mtime_ns, found.st_mtime_ns))


CHANGES = [change, grow, shrink, replace, touch_back]


@pytest.mark.parametrize("size", [100, SMALL, SMALL + 1, BLOCK + 5])
@pytest.mark.parametrize("edit", CHANGES)
def test_a_file_that_changed_since_it_was_seen(ground: Ground, edit: Callable[[Ground], None], size: int) -> None:
    ground.write(b"a", noise(size), mtime_ns=10**18)
    before = seen(ground, b"a")
    edit(ground)
    failure = hash_file(ground.root.fd, b"a", before)
    assert isinstance(failure, HashFailure)
    assert not failure.vanished


@pytest.mark.parametrize("size", [100, SMALL + 1, 2 * BLOCK])
@pytest.mark.parametrize("edit", [change, grow, shrink, touch_back])
def test_a_file_that_changes_while_it_is_read(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, edit: Callable[[Ground], None], size: int
) -> None:
    """The edit comes just before the last look at the file, whatever it was read with."""
    ground.write(b"a", noise(size), mtime_ns=10**18)
    before = seen(ground, b"a")
    unchanged = hashing.unchanged

    def late(fd: int, stat: Seen) -> bool:
        edit(ground)
        return unchanged(fd, stat)

    monkeypatch.setattr(hashing, "unchanged", late)
    failure = hash_file(ground.root.fd, b"a", before)
    assert isinstance(failure, HashFailure)
    assert not failure.vanished


def test_where_ctime_and_inode_mean_nothing_they_are_not_looked_at(ground: Ground) -> None:
    ground.write(b"a", b"one", mtime_ns=10**18)
    replace(ground)
    assert hash_file(ground.root.fd, b"a", Seen(3, 10**18, 0, 0)) == content_digest(b"yyy")
    assert isinstance(hash_file(ground.root.fd, b"a", Seen(3, 10**18 + 1, 0, 0)), HashFailure)


def test_what_is_not_there_or_no_file(ground: Ground) -> None:
    ground.write(b"a", b"x")
    os.symlink(b"a", ground.place(b"link"))
    os.mkfifo(ground.place(b"fifo"))
    os.mkdir(ground.place(b"directory"))
    gone = hash_file(ground.root.fd, b"gone", Seen(1, 1, 1, 1))
    assert gone == HashFailure("vanished", vanished=True)
    for name in (b"link", b"fifo", b"directory"):
        failure = hash_file(ground.root.fd, name, seen(ground, b"a"))
        assert isinstance(failure, HashFailure), name
        assert not failure.vanished


def test_many_at_once_in_order(ground: Ground) -> None:
    names = [b"%d" % number for number in range(50)]
    for number, name in enumerate(names):
        ground.write(name, noise(number * 4099))
    stats = [seen(ground, name) for name in names]
    os.unlink(ground.place(b"7"))
    before = len(os.listdir("/proc/self/fd"))
    results = hash_files(ground.root.fd, names, stats)
    assert len(os.listdir("/proc/self/fd")) == before
    expected = [content_digest(noise(number * 4099)) for number in range(50)]
    assert results[:7] + results[8:] == expected[:7] + expected[8:]
    assert isinstance(results[7], HashFailure)
