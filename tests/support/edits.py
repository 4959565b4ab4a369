"""Edits at random of real trees with few names, so that they clash: files, links and directories at one path, renames to
where something is by now, names of one file that are taken apart."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support.trees import BASE_NS, SECOND

FOLDERS, NAMES = ("", "d", "d/e", "f", "f/g", "d/e/h"), ("a", "e", "g", "h")
LARGE = ("b", "i")


class Editor:
    """Edits replicas at random, each time a little later; what cannot be done is not."""

    def __init__(self, chance: random.Random, *, links: bool) -> None:
        self.names, self.folders = NAMES, FOLDERS
        self.poor: Path | None = None
        """a root that takes names for one that differ in case only, and holds no symlinks"""
        self._chance = chance
        self._now_ns = BASE_NS
        self.ways: list[Callable[[Path], object]] = [
            *[self._replace] * 3, self._append, *[self._delete] * 2, self._rename, self._rename_directory, self._exchange,
            self._turn, self._touch, self._mode, self._link if links else self._symlink,
        ]  # fmt: skip

    def edit(self, root: Path, way: Callable[[Path], object] | None = None) -> None:
        self._now_ns += SECOND
        with contextlib.suppress(OSError):
            (way or self._chance.choice(self.ways))(root)

    def _place(self, root: Path) -> Path:
        place = root / self._chance.choice(self.folders) / self._chance.choice(self.names)
        place = _spelt(root, place) if root == self.poor else place
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
        places = (root / self._chance.choice(self.folders[1:] or [""]) for _ in range(2))
        place, to = (_spelt(root, each) if root == self.poor else each for each in places)
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
        if root != self.poor:
            self._place(root).symlink_to(self._chance.choice(NAMES))

    def put_large(self, root: Path) -> None:
        """A file as large as are not read along with a listing is new, edited in place, or put anew where another was."""
        chance, place = self._chance, root / self._chance.choice(self.folders) / self._chance.choice(LARGE)
        data = bytearray(place.read_bytes() if place.is_file() else b"") or bytearray(self._noise(150_000))
        at, rest = chance.randrange(len(data)), chance.choice([0, 1, 5000])
        data[at : at + rest] = self._noise(chance.choice([0, 1, 5000, 30_000]))
        place.parent.mkdir(parents=True, exist_ok=True)
        if chance.random() < 0.5:
            place.unlink(missing_ok=True)
        place.write_bytes(data)
        self._date(place)

    def _noise(self, size: int) -> bytes:
        """Text, which has no runs that are alike."""
        return self._chance.randbytes(size // 2).hex().encode()

    def _date(self, place: Path) -> None:
        os.utime(place, ns=(self._now_ns, self._now_ns), follow_symlinks=False)


def _spelt(root: Path, place: Path) -> Path:
    """A place as what is there of it is spelt."""
    at = root
    for name in place.relative_to(root).parts:
        there = {each.lower(): each for each in os.listdir(at)} if at.is_dir() else {}
        at /= there.get(name.lower(), name)
    return at


def contents(roots: Sequence[Path], *, below: str = "") -> set[bytes]:
    """What files there are made of, wherever they are; of what is ours only what is `below` there."""
    places = (place for root in roots for place in (root / below).rglob("*"))
    return {
        p.read_bytes() for p in places if p.is_file() and not p.is_symlink() and (below or ".aefsync" not in p.parts)
    }
