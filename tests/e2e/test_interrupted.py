"""Runs that are killed, interrupted, cut off or not alone: the next one converges and nothing is left behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.freeze import frozen, strace
from tests.e2e.program import Program, finish, wait_until
from tests.support.trees import BASE_NS, SECOND, judge, survey, tree, write

pytestmark = pytest.mark.usefixtures("last_write_wins")

LATER = BASE_NS + 60 * SECOND
COUNT = 300


def diverged(pair: Pair) -> dict[str, set[bytes]]:
    """Two trees with all sorts of work to do; which contents each path may have, whenever one looks."""
    allowed: dict[str, set[bytes]] = {}
    for number in range(COUNT):
        name = f"d{number % 5}/f{number}"
        versions = [b"%d from %s" % (number, root.name.encode()) * (number + 1) for root in pair]
        allowed[name] = set(versions)
        for each, (root, data) in enumerate(zip(pair, versions, strict=True)):
            if number % 4 != each:
                write(root / name, data, mtime_ns=LATER + ((number + each) % 2) * SECOND)
    tree(pair.a, {"new/deep/er/file": "1", "empty/": None})
    return allowed


def check_contents(pair: Pair, allowed: dict[str, set[bytes]]) -> None:
    """No half file at a real path, and no version is lost."""
    for name, versions in allowed.items():
        found = {root: (root / name).read_bytes() for root in pair if (root / name).exists()}
        assert set(found.values()) <= versions, name
        assert found, name


def check_clean(pair: Pair) -> None:
    for root in pair:
        assert [path for path in (root / ".aefsync" / "tmp").rglob("*") if path.is_file()] == []
        assert not [path for path in survey(root) if b"aefsync" in path or path.endswith((b".part", b".tmp"))]


def converge(aefsync: Program, pair: Pair, allowed: dict[str, set[bytes]]) -> None:
    check_contents(pair, allowed)
    aefsync("repair", *pair).expect(0)
    assert judge(*pair) == []
    check_contents(pair, allowed)
    check_clean(pair)
    before = [survey(root, exact=True) for root in pair]
    aefsync("repair", *pair).expect(0)
    assert [survey(root, exact=True) for root in pair] == before


CALLS = [
    "renameat2:when=1", "renameat2:when=40", "renameat2:when=150", "renameat,renameat2,rename:when=120", "mkdirat,mkdir:when=3",
    "syncfs,fsync,fdatasync:when=1", "syncfs,fsync,fdatasync:when=2", "utimensat:when=20", "fchmod,fchmodat:when=2",
    "copy_file_range,sendfile,write,pwrite64:when=60", "unlinkat,unlink:when=1",
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_a_replica_killed_at_a_system_call(aefsync: Program, pair: Pair, tmp_path: Path, call: str) -> None:
    allowed = diverged(pair)
    killed = aefsync.under(*strace(tmp_path / "log", f"{call}:signal=SIGKILL"))
    process = killed.start("repair", *pair)
    code = finish(process).code
    assert code in {3, 4, 7, 137}, code
    assert "killed by SIGKILL" in (tmp_path / "log").read_text(), "the call was made"
    wait_until(lambda: not aefsync.processes(), "the other processes to end")
    converge(aefsync, pair, allowed)


@pytest.mark.parametrize("seed", range(6))
def test_everything_killed_at_any_moment(aefsync: Program, pair: Pair, seed: int) -> None:
    allowed = diverged(pair)
    process = aefsync.start("repair", *pair)
    pause = random.Random(seed).uniform(0.02, 0.5)
    try:
        process.wait(pause)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    wait_until(lambda: not aefsync.processes(), "all processes to end")
    converge(aefsync, pair, allowed)


def test_the_coordinator_killed_takes_its_children_along(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    allowed = diverged(pair)
    with frozen(aefsync, tmp_path / "log", "renameat2:when=100", (), "repair", *pair) as run:
        (coordinator,) = [
            pid for pid in aefsync.processes() if b"-m\0aefsync\0repair" in command_line(pid) and not is_strace(pid)
        ]
        os.kill(coordinator, signal.SIGKILL)
        wait_until(lambda: run.resume() and not aefsync.processes(), "the children to end")
    converge(aefsync, pair, allowed)


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def is_strace(pid: int) -> bool:
    return command_line(pid).startswith(b"strace\0")


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
@pytest.mark.parametrize("whole_group", [False, True])
def test_signals_end_the_run_and_its_children(
    aefsync: Program, pair: Pair, number: signal.Signals, code: int, whole_group: bool
) -> None:
    allowed = diverged(pair)
    process = aefsync.start("repair", *pair)
    wait_until(lambda: len(aefsync.processes()) >= 3 or process.poll() is not None, "the replicas' processes")
    if whole_group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    done = finish(process)
    assert done.code in {code, 0}, done
    assert b"Traceback" not in done.err
    wait_until(lambda: not aefsync.processes(), "the children to end")
    converge(aefsync, pair, allowed)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_signals_in_the_middle_of_applying(
    aefsync: Program, pair: Pair, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    allowed = diverged(pair)
    with frozen(aefsync, tmp_path / "log", "renameat2:when=50", (), "repair", *pair) as run:
        (coordinator,) = [
            pid for pid in aefsync.processes() if b"-m\0aefsync\0repair" in command_line(pid) and not is_strace(pid)
        ]
        os.kill(coordinator, number)
        done = run.go_on()
    assert done.code == code, done
    assert b"Traceback" not in done.err
    converge(aefsync, pair, allowed)


def test_closed_stdout(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {f"{'long' * 40}-{number}": "" for number in range(3000)})
    tree(pair.b, {})
    process = aefsync.start("diff", *pair)
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    code = process.wait(60)
    assert (code if code >= 0 else 128 - code) == 141
    assert process.stderr
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_full_stdout_is_an_error(aefsync: Program, pair: Pair) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    tree(pair.a, {"x": "1"})
    tree(pair.b, {})
    done = aefsync.under("sh", "-c", '"$@" >/dev/full', "sh")("diff", *pair)
    assert done.code not in {0, 1}
    assert b"Traceback" not in done.err


@pytest.mark.parametrize("commands", [("repair", "repair"), ("repair", "diff"), ("diff", "diff")])
def test_two_runs_at_the_same_time(aefsync: Program, pair: Pair, commands: tuple[str, str]) -> None:
    allowed = diverged(pair)
    runs = [aefsync.start(command, *pair) for command in commands]
    for run, command in zip(runs, commands, strict=True):
        done = finish(run)
        assert b"Traceback" not in done.err, done
        assert done.code in ({0, 1, 4, 6} if command == "repair" else {0, 1, 2}), done
    converge(aefsync, pair, allowed)


def test_a_second_run_while_one_is_held_up(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    allowed = diverged(pair)
    with frozen(aefsync, tmp_path / "log", "renameat2:when=20", (), "repair", *pair) as run:
        second = aefsync("repair", *pair)
        assert second.code in {0, 1, 4, 6}, second
        aefsync("diff", *pair).expect(0, 1)
        run.go_on().expect(0, 1, 4)
    converge(aefsync, pair, allowed)


def test_three_pairs_of_a_ring_at_once(aefsync: Program, tmp_path: Path) -> None:
    roots = [tree(tmp_path / name, {f"{name}{number}": name for number in range(50)}) for name in "ABC"]
    runs = [aefsync.start("repair", roots[i], roots[(i + 1) % 3]) for i in range(3)]
    for run in runs:
        done = finish(run)
        assert b"Traceback" not in done.err, done
        assert done.code in {0, 1, 4, 6}, done
    aefsync("repair", *roots).expect(0)
    assert judge(roots[0], roots[1]) == judge(roots[1], roots[2]) == []


def test_disk_full_midway(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {f"f{number:02}": b"x" * 100_000 for number in range(30)})
    script = (
        'mkdir "$0" && mount -t tmpfs -o size=1m none "$0" || exit 98; '
        '"$@"; code=$?; for f in "$0"/f*; do [ ! -e "$f" ] || [ $(stat -c %s "$f") = 100000 ] || exit 99; done; exit $code'
    )
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    done = aefsync.under(*unshare, "sh", "-c", script, pair.b)("repair", *pair)
    if done.code == 98 or b"unshare" in done.err:
        pytest.skip("no mount namespaces here")
    done.expect(4, 5)
    assert b"space" in done.err or b"room" in done.err
