from __future__ import annotations

import errno
import fcntl
import os
import random
from collections.abc import Callable

import pytest

from aefsync.core.action import StageFile
from aefsync.core.digest import content_digest
from aefsync.core.entry import UNKNOWN
from aefsync.core.growth import SMALL
from aefsync.core.path import RelPath
from aefsync.core.ports import Piece
from aefsync.disk import staging as staging_module
from aefsync.disk import syscalls
from aefsync.disk.durability import FEW
from aefsync.disk.sparse import BLOCK
from tests.disk.ground import Ground, Site, unprivileged, wanted

LARGE = 3 << 20
NOISE = random.Random(2).randbytes(LARGE)
SIZES = [0, 1, SMALL - 1, SMALL, SMALL + 1, LARGE]


def stage(site: Site, other: Ground, *paths: bytes, read: bool = True) -> tuple[tuple[bytes, ...], list[str]]:
    """Contents staged and reasons for trouble."""
    files = [StageFile(other.entry(path, read=read), RelPath(path)) for path in paths]
    staged = site.staging.stage(files, other.root)
    return staged.contents, [problem.reason for problem in staged.problems]


def in_staging(site: Site, path: bytes) -> os.stat_result:
    name = site.staging.name(RelPath(path))
    assert name is not None
    return os.stat(name, dir_fd=site.staging.fd)


def bytes_of(site: Site, path: bytes) -> bytes:
    name = site.staging.name(RelPath(path))
    assert name is not None
    with open(os.open(name, os.O_RDONLY, dir_fd=site.staging.fd), "rb") as file:
        return file.read()


def nothing_staged(site: Site, path: bytes) -> bool:
    """A bed may be left, with nothing in it."""
    left = [name for _, _, names, _ in os.fwalk(dir_fd=site.staging.fd) for name in names]
    return site.staging.name(RelPath(path)) is None and left == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("read", [True, False])
def test_a_file_is_copied_whole(site: Site, other: Ground, size: int, read: bool) -> None:
    other.write(b"d/a", NOISE[:size], mtime_ns=-7, mode=0o604)
    contents, problems = stage(site, other, b"d/a", read=read)
    assert (contents, problems) == ((content_digest(NOISE[:size]),), [])
    assert bytes_of(site, b"d/a") == NOISE[:size]
    seen = in_staging(site, b"d/a")
    assert (seen.st_mode & 0o7777, seen.st_mtime_ns, seen.st_size) == (0o604, -7, size)


def test_a_sparse_file_arrives_equal(site: Site, other: Ground) -> None:
    other.write(b"a", b"head")
    os.truncate(other.place(b"a"), LARGE)
    contents, problems = stage(site, other, b"a")
    assert (contents, problems) == ((content_digest(b"head" + bytes(LARGE - 4)),), [])
    assert bytes_of(site, b"a") == b"head" + bytes(LARGE - 4)


def test_many_files_are_synced_together(site: Site, other: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append("file"))
    monkeypatch.setattr(syscalls, "syncfs", lambda fd: synced.append("all"))
    names = [b"%d" % number for number in range(FEW + 1)]
    for name in names:
        other.write(name, name)
    assert stage(site, other, *names[:-1])[1] == []
    assert synced == ["file"] * FEW
    synced.clear()
    assert stage(site, other, *names)[1] == []
    assert synced == ["all"]


def test_what_could_not_be_made_durable_does_not_count(
    site: Site, other: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    names = [b"%d" % number for number in range(FEW + 1)]
    for name in names:
        other.write(name, name)
    monkeypatch.setattr(os, "fsync", fail)
    monkeypatch.setattr(syscalls, "syncfs", fail)
    for batch in (names[:2], names):
        files = [StageFile(other.entry(path), RelPath(path)) for path in batch]
        staged = site.staging.stage(files, other.root)
        assert staged.contents == (b"",) * len(batch)
        reasons = [problem.reason for problem in staged.own_problems]
        together = f"not durable (and {FEW} with it): input/output error"
        assert reasons == (["input/output error"] * 2 if len(batch) == 2 else [together])
        assert all(nothing_staged(site, name) for name in batch)


# what must not be staged


def overwrite(other: Ground) -> None:
    other.write(b"a", bytes(os.path.getsize(other.place(b"a"))))


def touch_back(other: Ground) -> None:
    seen = os.lstat(other.place(b"a"))
    overwrite(other)
    os.utime(other.place(b"a"), ns=(seen.st_mtime_ns, seen.st_mtime_ns))


def grow(other: Ground) -> None:
    with open(other.place(b"a"), "ab") as file:
        file.write(b"x")


def shrink(other: Ground) -> None:
    os.truncate(other.place(b"a"), os.path.getsize(other.place(b"a")) - 1)


def remove(other: Ground) -> None:
    os.unlink(other.place(b"a"))


def make_link(other: Ground) -> None:
    os.rename(other.place(b"a"), other.place(b"b"))
    os.symlink(b"b", other.place(b"a"))


def make_fifo(other: Ground) -> None:
    os.unlink(other.place(b"a"))
    os.mkfifo(other.place(b"a"))


EDITS = [overwrite, touch_back, grow, shrink, remove, make_link, make_fifo]


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("size", [100, SMALL + 1])
@pytest.mark.parametrize("read", [True, False])
def test_a_source_that_changed_since_the_scan(
    site: Site, other: Ground, edit: Callable[[Ground], None], size: int, read: bool
) -> None:
    other.write(b"a", NOISE[:size], mtime_ns=10**18)
    file = StageFile(other.entry(b"a", read=read), RelPath(b"a"))
    edit(other)
    staged = site.staging.stage([file], other.root)
    assert staged.contents == (b"",)
    assert [problem.path for problem in staged.problems] == [b"a"]
    assert nothing_staged(site, b"a")


@pytest.mark.parametrize("edit", [overwrite, touch_back, grow, shrink])
@pytest.mark.parametrize("size", [100, SMALL + 1])
@pytest.mark.parametrize("read", [True, False])
def test_a_source_that_changes_while_it_is_copied(
    site: Site,
    other: Ground,
    monkeypatch: pytest.MonkeyPatch,
    edit: Callable[[Ground], None],
    size: int,
    read: bool,
) -> None:
    other.write(b"a", NOISE[:size], mtime_ns=10**18)
    file = StageFile(other.entry(b"a", read=read), RelPath(b"a"))
    unchanged = staging_module.unchanged

    def then_edit(*args: object) -> bool:
        looked = unchanged(*args)  # type: ignore[arg-type]
        if os.listdir(site.staging.fd) == []:
            edit(other)
        return looked

    monkeypatch.setattr(staging_module, "unchanged", then_edit)
    staged = site.staging.stage([file], other.root)
    assert staged.contents == (b"",)
    assert nothing_staged(site, b"a")


@pytest.mark.parametrize("size", [100, SMALL + 1])
def test_a_read_that_ends_early_is_no_copy(
    site: Site, other: Ground, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Though the file shows the same stat, and nobody knew its content."""
    other.write(b"a", NOISE[:size])
    file = StageFile(other.entry(b"a", read=False), RelPath(b"a"))
    monkeypatch.setattr(os, "read", lambda fd, count: NOISE[: size - 1])
    monkeypatch.setattr(os, "copy_file_range", lambda *_: 0)
    staged = site.staging.stage([file], other.root)
    assert staged.contents == (b"",)
    assert nothing_staged(site, b"a")


def test_bytes_that_are_not_those_compared_are_refused(site: Site, other: Ground) -> None:
    other.write(b"a", b"one")
    other.write(b"b", b"two")
    file = StageFile(other.entry(b"a")._replace(content=content_digest(b"eno")), RelPath(b"a"))
    good = StageFile(other.entry(b"b"), RelPath(b"b"))
    staged = site.staging.stage([file, good], other.root)
    assert staged.contents == (b"", content_digest(b"two"))
    assert [problem.reason for problem in staged.problems] == ["its bytes are not those that were compared"]
    assert site.staging.name(RelPath(b"a")) is None


def test_a_source_that_cannot_be_read(site: Site, other: Ground) -> None:
    other.write(b"a", b"secret", mode=0o000)
    other.write(b"b", b"open")
    os.fchmod(site.staging.fd, 0o777)
    entries = [other.entry(path, read=False)._replace(ctime_ns=0, inode=0) for path in (b"a", b"b")]
    files = [StageFile(entry, entry.path) for entry in entries]
    with unprivileged(other):
        staged = site.staging.stage(files, other.root)
    assert staged.contents == (b"", content_digest(b"open"))
    assert [problem.reason for problem in staged.problems] == ["permission denied"]


def test_a_link_swapped_in_for_a_directory_of_the_source(site: Site, other: Ground) -> None:
    other.write(b"d/a", b"one", mtime_ns=10**18)
    other.write(b"e/a", b"one", mtime_ns=10**18)
    file = StageFile(other.entry(b"d/a"), RelPath(b"d/a"))
    os.rename(other.place(b"d"), other.place(b"f"))
    os.symlink(b"f", other.place(b"d"))
    assert site.staging.stage([file], other.root).contents == (b"",)


# sharing blocks


def test_where_blocks_can_be_shared_the_copy_itself_is_hashed(
    site: Site, other: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    other.write(b"a", NOISE)

    def clone(target: int, request: int, source: int) -> int:
        """A file system that clones; just afterwards the source's bytes move on under the same stat."""
        os.pwrite(target, NOISE, 0)
        return 0

    monkeypatch.setattr(fcntl, "ioctl", clone)
    read_from = []
    readv = os.readv

    def watch(fd: int, buffers: list[memoryview]) -> int:
        read_from.append(os.fstat(fd).st_ino)
        return readv(fd, buffers)

    monkeypatch.setattr(os, "readv", watch)
    told: list[int] = []
    monkeypatch.setattr(site.staging, "_on_bytes", told.append)
    contents, problems = stage(site, other, b"a")
    assert (contents, problems, told) == ((content_digest(NOISE),), [], [LARGE])
    assert set(read_from) == {in_staging(site, b"a").st_ino}


def test_a_clone_that_is_not_whole_is_refused(site: Site, other: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    other.write(b"a", NOISE)
    monkeypatch.setattr(fcntl, "ioctl", lambda target, request, source: os.pwrite(target, NOISE[:-1], 0))
    contents, problems = stage(site, other, b"a", read=False)
    assert contents == (b"",)
    assert len(problems) == 1
    assert nothing_staged(site, b"a")


@pytest.mark.parametrize("reason", [errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY])
def test_where_blocks_cannot_be_shared_they_are_copied(
    site: Site, other: Ground, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def refuse(*args: object) -> int:
        raise OSError(reason, "not here")

    monkeypatch.setattr(fcntl, "ioctl", refuse)
    other.write(b"a", NOISE)
    assert stage(site, other, b"a") == ((content_digest(NOISE),), [])
    assert bytes_of(site, b"a") == NOISE


# piece by piece


def test_pieces_make_a_file(site: Site) -> None:
    entry = wanted(b"a", NOISE)
    half = LARGE // 2
    site.staging.write([Piece(entry.path, 0, half, NOISE[:half])])
    site.staging.write([Piece(entry.path, half, LARGE - half, NOISE[half:])])
    empty = wanted(b"empty", b"")
    staged = site.staging.stage([StageFile(entry, entry.path), StageFile(empty, empty.path)], None)
    assert staged.contents == (content_digest(NOISE), content_digest(b""))
    assert bytes_of(site, b"a") == NOISE
    assert bytes_of(site, b"empty") == b""
    assert in_staging(site, b"a").st_mode & 0o777 == 0o640


def test_what_came_in_order_is_not_read_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    entry, half = wanted(b"a", NOISE), LARGE // 2
    for start, stop in ((0, half), (half, LARGE)):
        site.staging.write([Piece(entry.path, start, stop - start, NOISE[start:stop])])
    monkeypatch.setattr(staging_module, "hash_blocks", None)
    assert site.staging.stage([StageFile(entry, entry.path)], None).contents == (content_digest(NOISE),)


@pytest.mark.parametrize("data", [b"", b"sh", b"longer than that", b"other"])
def test_pieces_that_do_not_make_the_file(site: Site, data: bytes) -> None:
    entry = wanted(b"a", b"right")
    if data:
        site.staging.write([Piece(entry.path, 0, len(data), data)])
    staged = site.staging.stage([StageFile(entry, entry.path)], None)
    assert staged.contents == (b"",)
    assert len(staged.problems) == 1
    assert nothing_staged(site, b"a")


def test_a_content_unknown_before_is_found(site: Site) -> None:
    entry = wanted(b"a", b"right")._replace(content=UNKNOWN)
    site.staging.write([Piece(entry.path, 0, 5, b"right")])
    assert site.staging.stage([StageFile(entry, entry.path)], None).contents == (content_digest(b"right"),)


def test_progress_counts_bytes(site: Site, other: Ground) -> None:
    counted: list[int] = []
    site.staging._on_bytes = counted.append
    other.write(b"a", NOISE[:5])
    other.write(b"b", NOISE[: BLOCK // 4])
    stage(site, other, b"a", b"b")
    assert counted == sorted(counted)
    assert counted[-1] == 5 + BLOCK // 4


# trouble of the receiver


def failing(monkeypatch: pytest.MonkeyPatch, number: int, data: bytes) -> None:
    """Have this very content not written."""
    pwrite = os.pwrite

    def fail(fd: int, view: bytes, offset: int) -> int:
        if bytes(view) == data:
            raise OSError(number, os.strerror(number))
        return pwrite(fd, view, offset)

    monkeypatch.setattr(os, "pwrite", fail)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG])
@pytest.mark.parametrize("direct", [True, False])
def test_trouble_of_the_disk_is_told_once(
    site: Site, other: Ground, monkeypatch: pytest.MonkeyPatch, number: int, direct: bool
) -> None:
    """A full disk stops the others, too, without a word for each; a bad spot is the affair of one file."""
    for name in (b"a", b"b", b"c"):
        other.write(name, name * 3)
    entries = [other.entry(name) for name in (b"a", b"b", b"c")]
    failing(monkeypatch, number, b"bbb")
    if not direct:
        site.staging.write([Piece(entry.path, 0, 3, other.read(entry.path)) for entry in entries])
    files = [StageFile(entry, entry.path) for entry in entries]
    staged = site.staging.stage(files, other.root if direct else None)
    is_final = number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
    after = b"" if is_final else entries[2].content
    # Pieces of c came before anybody knew.
    assert staged.contents[0] == (entries[0].content if direct else staged.contents[0])
    assert staged.contents[1:] == (b"", after)
    assert staged.problems == ()
    assert [(problem.path, problem.reason) for problem in staged.own_problems] == [(b"b", os.strerror(number).lower())]
    if is_final:
        again = site.staging.stage(files[2:], other.root)
        assert (again.contents, again.problems, again.own_problems) == ((b"",), (), ())
        assert again.reason == "was not staged"
