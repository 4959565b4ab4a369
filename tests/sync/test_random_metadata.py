"""Random edits of metadata on real trees: permissions of files and directories, attributes, owners, special bits, names of
one file; between runs that ask for some of them and runs that ask for none.  What counts in the last one is the same on
all in the end.

`RUNS=200 pytest -m slow tests/sync/test_random_metadata.py` tells so many stories; the number of one that fails tells it
again.
"""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path

import pytest

from aefsync.core.metadata import PERMISSIONS, PLAIN, SPECIAL, Namespaces
from tests.support.edits import Editor
from tests.support.tellers import Teller
from tests.support.trees import IS_ROOT, Stats, needs_attributes, survey
from tests.support.trials import tidied
from tests.support.unread import reading
from tests.sync.test_random_runs import NUMBER, POLICIES, afterthought, part

SORTS = ["attributes", "owners", "special"]
FILES, DIRECTORIES = [0o400, 0o444, 0o600, 0o644, 0o755], [0o500, 0o555, 0o700, 0o755, 0o777]
VALUES = [b"", b"1", b"2", b"v" * 3000]
MARKS = [0o4755, 0o2755, 0o1777, 0o6711, 0o755]


class MetadataEditor(Editor):
    """Edits of metadata beside all others."""

    def __init__(self, chance: random.Random, *, links: bool) -> None:
        super().__init__(chance, links=links)
        self.sorts = [each for each in SORTS if chance.random() < 0.5 and (IS_ROOT or each != "owners")]
        own = {"attributes": self._attribute, "owners": self._own, "special": self._mark}
        self.ways += [*[self._permit] * 4, *[own[sort] for sort in self.sorts for _ in range(3)]]

    def _any(self, root: Path) -> Path:
        """Anything but a symlink."""
        found = [path for path, row in survey(root).items() if not stat.S_ISLNK(int(row[0]))]
        return root / os.fsdecode(self._chance.choice(found)) if found else self._place(root)

    def _permit(self, root: Path) -> None:
        place = self._any(root)
        place.chmod(self._chance.choice(DIRECTORIES if place.is_dir() else FILES))

    def _attribute(self, root: Path) -> None:
        place, name = self._any(root), b"user." + self._chance.choice([b"a", b"b", b"\xff"])
        if self._chance.random() < 0.3:
            os.removexattr(place, name)
        else:
            os.setxattr(place, name, self._chance.choice([*VALUES, b"%d" % self._now_ns]))

    def _own(self, root: Path) -> None:
        os.chown(self._any(root), self._chance.choice([0, 1, 4000]), self._chance.choice([0, 1, 4000]))

    def _mark(self, root: Path) -> None:
        self._any(root).chmod(self._chance.choice(MARKS))


class MetadataTeller(Teller):
    def __init__(self, folder: Path, number: int, *, large: bool) -> None:
        super().__init__(folder, number, large=large, editor=MetadataEditor)
        sorts = self.editor.sorts  # type: ignore[attr-defined]
        self.full = self.aspects._replace(
            xattrs=self.chance.choice([Namespaces.USER, Namespaces.ALL]) if "attributes" in sorts else Namespaces.NONE,
            owner="owners" in sorts,
            numeric_ids="owners" in sorts and self.chance.random() < 0.7,
            mode_bits=PERMISSIONS | (SPECIAL if "special" in sorts else 0),
        )
        self.aspects = self.full

    def less(self) -> None:
        """Have the next run ask for less."""
        one = [("xattrs", Namespaces.NONE), ("mode_bits", PERMISSIONS), ("mode_bits", 0), ("times", False)]
        fewer = self.full._replace(**dict([self.chance.choice(one)]))
        self.aspects = self.chance.choice([PLAIN, PLAIN._replace(links=self.links), fewer])

    def look(self, root: Path) -> Stats:
        """All that counts."""
        full, found = self.full, {}
        for path, row in survey(root).items():
            place = os.path.join(os.fsencode(root), path)
            seen, kept = os.lstat(place), ~(SPECIAL & ~full.mode_bits)
            more: tuple[int | bytes, ...] = (seen.st_uid, seen.st_gid) if full.owner else ()
            if full.xattrs:
                names = sorted(name for name in os.listxattr(place, follow_symlinks=False) if name.startswith("user."))
                more += tuple(
                    os.fsencode(name) + b"=" + os.getxattr(place, name, follow_symlinks=False) for name in names
                )
            found[path] = (int(row[0]) & kept, *row[1:], *more)
        return found


def tell(folder: Path, number: int) -> None:
    """One story."""
    with reading(number) as is_unread:
        story(MetadataTeller(folder, number, large=is_unread))


def story(teller: MetadataTeller) -> None:
    chance = teller.chance
    teller.meet()
    for _ in range(3):
        for _ in range(chance.choice([1, 2])):
            teller.edits(chance.randrange(1, 8))
            teller.aspects = teller.full
            if chance.random() < 0.4:
                teller.less()
            match chance.choice(["meet", "meet", "afterthought", "part"]):
                case "meet":
                    teller.meet(teller.two_or_all(), chance.choice(POLICIES), checksum=chance.random() < 0.2)
                case "afterthought":
                    afterthought(teller)
                case "part":
                    part(teller, None)
        for root in teller.roots:
            (root / ".aefsyncignore").unlink(missing_ok=True)
        teller.aspects = teller.full
        teller.conclude()
        first, *others = map(teller.look, teller.roots)
        assert all(other == first for other in others)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where attributes can be had."""
    needs_attributes(tmp_path)
    return tmp_path


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_few(place: Path, number: int) -> None:
    tell(place / "one", number)
    tidied(place / "one")


@pytest.mark.slow
def test_many(place: Path) -> None:
    for number in range(1000, 1000 + NUMBER):
        tell(place / str(number), number)
        tidied(place / str(number))
