"""Random edits on real trees, in which bytes change that nobody wrote, and scrubs beside all other runs: nothing of that is
ever brought to another replica, be it edited around, renamed or in conflict, and what is healthy anywhere wins.

`RUNS=200 pytest -m slow tests/sync/test_random_rot.py` tells so many stories; the number of one that fails tells it again.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from aefsync.core.policy import parse_globs
from aefsync.core.silent import Silent
from aefsync.sync.events import Conflicted, Event
from aefsync.sync.scrub import ScrubRequest, scrub
from tests.support.rot import Mapped, quiet, settle
from tests.support.tellers import Teller, end
from tests.support.trees import survey
from tests.support.unread import reading
from tests.sync.test_random_runs import NUMBER, POLICIES, afterthought, part

EVERYTHING = parse_globs(["**"])


class RotTeller(Teller):
    """Knows what is rotten, and what of that somebody took up: it counts as written."""

    def __init__(self, folder: Path, number: int, *, large: bool) -> None:
        self.rotten: set[bytes] = set()
        self._taken_up: set[bytes] = set()
        self._mapped: dict[Path, tuple[int, bytes, Mapped]] = {}
        self._is_watched = True
        super().__init__(folder, number, large=large)

    def prepare(self) -> None:
        """Have some files be such as may rot later, but no two of one content."""
        chosen: set[bytes] = set()
        for root in self.roots:
            for path, row in survey(root).items():
                data, place = bytes(row[3]), root / os.fsdecode(path)
                if stat.S_ISREG(int(row[0])) and data and data not in chosen and self.chance.random() < 0.3:
                    chosen.add(data)
                    mapped = Mapped(place, self.chance.randrange(len(data)), int(row[2]))
                    self._mapped[place] = (place.stat().st_ino, data, mapped)

    def rot(self) -> None:
        for root in self.roots:
            settle(root)
        for place, (inode, data, mapped) in self._mapped.items():
            is_there = place.is_file() and place.lstat().st_ino == inode and place.read_bytes() == data
            if is_there and self.chance.random() < 0.5:
                mapped.flip(self.chance.randrange(8))
                self.rotten.add(place.read_bytes())
            else:
                mapped.close()
        self._mapped.clear()

    def _rot_in(self, root: Path) -> dict[bytes, tuple[object, ...]]:
        rows = survey(root, exact=True).items()
        return {path: (row[3], row[2], row[4], row[8]) for path, row in rows if row[3] in self.rotten}

    def edit(self, root: Path, way: Callable[[Path], object] | None = None) -> None:
        """Who dates a rotten file, links it or has it change places with another, takes it for what it is."""
        before, there = self._rot_in(root), survey(root)
        super().edit(root, way)
        self.written -= self.rotten
        for path, now in self._rot_in(root).items():
            was = before.get(path)
            is_dated = was is None or was[1] != now[1]
            if (was is None and path in there) or (is_dated and now not in before.values()):
                self._taken_up.add(bytes(now[0]))  # type: ignore[call-overload]

    def run(self, begin: Callable[[], Iterable[Event]], *given: Any, **more: Any) -> list[Event]:
        before = [{row[0] for row in self._rot_in(root).values()} for root in self.roots]
        events = super().run(begin, *given, **more)
        for root, own in zip(self.roots, before, strict=True):
            spread = {row[0] for row in self._rot_in(root).values()} - own - self._taken_up
            assert not spread or not self._is_watched, "rot has spread"
        return events

    def afterthought(self) -> None:
        """What is taken out of the trash may be rotten, and counts as written from then on."""
        self._is_watched = False
        before = {root: self._rot_in(root) for root in self.roots}
        afterthought(self)
        self._is_watched = True
        for root, own in before.items():
            now = self._rot_in(root).items()
            self._taken_up |= {bytes(row[0]) for path, row in now if own.get(path) != row}  # type: ignore[call-overload]

    def scrub(self, some: Sequence[Path], peers: Sequence[Path], **more: Any) -> None:
        request = ScrubRequest(self.common(some), tuple(map(str, peers)), **more)
        self.run(lambda: scrub(request, Silent()))

    def take_up(self) -> None:
        """What nobody has as it was is taken for what it is."""
        self.scrub(self.roots, self.roots, mended=EVERYTHING)
        self._taken_up |= self.rotten
        self.scrub(self.roots, self.roots, accepted=EVERYTHING)

    def agree(self, again: list[Event]) -> None:
        """All is the same, but for what is in doubt on several, and of one size and mtime."""
        apart = {bytes(event.path) for event in again if isinstance(event, Conflicted)}
        trees = [{path: row for path, row in survey(root).items() if path not in apart} for root in self.roots]
        assert all(each == trees[0] for each in trees)
        assert end(again).exit_code == (1 if apart else 0), end(again).causes


def tell(folder: Path, number: int) -> None:
    """One story."""
    with reading(number) as is_unread:
        story(RotTeller(folder, number, large=is_unread))


def story(teller: RotTeller) -> None:
    chance = teller.chance
    teller.meet()
    for _ in range(3):
        teller.prepare()
        teller.meet()
        teller.rot()
        for _ in range(chance.choice([1, 2, 3, 4])):
            teller.edits(chance.randrange(0, 5))
            some, peers = teller.some(), chance.sample(teller.roots, chance.randrange(len(teller.roots)))
            match chance.choice(["meet", "meet", "meet", "afterthought", "part", "scrub", "scrub"]):
                case "meet":
                    teller.meet(teller.two_or_all(), chance.choice(POLICIES), checksum=chance.random() < 0.3)
                case "afterthought":
                    teller.afterthought()
                case "part":
                    part(teller, None)
                case "scrub":
                    teller.scrub(some, peers, mended=chance.choice([EVERYTHING, parse_globs([])]))
        for root in teller.roots:
            (root / ".aefsyncignore").unlink(missing_ok=True)
        teller.meet()
        teller.take_up()
        teller.conclude(as_one=teller.agree)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    with quiet(tmp_path) as folder:
        yield folder


@pytest.mark.parametrize("number", [2, 3])
def test_a_few(place: Path, number: int) -> None:
    tell(place / "one", number)


@pytest.mark.slow
def test_many(place: Path) -> None:
    for number in range(1000, 1000 + NUMBER):
        tell(place / str(number), number)
        shutil.rmtree(place / str(number))
