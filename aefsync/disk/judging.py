"""Judging: what a scan shows is judged by what the sidecar remembers (`core.minting`), and local changes become versions.

A directory that is recognised by its seal is as it was.  In others, and in those that are no longer there, each name is
judged.  A file that may be the one remembered, and may not, is read before.  Bytes that changed though nobody seems to
have written them are damage, or may be: such a file keeps its version, and nothing is done about it (DESIGN, §8).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial

from aefsync.core import minting
from aefsync.core.entry import Entry, Kind
from aefsync.core.metadata import PERMISSIONS
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.problem import ROT, SUSPECT, Problem
from aefsync.core.version import FOUND
from aefsync.disk.absence import Absence
from aefsync.disk.building import directory_path
from aefsync.disk.chronicle import Chronicle
from aefsync.disk.doubtful import Intended, to_be_read
from aefsync.disk.merging import Merging, write
from aefsync.disk.misplaced import NOWHERE, misplaced
from aefsync.disk.page import RACY
from aefsync.disk.pages import Own, Pages, names_of
from aefsync.disk.pending import Intention
from aefsync.disk.recognising import is_known, recognise
from aefsync.disk.records import Record
from aefsync.disk.scan import Scanner
from aefsync.disk.sidecar import Head
from aefsync.disk.sight import Wanted
from aefsync.disk.vectors import FIRST

REAPPEARED = "changed while it was looked for"
"""Why nothing is done about what was missing, and is there when it is looked for once more."""
_NO_TOMBSTONES: Mapping[bytes, int] = {}


class _Place(NamedTuple):
    """A directory that is judged: what was intended in it, how it is found out whether a name is gone, and whether nothing
    was remembered of it before there was a scan of everything.  `missed` hears of the names that are not shown."""

    directory: bytes
    intended: Mapping[bytes, Sequence[Intention]]
    is_gone: Callable[[bytes], bool]
    is_first: bool = False
    missed: Callable[[Collection[bytes]], None] | None = None

    def path(self, name: bytes) -> RelPath:
        return RelPath.again((self.directory + name).replace(b"\0", b"/"))


class Judge:
    """Judges one scan."""

    def __init__(
        self, chronicle: Chronicle, scanner: Scanner, absence: Absence, mode_bits: int, intended: Intended
    ) -> None:
        self._chronicle = chronicle
        self._scanner = scanner
        self._mode_bits = mode_bits | PERMISSIONS
        self._intended = intended
        self._dot = chronicle.next_dot
        self._is_minted = False
        self._absence = absence
        self._following: dict[int, int] = {}
        """the versions of what took the place of what had these versions"""
        self._misplaced = NOWHERE
        self._lost: dict[bytes, set[bytes]] = {}
        """the names that the scan saw in a directory, and the reading did not"""
        self._fresh: int | None = None
        """the version of what nothing is remembered of"""

    def judge(self, read: Callable[[Wanted], None]) -> None:
        """Judge everything, in a transaction of the chronicle; `read` has files of the scan read."""
        chronicle, scanner = self._chronicle, self._scanner
        changed, absent, new = recognise(chronicle, scanner, self._intended)
        for directory in new:
            if chronicle.is_first and directory not in self._intended:
                chronicle.deferred.add(directory)
            else:
                changed[directory] = []
        scanner.materialise(changed.keys())
        wanted, may_have_moved = to_be_read(chronicle, scanner, self._intended, changed, absent)
        if wanted:
            self._read(wanted, read)
        if may_have_moved:
            self._look_for_misplaced(changed, absent)
        for directory, heads in changed.items():
            if directory in self._intended or not is_known(chronicle, scanner.pages.known, heads):
                self._judge(directory, heads)
        for directory in sorted({*absent, *self._intended} - changed.keys()):
            self._judge_absent(directory)
        if self._is_minted:
            chronicle.mint()
        if scanner.narrowing.is_everything and not chronicle.deferred:
            chronicle.looked_at_everything()

    def _read(self, wanted: Wanted, read: Callable[[Wanted], None]) -> None:
        """Have files read.  What vanishes meanwhile is not known to be gone: that its disk is no longer there looks the
        same, and so does what is being saved anew; the next scan tells."""
        pages = self._scanner.pages
        before = {key: (pages.known[key].length, names_of(pages.held(key))) for key in wanted}
        read(wanted)
        self._scanner.mounts.look_again()
        for key, (length, names) in before.items():
            if pages.known[key].length < length:
                shown = pages.names(names).split(b"\0")
                self._lost.setdefault(key[0], set()).update(set(shown).difference(pages[key].name_list()))

    def _look_for_misplaced(self, changed: Mapping[bytes, Sequence[Head]], absent: Iterable[bytes]) -> None:
        if self._chronicle.sidecar is not None:
            self._misplaced = misplaced(self._chronicle.sidecar, self._scanner, changed, absent)

    def _is_misplaced(self, place: _Place, name: bytes) -> bool:
        """Whether a file that is suspect has this name, or should have it: for the others it is what it was."""
        here, there = self._misplaced
        if name in here.get(place.directory, ()):
            self._scanner.report(place.directory, Problem(place.path(name), SUSPECT, subtree=True))
            return True
        if name in there.get(place.directory, ()):
            self._scanner.unexamined.add(place.path(name))
            return True
        return False

    def _judge(self, directory: bytes, heads: Sequence[Head]) -> None:
        is_first = self._chronicle.is_first and not heads
        place = _Place(directory, self._intended.get(directory, {}), _never, is_first)
        if self._absence.is_open(directory):
            gone: set[bytes] = set()
            is_gone, missed = partial(self._is_gone, directory, gone), partial(self._look_for, directory, gone)
            place = place._replace(is_gone=is_gone, missed=missed)
        self._merge(place, self._scanner.pages.of(directory), heads)

    def _judge_absent(self, directory: bytes) -> None:
        absence, sidecar = self._absence, self._chronicle.sidecar
        if sidecar is None or not absence.is_open(directory):
            return
        if not absence.is_directory_gone(directory):
            # What an interrupted run was about to fill may be seen, and empty.
            if (directory, 0) not in self._scanner.pages and (directory, 0) not in self._scanner.briefs:
                self._doubt(directory)
            return
        place = _Place(directory, self._intended.get(directory, {}), partial(absence.is_in_sight, directory))
        self._merge(place, Pages().of(directory), sidecar.heads_of(directory))

    def _look_for(self, directory: bytes, gone: set[bytes], names: Collection[bytes]) -> None:
        gone |= self._absence.gone(directory, names)

    def _is_gone(self, directory: bytes, gone: Collection[bytes], name: bytes) -> bool:
        if name in self._lost.get(directory, ()):
            self._scanner.unexamined.add(directory_path(directory + name + b"\0"))
            return False
        if name in gone:
            return True
        if self._absence.is_in_sight(directory, name):
            self._doubt(directory + name + b"\0")
        return False

    def _doubt(self, key: bytes) -> None:
        """Have nothing be done about what the scan does not show, and what is there after all: for the others it would be
        missing here, and come back should it go again."""
        parent = key[: key[:-1].rfind(b"\0") + 1]
        self._scanner.report(parent, Problem(directory_path(key), REAPPEARED, subtree=True))

    def _merge(self, place: _Place, pages: Own, heads: Sequence[Head]) -> None:
        merging = Merging(self._chronicle, place.directory, pages, heads, place.intended)
        rows = merging.merge(partial(self._decide, place), place.missed)
        write(self._chronicle, place.directory, rows, pages, heads)

    def _decide(self, place: _Place, name: bytes, before: Record | None, now: Record | None) -> Record | None:
        if now is None and not place.is_gone(name):
            return before
        if name not in place.intended:
            if self._misplaced.here and self._is_misplaced(place, name):
                return before
            if now is None and before is not None:
                self._bury(place, name, before)
                return None
            if now is not None and before is None and name not in self._chronicle.tombstones.get(place.directory, ()):
                return self._appeared(now, first=place.is_first)
            if now is not None and before is not None and before.is_plainly_another(now):
                self._chronicle.unbury(place.directory, name)
                return Record(now.stat, now.content, now.flags & RACY, self._after(place, name, before))
        path = place.path(name)
        remembered = self._remember(place.directory, path, name, before)
        found = now.entry(path, self._mode_bits) if now is not None else None
        if name in place.intended:
            remembered = minting.settle(found, remembered, *self._meant(path, place.intended[name]))
        reason = _damage(remembered and remembered.entry, found, before)
        if reason:
            self._scanner.report(place.directory, Problem(path, reason, subtree=True))
            return before
        judged = minting.judge(found, remembered, self._dot, first=place.is_first)
        version = FOUND if remembered is None else remembered.version
        self._is_minted |= judged is not None and judged.version != version
        return self._keep(place.directory, name, judged, before, now)

    def _bury(self, place: _Place, name: bytes, before: Record) -> None:
        """What is remembered is gone."""
        self._chronicle.bury(place.directory, name, self._after(place, name, before))

    def _after(self, place: _Place, name: bytes, before: Record) -> int:
        """The version of what took the place of what is remembered: nearly always there are many of one version."""
        vectors, number = self._chronicle.vectors, self._following.get(before.version)
        if number is None:
            version = vectors.version(before.version)
            # An empty vector stands for the content.
            entry = None if version.vector else before.entry(place.path(name), self._mode_bits)
            number = vectors.number(minting.following(version, entry, self._dot))
            if entry is None:
                self._following[before.version] = number
        self._is_minted = True
        return number

    def _appeared(self, now: Record, *, first: bool) -> Record:
        """Nothing is known of what is found."""
        if first:
            return Record(now.stat, now.content, now.flags & RACY, FIRST)
        if self._fresh is None:
            self._fresh = self._chronicle.vectors.number(minting.fresh(self._dot))
        self._is_minted = True
        return Record(now.stat, now.content, now.flags & RACY, self._fresh)

    def _remember(self, directory: bytes, path: RelPath, name: bytes, before: Record | None) -> minting.Record | None:
        vectors = self._chronicle.vectors
        if before is not None:
            return minting.Record(vectors.version(before.version), before.entry(path, self._mode_bits))
        tombstone = self._chronicle.tombstones.get(directory, _NO_TOMBSTONES).get(name)
        return None if tombstone is None else minting.Record(vectors.version(tombstone), None)

    def _meant(self, path: RelPath, intended: Sequence[Intention]) -> Iterator[minting.Record]:
        """What was to be left at a path, step by step."""
        for each in intended:
            if not each.is_departure:
                entry = None if each.is_tombstone else each.record.entry(path, self._mode_bits)
                yield minting.Record(self._chronicle.vectors.version(each.record.version), entry)

    def _keep(
        self, directory: bytes, name: bytes, judged: minting.Record | None, before: Record | None, now: Record | None
    ) -> Record | None:
        """Put down what was decided: as a tombstone, or as the record that is returned."""
        if judged is None:
            return None
        number = self._chronicle.vectors.number(judged.version)
        if now is None:
            self._chronicle.bury(directory, name, number)
            return None
        self._chronicle.unbury(directory, name)
        if before is not None and before.version == number and before.is_read and not now.is_read:
            # It could not be read, or need not be: what is shown is no reason to forget what was.
            return before._replace(flags=before.flags & RACY)
        return Record(now.stat, now.content, now.flags & RACY, number)


def _damage(before: Entry | None, found: Entry | None, record: Record | None) -> str:
    """Why a file is taken for damaged, perhaps (the table of DESIGN, §8); empty where it is not."""
    if before is None or found is None or (record is not None and record.flags & RACY):
        return ""
    if before.kind is not Kind.FILE or found.kind is not Kind.FILE or not (before.is_read and found.is_read):
        return ""
    if before.content == found.content or before.size != found.size or not minting.is_same_time(before, found):
        return ""
    if before.inode and found.inode and before.inode != found.inode:
        return ""
    return ROT if before.inode and before.ctime_ns == found.ctime_ns else SUSPECT


def _never(_: bytes) -> bool:
    """Nothing is gone where nothing is known."""
    return False
