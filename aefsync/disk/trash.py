"""The trash of a root: `.aefsync/trash/RUN/WHY/PATH`, where a person can find things with `ls` as well.

The quarantine beside it is laid out alike; the reason says in which of the two a thing is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence

from aefsync.core.action import Applied
from aefsync.core.path import RelPath
from aefsync.core.problem import Problem, reason_of
from aefsync.disk.confined import exists, split
from aefsync.disk.directories import OpenDirectories
from aefsync.disk.durability import Directory
from aefsync.disk.home import TRASH, Home
from aefsync.disk.looking import Place
from aefsync.disk.readable import Shelf
from aefsync.disk.removing import remove_tree
from aefsync.disk.retention import forget, half_done
from aefsync.disk.shelves import shelf_of

REPLACED = "replaced"
DELETED = "deleted"
_REMEMBERED = 1 << 16
"""Names of one directory."""


class Trash:
    """Gives out **slots**: the place that a file takes when a run replaces or deletes it."""

    def __init__(self, home: Home, run: str) -> None:
        self._home = home
        self._run = run
        self._base = TRASH + b"/" + run.encode()
        self._made: set[bytes] = set()
        self._fresh: _Fresh | None = None
        self._annexes = 0
        self._open = OpenDirectories(home)
        self._given = b""
        self._is_owed = False

    def slot(self, why: str, path: RelPath) -> Place:
        """A free slot for `path`, its directories made; valid until the next call.

        Whoever uses it replaces nothing (`renaming`): what is said to be free was so a moment ago.
        """
        directory, name = split(path)
        if self._fresh is not None and self._fresh.is_free(why, directory, name) and not self._home.annexes:
            self._given = self._fresh.place + b"/" + name
            return self._open.get(self._fresh.place), name
        for attempt, slot in enumerate(slot_names(self._run, why, path)):
            self._given = slot
            place, name = split(slot)
            with _passing_over_others():
                is_new = not self._home.annexes and place not in self._made and not exists(self._home, place)
                self._make_directory(place)
                fd = self._open.get(place)
                if is_new and not attempt:
                    self._fresh = _Fresh(place, why, directory, name)
                if is_new or _is_free(fd, name):
                    return fd, name
        raise FileExistsError(f"no free slot in the trash for {path!s}")

    def keep_directory(self, why: str, path: RelPath, mode: int) -> None:
        """Leave the trace of a removed directory: one with the sticky bit, which may hold what was in it before."""
        for slot in slot_names(self._run, why, path):
            with _passing_over_others():
                self._make_directory(slot)
                with self._home.directory(slot) as fd:
                    os.fchmod(fd, mode & 0o777 | 0o700 | stat.S_ISVTX)
                return

    @property
    def directories(self) -> list[Directory]:
        """All directories that slots of this run were made in, and those that hold them."""
        above = {TRASH, self._base}
        for made in self._made:
            directory = made
            while directory not in above:
                above.add(directory)
                directory = split(directory)[0]
        return [(self._home, directory) for directory in sorted(above)]

    def begin(self) -> None:
        """The next action begins: what is put away from now on is its own."""
        self._given = b""

    def owe(self) -> None:
        """The action failed: what it left in its slot may be nowhere else, so from now on nothing here is deleted."""
        if self._given and not self._is_owed:
            try:
                self._is_owed = exists(self._home, self._given)
            except OSError:
                self._is_owed = True

    def empty(self) -> None:
        """Delete for good what this run put in the trash, unless an action that failed left something there; what cannot be
        deleted stays."""
        if self._is_owed:
            return
        self.close()
        self._made.clear()
        self._fresh = None
        for home in (self._home, *self._home.annexes.values()):
            with contextlib.suppress(OSError):
                remove_tree(home.alone, self._base)

    def _make_directory(self, directory: bytes) -> None:
        if directory not in self._made or self._annexes != len(self._home.annexes):
            if self._annexes != len(self._home.annexes):
                self.close()
                self._annexes = len(self._home.annexes)
            self._home.make_directories(directory)
            self._made.add(directory)

    def close(self) -> None:
        """Let go of the directory of the last slot."""
        self._open.close()


class _Fresh:
    """A directory of slots that was made just now: nothing is in it but what was put there since, `first` to begin with."""

    def __init__(self, place: bytes, why: str, directory: bytes, first: bytes) -> None:
        self.place = place
        self._of = why, directory
        self._taken = {first}

    def is_free(self, why: str, directory: bytes, name: bytes) -> bool:
        """Whether a name of that directory can be taken here, and is from now on."""
        if self._of != (why, directory) or name in self._taken or len(self._taken) >= _REMEMBERED:
            return False
        self._taken.add(name)
        return True


def _is_free(directory: int, name: bytes) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return True
    return False


def slot_names(run: str, why: str, path: bytes) -> Iterator[bytes]:
    """The places that a run may give a path in the trash, in the order in which they are taken."""
    for attempt in range(1000):
        kind = why if attempt == 0 else f"{why}.{attempt}"
        yield b"/".join([shelf_of(why), run.encode(), kind.encode(), path])


@contextlib.contextmanager
def _passing_over_others() -> Iterator[None]:
    """Where a slot, or a directory above it, is something else, the next one is tried."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTDIR, errno.ELOOP):
            raise


def purge_runs(home: Shelf, runs: Sequence[str]) -> Applied:
    """Delete what these runs put in the trash, for good, and their journals, which tell of it."""
    done, problems = [], []
    spared: frozenset[str] | None = None
    for run in runs:
        path = TRASH + b"/" + os.fsencode(run)
        try:
            if "/" in run or run in ("", ".", ".."):
                raise OSError(errno.EINVAL, "is no run")
            spared = half_done(home) if spared is None else spared
            if run in spared:
                raise OSError(errno.EBUSY, "was cut short with something half replaced: the next repair puts it back")
            for each in (home, *home.annexes.values()):
                with contextlib.suppress(FileNotFoundError):
                    each.remove_tree(path, alone=True)
            forget(home, run)
            done.append(True)
        except OSError as error:
            problems.append(Problem(path, reason_of(error)))
            done.append(False)
    return Applied(tuple(done), tuple(problems), ())
