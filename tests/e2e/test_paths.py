"""`--path`: only chosen sub-trees, and options that end a run early or let it do less."""

from __future__ import annotations

import fcntl
import os

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.program import Program
from tests.support.trees import judge, survey, tree


@pytest.fixture
def differing(pair: Pair) -> Pair:
    tree(pair.a, {"docs/sub/x": "1", "docs/beside": "2", "other/y": "3", "top": "4"})
    tree(pair.b, {"other/z": "5"})
    return pair


def paths(aefsync: Program, pair: Pair, *chosen: str) -> list[str]:
    return aefsync("diff", "-v", *pair, *(f"--path={each}" for each in chosen)).expect(0, 1).lines


def test_only_the_chosen_is_compared(aefsync: Program, differing: Pair) -> None:
    assert paths(aefsync, differing, "docs/sub") == ["< docs/sub/", "< docs/sub/x"]
    assert paths(aefsync, differing, "./top", "other/") == ["< other/y", "> other/z", "< top"]
    assert len(paths(aefsync, differing, "docs", ".")) == len(paths(aefsync, differing)) == 7


def test_only_the_chosen_is_repaired(aefsync: Program, differing: Pair) -> None:
    os.chmod(differing.a / "docs", 0o711)
    aefsync("repair", *differing, "--path", "docs/sub").expect(0)
    assert set(survey(differing.b)) - {b""} == {b"docs", b"docs/sub", b"docs/sub/x", b"other", b"other/z"}
    assert aefsync("repair", "-i", *differing, "--path", "docs/sub").expect(0).out == b""
    os.chmod(differing.a / "docs", 0o755)
    done = aefsync("repair", "-i", *differing, "--path", "docs/sub").expect(0)
    assert done.out == b""
    assert os.stat(differing.b / "docs").st_mode & 0o777 == 0o711


def test_a_mirror_takes_nothing_above_the_chosen(aefsync: Program, differing: Pair) -> None:
    tree(differing.b, {"docs/sub/gone": "1", "docs/stays": "1"})
    os.rename(differing.a / "docs", differing.a / "moved")
    aefsync("repair", "--mirror", *differing, "--path", "docs/sub").expect(0)
    assert os.listdir(differing.b / "docs") == ["stays"]
    aefsync("diff", *differing, "--path", "docs/sub").expect(2)


@pytest.mark.parametrize("path", ["../x", "/abs", "a/../../x", "", "none", ".aefsync/id", "top/x"])
def test_paths_that_are_none(aefsync: Program, differing: Pair, path: str) -> None:
    for command in ("diff", "repair"):
        done = aefsync(command, *differing, "--path", path).expect(2)
        assert done.out == b""
        assert 1 <= len(done.err.splitlines()) <= 2


def test_the_digest_of_a_path_is_that_of_it_alone(aefsync: Program, differing: Pair) -> None:
    whole = aefsync("digest", "--tree", "2", differing.a).expect(0).lines
    assert aefsync("digest", differing.a, "docs/sub").expect(0).lines[0] in whole
    aefsync("digest", differing.a, "none").expect(2)


def test_a_mirror_without_deletes(aefsync: Program, differing: Pair) -> None:
    tree(differing.b, {"top/is/a/directory": "1"})
    done = aefsync("repair", "--mirror", "--no-delete", "--json", *differing).expect(0)
    assert (done.summary["deleted"], done.summary["equal"]) == (0, False)
    assert [line[:2] for line in aefsync("diff", *differing).expect(1).lines] == ["> ", "k ", "> "]
    assert aefsync("repair", "--mirror", "--no-delete", *differing).expect(0).out == b""
    aefsync("repair", "--mirror", *differing).expect(0)
    assert judge(*differing) == []


def test_what_is_filtered_is_listed(aefsync: Program, differing: Pair) -> None:
    words = ["--exclude", "docs/", "--exclude", "z", "--list-filtered"]
    assert aefsync("diff", *differing, *words).expect(1).lines == ["f A docs/", "f B other/z", "< other/y", "< top"]
    events = aefsync("diff", "--json", *differing, *words).expect(1).events
    filtered = [event for event in events if event["event"] == "filtered"]
    assert filtered[0] == {"event": "filtered", "path": "docs", "replica": 0, "directory": True}


def test_a_run_whose_time_is_up_ends_and_the_next_one_goes_on(aefsync: Program, differing: Pair) -> None:
    done = aefsync("repair", "--json", "--max-duration", "0s", *differing).expect(4)
    assert "max duration" in done.summary["causes"]
    assert b"--max-duration" in aefsync("repair", "--max-duration", "0s", *differing).expect(4).err
    aefsync("repair", "--max-duration", "1h", *differing).expect(0)
    aefsync("repair", "--max-duration", "0s", *differing).expect(0)
    aefsync("repair", "--max-duration", "soon", *differing).expect(2)


def test_a_lock_is_waited_for(aefsync: Program, differing: Pair) -> None:
    aefsync("repair", *differing).expect(0)
    with open(differing.b / ".aefsync" / "lock", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("pid 4711, run r\n")
        lock.flush()
        done = aefsync("repair", *differing).expect(6)
        assert b"pid 4711" in done.err
        waiting = aefsync.start("repair", "--lock-wait", "60s", *differing)
        aefsync("diff", *differing).expect(0)
        assert waiting.poll() is None
    assert waiting.communicate()[1] == b""
    assert waiting.returncode == 0
