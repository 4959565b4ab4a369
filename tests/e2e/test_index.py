"""The index: shared, and worth nothing but time; whatever happens to it, results stay right."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.program import Program
from tests.support.trees import BASE_NS, judge, survey, tree, write

FILES = {f"d{number % 7}/f{number}": str(number) for number in range(200)}


def delete(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    os.truncate(path, os.stat(path).st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def garble(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(max(4096, path.stat().st_size)))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    source = random.Random(2)
    for _ in range(max(1, len(data) // 200)):
        data[source.randrange(len(data))] ^= 1 << source.randrange(8)
    path.write_bytes(data)


def forbid(path: Path) -> None:
    path.unlink()
    path.mkdir()


SPOILERS = [delete, truncate, empty, garble, flip, forbid]


def index_files(*places: Path) -> list[Path]:
    """Every file of every index: in the roots, and in the cache."""
    found = [path for place in places for path in place.rglob("index*") if path.is_file()]
    return sorted(path for path in found if ".aefsync" in path.parts or "aefsync" in path.parts)


def repaired(aefsync: Program, pair: Pair) -> None:
    """Two trees after a repair that had something to write on each, so that each has its `.aefsync/`."""
    for root in pair:
        tree(root, {**FILES, f"only-{root.name}": "1"})
    aefsync("repair", *pair).expect(0)


@pytest.mark.parametrize("spoil", SPOILERS)
def test_a_spoilt_index_in_the_root(aefsync: Program, pair: Pair, spoil: Callable[[Path], None]) -> None:
    repaired(aefsync, pair)
    places = index_files(*pair)
    assert places, "there is an index"
    for path in places:
        spoil(path)
    write(pair.a / "d0" / "f0", b"changed", mtime_ns=BASE_NS + 1)
    aefsync("repair", *pair).expect(0)
    assert (pair.b / "d0" / "f0").read_bytes() == b"changed"
    assert judge(*pair) == []
    aefsync("diff", "-c", *pair).expect(0)
    before = [survey(root, exact=True) for root in pair]
    aefsync("repair", *pair).expect(0)
    assert [survey(root, exact=True) for root in pair] == before


@pytest.mark.parametrize("spoil", SPOILERS)
def test_a_spoilt_index_in_the_cache(aefsync: Program, pair: Pair, home: Path, spoil: Callable[[Path], None]) -> None:
    for root in pair:
        tree(root, FILES)
    aefsync("diff", *pair).expect(0)
    places = sorted(path for path in (home / "cache" / "aefsync").rglob("*") if path.is_file())
    assert places, "there is an index"
    for path in places:
        if path.exists():
            spoil(path)
    write(pair.b / "d1" / "f1", b"!")
    assert aefsync("diff", *pair).expect(1).lines == ["? d1/f1"]
    assert aefsync("diff", *pair).expect(1).lines == ["? d1/f1"]


def test_without_a_cache_directory(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    for root in pair:
        tree(root, FILES)
    (tmp_path / "file").write_text("in the way")
    for place in ("/proc/nowhere", str(tmp_path / "file" / "below")):
        aefsync("diff", "--cache-dir", place, *pair).expect(0)
        aefsync("diff", *pair, env={"XDG_CACHE_HOME": place}).expect(0)
    aefsync("diff", "--cache-dir", tmp_path / "own", *pair).expect(0)
    assert any((tmp_path / "own").rglob("*"))


def test_deleting_everything_that_may_be_deleted(aefsync: Program, pair: Pair, home: Path) -> None:
    repaired(aefsync, pair)
    for root in pair:
        for path in (root / ".aefsync").iterdir():
            if path.name not in {"id", "runs", "trash"}:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(home / "cache", ignore_errors=True)
    summary = aefsync("repair", "--json", *pair).expect(0).summary
    assert (summary["equal"], summary["copied_files"]) == (True, 0)


def test_an_edit_that_keeps_size_and_mtime_is_seen(aefsync: Program, pair: Pair) -> None:
    """Right after a run, so that times alone cannot tell (the racy case)."""
    repaired(aefsync, pair)
    place = pair.b / "d3" / "f3"
    before = os.stat(place)
    with place.open("r+b") as file:
        file.write(b"!")
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert aefsync("diff", *pair).expect(1).lines == ["? d3/f3"]


def test_a_root_that_moved_is_read_again_or_found_again(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    for root in pair:
        tree(root, FILES)
    aefsync("diff", *pair).expect(0)
    pair.b.rename(tmp_path / "C")
    tree(pair.b, {**FILES, "d0/f0": "X"})
    aefsync("diff", pair.a, tmp_path / "C").expect(0)
    assert aefsync("diff", *pair).expect(1).lines == ["? d0/f0"]
