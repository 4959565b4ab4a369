"""What past runs left in a replica, and how it is asked for: their trash, what they did, and taking it back."""

from __future__ import annotations

from aefsync.core.change import Change
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.problem import Problem

TRASH_PAGE = 4096
"""Things in the trash that one answer tells of, at most."""


class Title(NamedTuple):
    """What a run is, for the journals of its replicas: the command, and the locations of all replicas, A first, as
    they can be written anywhere."""

    command: str = ""
    replicas: tuple[bytes, ...] = ()


class TrashItem(NamedTuple):
    """One thing in a replica's trash: what run put it there, why (`replaced`, `deleted`, or one of
    `action.QUARANTINED`), and what it is."""

    run: str
    why: str
    path: RelPath
    is_directory: bool
    size: int


class TrashQuery(NamedTuple):
    """Which things in the trash are meant, and from which of them on.

    `path` and what is below it (empty: everything), those of the run `run` (empty: of any), those of runs whose id is
    not below `since`, and of `quarantine` only what is there; `start` counts those told already.
    """

    path: bytes = b""
    run: str = ""
    since: str = ""
    start: int = 0
    quarantine: bool = False


class Undo(NamedTuple):
    """Which part of which run to take back: part 0 is what the run did last.  `dry_run`: only look."""

    run: str
    part: int = 0
    dry_run: bool = False


class ChangeCounts(NamedTuple):
    """How many changes of each kind."""

    created: int = 0
    replaced: int = 0
    moved: int = 0
    deleted: int = 0
    metadata: int = 0


class RunRecord(NamedTuple):
    """One run as a replica remembers it.

    `command` is what the user asked for, `replicas` the locations of all replicas that took part, A first; both are
    empty where the run left no journal, only things in the trash.
    """

    run: str
    command: str
    replicas: tuple[bytes, ...]
    counts: ChangeCounts


class TakenBack(NamedTuple):
    """A part of a run taken back: the changes this needed, in order, and whether each could be made.

    `problems` has one for each that could not, and `rest` how many parts are left.  `gone` are conflict copies that the run
    made and that are not there any more: perhaps an undo took them away that did not come to its end.
    """

    changes: tuple[Change, ...]
    done: tuple[bool, ...]
    problems: tuple[Problem, ...]
    rest: int
    gone: tuple[RelPath, ...] = ()
