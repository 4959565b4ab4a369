"""Mount points below a root: unmounted, they are neither emptied nor filled, until the user says that it is meant."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.program import Program
from tests.support.trees import judge, tree

Mount = Callable[[Path], None]


@pytest.fixture(params=["tmpfs", "bind"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Mount, Mount]]:
    """How something is mounted, and unmounted: another file system, or a directory of the very same."""
    source = tree(tmp_path / "disk", {})
    words = ["-t", "tmpfs", "none"] if request.param == "tmpfs" else ["--bind", str(source)]
    mounted: list[Path] = []

    def mount(place: Path) -> None:
        if subprocess.run(["mount", *words, place], capture_output=True, check=False).returncode:
            pytest.skip("nothing can be mounted here")
        mounted.append(place)

    def unmount(place: Path) -> None:
        subprocess.run(["umount", place], check=True)
        mounted.remove(place)

    yield mount, unmount
    for place in mounted:
        unmount(place)


@pytest.mark.parametrize("options", [[], ["--mirror", "--max-delete", "100%"]])
def test_an_unmounted_disk_is_not_taken_for_an_empty_one(
    aefsync: Program, pair: Pair, disk: tuple[Mount, Mount], options: list[str]
) -> None:
    mount, unmount = disk
    tree(pair.a, {"x": "1", "media": None})
    mount(pair.a / "media")
    tree(pair.a, {"media/film": "1"})
    aefsync("repair", *options, *pair).expect(0)
    unmount(pair.a / "media")
    for _ in range(2):
        done = aefsync("repair", *options, *pair).expect(4)
        assert b"! A media: is no longer a mount point" in done.err
        assert os.listdir(pair.a / "media") == []
        assert os.listdir(pair.b / "media") == ["film"]
    aefsync("diff", *pair).expect(2)
    aefsync("repair", "-n", "--mirror", *pair).expect(4)
    aefsync("repair", *options, "--allow-new-root", *pair).expect(0)
    assert judge(*pair) == []
    aefsync("repair", *options, *pair).expect(0)


def test_who_has_never_seen_the_root_is_told_what_was_mounted(
    aefsync: Program, pair: Pair, disk: tuple[Mount, Mount], tmp_path: Path
) -> None:
    """What whoever starts a run remembers may be deleted at any time, and others may start the next one."""
    mount, unmount = disk
    tree(pair.a, {"x": "1", "media": None})
    mount(pair.a / "media")
    tree(pair.a, {"media/film": "1"})
    aefsync("repair", *pair).expect(0)
    unmount(pair.a / "media")
    for number, options in enumerate([[], ["--mirror"], ["-n"]]):
        done = aefsync("repair", *options, "--state-dir", tmp_path / str(number), *pair).expect(4)
        assert b"A media: is no longer a mount point" in done.err
        assert os.listdir(pair.b / "media") == ["film"]
    aefsync("diff", "--state-dir", tmp_path / "3", *pair).expect(2)
    aefsync("repair", "--allow-new-root", "--state-dir", tmp_path / "0", *pair).expect(0)
    assert judge(*pair) == []
    aefsync("repair", *pair).expect(0)
    mount(pair.a / "media")
    done = aefsync("repair", "--state-dir", tmp_path / "5", *pair).expect(4)
    assert b"A media: became a mount point" in done.err


def test_what_is_mounted_over_files_is_not_taken_for_them(
    aefsync: Program, pair: Pair, disk: tuple[Mount, Mount]
) -> None:
    mount, unmount = disk
    tree(pair.a, {"x": "1", "media/film": "1"})
    aefsync("repair", "--mirror", *pair).expect(0)
    mount(pair.a / "media")
    aefsync("repair", "--mirror", "--max-delete", "100%", *pair).expect(4)
    assert os.listdir(pair.b / "media") == ["film"]
    unmount(pair.a / "media")
    aefsync("repair", "--mirror", *pair).expect(0)
