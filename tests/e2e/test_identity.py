"""Roots that are not what they were: unmounted, replaced, copied, moved.  Nothing is changed until the user says so."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.program import Program
from tests.support.trees import judge, survey, tree


@pytest.fixture
def known(aefsync: Program, pair: Pair) -> Pair:
    """Two replicas that agree, and have been seen."""
    tree(pair.a, {f"d/{number}": f"{number}" for number in range(20)})
    tree(pair.b, {})
    aefsync("repair", *pair).expect(0)
    return pair


def identity(root: Path) -> str:
    return (root / ".aefsync" / "id").read_text().strip()


def refused(aefsync: Program, pair: Pair, flag: str) -> None:
    """Every command stops, says what it takes, and leaves everything as it is."""
    before = [survey(root, exact=True) if root.exists() else None for root in pair]
    names = sorted(os.listdir(pair.a.parent))
    state = (aefsync.home / "state" / "aefsync" / "roots.json").read_bytes()
    for command, code in (("repair",), 5), (("repair", "-n"), 5), (("repair", "--mirror"), 5), (("diff",), 2):
        done = aefsync(*command, *pair).expect(code)
        assert flag.encode() in done.err
        assert done.out == b""
    assert aefsync("repair", "--json", *pair).expect(5).summary["causes"] == ["guard"]
    assert [survey(root, exact=True) if root.exists() else None for root in pair] == before
    assert sorted(os.listdir(pair.a.parent)) == names
    assert (aefsync.home / "state" / "aefsync" / "roots.json").read_bytes() == state


@pytest.mark.parametrize("which", [0, 1])
def test_a_known_root_that_is_missing_is_not_made(aefsync: Program, known: Pair, which: int) -> None:
    known[which].rename(known.a.parent / "elsewhere")
    refused(aefsync, known, "--allow-new-root")
    aefsync("repair", "--allow-new-root", *known).expect(0)
    assert judge(*known) == []
    aefsync("repair", *known).expect(0)


@pytest.mark.parametrize("which", [0, 1])
def test_a_known_root_that_is_empty(aefsync: Program, known: Pair, which: int) -> None:
    shutil.rmtree(known[which])
    known[which].mkdir()
    refused(aefsync, known, "--allow-empty-root")
    aefsync("repair", "--allow-empty-root", *known).expect(0)
    assert judge(*known) == []


def test_another_disk_in_its_place(aefsync: Program, known: Pair) -> None:
    other = tree(known.a.parent / "C", {"e/0": "x", "y": "1"})
    aefsync("repair", "--allow-unrelated-roots", other, known.a.parent / "D").expect(0)
    known.b.rename(known.a.parent / "elsewhere")
    other.rename(known.b)
    refused(aefsync, known, "--allow-new-root")
    aefsync("repair", "--allow-new-root", *known).expect(0)
    aefsync("repair", *known).expect(0)


def test_disks_that_changed_places(aefsync: Program, known: Pair) -> None:
    known.a.rename(known.a.parent / "x")
    known.b.rename(known.a)
    (known.a.parent / "x").rename(known.b)
    refused(aefsync, known, "--allow-new-root")


def test_a_mirror_whose_truth_was_never_written_to_became_empty(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "1"})
    aefsync("repair", "--mirror", *pair).expect(0)
    assert not (pair.a / ".aefsync").exists()
    (pair.a / "x").unlink()
    refused(aefsync, pair, "--allow-empty-root")
    aefsync("repair", "--mirror", "--allow-empty-root", *pair).expect(0)
    assert judge(*pair) == []
    tree(pair.b, {"y": "1"})
    aefsync("repair", "--mirror", *pair).expect(5)


@pytest.mark.parametrize("mirror", [[], ["--mirror"]])
def test_a_copy_of_a_replica_becomes_one_of_its_own(aefsync: Program, pair: Pair, mirror: list[str]) -> None:
    tree(pair.a, {"x": "1"})
    aefsync("repair", pair.a, pair.a.parent / "C").expect(0)
    shutil.copytree(pair.a, pair.b)
    original = identity(pair.a)
    assert identity(pair.b) == original
    aefsync("diff", *pair).expect(0)
    aefsync("repair", "-n", *pair).expect(0)
    assert identity(pair.b) == original
    done = aefsync("repair", *mirror, *pair).expect(0)
    assert f"{pair.b}: a copy of {pair.a}".encode() in done.err
    assert identity(pair.a) == original != identity(pair.b)
    assert b"copy" not in aefsync("repair", *pair).expect(0).err


def test_a_copy_alone_is_known_by_the_original_that_is_still_there(aefsync: Program, known: Pair) -> None:
    copy = known.a.parent / "C"
    shutil.copytree(known.a, copy)
    done = aefsync("repair", copy, known.b).expect(0)
    assert f"{copy}: a copy of {known.a}".encode() in done.err
    assert identity(copy) != identity(known.a)


def test_a_root_that_moved_keeps_its_id(aefsync: Program, known: Pair) -> None:
    before = identity(known.a)
    moved = known.a.rename(known.a.parent / "C")
    assert aefsync("repair", moved, known.b).expect(0).err == b""
    assert identity(moved) == before


def test_what_was_remembered_may_be_deleted(aefsync: Program, known: Pair) -> None:
    shutil.rmtree(aefsync.home / "state")
    aefsync("repair", *known).expect(0)
    shutil.rmtree(known.b)
    shutil.rmtree(aefsync.home / "state")
    aefsync("repair", *known).expect(0)
    assert judge(*known) == []


def test_where_the_memory_is(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    tree(pair.a, {"x": "1"})
    aefsync("repair", "--state-dir", tmp_path / "s", *pair).expect(0)
    assert (tmp_path / "s" / "roots.json").exists()
    aefsync("repair", "--state-dir", "", *pair).expect(0)
    aefsync("diff", *pair).expect(0)
    assert not (aefsync.home / "state").exists()
    shutil.rmtree(pair.b)
    aefsync("repair", "--state-dir", tmp_path / "s", *pair).expect(5)


def test_a_home_directory_as_a_root_has_nothing_of_ours_in_it(aefsync: Program, tmp_path: Path) -> None:
    home = tree(aefsync.home, {"docs/x": "1"})
    (tmp_path / "link").symlink_to(home)
    for _ in range(2):
        aefsync("repair", "--mirror", tmp_path / "link", tmp_path / "B").expect(0)
    assert {path.name for path in (tmp_path / "B").iterdir()} - {".aefsync"} == {"docs", "cache", "state"}
    assert list((tmp_path / "B" / "cache").iterdir()) == list((tmp_path / "B" / "state").iterdir()) == []
    aefsync("diff", tmp_path / "B", home).expect(0)


def test_a_home_directory_under_another_name(aefsync: Program, tmp_path: Path) -> None:
    """Bound to another place, it is recognised by device and inode."""
    tree(aefsync.home, {"docs/x": "1"})
    script = 'mkdir "$0" && mount --bind "$1" "$0" || exit 98; shift; exec "$@"'
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    bound = aefsync.under(*unshare, "sh", "-c", script, tmp_path / "bound", aefsync.home)
    done = bound("repair", "--mirror", tmp_path / "bound", tmp_path / "B")
    if done.code == 98 or b"unshare" in done.err:
        pytest.skip("no mount namespaces here")
    done.expect(0)
    assert subprocess.run(["ls", tmp_path / "B" / "cache"], capture_output=True, check=True).stdout == b""
