from __future__ import annotations

import stat

import pytest

from aefsync.core.entry import Kind, kind_of
from tests.support.snapshots import directory, file, link, unread

A = b"a"


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        (stat.S_IFREG | 0o644, Kind.FILE),
        (stat.S_IFDIR, Kind.DIRECTORY),
        (stat.S_IFLNK | 0o777, Kind.SYMLINK),
        (stat.S_IFIFO, None),
        (stat.S_IFSOCK, None),
        (stat.S_IFCHR, None),
        (stat.S_IFBLK, None),
    ],
)
def test_kind_of(mode: int, kind: Kind | None) -> None:
    assert kind_of(mode) is kind


def test_a_file_link_and_directory_are_different_content() -> None:
    assert not file(A, b"x").same_content(link(A, b"x"))
    assert not file(A).same_content(directory(A))


def test_content_that_was_not_read_is_the_same_as_nothing() -> None:
    assert not unread(file(A, b"x")).same_content(unread(file(A, b"yy")))
    assert not unread(file(A, b"x")).same_content(file(A, b"x"))
    assert file(A, b"x").same_content(file(A, b"x", mtime_ns=5))


def test_is_read() -> None:
    assert file(A).is_read
    assert directory(A).is_read
    assert link(A).is_read
    assert not unread(file(A)).is_read


def test_metadata_counts_mtimes_of_files_only() -> None:
    assert directory(A).same_metadata(directory(A)._replace(mtime_ns=99))
    assert not directory(A).same_metadata(directory(A, 0o700))
    assert not file(A).same_metadata(file(A, mtime_ns=1))
    assert not file(A).same_metadata(file(A, mode=0o600))
    assert file(A, ctime_ns=5).same_metadata(file(A, ctime_ns=6))


def test_what_must_be_unchanged_before_overwriting() -> None:
    assert file(A).stat_key != file(A, ctime_ns=2).stat_key
    assert file(A).stat_key == unread(file(A)).stat_key
    assert directory(A).stat_key == directory(A, 0o700, ctime_ns=2).stat_key
    assert directory(A).stat_key != directory(A)._replace(inode=2).stat_key


def test_labels() -> None:
    assert [kind.label for kind in Kind] == ["file", "directory", "symlink"]
