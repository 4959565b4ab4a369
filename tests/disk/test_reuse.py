"""With an index or without: after any edits a scan finds the same."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from aefsync.disk import listing
from aefsync.disk.building import Limits
from aefsync.disk.filesystem import LOCAL
from aefsync.disk.filter import Filter
from aefsync.disk.index import Index
from aefsync.disk.page import RACY, ROWS
from aefsync.disk.scan import Scanner
from aefsync.disk.sight import LocalSight
from aefsync.disk.summing import sum_up
from tests.disk.ground import Ground, finish, pass_the_step

DIRECTORIES = [b"", b"d", b"d/e", b"f"]
NAMES = [b"a", b"b", b"a-b", b"d", b"e", b"f", b"caf\xe9"]
CONTENTS = [b"", b"one", b"two", b"three"]
MTIMES = [10**18, 10**18 + 1, -5, None]
RULES = [(), ("a*",), ("/d/",)]

paths = st.builds(os.path.join, st.sampled_from(DIRECTORIES), st.sampled_from(NAMES))


class Reuse(RuleBasedStateMachine):
    """Edits of a small tree, many of them invisible in size and mtime, and scans between them."""

    rows = ROWS

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(listing, "ROWS", self.rows)
        self.folder = Path(tempfile.mkdtemp())
        self.ground = Ground(self.folder / "root")
        self.index = self.open_index()
        self.edited = False

    def open_index(self) -> Index:
        return Index(os.fspath(self.folder / "index.db"))

    def teardown(self) -> None:
        self.patch.undo()
        self.index.close()
        self.ground.close()
        shutil.rmtree(self.folder)

    @initialize()
    def furnish(self) -> None:
        for directory in DIRECTORIES[1:]:
            os.makedirs(self.ground.place(directory), exist_ok=True)
            self.ground.write(directory + b"/a", b"one")

    def place(self, path: bytes) -> bytes:
        self.edited = True
        return self.ground.place(path)

    def is_plain(self, path: bytes) -> bool:
        return os.path.isdir(os.path.dirname(self.place(path))) and not os.path.isdir(self.place(path))

    @rule(path=paths, content=st.sampled_from(CONTENTS), mtime_ns=st.sampled_from(MTIMES))
    def write(self, path: bytes, content: bytes, mtime_ns: int | None) -> None:
        if self.is_plain(path) and not os.path.islink(self.place(path)):
            self.ground.write(path, content, mtime_ns=mtime_ns)

    @rule(path=paths, content=st.sampled_from(CONTENTS))
    def write_behind_the_clock(self, path: bytes, content: bytes) -> None:
        """Other bytes, size and mtime as they were."""
        place = self.place(path)
        if os.path.isfile(place) and not os.path.islink(place):
            seen = os.stat(place)
            with open(place, "r+b") as file:
                file.write(content[: seen.st_size])
            os.utime(place, ns=(seen.st_atime_ns, seen.st_mtime_ns))

    @rule(path=paths, where=st.sampled_from(CONTENTS[1:]))
    def link(self, path: bytes, where: bytes) -> None:
        if self.is_plain(path):
            if os.path.lexists(self.place(path)):
                os.unlink(self.place(path))
            os.symlink(where, self.place(path))

    @rule(old=paths, new=paths)
    def rename(self, old: bytes, new: bytes) -> None:
        try:
            os.rename(self.place(old), self.place(new))
        except OSError:
            return

    @rule(path=paths, mode=st.sampled_from([0o600, 0o644, 0o755]))
    def chmod(self, path: bytes, mode: int) -> None:
        place = self.place(path)
        if os.path.lexists(place) and not os.path.islink(place):
            os.chmod(place, mode | (0o700 if os.path.isdir(place) else 0))

    @rule(path=paths, mtime_ns=st.sampled_from(MTIMES[:3]))
    def utime(self, path: bytes, mtime_ns: int) -> None:
        if os.path.lexists(self.place(path)):
            os.utime(self.place(path), ns=(mtime_ns, mtime_ns), follow_symlinks=False)

    @rule(path=paths)
    def delete(self, path: bytes) -> None:
        place = self.place(path)
        if os.path.isdir(place) and not os.path.islink(place):
            shutil.rmtree(place)
        elif os.path.lexists(place):
            os.unlink(place)

    @rule(path=paths)
    def mkdir(self, path: bytes) -> None:
        if os.path.isdir(os.path.dirname(self.place(path))) and not os.path.lexists(self.place(path)):
            os.mkdir(self.place(path))

    @rule()
    def rest(self) -> None:
        pass_the_step()

    @rule()
    def open_the_index_again(self) -> None:
        self.index.close()
        self.index = self.open_index()

    @rule()
    def lose_the_index(self) -> None:
        self.index.close()
        for name in os.listdir(self.folder):
            if name.startswith("index.db"):
                os.unlink(self.folder / name)
        self.index = self.open_index()

    def check(self, scanner: Scanner) -> None:
        rules = scanner.limits.filter
        fresh = self.ground.scanner(None, Limits(rules, ignore_index=True))
        entries = finish(fresh)
        summed = sum_up(scanner, complete=False)
        expected = sum_up(fresh, complete=False)
        if summed.root:
            assert summed.root == expected.root
        assert finish(scanner) == entries
        assert sum_up(scanner, complete=True)._replace(unread_files=0, unread_bytes=0) == expected
        assert scanner.entries == len(entries)

    @rule(rules=st.sampled_from(RULES), eager=st.booleans())
    def scan(self, rules: tuple[str, ...], eager: bool) -> None:
        limits = Limits(Filter(rules), eager=eager)
        scanner = Scanner(LocalSight(self.ground.root, LOCAL, limits), self.index, limits)
        scanner.scan()
        self.check(scanner)
        self.edited = False

    @precondition(lambda self: not self.edited)
    @rule()
    def everything_that_was_at_rest_is_recognised(self) -> None:
        pass_the_step()
        first = self.ground.scanner(self.index)
        finish(first)
        again = self.ground.scanner(self.index)
        assert not any(flag & RACY for page in first.pages.values() for flag in page.flags)
        assert not again.pages
        self.check(again)

    @rule(data=st.data())
    def look_again_at_some(self, data: st.DataObject) -> None:
        scanner = self.ground.scanner(self.index)
        finish(scanner)
        prefixes = sorted({prefix for prefix, _ in scanner.pages})
        self.write(data.draw(paths), b"two", None)
        self.delete(data.draw(paths))
        self.rename(data.draw(paths), data.draw(paths))
        scanner.rescan(prefixes)
        finish(scanner)
        self.check(scanner)


class ReuseOfSmallPages(Reuse):
    """The same where a directory is several pages."""

    rows = 2


TestReuse = Reuse.TestCase
TestReuse.settings = settings(max_examples=20, stateful_step_count=25)
TestReuseOfSmallPages = ReuseOfSmallPages.TestCase
TestReuseOfSmallPages.settings = settings(max_examples=20, stateful_step_count=25)
