"""A run that is cut short between renaming and remembering, at each of its steps: who alone edits is obeyed all the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aefsync.core.action import Action
from aefsync.core.policy import Policies
from aefsync.core.silent import Silent
from aefsync.disk.apply import Applier
from aefsync.errors import AefsyncError
from aefsync.sync.events import Conflicted, Event
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from tests.support.trees import BASE_NS, SECOND, survey, write
from tests.sync.joined import threads


@pytest.fixture(autouse=True)
def _engine() -> Iterator[None]:
    with threads():
        yield


class _Cut(Exception):
    """The run ends here, nothing being recorded."""


class Cutting:
    """Ends a run after so many steps that change the other replica."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = -1
        perform = Applier._perform

        def cut(applier: Applier, action: Action) -> None:
            if not self.left:
                raise _Cut
            self.left -= 1
            perform(applier, action)

        monkeypatch.setattr(Applier, "_perform", cut)


@pytest.fixture
def cutting(monkeypatch: pytest.MonkeyPatch) -> Cutting:
    return Cutting(monkeypatch)


class Pair:
    """A, where somebody edits, and B."""

    def __init__(self, folder: Path) -> None:
        self.a, self.b, self._folder = folder / "a", folder / "b", folder
        self._clock = 0
        for root in (self.a, self.b):
            root.mkdir(parents=True)

    def write(self, path: str, data: str) -> None:
        self._clock += 1
        write(self.a / path, data.encode(), mtime_ns=BASE_NS + self._clock * SECOND)

    def touch(self, path: str) -> None:
        self._clock += 1
        time_ns = BASE_NS + self._clock * SECOND
        os.utime(self.a / path, ns=(time_ns, time_ns))

    def rename(self, path: str, new: str) -> None:
        (self.a / new).parent.mkdir(parents=True, exist_ok=True)
        (self.a / path).rename(self.a / new)

    def meet(self) -> list[Event]:
        common = Request((str(self.a), str(self.b)), state_dir=str(self._folder / "state"))
        return list(repair(RepairRequest(common, policies=Policies(), max_delete="100%"), Silent()))

    def is_obeyed(self) -> bool:
        """Whether B becomes as A is, and A stays so, without a conflict."""
        before = survey(self.a)
        told = [event for event in self.meet() if isinstance(event, Conflicted)]
        return not told and survey(self.a) == before == survey(self.b)


def a_tree(pair: Pair) -> None:
    for number in range(6):
        pair.write(f"d/f{number}", f"file {number}")
        pair.write(f"d/s/g{number}", f"below {number}")
    for name in ("one", "two", "three", "left", "right", "alone"):
        pair.write(name, f"content of {name}")


def renamed(pair: Pair) -> None:
    """A directory is renamed, and of what is in it some is edited, touched, deleted or moved elsewhere."""
    pair.rename("d", "e")
    pair.write("e/f0", "edited")
    pair.touch("e/f1")
    (pair.a / "e/f2").unlink()
    pair.rename("e/f3", "elsewhere/f3")
    (pair.a / "e/s/g0").unlink()
    pair.write("e/new", "new")


def renamed_within(pair: Pair) -> None:
    """So is one in it, and a file takes its old place."""
    pair.rename("d", "e")
    pair.rename("e/s", "t")
    pair.write("d", "a file")
    pair.touch("t/g1")


def exchanged(pair: Pair) -> None:
    """Files change places, in a pair and in a ring, and one is renamed and touched."""
    for ring in (["left", "right"], ["one", "two", "three"]):
        pair.rename(ring[0], "aside")
        for old, new in zip(ring[1:], ring, strict=False):
            pair.rename(old, new)
        pair.rename("aside", ring[-1])
    pair.rename("alone", "moved")
    pair.touch("moved")


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file() and ".aefsync" not in path.parts)


def edit(pair: Pair) -> None:
    for path in files(pair.a):
        pair.write(str(path.relative_to(pair.a)), f"edited later {path.name}")


def delete(pair: Pair) -> None:
    for path in files(pair.a)[1:]:
        path.unlink()


def touch(pair: Pair) -> None:
    for path in files(pair.a):
        pair.touch(str(path.relative_to(pair.a)))


def nothing(pair: Pair) -> None:
    """Nothing is done."""


def something(pair: Pair) -> None:
    """Of all that, some."""
    ways = [lambda path: pair.write(path, f"edited later {path}"), lambda path: (pair.a / path).unlink(), pair.touch]
    for number, path in enumerate(files(pair.a)):
        if number % 4 < len(ways):
            ways[number % 4](str(path.relative_to(pair.a)))


Edit = Callable[[Pair], None]
CHANGES = [renamed, renamed_within, exchanged]


def is_cut(folder: Path, cutting: Cutting, steps: int, change: Edit, after: Edit) -> bool:
    """Whether a run was cut short after so many steps; whatever the user does then is obeyed."""
    pair = Pair(folder / str(steps))
    a_tree(pair)
    pair.meet()
    change(pair)
    cutting.left = steps
    was_cut = False
    try:
        pair.meet()
    except AefsyncError:  # what the end of the replica's process looks like here
        was_cut = True
    cutting.left = -1
    after(pair)
    assert pair.is_obeyed(), f"cut after {steps} steps"
    return was_cut


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("steps", [1, 3])
def test_who_alone_edits_is_obeyed(tmp_path: Path, cutting: Cutting, change: Edit, steps: int) -> None:
    assert is_cut(tmp_path, cutting, steps, change, something)


@pytest.mark.slow
@pytest.mark.parametrize("after", [edit, delete, touch, nothing, something])
@pytest.mark.parametrize("change", CHANGES)
def test_who_alone_edits_is_obeyed_wherever_the_run_ends(
    tmp_path: Path, cutting: Cutting, change: Edit, after: Edit
) -> None:
    steps = 0
    while is_cut(tmp_path, cutting, steps, change, after):
        steps += 1
    assert steps > 3
