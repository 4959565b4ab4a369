"""Tellers: a story at random on real trees, its edits and its runs, of which it remembers what must not be lost.

What a user wrote has to be at a path or in the trash of some replica until a user overwrites or deletes it, on whichever
replica; what went with a disk that an older copy took the place of, nobody asks for.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from aefsync.core.digest import content_hasher
from aefsync.core.identity import Allowed
from aefsync.core.metadata import PLAIN
from aefsync.core.policy import Policies, parse_policy
from aefsync.core.silent import Silent
from aefsync.core.writing import Durability, Writing
from aefsync.errors import AefsyncError, GuardError, UsageError
from aefsync.sync.events import Acted, Event, Grew, Summary, Troubled
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from tests.support.edits import Editor, contents
from tests.support.touches import touching
from tests.support.trees import one_file, survey
from tests.support.trials import KILLED, ending_after
from tests.sync.joined import threads

REFUSED = (GuardError, UsageError)
"""What a run may be that filters or sub-trees leave nothing for."""
FINE = (0, 1)
_IGNORE = b".aefsyncignore"
_ENDED = 64
"""Added to what a run in another process came to: that ends with 1 where something is raised."""


def end(events: Sequence[Event]) -> Summary:
    assert isinstance(events[-1], Summary)
    return events[-1]


class Teller:
    """Replicas below a folder, and what happens to them."""

    def __init__(
        self,
        folder: Path,
        number: int,
        *,
        replicas: int = 0,
        links: bool | None = None,
        large: bool = False,
        editor: Callable[..., Editor] = Editor,
    ) -> None:
        self.chance = random.Random(number)
        self.folder = folder
        self.links = number % 4 == 0 if links is None else links
        self.roots = [folder / name for name in "abcd"[: replicas or self.chance.choice([2, 2, 3])]]
        self.outside = folder / "outside"
        for root in (*self.roots, self.outside):
            root.mkdir(parents=True)
        self.aspects = PLAIN._replace(links=self.links)
        self.editor = editor(self.chance, links=self.links)
        self.editor.ways += [self.editor.put_large] * (2 * large)
        self.written: set[bytes] = set()
        self.runs: list[str] = []
        self.where: Callable[[Path], str] = str
        self.kills = 0.0
        """how likely a run is to be killed"""
        self._state = str(folder / "state") if number % 2 else ""
        for _ in range(12):
            self.edit(self.roots[0])

    def some(self) -> list[Path]:
        """Some of the replicas, in any order."""
        return self.chance.sample(self.roots, self.chance.randrange(1, len(self.roots) + 1))

    def two_or_all(self) -> list[Path]:
        return sorted(self.chance.sample(self.roots, 2)) if self.chance.random() < 0.4 else self.roots

    def edit(self, root: Path, way: Callable[[Path], object] | None = None) -> None:
        before = _contents(root)
        self.editor.edit(root, way)
        after = _contents(root)
        self.written = (self.written - (before - after)) | (after - before)

    def edits(self, number: int, root: Path | None = None) -> None:
        for _ in range(number):
            self.edit(root or self.chance.choice(self.roots))

    def common(self, some: Iterable[Path], **more: Any) -> Request:
        allowed = Allowed(empty_root=True, new_root=more.pop("new_root", False))
        asked = {"allowed": allowed, "aspects": self.aspects, "state_dir": self._state, **more}
        return Request(tuple(map(self.where, some)), **asked)

    def request(self, some: Sequence[Path], policy: str, **more: Any) -> RepairRequest:
        own = {name: more.pop(name) for name in ("no_delete", "mirror") if name in more}
        parsed = None if policy == "lww" or own.get("mirror") else parse_policy(policy)
        preferred = ((parsed.argument, "AB".index(parsed.argument)),) if parsed and parsed.argument else ()
        policies = None if parsed is None else Policies(parsed)
        writing = Writing(Durability.NONE)
        common = self.common(some, **more)
        return RepairRequest(common, max_delete="100%", policies=policies, preferred=preferred, writing=writing, **own)

    def meet(
        self, some: Sequence[Path] = (), policy: str = "keep-both", *, fine: Sequence[int] = FINE, **more: Any
    ) -> list[Event]:
        """A repair; nothing comes of one that is refused."""
        request = self.request(some or self.roots, policy, **more)
        return self.run(lambda: repair(request, Silent()), REFUSED, fine=fine)

    def run(
        self,
        begin: Callable[[], Iterable[Event]],
        refused: tuple[type[AefsyncError], ...] = (AefsyncError,),
        *,
        fine: Sequence[int] = FINE,
    ) -> list[Event]:
        if self.chance.random() < self.kills:
            self._kill(begin, refused, fine)
            return []
        try:
            with threads():
                events = list(begin())
        except refused:
            return []
        told = [event.problem for event in events if isinstance(event, Troubled)]
        assert end(events).exit_code in fine, (end(events).causes, told)
        self.runs.append(end(events).run)
        return events

    def _kill(
        self, begin: Callable[[], Iterable[Event]], refused: tuple[type[AefsyncError], ...], fine: Sequence[int]
    ) -> None:
        """Have a run end itself before one of the calls by which it changes something, unless it needs fewer."""
        number = self.chance.randrange(120)

        def work() -> None:
            with touching(ending_after(number)), _in_one_thread(), threads(), contextlib.suppress(*refused):
                os._exit(_ENDED + end(list(begin())).exit_code)
            os._exit(_ENDED)

        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        process.join()
        assert process.exitcode in (KILLED, *(_ENDED + code for code in fine))

    def conclude(self, *, as_one: Callable[[list[Event]], None] | None = None, **more: Any) -> None:
        """One run over everything makes all agree, a second one does nothing, and nothing is lost."""
        self.kills = 0.0
        assert self.meet(**more)
        again = self.meet(**more)
        assert not [event for event in again if isinstance(event, Acted | Grew)]
        (as_one or self._agree)(again)

        assert self.written <= self.held([*self.roots, self.outside])
        assert not [file for root in self.roots for file in (root / ".aefsync/tmp").rglob("*") if file.is_file()]

    def _agree(self, again: list[Event]) -> None:
        first, *others = map(survey, self.roots)
        assert all(other == first for other in others)
        assert not self.links or all(one_file(root) == one_file(self.roots[0]) for root in self.roots)
        assert end(again).exit_code == 0, end(again).causes

    @staticmethod
    def held(roots: Sequence[Path]) -> set[bytes]:
        """What there is, at paths and in what is kept of what was there."""
        return contents(roots).union(*(contents(roots, below=f".aefsync/{name}") for name in ("trash", "quarantine")))


@contextlib.contextmanager
def _in_one_thread() -> Iterator[None]:
    """Large files are hashed by threads of which a fork has none, and it would wait for them."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("assembly", "chunking", "hashing"):
            patch.setattr(f"aefsync.disk.{module}.content_hasher", lambda **_: content_hasher())
        yield


def _contents(root: Path) -> set[bytes]:
    """What the files of a tree are made of, as `survey` tells it."""
    rows = survey(root).items()
    return {bytes(row[3]) for path, row in rows if stat.S_ISREG(int(row[0])) and os.path.basename(path) != _IGNORE}
