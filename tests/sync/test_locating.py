"""Paths located in a snapshot, in two exchanges however many they are."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from aefsync.core.path import RelPath
from aefsync.core.ports import Scan
from aefsync.core.view import View
from aefsync.sync.locating import Finder, locate, positions
from aefsync.sync.request import Request
from aefsync.sync.survey import survey
from tests.support.memory import MemoryReplica, MemoryTree
from tests.sync.joined import in_memory, joined

PATHS = st.sampled_from([b"a", b"a/b", b"a-b", b"ab", b"a/b/c", b"b", b"b\x01", b"c/d"]).map(RelPath)
NAMES = st.sampled_from([b"a", b"a-b", b"a.b", b"b", b"d", b"d/a", b"d/a-b", b"d/b", b"d-", b"e/f"])


@settings(max_examples=25)
@given(st.sets(NAMES), st.sets(NAMES, max_size=6))
def test_what_is_there_is_found(names: set[bytes], wanted: set[bytes]) -> None:
    tree = MemoryTree()
    for name in sorted(names):
        for parent in RelPath(name).ancestors:
            if parent not in tree.nodes:
                tree.make_directory(parent)
        if name not in tree.nodes:
            tree.write_file(name, name)
    with joined(*in_memory(tree)) as session:
        replica = session.replicas[0]
        replica.scan(Scan())
        trips = replica.round_trips
        found = locate(replica, map(RelPath, wanted))
        assert replica.round_trips - trips <= 2
        assert set(found) == wanted & set(tree.nodes)
        assert all(entry.path == path for path, entry in found.items())
        spans = positions(replica, map(RelPath, wanted))
        assert [entry.path for entry in replica.entries(spans)] == sorted(found, key=lambda path: path.key)


@given(st.sets(PATHS), st.sets(PATHS))
def test_positions_are_those_of_the_keys(held: set[RelPath], asked: set[RelPath]) -> None:
    found = MemoryTree()
    for path in held:
        found.write_file(path, b"x")
    with joined(MemoryReplica(found)) as session:
        found = survey(session, Request(("A",)), View.QUICK)
        finder = Finder(session.replicas[0], found.view)
        for path in sorted(asked, key=lambda path: path.key):
            finder.add(path.key)
        spans = finder.finish()
        named = [entry.path for entry in session.fetch(0, spans)]
    assert all(low[1] < high[0] for low, high in itertools.pairwise(spans))
    assert named == sorted(held & asked, key=lambda path: path.key)
