"""A month of ordinary edits, a repair now and then, a scrub each night: nobody is alarmed.

Times on the disk are real, the clock of the replica is ahead of them by the days that passed: so whatever is recorded
is old enough for a verdict of rot, and only how a file was edited keeps it from one.
"""

from __future__ import annotations

import mmap
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aefsync.core.action import Act, Action, StageFile
from aefsync.core.digest import content_digest
from aefsync.core.path import RelPath
from aefsync.core.ports import Piece
from aefsync.core.version import Dot, Version
from tests.disk.test_scrubbing import MINUTE_NS, Root
from tests.support.rot import quiet

DAY_NS = 24 * 60 * MINUTE_NS
PEER = b"P" * 16
SIZE = 5000


class Month:
    """A root, edited by everyone; no edit gives a file the mtime that it had: that is what a suspect looks like."""

    def __init__(self, root: Root, seed: int) -> None:
        self.root = root
        self.rnd = random.Random(seed)
        self.dates = iter(range(10**18, 2 * 10**18, DAY_NS + 1))
        self.number = 0
        for number in range(12):
            root.write(b"d%d/f%d" % (number % 3, number), self.data())

    def data(self) -> bytes:
        """Other bytes each time, mostly as many."""
        return self.rnd.randbytes(self.rnd.choice((SIZE, SIZE, SIZE - 1)))

    def files(self) -> list[bytes]:
        """The paths of all files, in order."""
        return sorted(path for path in self.root.contents() if not path.startswith(b".aefsync"))

    def edits(self) -> Iterator[None]:
        """Some file is edited in each of all ways, in some order."""
        ways: list[Callable[[bytes], None]] = [
            self.in_place,
            self.by_rename,
            self.truncated,
            self.appended,
            self.mapped,
            self.touched,
            self.other_mode,
            self.copied_over,
            self.set_back,
            self.moved,
            self.made_anew,
        ]
        self.rnd.shuffle(ways)
        yield from (way(self.root.place(self.rnd.choice(self.files()))) for way in ways)

    def in_place(self, path: bytes) -> None:
        with open(path, "r+b") as file:
            file.seek(self.rnd.randrange(SIZE // 2))
            file.write(self.rnd.randbytes(7))

    def by_rename(self, path: bytes) -> None:
        """As editors do, and some of them keep the time."""
        seen = os.stat(path)
        new = path + b"~"
        with open(new, "wb") as file:
            file.write(self.rnd.randbytes(seen.st_size))
        if self.rnd.random() < 0.5:
            os.utime(new, ns=(seen.st_mtime_ns, seen.st_mtime_ns))
        os.rename(new, path)

    def truncated(self, path: bytes) -> None:
        os.truncate(path, max(1, os.path.getsize(path) - 100))

    def appended(self, path: bytes) -> None:
        with open(path, "ab") as file:
            file.write(self.rnd.randbytes(100))

    def mapped(self, path: bytes) -> None:
        """Through a mapping; where memory is the disk, the system does not hear of such a store, and so whoever makes one
        says that himself."""
        before = os.stat(path)
        with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
            memory[0] ^= 1
            memory.flush()
        if os.stat(path).st_mtime_ns == before.st_mtime_ns:
            os.utime(path)

    def touched(self, path: bytes) -> None:
        os.utime(path)

    def other_mode(self, path: bytes) -> None:
        os.chmod(path, self.rnd.choice((0o600, 0o640, 0o644)))

    def copied_over(self, path: bytes) -> None:
        """`cp -p` of another version: the inode stays, the time is that of the copy."""
        with open(path, "wb") as file:
            file.write(self.data())
        self.set_back(path)

    def set_back(self, path: bytes) -> None:
        date = next(self.dates)
        os.utime(path, ns=(date, date))

    def moved(self, path: bytes) -> None:
        self.number += 1
        os.rename(path, os.path.dirname(path) + b"/m%d" % self.number)

    def made_anew(self, path: bytes) -> None:
        os.unlink(path)
        with open(path, "wb") as file:
            file.write(self.data())

    def repair(self, *, versions: bool) -> None:
        """A repair that brings another version of one file."""
        replica, data, date = self.root.open(versions=versions), self.data(), next(self.dates)
        scanned = replica.read_unread((), None)
        files = self.files()
        found = self.rnd.choice([each for each in replica.entries([(0, scanned.entries)]) if each.path in files])
        self.number += 1
        version = Version((Dot(PEER, self.number),), PEER) if versions else None
        content = content_digest(data)
        wanted = found._replace(size=len(data), mtime_ns=date, content=content, inode=0, ctime_ns=0, version=version)
        replica.write([Piece(found.path, 0, len(data), data)])
        assert replica.stage([StageFile(wanted, found.path)], None).contents == (content,)
        assert replica.apply([Action(Act.COPY, RelPath(found.path), wanted, found)]).done == (True,)
        replica.record()


@pytest.fixture
def month(tmp_path: Path) -> Iterator[Month]:
    with quiet(tmp_path) as folder:
        root = Root(folder / "root")
        yield Month(root, seed=7)
        root.close()


def pass_days(month: Month, days: int, *, versions: bool) -> None:
    """So many days, each with its night."""
    root = month.root
    root.see(versions=versions)
    for day in range(days):
        for number, _ in enumerate(month.edits()):
            if number == 4:
                month.repair(versions=versions)
        root.ahead_ns += DAY_NS
        scrubbed = root.scrub(versions=versions)
        told = [(bytes(each.recorded.path), each.verdict.value) for each in scrubbed.damaged]
        assert (day, told, scrubbed.problems, scrubbed.rot, scrubbed.suspects) == (day, [], (), 0, 0)
        assert (scrubbed.files, scrubbed.left_files) == (len(month.files()), 0)
        root.replica.record()


@pytest.mark.parametrize("versions", [True, False], ids=["sidecar", "index"])
def test_a_few_days_of_edits_raise_no_alarm(month: Month, *, versions: bool) -> None:
    pass_days(month, 3, versions=versions)


@pytest.mark.slow
@pytest.mark.parametrize("versions", [True, False], ids=["sidecar", "index"])
def test_a_month_of_edits_raises_no_alarm(month: Month, *, versions: bool) -> None:
    pass_days(month, 31, versions=versions)
