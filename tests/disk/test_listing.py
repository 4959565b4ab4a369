from __future__ import annotations

import errno
import os
import struct
from types import SimpleNamespace

import pytest

from aefsync.core.digest import content_digest
from aefsync.core.entry import UNKNOWN
from aefsync.core.view import STAT
from aefsync.disk import listing
from aefsync.disk.listing import Listing, list_directory, read_directory, without_sizes
from tests.disk.file_systems import refusing, telling_twice
from tests.disk.ground import Ground
from tests.support.trees import NAMES


def rows(listings: list[Listing]) -> dict[bytes, tuple[int, ...]]:
    names = [name for listed in listings for name in listed.names.split(b"\0") if name]
    return dict(zip(names, STAT.iter_unpack(b"".join(listed.stats for listed in listings)), strict=True))


def expected(ground: Ground, name: bytes) -> tuple[int, ...]:
    seen = os.lstat(ground.place(name))
    return (seen.st_mode, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)


def test_every_name_comes_with_its_stat(ground: Ground) -> None:
    plain = [name for name in NAMES if b"/" not in name]
    for number, name in enumerate(plain):
        ground.write(name, b"x" * number, mtime_ns=number - 5)
    os.mkdir(ground.place(b"a directory"))
    os.mkfifo(ground.place(b"a fifo"))
    os.symlink(b"nowhere", ground.place(b"a link"))
    os.mkdir(ground.place(b".aefsync"))
    listings = list_directory(ground.root.fd, stable=True)
    found = rows(listings)
    assert set(found) == {*plain, b"a directory", b"a fifo", b"a link"}
    assert found == {name: expected(ground, name) for name in found}
    assert list(found) == sorted(found)
    assert [listed.failed for listed in listings] == [()]
    assert read_directory(ground.root.fd, stable=True)[0] == listings


@pytest.mark.parametrize("count", [2, 3, 5, 6, 7])
def test_a_large_directory_comes_in_parts(ground: Ground, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(listing, "ROWS", 3)
    names = [b"%02d" % number for number in range(count)]
    for name in reversed(names):
        ground.write(name, name)
    listings = list_directory(ground.root.fd, stable=True)
    assert [listed.names.split(b"\0") for listed in listings] == [names[i : i + 3] for i in range(0, count, 3)]
    assert rows(listings) == {name: expected(ground, name) for name in names}
    read, contents = read_directory(ground.root.fd, stable=True)
    assert read == listings
    assert contents == {name: content_digest(name) for name in names}


def test_an_empty_directory(ground: Ground) -> None:
    for _ in range(2):
        for listed in (list_directory(ground.root.fd, stable=True), read_directory(ground.root.fd, stable=True)[0]):
            assert listed == [Listing(b"", b"", ())]
            assert listed[0].seen
        os.makedirs(ground.place(b".aefsync"), exist_ok=True)


def test_where_ctime_and_inode_mean_nothing_they_are_zero(ground: Ground) -> None:
    ground.write(b"a", b"abc", mtime_ns=7)
    assert rows(list_directory(ground.root.fd, stable=False)) == {b"a": (0o100644, 3, 7, 0, 0)}


def test_small_files_are_read_on_the_way(ground: Ground) -> None:
    ground.write(b"small", b"small")
    ground.write(b"empty")
    ground.write(b"exact", b"e" * listing._EAGER)
    ground.write(b"large", b"l" * (listing._EAGER + 1))
    os.mkdir(ground.place(b"directory"))
    os.mkfifo(ground.place(b"fifo"))
    os.symlink(b"small", ground.place(b"link"))
    os.mkdir(ground.place(b".aefsync"))
    listed, contents = read_directory(ground.root.fd, stable=True)
    assert rows(listed) == rows(list_directory(ground.root.fd, stable=True))
    known = {name: content for name, content in contents.items() if content != UNKNOWN}
    assert known == {
        b"small": content_digest(b"small"),
        b"empty": content_digest(b""),
        b"exact": content_digest(b"e" * listing._EAGER),
    }


def test_of_very_many_files_none_is_read_on_the_way(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MANY", 2)
    for name in (b"a", b"b", b"c"):
        ground.write(name, name)
    assert read_directory(ground.root.fd, stable=True) == (list_directory(ground.root.fd, stable=True), {})


def test_what_vanishes_between_listing_and_stat_is_not_there(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (b"a", b"b", b"c"):
        ground.write(name, name)
    listdir, scandir = os.listdir, os.scandir

    def late(fd: int) -> list[str]:
        names = listdir(fd)
        os.unlink(ground.place(b"b"))
        return names

    class Late:
        """A listing that the disk has moved on from."""

        def __init__(self, fd: int) -> None:
            with scandir(fd) as scan:
                self._entries = list(scan)

        def __enter__(self) -> list[os.DirEntry[str]]:
            os.unlink(ground.place(b"b"))
            return self._entries

        def __exit__(self, *trouble: object) -> None: ...

    monkeypatch.setattr(os, "listdir", late)
    monkeypatch.setattr(os, "scandir", Late)
    (listed,) = list_directory(ground.root.fd, stable=True)
    assert set(rows([listed])) == {b"a", b"c"}
    assert not listed.failed
    ground.write(b"b", b"b")
    with pytest.raises(FileNotFoundError):
        read_directory(ground.root.fd, stable=True)


def test_times_that_cannot_be_kept_are_trouble_with_that_path_alone(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file dated after 2262 does not fit into 63 bits of nanoseconds."""
    ground.write(b"a", b"a")
    ground.write(b"b", b"b")
    pack = struct.pack

    def narrow(layout: str, *values: int) -> bytes:
        if any(value == 4 for value in values):
            raise struct.error("int too large to convert")
        return pack(layout, *values)

    ground.write(b"far", b"4444")
    # Only what `listing` sees: the test runner packs numbers, too.
    monkeypatch.setattr(listing, "struct", SimpleNamespace(pack=narrow, error=struct.error))
    monkeypatch.setattr(listing, "packed_stats", refusing(errno.EOVERFLOW))
    (listed,) = list_directory(ground.root.fd, stable=True)
    assert set(rows([listed])) == {b"a", b"b"}
    assert listed.failed == ((b"far", "its time is out of range"),)
    assert listed.seen == b""
    with pytest.raises(OSError, match="out of range"):
        read_directory(ground.root.fd, stable=True)


def test_inode_numbers_of_64_bits_are_cut(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.write(b"a", b"a")
    row = (0o100644, 1, 2, 3, (1 << 64) - 5)
    monkeypatch.setattr(listing, "packed_stats", refusing(errno.ENOSYS))
    monkeypatch.setattr(listing, "_STABLE", lambda seen: row)
    assert rows(list_directory(ground.root.fd, stable=True)) == {b"a": (*row[:4], (1 << 63) - 5)}


def test_seen_tells_listings_apart(ground: Ground) -> None:
    ground.write(b"a", b"a")
    (first,) = list_directory(ground.root.fd, stable=True)
    assert first.seen == list_directory(ground.root.fd, stable=True)[0].seen
    os.chmod(ground.place(b"a"), 0o600)
    (second,) = list_directory(ground.root.fd, stable=True)
    os.rename(ground.place(b"a"), ground.place(b"b"))
    (third,) = list_directory(ground.root.fd, stable=True)
    os.symlink(b"a", ground.place(b"c"))
    (fourth,) = list_directory(ground.root.fd, stable=True)
    assert len({each.seen for each in (first, second, third, fourth)}) == 4
    assert first._replace(failed=((b"x", "why"),)).seen == b""


def test_sockets_are_listed_like_anything_else(ground: Ground) -> None:
    os.mknod(ground.place(b"socket"), 0o140644)
    assert set(rows(list_directory(ground.root.fd, stable=True))) == {b"socket"}


def test_sizes_of_directories_mean_nothing() -> None:
    stats = STAT.pack(1, 2, 3, 4, 5) + STAT.pack(6, 7, 8, 9, 10)
    assert without_sizes(stats, []) is stats
    assert without_sizes(stats, [1]) == STAT.pack(1, 2, 3, 4, 5) + STAT.pack(6, 0, 8, 9, 10)


def test_a_name_that_is_told_twice_is_one(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (b"a", b"b"):
        ground.write(name, name)
    expected = read_directory(ground.root.fd, stable=True)
    telling_twice(monkeypatch)
    assert list_directory(ground.root.fd, stable=True) == expected[0]
    assert read_directory(ground.root.fd, stable=True) == expected
