"""A user who edits a tree at random, whatever else goes on in it."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path

PLACES = [f"d{number}" for number in range(12)]


class User:
    """Edits a tree as it comes; what the other side has changed meanwhile is taken as it is."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.root = root
        self.chance = chance
        self.edits = 0
        self._ways: list[Callable[[], object]] = [
            *[self._write] * 5, *[self._append] * 3, *[self._replace] * 2, *[self._delete] * 2,
            self._rename, self._move_directory, self._delete_directory, self._mode, self._link,
        ]  # fmt: skip

    def edit(self) -> None:
        self.edits += 1
        with contextlib.suppress(OSError):
            self.chance.choice(self._ways)()

    def _some(self) -> Path:
        return self.root / self.chance.choice(PLACES) / f"f{self.chance.randrange(40)}"

    def _content(self) -> bytes:
        return self.chance.randbytes(self.chance.choice([0, 10, 1000, 50_000]))

    def _write(self) -> None:
        path = self._some()
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(self._content())

    def _append(self) -> None:
        with self._some().open("ab") as file:
            file.write(self._content())

    def _replace(self) -> None:
        path = self._some()
        beside = path.with_name(f"{path.name}~")
        beside.write_bytes(self._content())
        beside.replace(path)

    def _delete(self) -> None:
        self._some().unlink()

    def _rename(self) -> None:
        self._some().rename(self._some())

    def _move_directory(self) -> None:
        (self.root / self.chance.choice(PLACES)).rename(self.root / self.chance.choice(PLACES) / "moved")

    def _delete_directory(self) -> None:
        shutil.rmtree(self.root / self.chance.choice(PLACES) / "moved")

    def _mode(self) -> None:
        self._some().chmod(self.chance.choice([0o600, 0o644, 0o755]))

    def _link(self) -> None:
        self._some().symlink_to(self.chance.choice(PLACES))
