"""`runs` and `undo`: what a run did is remembered, and taken back exactly."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.program import Program, finish, wait_until
from tests.support.trees import BASE_NS, SECOND, judge, link, odd_tree, survey, tree, write

pytestmark = pytest.mark.usefixtures("last_write_wins")

LATER = BASE_NS + SECOND


def last_line(aefsync: Program, *args: str | Path) -> str:
    return aefsync(*args).expect(0).lines[-1]


def test_a_wrong_mirror_is_undone_exactly(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    """rsync is the judge: times, modes, links, kinds and bytes are all as they were."""
    library = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(library / "email", pair.b / "email", symlinks=True)
    shutil.copytree(library / "json", pair.b / "json", symlinks=True)
    odd_tree(pair.b / "odd")
    shutil.rmtree(pair.b / "odd" / "specials")
    link(pair.b / "link", b"email")
    write(pair.b / "kind", b"a file")
    (pair.b / "shut").mkdir()
    write(pair.b / "shut" / "inside", b"1", mode=0o400)
    (pair.b / "shut").chmod(0o555)
    shutil.copytree(library / "json", pair.a / "json")
    tree(pair.a, {"kind/now/a/directory": "1", "json/decoder.py": "wrong", "new": "2"})
    (pair.a / "json" / "scanner.py").chmod(0o600)
    kept = tmp_path / "kept"
    subprocess.run(["cp", "-a", pair.b, kept], check=True)
    assert judge(kept, pair.b) == []
    aefsync("repair", "--mirror", "--max-delete", "100%", *pair).expect(0)
    assert judge(*pair) == []
    aefsync("undo", pair.b, "last").expect(0)
    assert judge(kept, pair.b) == []
    aefsync("undo", pair.b, "last").expect(0)
    assert judge(*pair) == []


def test_the_last_line_names_the_command(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "new"}, mtime_ns=LATER)
    tree(pair.b, {"x": "old", "y": "1"})
    line = last_line(aefsync, "repair", *pair)
    words = line.partition("undo: aefsync ")[2].split()
    assert words[:-1] == ["undo", str(pair.a), str(pair.b)]
    before = survey(pair.a)
    aefsync(*words).expect(0)
    assert (pair.b / "x").read_text() == "old"
    assert not (pair.a / "y").exists()
    assert survey(pair.a) != before


def test_runs_are_listed_newest_first(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "new", "only": "a"}, mtime_ns=LATER)
    tree(pair.b, {"x": "old", "extra": "1"})
    assert aefsync("runs", pair.b).expect(0).out == b""
    assert not (pair.b / ".aefsync").exists()
    aefsync("repair", "--mirror", *pair).expect(0)
    aefsync("undo", pair.b, "last").expect(0)
    newer, older = aefsync("runs", pair.b).expect(0).lines
    first = older.split()[0]
    assert older.endswith("repair --mirror")
    assert "1 created, 1 replaced, 1 deleted" in older
    assert newer.endswith(f"undo {first}")
    event = aefsync("runs", pair.b, "--json").expect(0).events[2]
    assert (event["event"], event["run"], event["command"]) == ("run", first, "repair --mirror")
    assert [each["location"] for each in event["replicas"]] == [str(pair.a), str(pair.b)]
    assert (event["created"], event["replaced"], event["deleted"]) == (1, 1, 1)


def test_a_dry_run_says_the_same_and_does_nothing(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"dir/x": "new", "dir/sub/only": "a"}, mtime_ns=LATER)
    tree(pair.b, {"dir/x": "old", "extra/deep": "1"})
    aefsync("repair", "--mirror", *pair).expect(0)
    before = survey(pair.b, exact=True)
    planned = aefsync("undo", pair.b, "last", "-n").expect(0).lines
    assert survey(pair.b, exact=True) == before
    done = aefsync("undo", pair.b, "last", "-i").expect(0).lines
    assert planned[:-1] == done[:-1]
    assert ">A copy dir/x" in done
    assert planned[-1].endswith("nothing was changed")


def test_what_was_touched_since_stays(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "new", "d/new": "1", "e": "2"}, mtime_ns=LATER)
    tree(pair.b, {"x": "old", "gone": "3"})
    aefsync("repair", "--mirror", *pair).expect(0)
    write(pair.b / "x", b"mine")
    write(pair.b / "d" / "also", b"mine")
    write(pair.b / "gone", b"mine")
    for options in (["-n"], []):
        done = aefsync("undo", *options, pair.b, "last").expect(1)
        assert sorted(line.split()[2] for line in done.err.decode().splitlines() if line.startswith("!")) == [
            "d:",
            "gone:",
            "x:",
        ]
    assert {name: (pair.b / name).read_text() for name in ("x", "d/also", "gone")} == dict.fromkeys(
        ("x", "d/also", "gone"), "mine"
    )
    assert not (pair.b / "d" / "new").exists()
    assert not (pair.b / "e").exists()


def test_what_was_moved_moves_back_unless_its_place_is_taken(aefsync: Program, pair: Pair) -> None:
    """The mirror moves what it finds by content, and sets its time: both are taken back, or said not to be."""
    names = {"free": "first", "taken": "second", "dir/a": "third", "dir/b": "fourth"}
    tree(pair.b, names)
    tree(pair.a, {f"new/{name}": text for name, text in names.items()}, mtime_ns=LATER)
    before = survey(pair.b)
    aefsync("repair", "--mirror", "--max-delete", "100%", *pair).expect(0)
    write(pair.b / "taken", b"mine")
    planned = aefsync("undo", "-n", pair.b, "last").expect(1)
    done = aefsync("undo", "-i", pair.b, "last").expect(1)
    assert sorted(planned.lines[:-1]) == sorted(done.lines[:-1])
    told = [sorted(line for line in each.err.splitlines() if line.startswith(b"!")) for each in (planned, done)]
    assert told[0] == told[1]
    after = survey(pair.b)
    assert {name: after.get(name) for name in before if "taken" not in str(name)} == {
        name: seen for name, seen in before.items() if "taken" not in str(name)
    }
    assert (pair.b / "taken").read_text() == "mine"
    assert (pair.b / "new" / "taken").read_text() == "second"


def test_undone_on_all_replicas_they_are_as_before(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "new", "a": "1"}, mtime_ns=LATER)
    tree(pair.b, {"x": "old", "b": "1"})
    before = [survey(root) for root in pair]
    aefsync("repair", *pair).expect(0)
    done = aefsync("undo", *pair, "last").expect(0)
    assert [survey(root) for root in pair] == before
    assert f"aefsync repair --mirror {pair.a} {pair.b}".encode() in done.err
    aefsync("repair", *pair).expect(0)
    assert judge(*pair) == []


def test_a_replica_that_was_not_given_is_named(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "new", "a": "1"}, mtime_ns=LATER)
    tree(pair.b, {"x": "old", "b": "1"})
    aefsync("repair", *pair).expect(0)
    (run,) = [line.split()[0] for line in aefsync("runs", pair.b).expect(0).lines]
    done = aefsync("undo", pair.b, run).expect(0)
    assert f"aefsync undo {pair.a} {pair.b} {run}".encode() in done.err


def test_bad_words(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "1"})
    aefsync("undo", pair.a).expect(2)
    aefsync("undo", pair.a, "yesterday").expect(2)
    aefsync("undo", pair.a, "last").expect(3)
    aefsync("undo", pair.a, "20200101T000000Z-abcd").expect(3)
    assert not (pair.a / ".aefsync").exists()


def test_a_killed_run_is_taken_back(aefsync: Program, pair: Pair) -> None:
    many = {f"d{number % 40}/f{number}": str(number) for number in range(1200)}
    tree(pair.a, {f"new{path}": f"{text} is new" for path, text in many.items()})
    tree(pair.b, many)
    before = survey(pair.b)
    process = aefsync.start("repair", "--mirror", "--max-delete", "100%", "--allow-unrelated-roots", *pair)
    runs = pair.b / ".aefsync" / "runs"
    wait_until(lambda: runs.exists() and any(file.stat().st_size > 10_000 for file in runs.iterdir()), "a journal")
    os.killpg(process.pid, signal.SIGKILL)
    finish(process)
    for replica in aefsync.processes():
        os.kill(replica, signal.SIGKILL)
    wait_until(lambda: not aefsync.processes(), "its processes to end")
    assert survey(pair.b) != before
    aefsync("undo", pair.b, "last").expect(0)
    assert survey(pair.b) == before


def test_purged_trash_takes_its_journal_along(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "new"}, mtime_ns=LATER)
    tree(pair.b, {"x": "old"})
    aefsync("repair", *pair).expect(0)
    assert os.listdir(pair.b / ".aefsync" / "runs")
    aefsync("trash", pair.b, "purge", "--older-than", "0s").expect(0)
    assert os.listdir(pair.b / ".aefsync" / "runs") == []
    assert aefsync("runs", pair.b).expect(0).out == b""


@pytest.mark.parametrize("words", [["runs"], ["undo", "-n"]])
def test_reading_writes_nothing(aefsync: Program, pair: Pair, words: list[str]) -> None:
    tree(pair.a, {"x": "new"}, mtime_ns=LATER)
    tree(pair.b, {"x": "old"})
    aefsync("repair", *pair).expect(0)
    before = survey(pair.b, exact=True)
    aefsync(*words, pair.b, *(["last"] if "undo" in words else [])).expect(0)
    assert survey(pair.b, exact=True) == before


def test_extended_attributes_come_back(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, {"x": "same", "d/y": "same"})
        os.setxattr(root / "x", b"user.said", root.name.encode())
        os.setxattr(root / "d", b"user.said", root.name.encode())
    aefsync("repair", "--mirror", "-X", *pair).expect(0)
    assert os.getxattr(pair.b / "x", b"user.said") == os.getxattr(pair.b / "d", b"user.said") == b"A"
    aefsync("undo", pair.b, "last").expect(0)
    assert os.getxattr(pair.b / "x", b"user.said") == os.getxattr(pair.b / "d", b"user.said") == b"B"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owners_come_back(aefsync: Program, pair: Pair) -> None:
    for number, root in enumerate(pair):
        tree(root, {"x": "same"})
        os.chown(root / "x", 1000 + number, 2000 + number)
    aefsync("repair", "--mirror", "--owner", "--numeric-ids", *pair).expect(0)
    assert (os.stat(pair.b / "x").st_uid, os.stat(pair.b / "x").st_gid) == (1000, 2000)
    aefsync("undo", pair.b, "last").expect(0)
    assert (os.stat(pair.b / "x").st_uid, os.stat(pair.b / "x").st_gid) == (1001, 2001)
    aefsync("undo", pair.b, "last").expect(0)
    assert (os.stat(pair.b / "x").st_uid, os.stat(pair.b / "x").st_gid) == (1000, 2000)
