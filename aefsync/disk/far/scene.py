"""The scene of a root elsewhere: what the steps of a run share, and what they leave behind for the end of it."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from aefsync.core.action import KeptCopy
from aefsync.core.conflict_name import conflict_name
from aefsync.core.entry import Entry, Kind
from aefsync.core.files import FarStat, Lstat, Rename, Replace, SetStat, Task, ask, raised
from aefsync.core.metadata import Aspects
from aefsync.core.path import RelPath, parents
from aefsync.disk.confined import split
from aefsync.disk.far.home import FarHome
from aefsync.disk.far.intents import FarIntents
from aefsync.disk.far.root import FarRoot
from aefsync.disk.far.staging import FarStaging
from aefsync.disk.hashing import Seen
from aefsync.disk.home import TRASH
from aefsync.disk.looking import Refused, shows
from aefsync.disk.trash import slot_names


@dataclass
class FarScene:
    """`touched`, `placed`, `there`, `spared` and `kept` as in `disk/scene`.  `sound` are directories that were just
    seen to be directories, and so all above them."""

    root: FarRoot
    home: FarHome
    run: str
    staging: FarStaging
    aspects: Aspects
    intents: FarIntents
    is_unmanaged: Callable[[bytes], bool]
    touched: set[bytes] = field(default_factory=set)
    placed: list[Entry] = field(default_factory=list)
    there: set[RelPath] = field(default_factory=set)
    spared: set[bytes] = field(default_factory=set)
    sound: set[bytes] = field(default_factory=set)
    kept: list[KeptCopy] = field(default_factory=list)
    _slots: set[bytes] = field(default_factory=set)
    _made: set[bytes] = field(default_factory=set)
    _owed: dict[RelPath, bytes] = field(default_factory=dict)

    def touch(self, path: RelPath) -> None:
        """Have the directory that holds `path` looked at again."""
        self.touched.add(path.prefix)

    def stamp(self, wanted: Entry, seen: FarStat, content: bytes = b"") -> None:
        """Note that an entry is in place, with the time it has now, and with a content that was found only here."""
        fresh = wanted._replace(mtime_ns=seen.st_mtime_ns, ctime_ns=0, inode=0, content=content or wanted.content)
        self.placed.append(fresh)

    def stamp_as_seen(self, wanted: Entry, content: bytes = b"") -> Task[None]:
        (seen,) = yield [Lstat(self.root.at(wanted.path))]
        if isinstance(seen, FarStat):
            self.stamp(wanted, seen, content)

    def look(self, path: RelPath) -> Task[FarStat | None]:
        """What stands at a path, as `FarRoot.look`; what is above it has perhaps been looked at just now."""
        if path.parent not in self.sound:
            return (yield from self.root.look(path))
        (seen,) = yield [Lstat(self.root.at(path))]
        return None if isinstance(seen, FileNotFoundError) else raised(seen)

    def look_above(self, paths: Iterable[RelPath]) -> None:
        """Look at all that is above some paths, once for all of them that are about to be changed."""
        above = sorted({each for path in paths for each in path.ancestors}, key=len)
        found = ask(self.home.files, *[Lstat(self.root.at(each)) for each in above])
        self.sound = {b""}
        for each, seen in zip(above, found, strict=True):
            if each.parent in self.sound and isinstance(seen, FarStat) and stat.S_ISDIR(seen.st_mode):
                self.sound.add(each)

    def look_for(self, path: RelPath, found: Entry | None) -> Task[FarStat]:
        """What stands at a path; raises `Refused` unless that is what the plan saw."""
        seen = yield from self.look(path)
        if seen is None:
            raise Refused("vanished since the scan")
        if found is not None and not shows(seen, found):
            raise Refused("changed since the scan")
        return seen

    def slot(self, why: str, path: RelPath) -> Task[bytes]:
        """A free slot of the trash for what is at a path, its directories made, as a path below the home."""
        for slot in slot_names(self.run, why, path):
            if slot not in self._slots and (yield from self._make_directory(split(slot)[0])):
                (seen,) = yield [Lstat(self.home.at(slot))]
                if isinstance(seen, FileNotFoundError):
                    self._slots.add(slot)
                    return slot
        raise FileExistsError(f"no free slot in the trash for {path!s}")

    def keep_directory(self, why: str, path: RelPath, mode: int) -> Task[None]:
        """Leave the trace of a removed directory, as `disk/trash` does."""
        for slot in slot_names(self.run, why, path):
            if (yield from self._make_directory(slot)):
                kept = mode & 0o777 | 0o700 | stat.S_ISVTX
                raised((yield [SetStat(self.home.at(slot), mode=kept)])[0])
                return

    def _make_directory(self, directory: bytes) -> Task[bool]:
        """Have a directory in the trash; not where something else is in the way."""
        if directory in self._made:
            return True
        try:
            yield from self.home.make_directories(directory)
        except OSError:
            above = [directory[:end] for end, byte in enumerate(directory + b"/") if byte == ord("/")]
            found = yield [Lstat(self.home.at(each)) for each in above]
            if any(isinstance(seen, FarStat) and not stat.S_ISDIR(seen.st_mode) for seen in found):
                return False
            raise
        self._made.add(directory)
        return True

    @property
    def trash(self) -> bytes:
        """Where all slots of this run are, as a path below the home."""
        return TRASH + b"/" + self.run.encode()

    @property
    def slot_directories(self) -> frozenset[bytes]:
        """The directories that slots of this run were made in, and those that hold them, as paths below the home."""
        return frozenset(each for made in self._made for each in (made, *parents(made)) if each)

    def put_away(self, why: str, path: RelPath, found: Entry | None) -> Task[tuple[bytes, bool]]:
        """Move what is at a path to the trash; its slot, and whether it is what was looked at."""
        slot = yield from self.slot(why, path)
        place = self.home.at(slot)
        self._owed[path] = slot
        moved, seen = yield [self.aside(self.root.at(path), place), Lstat(place)]
        if isinstance(moved, OSError):
            self.settle(path)
            raise moved
        return slot, found is None or shows(raised(seen), found)

    def put_back(self, slot: bytes, path: RelPath) -> Task[None]:
        """What was put away goes back, unless something else is there by now."""
        (seen,) = yield [Lstat(self.root.at(path))]
        if isinstance(seen, FileNotFoundError):
            raised((yield [self.aside(self.home.at(slot), self.root.at(path))])[0])
            self.settle(path)
        else:
            yield from self.set_aside(slot, path, None)

    def set_aside(self, slot: bytes, path: RelPath, seen: FarStat | None) -> Task[None]:
        """A local edit that raced the run, and is in a slot of the trash, stays beside what was put in its place."""
        if seen is None:
            seen = raised((yield [Lstat(self.home.at(slot))])[0])
        kept_as = path.sibling(conflict_name(path.name, b"", seen.st_mtime_ns, os.urandom(32)))
        raised((yield [Rename(self.home.at(slot), self.root.at(kept_as))])[0])
        self.settle(path)
        self.touch(kept_as)
        self.kept.append(KeptCopy(path, kept_as))

    def settle(self, path: RelPath) -> None:
        """What was put away of a path is back, or meant to be away."""
        self._owed.pop(path, None)

    def empty_trash(self) -> None:
        """Delete for good what this run put in the trash, unless an action that failed left something there; what cannot be
        deleted stays."""
        if not self._owed:
            self._made.clear()
            self._slots.clear()
            with contextlib.suppress(OSError):
                self.home.remove_tree(self.trash)

    def aside(self, old: bytes, new: bytes) -> Rename | Replace:
        """A rename to where nothing is, also of what is not ours: the other one makes a hard link first, which servers
        may refuse for files of others."""
        return Replace(old, new) if self.home.files.abilities.replace else Rename(old, new)

    def is_already_there(self, path: RelPath, seen: FarStat, wanted: Entry) -> Task[bool]:
        """Whether what stands in the way of a new file is that very file, as an earlier run left it."""
        if wanted.kind is not Kind.FILE or not wanted.is_read or not shows(seen, self._as_stored(wanted)):
            return False
        content = yield from self.root.hashing(path, Seen(seen.st_size, seen.st_mtime_ns, 0, 0))
        return content == wanted.content

    def _as_stored(self, wanted: Entry) -> Entry:
        """An entry with what can be kept of it over there."""
        return wanted._replace(mtime_ns=self.aspects.stored_time(wanted.mtime_ns), inode=0)
