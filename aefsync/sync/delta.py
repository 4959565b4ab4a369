"""Delta: find out, level by level, which bytes of files a receiver lacks (theory: `core.recipe`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from aefsync.core.action import StageFile
from aefsync.core.compare import Span
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.ports import Replica
from aefsync.core.recipe import LEVELS, WORTH_AN_EXCHANGE, Recipe, Run, first_level, portions, runs_of
from aefsync.sync.together import together

Seeds = tuple[RelPath, ...] | None
"""Where to look for chunks from now on; `None`: where it was."""


class Seeded(NamedTuple):
    """A file to bring, and the paths on the receiver that may hold parts of it."""

    file: StageFile
    seeds: tuple[RelPath, ...]


class Lacking(NamedTuple):
    """What has to travel, by the paths that files are meant for; and the files, with their content digests where the
    origin had to read them anyway."""

    runs: tuple[Run, ...]
    files: tuple[StageFile, ...]


def lacking(origin: Replica, receiver: Replica, wanted: Sequence[Seeded]) -> Lacking:
    """Ask a batch of files through all levels; a file that is too small for chunks is lacking as a whole."""
    descent = _Descent(origin, receiver, {each.file.path: each.file for each in wanted})
    starts = [_first_level(each.file) for each in wanted]
    done = [whole(each.file) for each, start in zip(wanted, starts, strict=True) if start is None]
    named = (each for each, start in zip(wanted, starts, strict=True) if start is not None)
    seeds: Seeds = tuple(dict.fromkeys(seed for each in named for seed in each.seeds))
    pending: list[Run] = []
    for level in range(len(LEVELS)):
        pending += (whole(each.file) for each, start in zip(wanted, starts, strict=True) if start == level)
        if sum(run.length for run in pending) >= WORTH_AN_EXCHANGE:
            pending, useless = descent.cut(pending, seeds, level)
            done += useless
            seeds = None
    runs = sorted([*done, *pending], key=lambda run: (run.path.key, run.offset))
    return Lacking(tuple(runs), tuple(descent.files.values()))


class _Descent(NamedTuple):
    """Two replicas at work on a batch; `files` by the paths that they are meant for."""

    origin: Replica
    receiver: Replica
    files: dict[RelPath, StageFile]

    def cut(self, runs: Sequence[Run], seeds: Seeds, level: int) -> tuple[list[Run], list[Run]]:
        """What is lacking of these runs: to be cut finer, and to travel as it is."""
        asked: Counter[RelPath] = Counter()
        left: list[Run] = []
        for portion in portions(runs, level):
            for recipe, spans in self._exchange(portion, seeds, level):
                asked[recipe.path] += sum(recipe.lengths)
                left += runs_of(recipe, spans)
            seeds = None
        missing: Counter[RelPath] = Counter()
        for run in left:
            missing[run.path] += run.length
        # Where a level found nothing, to cut finer would name chunks for nothing; but one change in each MiB is common.
        useless = {path for path, size in missing.items() if level and size == asked[path]}
        return [run for run in left if run.path not in useless], [run for run in left if run.path in useless]

    def _exchange(self, runs: list[Run], seeds: Seeds, level: int) -> Iterator[tuple[Recipe, Sequence[Span]]]:
        """The origin cuts the runs while the receiver cuts its seeds."""
        there = [run._replace(path=self.files[run.path].source.path) for run in runs]
        recipes: list[Recipe] = []

        def ask() -> None:
            recipes.extend(self.origin.recipes(there, level))

        together([ask, lambda: self.receiver.match(seeds, (), level) and None])
        named = [recipe._replace(path=run.path) for recipe, run in zip(recipes, runs, strict=True)]
        for recipe in named:
            file = self.files[recipe.path]
            # One that was read before must still be what it was then: other bytes under the same stat never travel.
            if recipe.content and not file.source.is_read:
                self.files[recipe.path] = file._replace(source=file.source._replace(content=recipe.content))
        return zip(named, self.receiver.match(None, named, level), strict=True)


def _first_level(file: StageFile) -> int | None:
    """Where a file begins; one of unknown content must be named in one piece, with which that becomes known."""
    level = first_level(file.source.size)
    if level is None or file.source.is_read or len(list(portions([whole(file)], level))) == 1:
        return level
    return None


def whole(file: StageFile) -> Run:
    """All bytes of a file."""
    return Run(file.path, 0, file.source.size)
