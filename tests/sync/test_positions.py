"""Entries known by their paths are found where they stand."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.path import RelPath
from aefsync.core.view import View
from aefsync.sync.positions import positions
from aefsync.sync.request import Request
from aefsync.sync.survey import survey
from tests.support.memory import MemoryReplica, MemoryTree
from tests.sync.joined import joined

PATHS = st.sampled_from([b"a", b"a/b", b"a-b", b"ab", b"a/b/c", b"b", b"b\x01", b"c/d"]).map(RelPath)


@given(st.sets(PATHS), st.sets(PATHS))
def test_positions_are_those_of_the_keys(held: set[RelPath], asked: set[RelPath]) -> None:
    found = MemoryTree()
    for path in held:
        found.write_file(path, b"x")
    with joined(MemoryReplica(found)) as session:
        found = survey(session, Request(("A",)), View.QUICK)
        (spans,) = positions(session, found, [(0, path) for path in sorted(asked, key=lambda path: path.key)])
        named = [entry.path for entry in session.fetch(0, spans)]
    assert all(low[1] < high[0] for low, high in itertools.pairwise(spans))
    assert named == sorted(held & asked, key=lambda path: path.key)
