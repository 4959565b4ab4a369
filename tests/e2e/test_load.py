"""Much at once: many runs on one pair, many conflicts in one, many files in one directory; what is huge, and what is deep."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.measure import Command
from tests.e2e.conftest import Pair
from tests.e2e.program import Arg, Program, finish
from tests.support.trees import BASE_NS, SECOND, deep_tree, judge, tree, write

RUNS = 16
CONFLICTS = int(os.environ.get("AEFSYNC_TEST_CONFLICTS", "10000"))
MANY = int(os.environ.get("AEFSYNC_TEST_MANY", "1000000"))
LEVELS = 1000
HUGE = 20 << 30
MOST_MIB = 190
"""What one process may take: 200 MB."""
LONGEST_S = 600


def contents(*roots: Path) -> set[bytes]:
    files = (Path(directory) / name for root in roots for directory, _, names in os.walk(root) for name in names)
    return {path.read_bytes() for path in files}


@pytest.mark.slow
def test_many_runs_at_the_same_moment(tmp_path: Path, aefsync: Program) -> None:
    own = {f"d{i % 10}/{i}": f"A {i}" for i in range(300)}, {f"d{i % 10}/{i + 100}": f"B {i}" for i in range(300)}
    a, b = tree(tmp_path / "A", dict(own[0])), tree(tmp_path / "B", dict(own[1]), mtime_ns=BASE_NS + SECOND)
    before = contents(a, b)
    started = [aefsync.start("repair", a, b) for _ in range(RUNS)]
    for process in started:
        finish(process, LONGEST_S).expect(0, 1, 6)
    assert before <= contents(a, b)
    aefsync("repair", a, b).expect(0, 1)
    assert judge(a, b) == []
    assert aefsync("repair", a, b).expect(0).out == b""


@pytest.mark.slow
def test_many_conflicts_at_once(tmp_path: Path, aefsync: Program) -> None:
    names = [f"d{i // 500}/{i}.txt" for i in range(CONFLICTS)]
    a, b = tree(tmp_path / "A", dict.fromkeys(names, "once")), tmp_path / "B"

    def run(*args: str, code: int = 0) -> list[str]:
        return finish(aefsync.start(args[0], a, b, *args[1:]), LONGEST_S).expect(code).lines

    run("repair")
    for later, root in enumerate((a, b), 1):
        tree(root, {name: f"edited at {root.name} {name}" for name in names}, mtime_ns=BASE_NS + later * SECOND)
    edited = contents(a, b) - contents(a / ".aefsync", b / ".aefsync")
    run("repair", code=1)
    assert judge(a, b) == []
    assert len(list(a.glob("d*/*.conflict-*"))) == CONFLICTS
    listed = [line for line in run("conflicts", "list") if ".conflict-" in line]
    assert len(listed) >= CONFLICTS
    run("conflicts", "resolve", "--all", "--take", "copy")
    assert not list(a.glob("d*/*.conflict-*"))
    run("repair")
    assert judge(a, b) == []
    run("undo", "last")
    assert len(list(b.glob("d*/*.conflict-*"))) == CONFLICTS
    run("repair")
    assert judge(a, b) == []
    assert edited <= contents(a, b)


def peak_mib(aefsync: Program, *words: Arg, codes: tuple[int, ...] = (0,)) -> float:
    """Run the program; what its largest process took."""
    return Command([*aefsync.argv, *words], env=aefsync.environment(), codes=codes).run().peak_mib


@pytest.mark.slow
@pytest.mark.parametrize("folders", [1, 1000])
def test_many_files_of_long_names(aefsync: Program, pair: Pair, folders: int) -> None:
    def path(root: Path, number: int) -> Path:
        return root / f"d{number % folders}" / f"{number:07} {'a long name ' * 10}"

    # No list of them, here and below: what is started here counts what this process took as its own.
    for number in range(MANY):
        write(path(pair.a, number), b"%d" % number if number % 50 == 0 else b"")
    peaks = [peak_mib(aefsync, "repair", *pair) for _ in range(2)]
    for number, root in enumerate(pair, 1):
        write(root / "d0" / f"new at {root.name}", b"new", mtime_ns=BASE_NS + number * SECOND)
        path(root, number * 50).unlink()
    peaks.append(peak_mib(aefsync, "repair", *pair))
    print(
        f"peaks of a first repair, of one with nothing to do, and of a small one: {[round(each) for each in peaks]} MiB"
    )
    assert judge(*pair) == []
    assert sum(1 for number in range(folders) for _ in os.scandir(pair.b / f"d{number}")) == MANY
    assert max(peaks) < MOST_MIB


@pytest.mark.slow
def test_a_huge_sparse_file(aefsync: Program, pair: Pair) -> None:
    places = [0, HUGE // 3 + 5, HUGE - 7]

    def write_at(root: Path, at: int, data: bytes) -> None:
        with (root / "sparse").open("r+b") as file:
            file.seek(at)
            file.write(data)

    def check(data: list[bytes]) -> None:
        for root in pair:
            assert (root / "sparse").stat().st_size == HUGE
            assert (root / "sparse").stat().st_blocks * 512 < 1 << 20, "holes stay holes"
            with (root / "sparse").open("rb") as file:
                assert [(file.seek(at), file.read(len(each)))[1] for at, each in zip(places, data, strict=True)] == data

    write(pair.a / "sparse", b"")
    os.truncate(pair.a / "sparse", HUGE)
    for at in places:
        write_at(pair.a, at, b"written")
    for data in (b"written", b"changed"):
        if data == b"changed":
            write_at(pair.b, places[1], data)
        assert peak_mib(aefsync, "repair", *pair, "--min-free", "0") < MOST_MIB
        check([b"written", data, b"written"])


@pytest.fixture
def deep(pair: Pair) -> Iterator[Pair]:
    """A pair that may be too deep for whatever removes the directories of tests."""
    yield pair
    subprocess.run(["rm", "-rf", *pair], check=True)


@pytest.mark.slow
def test_a_thousand_levels(aefsync: Program, deep: Pair) -> None:
    deep_tree(deep.a, LEVELS, b"deep" * 10)
    for words in (("repair",), ("diff",)):
        assert peak_mib(aefsync, *words, *deep) < MOST_MIB
    empty = tree(deep.a.parent / "empty", {})
    everything = ("--mirror", "--allow-empty-root", "--max-delete", "100%")
    assert peak_mib(aefsync, "repair", *everything, empty, deep.b) < MOST_MIB
    assert [each.name for each in deep.b.iterdir()] == [".aefsync"]


@pytest.mark.slow
def test_paths_too_long_to_be_told(aefsync: Program, deep: Pair) -> None:
    deep_tree(deep.a, LEVELS)
    tree(deep.a, {"other": "1"})
    tree(deep.b, {"from B": "2"})
    for _ in range(2):
        done = finish(aefsync.start("repair", *deep), LONGEST_S).expect(4)
        assert b"holds paths of more than 65536 bytes" in done.err
    assert (deep.b / "other").read_text() == "1"
    assert (deep.a / "from B").read_text() == "2"
