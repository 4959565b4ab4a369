"""The invariants of replicas with version vectors, over any order of edits and sessions."""

from __future__ import annotations

import itertools
import os

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from aefsync.core.entry import Entry, Kind
from aefsync.core.path import RelPath
from tests.core.histories import Host, differences, meet
from tests.support.snapshots import directory, file

NAMES = [b"a", b"b", b"d", b"d/x", b"d/y", b"d/e", b"d/e/z"]
HOSTS = "ABCD"


class Histories(RuleBasedStateMachine):
    """Users edit replicas at will, sessions run between any of them, some cut short; then all is quiet, and they agree."""

    @initialize(
        shared=st.lists(st.sampled_from(NAMES), unique=True, max_size=4),
        number=st.integers(2, len(HOSTS)),
    )
    def begin(self, shared: list[bytes], number: int) -> None:
        self.hosts = [Host(name) for name in HOSTS[:number]]
        self.clock = itertools.count(1)
        self.was_cut = False
        self.written: set[bytes] = set()
        """contents that somebody wrote and nobody overwrote or deleted since, knowing of them"""
        self.deleted: dict[bytes, bytes] = {}
        for path in sorted(shared):
            for host in self.hosts:
                self._write(host, path, b"shared " + path, 1)

    def _write(self, host: Host, path: bytes, data: bytes, mtime_ns: int) -> bool:
        entries = host.tree.entries
        for above in RelPath(path).ancestors:
            if above in entries and entries[above].kind is not Kind.DIRECTORY:
                return False
            if above not in entries:
                host.tree.place(directory(above))
        there = entries.get(RelPath(path))
        if there is not None and there.kind is Kind.DIRECTORY:
            return False
        self._forget(there)
        host.tree.entries.pop(RelPath(path), None)
        host.tree.place(file(path, data, mtime_ns))
        self.written.add(entries[RelPath(path)].content)
        return True

    def _forget(self, there: Entry | None) -> None:
        if there is not None and there.kind is Kind.FILE:
            self.written.discard(there.content)

    @rule(number=st.integers(0, 3), path=st.sampled_from(NAMES))
    def edit(self, number: int, path: bytes) -> None:
        now = next(self.clock)
        self._write(self.hosts[number % len(self.hosts)], path, b"edit %d" % now, now)

    @rule(number=st.integers(0, 3), path=st.sampled_from(NAMES))
    def delete(self, number: int, path: bytes) -> None:
        host = self.hosts[number % len(self.hosts)]
        for each in [each for each in host.tree.entries if each == path or each.is_below(path)]:
            self._forget(host.tree.entries.pop(each))

    @rule(number=st.integers(0, 3), path=st.sampled_from(NAMES))
    def make_directory(self, number: int, path: bytes) -> None:
        host = self.hosts[number % len(self.hosts)]
        parents = [host.tree.entries.get(above) for above in RelPath(path).ancestors]
        if all(each is not None and each.kind is Kind.DIRECTORY for each in parents):
            there = host.tree.entries.get(RelPath(path))
            if there is None or there.kind is Kind.FILE:
                self._forget(host.tree.entries.pop(RelPath(path), None))
                host.tree.place(directory(path))

    @rule(
        order=st.permutations(range(4)),
        size=st.integers(2, 4),
        cut_after=st.one_of(st.none(), st.none(), st.integers(0, 6)),
        chosen=st.one_of(st.none(), st.none(), st.sampled_from(NAMES)),
    )
    def session(self, order: list[int], size: int, cut_after: int | None, chosen: bytes | None) -> None:
        hosts = [self.hosts[i] for i in order if i < len(self.hosts)][: max(2, size)]
        self.was_cut |= cut_after is not None
        meet(hosts, cut_after=cut_after, chosen=None if chosen is None else RelPath(chosen))

    def teardown(self) -> None:
        if not hasattr(self, "hosts"):
            return
        for _ in range(3):
            for pair in itertools.permutations(self.hosts, 2):
                meet(pair)
        meet(self.hosts)
        looks = [host.contents() for host in self.hosts]
        assert all(each == looks[0] for each in looks), "they do not agree"
        assert not differences(self.hosts)
        counters = [host.counter for host in self.hosts]
        meet(self.hosts)
        assert [host.counter for host in self.hosts] == counters, "a session without edits raised a counter"
        kept = {entry.content for host in self.hosts for entry in host.tree.entries.values()}
        if self.was_cut:
            # What an interrupted run was about to make may be what somebody made then: the other version is in the trash.
            kept |= {entry.content for host in self.hosts for entry in host.tree.trash}
        lost = self.written - kept
        assert not lost, "an edit was lost"


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=int(os.environ.get("HISTORIES", "40")), stateful_step_count=25, deadline=None
)


def test_a_file_in_place_of_a_deleted_directory_keeps_alive_what_it_is_in() -> None:
    """What a long search found: B alone had the directory `d/x`, and deleted it with `d`; A has a file of that name."""
    history = Histories()
    history.begin(shared=[], number=3)
    history.edit(number=0, path=b"d/x")
    history.make_directory(number=1, path=b"d")
    history.make_directory(number=1, path=b"d/x")
    history.session(order=[1, 2, 0, 3], size=2, cut_after=None, chosen=None)
    history.delete(number=1, path=b"d")
    history.session(order=[0, 1, 2, 3], size=3, cut_after=None, chosen=None)
    assert [sorted(host.tree.entries) for host in history.hosts] == [[b"d", b"d/x"]] * 3
    assert {host.tree.entries[RelPath(b"d/x")].kind for host in history.hosts} == {Kind.FILE}
    history.teardown()


def test_a_file_that_takes_the_place_of_a_directory_somewhere_is_put_into_one() -> None:
    """Another find of that search."""
    history = Histories()
    history.begin(shared=[], number=4)
    history.edit(number=0, path=b"d/y")
    history.edit(number=1, path=b"d/e")
    history.session(order=[3, 1, 2, 0], size=2, cut_after=None, chosen=None)
    history.make_directory(number=3, path=b"d/y")
    history.session(order=[3, 1, 2, 0], size=2, cut_after=None, chosen=None)
    history.delete(number=3, path=b"d")
    history.edit(number=0, path=b"d")
    history.session(order=[0, 2, 1, 3], size=4, cut_after=None, chosen=b"d/e")
    history.edit(number=2, path=b"a")
    history.make_directory(number=1, path=b"d/y")
    history.session(order=[0, 1, 3, 2], size=4, cut_after=None, chosen=b"d/y")
    history.teardown()
