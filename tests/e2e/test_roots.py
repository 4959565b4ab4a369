"""Roots that cannot be used: each gets one clear line and its exit code, and nothing is made or changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.program import ORDINARY, Program
from tests.support.trees import survey, tree

Make = Callable[[Path], tuple[Path, Path]]


def is_file(place: Path) -> tuple[Path, Path]:
    (place / "B").write_text("x")
    return place / "A", place / "B"


def is_missing(place: Path) -> tuple[Path, Path]:
    return place / "A", place / "no" / "such" / "place"


def is_dangling(place: Path) -> tuple[Path, Path]:
    (place / "B").symlink_to("nowhere/at/all")
    return place / "A", place / "B"


def is_same(place: Path) -> tuple[Path, Path]:
    return place / "A", place / "A"


def is_same_by_slash(place: Path) -> tuple[Path, Path]:
    return place / "A", Path(f"{place}/./A/dir/..")


def is_same_by_link(place: Path) -> tuple[Path, Path]:
    (place / "B").symlink_to("A")
    return place / "A", place / "B"


def is_below(place: Path) -> tuple[Path, Path]:
    return place / "A", place / "A" / "dir"


def is_above(place: Path) -> tuple[Path, Path]:
    return place / "A" / "dir", place / "A"


def is_below_by_link(place: Path) -> tuple[Path, Path]:
    (place / "B").symlink_to("A/dir")
    return place / "A", place / "B"


def is_shut(place: Path) -> tuple[Path, Path]:
    tree(place / "B", {"x": "1"}).chmod(0)
    return place / "A", place / "B"


FATAL = [is_file, is_missing, is_dangling, is_shut]
USAGE = [is_same, is_same_by_slash, is_same_by_link, is_below, is_above, is_below_by_link]


@pytest.mark.parametrize(("make", "code"), [(make, 3) for make in FATAL] + [(make, 2) for make in USAGE])
def test_roots_that_cannot_be_used(aefsync: Program, tmp_path: Path, make: Make, code: int) -> None:
    tree(tmp_path / "A", {"x": "1", "dir/y": "2"})
    roots = make(tmp_path)
    before = survey(tmp_path / "A", exact=True), sorted(os.listdir(tmp_path))
    program = aefsync.under(*ORDINARY) if make is is_shut else aefsync
    for command, expected in (("diff", 2), ("repair", code)):
        done = program(command, *roots).expect(expected)
        assert done.out == b""
        assert 1 <= len(done.err.splitlines()) <= 3, done.err
        assert any(str(root).encode() in done.err for root in roots) or code == 2
        done = program(command, "--json", *roots[::-1]).expect(expected)
        assert done.summary["exit_code"] == expected
    assert (survey(tmp_path / "A", exact=True), sorted(os.listdir(tmp_path))) == before
    assert not (tmp_path / "A" / ".aefsync").exists()


def test_diff_creates_no_root(aefsync: Program, tmp_path: Path) -> None:
    tree(tmp_path / "A", {"x": "1"})
    aefsync("diff", tmp_path / "A", tmp_path / "B").expect(2)
    assert not (tmp_path / "B").exists()


def test_repair_creates_the_last_component_with_a_notice(aefsync: Program, tmp_path: Path) -> None:
    tree(tmp_path / "A", {"x": "1"})
    aefsync("repair", "--no-create-root", tmp_path / "A", tmp_path / "B").expect(3)
    assert not (tmp_path / "B").exists()
    aefsync("repair", "-n", tmp_path / "A", tmp_path / "B").expect(0)
    assert not (tmp_path / "B").exists()
    done = aefsync("repair", tmp_path / "A", tmp_path / "B").expect(0)
    assert str(tmp_path / "B").encode() in done.err
    assert (tmp_path / "B" / "x").read_text() == "1"


def test_roots_may_be_links_have_slashes_and_odd_names(aefsync: Program, tmp_path: Path) -> None:
    tree(tmp_path / "real", {"x": "1"})
    (tmp_path / "link").symlink_to("real")
    odd = os.fsencode(tmp_path) + b"/-caf\xe9 \n[b]"
    os.mkdir(odd)
    aefsync("repair", f"{tmp_path}/link//", odd + b"/").expect(0)
    assert os.listdir(odd + b"/")
    assert (tmp_path / "link").is_symlink()
    aefsync("diff", tmp_path / "link", odd).expect(0)


def test_relative_roots(aefsync: Program, tmp_path: Path) -> None:
    tree(tmp_path / "a:b", {"x": "1"})
    tree(tmp_path / "-dash", {"x": "1"})
    aefsync("diff", "./a:b", "./-dash", cwd=tmp_path).expect(0)
    aefsync("diff", "--", "./a:b", "-dash", cwd=tmp_path).expect(0)


def test_works_without_home(aefsync: Program, tmp_path: Path) -> None:
    for name in "AB":
        tree(tmp_path / name, {"x": name})
    nothing = dict.fromkeys(("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"), "")
    aefsync("diff", tmp_path / "A", tmp_path / "B", env=nothing).expect(1)
    aefsync("repair", tmp_path / "A", tmp_path / "B", env={**nothing, "HOME": "/nonexistent"}).expect(0, 1)
