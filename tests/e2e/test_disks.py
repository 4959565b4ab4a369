"""Disks that fail, are full, or are several: every old file whole, a clear line, and the next run converges."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.freeze import strace
from tests.e2e.program import Program
from tests.support.trees import BASE_NS, SECOND, judge, tree

NAMES = [f"d/f{number}" for number in range(6)]


def diverged(aefsync: Program, pair: Pair) -> None:
    """Two replicas that know each other; then most of B's files are to be replaced, and some to come or to go."""
    for root in pair:
        tree(root, dict.fromkeys(NAMES, "old") | {"extra": "x"})
    aefsync("repair", *pair).expect(0)
    tree(pair.a, {name: f"new {name}" for name in NAMES} | {"fresh/one": "1"}, mtime_ns=BASE_NS + SECOND)
    (pair.a / "extra").unlink()


FAULTS = [
    *(
        "pwrite64:error=ENOSPC:when=3+",
        "pwrite64:error=EIO",
        "fsync:error=EIO:when=2+",
        "renameat2:error=EROFS:when=3+",
    ),
    *("renameat:error=ENOSPC:when=2+", "mkdirat:error=EDQUOT:when=4+", "write:error=ENOSPC:when=30+"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_disk_that_fails(aefsync: Program, pair: Pair, tmp_path: Path, fault: str) -> None:
    diverged(aefsync, pair)
    place = pair.b / ".aefsync"
    done = aefsync.under(*strace(tmp_path / "log", fault))("repair", "--mirror", *pair)
    if "INJECTED" in (tmp_path / "log").read_text() and "write:error" not in fault:
        done.expect(3, 4)
        assert b" error" in done.err or b"space" in done.err or b"read-only" in done.err or b"quota" in done.err
    assert b"internal error" not in done.err
    assert b"Traceback" not in done.err
    for name in NAMES:
        assert (pair.b / name).read_text() in {"old", f"new {name}"}, "old or new, and whole"
    aefsync("repair", "--mirror", *pair).expect(0)
    assert judge(*pair) == []
    assert [path for path in (place / "tmp").rglob("*") if path.is_file()] == []


def test_a_mount_below_the_root(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    """Bound from elsewhere: the same file system, and yet no rename leads there."""
    disk = tree(tmp_path / "disk", {"f": "old", "extra": "x", "d/g": "same"})
    tree(pair.a, {"mnt/f": "newer", "mnt/d/g": "same", "mnt/d/fresh": "1", "here": "2"}, mtime_ns=BASE_NS + SECOND)
    tree(pair.b, {"mnt/": None})
    script = 'mount --bind "$0" "$1" || exit 98; shift; "$@"'
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    bound = aefsync.under(*unshare, "sh", "-c", script, disk, pair.b / "mnt")
    done = bound("repair", "--mirror", "--allow-new-root", *pair)
    if done.code == 98 or b"unshare" in done.err:
        pytest.skip("no mount namespaces here")
    done.expect(0)
    assert {
        path.name: path.read_text() for path in disk.rglob("*") if path.is_file() and ".aefsync" not in path.parts
    } == {
        "f": "newer",
        "g": "same",
        "fresh": "1",
    }
    (run,) = (disk / ".aefsync" / "trash").iterdir()
    assert (run / "replaced" / "f").read_text() == "old"
    assert list((disk / ".aefsync" / "tmp").iterdir()) == []
    listed = bound("trash", pair.b).expect(0).out.decode()
    assert "mnt/f" in listed
    assert "mnt/extra" in listed
    bound("trash", pair.b, "restore", "mnt/extra").expect(0)
    assert (disk / "extra").read_text() == "x"
    bound("diff", "--brief", *pair).expect(1)


def test_a_source_on_a_read_only_file_system(aefsync: Program, pair: Pair) -> None:
    """It cannot remember anything; what can be done with it all the same is said."""
    tree(pair.a, {"f": "new", "d/g": "1"}, mtime_ns=BASE_NS + SECOND)
    tree(pair.b, {"f": "old"})
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" || exit 98; "$@"'
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    mounted = aefsync.under(*unshare, "sh", "-c", script, pair.a)
    done = mounted("repair", *pair)
    if done.code == 98 or b"unshare" in done.err:
        pytest.skip("no mount namespaces here")
    done.expect(3)
    first, second = done.err.decode().splitlines()
    assert first == f"aefsync: {pair.a}: cannot be written: read-only file system"
    assert "--mirror" in second
    assert (pair.b / "f").read_text() == "old"
    mounted("repair", "--mirror", *pair).expect(0)
    assert judge(*pair) == []


def test_no_room(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"f": b"x" * 10_000})
    tree(pair.b, {})
    for options in ([], ["-n"]):
        done = aefsync("repair", "--min-free", "100%", *options, *pair).expect(5)
        assert b"expected room for 12.3 kB with 100 % of" in done.err
        assert not (pair.b / "f").exists()
    aefsync("repair", "--min-free", "0%", *pair).expect(0)
    aefsync("repair", "--min-free", "100%", *pair).expect(0)


def test_no_trash(aefsync: Program, pair: Pair) -> None:
    diverged(aefsync, pair)
    done = aefsync("repair", "--mirror", "--no-trash", *pair).expect(0)
    assert b"gone for good (--no-trash)" in done.out
    assert b"undo:" not in done.out
    assert judge(*pair) == []
    assert list((pair.b / ".aefsync" / "trash").iterdir()) == []
    for wrong in (["--trash-keep", "1d"], ["--trash-max", "1%"]):
        aefsync("repair", "--no-trash", *wrong, *pair).expect(2)
    aefsync("repair", "--trash-max", "much", *pair).expect(2)
    aefsync("repair", "--durability", "some", *pair).expect(2)
