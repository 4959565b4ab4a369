"""Mount points below a root: what became one, or ceased to be, is unknown until somebody says that it is meant."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.ports import Scanned
from aefsync.disk.building import Limits
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.filter import Filter
from aefsync.disk.index import Index
from aefsync.disk.mount_changes import LocalMounts, listed_mounts
from aefsync.disk.scan import Scanner
from aefsync.disk.summing import sum_up
from tests.disk.ground import Ground, finish


class Table:
    """In place of the kernel's list."""

    def __init__(self, *mounts: bytes) -> None:
        self.mounts: frozenset[bytes] | None = frozenset(mounts)

    def __call__(self, root: ConfinedRoot) -> frozenset[bytes] | None:
        assert root.fd >= 0
        return self.mounts


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    table = Table()
    monkeypatch.setattr(LocalMounts.__init__, "__defaults__", (table,))
    return table


@pytest.fixture
def furnished(ground: Ground) -> Ground:
    for name in (b"disk/a", b"disk/deep/b", b"plain/c"):
        ground.write(name, b"x")
    return ground


def scanned(
    ground: Ground, remembered: tuple[bytes, ...] | None, *rules: str, **limits: bool
) -> tuple[Scanner, Scanned]:
    scanner = ground.scanner(limits=Limits(Filter(rules), mounts=remembered, **limits))
    finish(scanner)
    return scanner, sum_up(scanner, complete=True)


def paths(scanner: Scanner) -> set[bytes]:
    return set(finish(scanner))


EVERYTHING = {b"disk", b"disk/a", b"disk/deep", b"disk/deep/b", b"plain", b"plain/c"}


@pytest.mark.parametrize("remembered", [None, (b"disk",)])
def test_what_is_expected_is_scanned(furnished: Ground, table: Table, remembered: tuple[bytes, ...] | None) -> None:
    table.mounts = frozenset({b"disk"})
    scanner, found = scanned(furnished, remembered)
    assert paths(scanner) == EVERYTHING
    assert (found.mounts, found.problems) == ((b"disk",), ())


@pytest.mark.parametrize(("mounts", "remembered", "word"), [((b"disk",), (), "became"), ((), (b"disk",), "no longer")])
def test_a_change_is_unknown(
    furnished: Ground, table: Table, mounts: tuple[bytes, ...], remembered: tuple[bytes, ...], word: str
) -> None:
    table.mounts = frozenset(mounts)
    scanner, found = scanned(furnished, remembered)
    assert paths(scanner) == {b"disk", b"plain", b"plain/c"}
    (problem,) = found.problems
    assert (problem.path, problem.subtree) == (b"disk", True)
    assert word in problem.reason
    assert "--allow-new-root" in problem.reason
    assert found.mounts == mounts


def test_a_mount_point_that_is_gone_altogether_is_unknown(furnished: Ground, table: Table) -> None:
    _, found = scanned(furnished, (b"elsewhere/disk",))
    assert [problem.path for problem in found.problems] == [b"elsewhere/disk"]


def test_what_is_mounted_during_the_scan_is_unknown(furnished: Ground, table: Table) -> None:
    scanner = furnished.scanner(limits=Limits(Filter(()), mounts=()))
    table.mounts = frozenset({b"disk"})
    scanner.mounts.look_again()
    (problem,) = sum_up(scanner, complete=False).problems
    assert "during the run" in problem.reason


def test_what_filters_leave_out_is_nobodys_trouble(furnished: Ground, table: Table) -> None:
    table.mounts = frozenset({b"disk/deep", b".aefsync/x"})
    assert scanned(furnished, (b"disk",), "disk/")[1].problems == ()


def test_what_lies_on_another_file_system_by_wish_is_no_trouble(
    furnished: Ground, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.mounts = frozenset({b"disk"})
    real = os.fstat
    inode = os.stat(furnished.place(b"disk")).st_ino

    def elsewhere(fd: int) -> os.stat_result:
        seen = real(fd)
        return os.stat_result((*seen[:2], seen.st_dev + 1, *seen[3:])) if seen.st_ino == inode else seen

    monkeypatch.setattr(os, "fstat", elsewhere)
    _, found = scanned(furnished, (), one_file_system=True)
    assert (found.problems, found.unexamined) == ((), (b"disk",))


def test_the_index_keeps_what_could_not_be_seen(furnished: Ground, table: Table, tmp_path: Path) -> None:
    index = Index(str(tmp_path / "index.db"))
    later = Limits(Filter(()), mounts=(b"disk",))
    table.mounts = frozenset({b"disk"})
    finish(furnished.scanner(index, later))
    table.mounts = frozenset()
    finish(furnished.scanner(index, later))
    assert index.load((b"disk\0", 0)) is not None
    assert index.load((b"disk\0deep\0", 0)) is not None
    furnished.scanner(index)
    shutil.rmtree(furnished.place(b"plain"))
    furnished.scanner(index)
    assert index.load((b"plain\0", 0)) is None
    index.close()


@pytest.fixture
def mounted(furnished: Ground) -> Iterator[bytes]:
    """A bind mount on the root's own file system: no device tells of it."""
    for path in (b"other", b"with space"):
        os.mkdir(furnished.place(path))
    source, place = (os.fsdecode(furnished.place(path)) for path in (b"other", b"with space"))
    if subprocess.run(["mount", "--bind", source, place], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    yield b"with space"
    subprocess.run(["umount", place], check=True)


def test_the_kernel_lists_bind_mounts(furnished: Ground, mounted: bytes) -> None:
    assert listed_mounts(furnished.root) == {mounted}
    with furnished.root.directory(b"plain") as fd:
        assert listed_mounts(ConfinedRoot(fd)) == frozenset()


def test_without_a_list_a_mount_point_is_where_another_device_begins(furnished: Ground, table: Table) -> None:
    table.mounts = None
    os.mkdir(furnished.place(b"ram"))
    place = os.fsdecode(furnished.place(b"ram"))
    if subprocess.run(["mount", "-t", "tmpfs", "none", place], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        furnished.write(b"ram/deep/x", b"1")
        assert scanned(furnished, None)[1].mounts == (b"ram",)
        assert scanned(furnished, (b"ram",))[1].problems == ()
        scanner, found = scanned(furnished, ())
        assert [problem.path for problem in found.problems] == [b"ram"]
        assert b"ram/deep" not in paths(scanner)
    finally:
        subprocess.run(["umount", place], check=True)
    _, found = scanned(furnished, (b"ram",))
    assert [problem.path for problem in found.problems] == [b"ram"]
