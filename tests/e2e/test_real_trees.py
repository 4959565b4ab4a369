"""Real trees and the oddest one, repaired both ways with rsync as judge; and that a second repair touches nothing."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.program import Program
from tests.support.trees import (
    BASE_NS,
    IS_ROOT,
    SECOND,
    deep_tree,
    judge,
    odd_tree,
    survey,
    tree,
    without_specials,
    write,
)


def standard_library(root: Path) -> None:
    """The Python installation that runs the tests, without its site-packages and caches."""
    leave = shutil.ignore_patterns("site-packages", "__pycache__", "test", "config-*")
    shutil.copytree(sysconfig.get_path("stdlib"), root, symlinks=True, ignore=leave)


def git_repository(root: Path) -> None:
    """A repository with a history of its own: branches, a tag, packed and loose objects, read-only files."""
    root.mkdir()
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "gc.auto=0"]

    def git(*args: str) -> None:
        subprocess.run(["git", *identity, *args], cwd=root, check=True, capture_output=True, stdin=subprocess.DEVNULL)

    git("init", "-q", "-b", "main")
    for number in range(30):
        write(root / f"dir{number % 4}" / f"file{number}.txt", b"line\n" * number, mtime_ns=BASE_NS + number)
        git("add", "-A")
        git("commit", "-q", "-m", f"change {number}")
        if number == 10:
            git("repack", "-adq")
        if number % 10 == 5:
            git("branch", f"branch-{number}")
            git("tag", "-a", f"v{number}", "-m", "a tag")


def damage(root: Path, seed: int) -> None:
    """Change, remove and add things at random: with seed 0 not what is changed with 1, so that nothing is a conflict."""
    source = random.Random(seed)
    ours = [path for path in sorted(root.iterdir()) if path.name != ".aefsync"]
    below = (path for top in ours for path in [top, *top.rglob("*")])
    files = sorted(path for path in below if path.is_file() and not path.is_symlink())
    for path in source.sample(files[seed::2], min(40, len(files) // 4)):
        choice = source.randrange(4)
        stamp = os.stat(path).st_mtime_ns + SECOND
        if choice == 0:
            path.unlink()
        elif choice == 1:
            os.chmod(path, 0o600)
            os.utime(path, ns=(stamp, stamp))
        elif choice == 2:
            data = path.read_bytes()
            path.unlink()
            write(path, data + b"more", mtime_ns=stamp)
        else:
            write(path.with_name(f"{path.name}.added-{seed}"), source.randbytes(source.randrange(100_000)))
    shutil.rmtree(next(path for path in ours if path.is_dir()))


@pytest.mark.parametrize("make", [standard_library, git_repository])
def test_real_trees(aefsync: Program, pair: Pair, make: Callable[[Path], None]) -> None:
    make(pair.a)
    aefsync("repair", *pair).expect(0)
    assert judge(*pair) == []
    aefsync("diff", *pair).expect(0)
    for seed, root in enumerate(pair):
        damage(root, seed)
    aefsync("diff", *pair).expect(1)
    aefsync("repair", *pair).expect(0)
    assert judge(*pair) == []
    before = [survey(root, exact=True) for root in pair]
    aefsync("repair", *pair).expect(0)
    assert [survey(root, exact=True) for root in pair] == before
    aefsync("diff", "-c", *pair).expect(0)


@pytest.mark.slow
def test_a_large_installed_tree(aefsync: Program, pair: Pair) -> None:
    if not Path("/usr/share").is_dir():
        pytest.skip("no /usr/share here")
    part = min(Path("/usr/share").iterdir(), key=lambda path: path.name != "doc")
    aefsync("repair", "--mirror", part, pair.b).expect(0, 4)
    assert judge(part, pair.b) == []
    assert not (part / ".aefsync").exists()


@pytest.mark.parametrize("swap", [False, True])
def test_the_odd_tree(aefsync: Program, pair: Pair, swap: bool) -> None:
    odd_tree(pair.a)
    tree(pair.b, {})
    source = survey(pair.a, exact=True)
    done = aefsync("repair", *(pair[::-1] if swap else pair)).expect(0)
    assert survey(pair.a, exact=True) == source
    assert judge(*pair) == []
    assert without_specials(survey(pair.a)) == without_specials(survey(pair.b))
    assert without_specials(survey(pair.b)) == survey(pair.b), "no special is made"
    assert 1 <= sum(b"FIFO" in line or b"socket" in line for line in done.err.splitlines()) <= 2
    before = [survey(root, exact=True) for root in pair]
    again = aefsync("repair", "--json", *pair).expect(0)
    assert [survey(root, exact=True) for root in pair] == before
    assert [each for each in again.events if each["event"] == "action"] == []
    aefsync("diff", *pair).expect(0)


@pytest.mark.usefixtures("last_write_wins")
def test_the_odd_tree_met_halfway(aefsync: Program, pair: Pair) -> None:
    """Both sides hold a part; every file that is there twice is newer on one side."""
    for root in pair:
        odd_tree(root)
    source = random.Random(7)
    for number, path in enumerate(sorted(survey(pair.a))):
        place = os.path.join(os.fsencode(pair[number % 2]), path)
        if not os.path.lexists(place) or source.random() < 0.5:
            continue
        if os.path.islink(place) or (os.path.isfile(place) and number % 3):
            os.unlink(place)
        elif os.path.isfile(place):
            write(place, b"%d" % number, mtime_ns=max(0, min(os.stat(place).st_mtime_ns, BASE_NS)) + SECOND)
    aefsync("diff", *pair).expect(1)
    aefsync("repair", *pair).expect(0)
    assert judge(*pair) == []
    assert without_specials(survey(pair.a)) == without_specials(survey(pair.b))


def test_deeper_than_a_path_may_be_long(aefsync: Program, pair: Pair) -> None:
    deep_tree(pair.a)
    tree(pair.b, {})
    aefsync("repair", *pair).expect(0)
    assert survey(pair.a) == survey(pair.b)
    aefsync("diff", *pair).expect(0)
    before = survey(pair.b, exact=True)
    aefsync("repair", *pair).expect(0)
    assert survey(pair.b, exact=True) == before
    tree(pair.a.parent / "empty", {})
    mirror = ["repair", "--mirror", "--allow-empty-root", "--max-delete", "100%"]
    aefsync(*mirror, pair.a.parent / "empty", pair.b).expect(0)
    assert survey(pair.b) == {}


def test_a_huge_directory_and_a_huge_file(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"d/": None})
    tree(pair.b, {})
    for number in range(5000):
        write(pair.a / "d" / f"{number:05}", b"%d" % number)
    block = random.Random(3).randbytes(1 << 20)
    write(pair.a / "huge", block * 40)
    aefsync("repair", *pair).expect(0)
    assert judge(*pair) == []
    write(pair.b / "huge", block * 20 + b"!" + block * 20, mtime_ns=BASE_NS + SECOND)
    aefsync("repair", *pair).expect(0)
    assert judge(*pair) == []


@pytest.mark.skipif(not IS_ROOT, reason="only root can make files of others")
def test_files_of_other_owners(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "1", "d/y": "2"})
    os.chown(pair.a / "x", 12345, 54321)
    tree(pair.b, {})
    aefsync("repair", *pair).expect(0)
    assert judge(*pair) == []
