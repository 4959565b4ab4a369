"""Metadata that takes several calls to set, and runs that are killed in between: what is half set is nobody's own."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from aefsync.core.metadata import PLAIN, Namespaces
from aefsync.core.policy import Policies
from aefsync.core.silent import Silent
from aefsync.core.writing import Durability, Writing
from aefsync.disk import half_set
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.durability import Durable
from aefsync.disk.half_set import HalfSet, HalfSets, State
from aefsync.disk.home import Home
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from tests.support.touches import touching
from tests.support.trees import IS_ROOT, SECOND, needs_attributes, survey, tree
from tests.support.trials import KILLED, ONE_IN, ending_after
from tests.sync.joined import threads

NEW = ("new", "new/deep", "new/deep/file")
WRITING = Writing(Durability.NONE)


@pytest.fixture(autouse=True)
def place(tmp_path: Path) -> Path:
    needs_attributes(tmp_path)
    return tmp_path


class Pair:
    """Two replicas that agreed; then the metadata of A was edited, and things were made there."""

    def __init__(self, folder: Path, policies: Policies | None) -> None:
        self.a, self.b = folder / "a", folder / "b"
        self._policies = policies
        tree(self.a, {"f": "f", "closed": "c", "e/x": "x", "same": "s"})
        (self.a / "closed").chmod(0o444)
        os.setxattr(self.a / "f", "user.old", b"old")
        self.meet()
        self.meet()
        tree(self.a, {NEW[-1]: "new"})
        for number in range(3):
            for name in ("f", "e", *NEW):
                os.setxattr(self.a / name, f"user.{number}", b"x%d" % number)
        os.removexattr(self.a / "f", "user.old")
        (self.a / "closed").chmod(0o600)
        os.setxattr(self.a / "closed", "user.closed", b"1")
        (self.a / "closed").chmod(0o440)
        os.utime(self.a / "closed", ns=(1_650_000_000 * SECOND, 1_650_000_000 * SECOND))
        (self.a / "e").chmod(0o750)
        for name in ("f", "e", "new") if IS_ROOT else ():
            os.chown(self.a / name, 7, 8)

    @property
    def request(self) -> RepairRequest:
        aspects = PLAIN._replace(xattrs=Namespaces.USER, owner=IS_ROOT, numeric_ids=IS_ROOT)
        common = Request((str(self.a), str(self.b)), aspects=aspects)
        return RepairRequest(common, max_delete="100%", policies=self._policies, writing=WRITING)

    def meet(self) -> None:
        with threads():
            list(repair(self.request, Silent()))

    def killed(self, number: int) -> bool:
        """A run that ends itself before a call that changes something, by number; whether it came to that."""

        def work() -> None:
            with touching(ending_after(number)):
                self.meet()
            os._exit(0)

        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        process.join()
        assert process.exitcode in (0, KILLED)
        return process.exitcode == KILLED


def look(root: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for name, row in survey(root).items():
        place = root / os.fsdecode(name)
        own = {each: os.getxattr(place, each) for each in os.listxattr(place) if each.startswith("user.")}
        found[str(place.relative_to(root))] = (*row, place.stat().st_uid, place.stat().st_gid, own)
    return found


def kill(folder: Path, number: int, policies: Policies | None) -> bool:
    pair = Pair(folder, policies)
    meant = look(pair.a)
    was_killed = pair.killed(number)
    pair.meet()
    assert look(pair.a) == look(pair.b) == meant, f"killed at {number}"
    for root in (pair.a, pair.b):
        assert not [*(root / ".aefsync").glob("settings/*")]
    return was_killed


@pytest.mark.parametrize("number", [72, 76, 84, 96])
def test_a_kill(tmp_path: Path, number: int) -> None:
    assert kill(tmp_path, number, Policies())


@pytest.mark.slow
@pytest.mark.parametrize("policies", [Policies(), None])
def test_every_kill(tmp_path: Path, policies: Policies | None) -> None:
    number = 0
    while kill(tmp_path / str(number), number, policies):
        number += ONE_IN


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of which an interrupted run has set one attribute, and was to set another."""
    file = tree(tmp_path / "root", {"file": "x"}) / "file"
    os.setxattr(file, "user.1", b"1")
    return file


def finish(file: Path, *lines: bytes) -> None:
    home = file.parent / ".aefsync"
    home.mkdir()
    fds = [os.open(each, os.O_RDONLY) for each in (file.parent, home)]
    owner = (os.getuid(), os.getgid())
    before, wanted = State(owner, (), 0o644), State(owner, ((b"user.1", b"1"), (b"user.2", b"2")), 0o600)
    half_sets = HalfSets(Home(fds[1]), "run", Durable(Durability.NONE))
    half_sets.declare(HalfSet(b"file", os.stat(file).st_ino, before, wanted, Namespaces.USER))
    half_sets.declare(HalfSet(b"gone", 1, before, wanted, Namespaces.USER))
    half_sets.close()
    with (home / "settings/run").open("ab") as written:
        written.write(b"".join(lines))
    half_set.finish(ConfinedRoot(fds[0]), Home(fds[1]))
    for fd in fds:
        os.close(fd)
    assert [*home.glob("settings/*")] == []


@pytest.mark.parametrize("lines", [(), (b'["cut', b" short")], ids=["whole", "cut short"])
def test_the_rest_is_set(file: Path, lines: tuple[bytes, ...]) -> None:
    finish(file, *lines)
    assert (sorted(os.listxattr(file)), file.stat().st_mode & 0o777) == (["user.1", "user.2"], 0o600)


def test_what_somebody_has_set_since_stays(file: Path) -> None:
    os.setxattr(file, "user.1", b"of somebody")
    finish(file)
    assert (sorted(os.listxattr(file)), file.stat().st_mode & 0o777) == (["user.1"], 0o644)


def test_another_file_stays_as_it_is(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = tree(file.parent, {"beside": "y"}) / "beside"
    declare = HalfSets.declare

    def replaced(self: HalfSets, each: HalfSet) -> None:
        declare(self, each)
        if beside.exists():
            beside.replace(file)

    monkeypatch.setattr(HalfSets, "declare", replaced)
    finish(file)
    assert (sorted(os.listxattr(file)), file.stat().st_mode & 0o777) == ([], 0o644)
