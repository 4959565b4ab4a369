"""Random edits on real trees of few names, and sessions by versions between some of the replicas: after one run they
agree, a second one does nothing, an undo takes the run back, and no content that anybody wrote is lost.

Few names make many clashes: files, links and directories at one path, renames to where something is by now, names of
one file (`-H`) that are taken apart.  `EDITS=400 pytest -m slow tests/sync/test_random_edits.py` tells so many stories;
the number of one that fails tells it again.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from aefsync.core.identity import Allowed
from aefsync.core.metadata import PLAIN
from aefsync.core.policy import Policies, parse_policy
from aefsync.core.silent import Silent
from aefsync.core.writing import Durability, Writing
from aefsync.sync.events import Acted, Event, Summary
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from aefsync.sync.undo import undo
from tests.support.trees import BASE_NS, SECOND, judge, one_file, survey
from tests.sync.joined import threads

FOLDERS, NAMES = ("", "d", "d/e", "f", "f/g", "d/e/h"), ("a", "e", "g", "h")
POLICIES = ("keep-both", "keep-both", "newest", "skip")
TURNS = 3
FAST = Writing(Durability.NONE)
NUMBER = int(os.environ.get("EDITS", "100"))


class Editor:
    """Edits replicas at random, each time a little later; what cannot be done is not."""

    def __init__(self, chance: random.Random, *, links: bool) -> None:
        self._chance = chance
        self._now_ns = BASE_NS
        self._ways: list[Callable[[Path], object]] = [
            *[self._replace] * 3, self._append, *[self._delete] * 2, self._rename, self._rename_directory, self._exchange,
            self._turn, self._touch, self._mode, self._link if links else self._symlink,
        ]  # fmt: skip

    def edit(self, root: Path) -> None:
        self._now_ns += SECOND
        with contextlib.suppress(OSError):
            self._chance.choice(self._ways)(root)

    def _place(self, root: Path) -> Path:
        place = root / self._chance.choice(FOLDERS) / self._chance.choice(NAMES)
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def _replace(self, root: Path) -> None:
        beside = root / "beside"
        beside.write_bytes(b"%s %d" % (os.fsencode(root.name), self._now_ns))
        self._date(beside)
        try:
            beside.replace(self._place(root))
        finally:
            beside.unlink(missing_ok=True)

    def _append(self, root: Path) -> None:
        place = self._place(root)
        with place.open("ab") as file:
            file.write(b" and %d" % self._now_ns)
        self._date(place)

    def _delete(self, root: Path) -> None:
        place = self._place(root)
        place.unlink() if place.is_symlink() or place.is_file() else shutil.rmtree(place)

    def _rename(self, root: Path) -> None:
        place, to = self._place(root), self._place(root)
        if not os.path.lexists(to):
            place.rename(to)

    def _rename_directory(self, root: Path) -> None:
        place, to = (root / self._chance.choice(FOLDERS[1:]) for _ in range(2))
        if not os.path.lexists(to):
            place.rename(to)

    def _exchange(self, root: Path) -> None:
        one, other, beside = self._place(root), self._place(root), root / "beside"
        if one.is_file() and other.is_file() and one != other:
            one.rename(beside)
            other.rename(one)
            beside.rename(other)

    def _turn(self, root: Path) -> None:
        """A file becomes a directory, or the reverse."""
        place = self._place(root)
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
            place.write_bytes(b"a file %d" % self._now_ns)
        else:
            place.unlink()
            place.mkdir()
            (place / "in").write_bytes(b"inside %d" % self._now_ns)

    def _touch(self, root: Path) -> None:
        self._date(self._place(root))

    def _mode(self, root: Path) -> None:
        self._place(root).chmod(self._chance.choice([0o700, 0o755]))

    def _link(self, root: Path) -> None:
        place, to = self._place(root), self._place(root)
        if to.is_file() and place != to and not place.is_dir():
            place.unlink(missing_ok=True)
            os.link(to, place)

    def _symlink(self, root: Path) -> None:
        self._place(root).symlink_to(self._chance.choice(NAMES))

    def _date(self, place: Path) -> None:
        os.utime(place, ns=(self._now_ns, self._now_ns), follow_symlinks=False)


def contents(roots: Sequence[Path], *, below: str = "") -> set[bytes]:
    """What files there are made of, wherever they are; of what is ours only what is `below` there."""
    places = (place for root in roots for place in (root / below).rglob("*"))
    return {
        p.read_bytes() for p in places if p.is_file() and not p.is_symlink() and (below or ".aefsync" not in p.parts)
    }


def end(events: Sequence[Event]) -> Summary:
    assert isinstance(events[-1], Summary)
    return events[-1]


def tell(folder: Path, number: int) -> None:
    """One story."""
    chance = random.Random(number)
    links, policy = number % 3 == 0, POLICIES[number // 3 % len(POLICIES)]
    roots = [folder / name for name in "abc"[: chance.choice([2, 3])]]
    for root in roots:
        root.mkdir(parents=True)
    editor = Editor(chance, links=links)

    def request(some: Sequence[Path]) -> RepairRequest:
        aspects = PLAIN._replace(links=links)
        common = Request(tuple(map(str, some)), allowed=Allowed(empty_root=True), aspects=aspects)
        return RepairRequest(common, max_delete="100%", policies=Policies(parse_policy(policy)), writing=FAST)

    def meet(some: Sequence[Path]) -> list[Event]:
        with threads():
            events = list(repair(request(some), Silent()))
        assert end(events).exit_code in (0, 1), events
        assert end(events).problems == 0, events
        if policy != "skip":
            assert judge(some[0], some[-1]) == []
            assert not links or one_file(some[0]) == one_file(some[-1])
        return events

    for _ in range(12):
        editor.edit(roots[0])
    meet(roots)
    for turn in range(TURNS):
        for _ in range(chance.randrange(1, 12)):
            editor.edit(chance.choice(roots))
        some = sorted(chance.sample(roots, 2)) if chance.random() < 0.3 else roots
        before, written = [survey(root) for root in some], contents(roots)
        events = meet(some)
        assert not [event for event in meet(some) if isinstance(event, Acted)], f"turn {turn}"
        if chance.random() < 0.3 and any(isinstance(event, Acted) for event in events) and policy != "skip":
            with threads():
                list(undo(request(some).common, end(events).run, Silent(), dry_run=False))
            assert [survey(root) for root in some] == before, f"turn {turn}"
            meet(some)
        assert written <= contents(roots) | contents(roots, below=".aefsync/trash"), f"turn {turn}"


@pytest.mark.parametrize("number", [0, 1, 3, 6])
def test_a_few(tmp_path: Path, number: int) -> None:
    tell(tmp_path, number)


@pytest.mark.slow
def test_many(tmp_path: Path) -> None:
    for number in range(1000, 1000 + NUMBER):
        tell(tmp_path / str(number), number)
        shutil.rmtree(tmp_path / str(number))
