"""Replicas of a group, the users who edit them, and sessions between any of them by the real program."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.program import Arg, Program
from tests.support.trees import BASE_NS, SECOND, judge, texts, write


class Met(NamedTuple):
    """What a session said."""

    events: list[dict[str, Any]]
    err: bytes

    @property
    def summary(self) -> dict[str, Any]:
        return self.events[-1]

    @property
    def actions(self) -> list[tuple[str, str]]:
        return [(each["action"], each["path"]) for each in self.events if each["event"] == "action"]

    @property
    def conflicts(self) -> list[str]:
        return [each["path"] for each in self.events if each["event"] == "conflict"]


class Replicas:
    """Roots side by side: a, b, c …"""

    def __init__(self, aefsync: Program, folder: Path, number: int) -> None:
        self.aefsync = aefsync
        self.folder = folder
        self.roots = [folder / name for name in "abcde"[:number]]
        self._edits = 0
        for root in self.roots:
            root.mkdir()

    def write(self, number: int, path: str, data: str) -> None:
        """An edit, later than any before."""
        self._edits += 1
        write(self.roots[number] / path, data.encode(), mtime_ns=BASE_NS + self._edits * SECOND)

    def everywhere(self, path: str, data: str) -> None:
        """The same edit on all."""
        self._edits += 1
        for root in self.roots:
            write(root / path, data.encode(), mtime_ns=BASE_NS + self._edits * SECOND)

    def delete(self, number: int, path: str) -> None:
        place = self.roots[number] / path
        shutil.rmtree(place) if place.is_dir() else place.unlink()

    def rename(self, number: int, old: str, new: str) -> None:
        (self.roots[number] / old).rename(self.roots[number] / new)

    def meet(self, *numbers: int, options: Sequence[Arg] = (), code: int = 0, by: Program | None = None) -> Met:
        """A session of some of them (none named: of all), which ends with that exit code."""
        roots = [self.roots[number] for number in numbers or range(len(self.roots))]
        outcome = (by or self.aefsync)("repair", "--json", *options, *roots).expect(code)
        return Met(outcome.events, outcome.err)

    def quiet(self, *numbers: int) -> None:
        """A session that finds nothing to do, and says nothing."""
        roots = [self.roots[number] for number in numbers or range(len(self.roots))]
        outcome = self.aefsync("repair", *roots).expect(0)
        assert (outcome.out, outcome.err) == (b"", b""), outcome

    def agreed(self) -> dict[str, str]:
        """What all have."""
        for root in self.roots[1:]:
            assert judge(self.roots[0], root) == []
        return texts(self.roots[0])

    def set_aside(self, number: int) -> Path:
        """A backup of a replica, made by `cp -a`."""
        place = self.folder / f"backup of {number}"
        shutil.copytree(self.roots[number], place, symlinks=True)
        return place

    def restore(self, number: int, backup: Path) -> None:
        """A replica becomes what it was then: its root stays, all that is in it is that of the backup."""
        for each in self.roots[number].iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        shutil.copytree(backup, self.roots[number], symlinks=True, dirs_exist_ok=True)
