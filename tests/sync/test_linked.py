"""Hard links (`-H`) in whole repairs of replicas in memory: the same names are one file everywhere, and nothing is lost."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.differences import Differences
from aefsync.core.metadata import PLAIN
from aefsync.core.silent import Silent
from aefsync.core.view import View
from aefsync.sync.attending import Attending
from aefsync.sync.deadline import Deadline
from aefsync.sync.decide import decide
from aefsync.sync.passes import carry_out
from aefsync.sync.request import RepairRequest, Request
from aefsync.sync.survey import survey
from tests.support.memory import MemoryTree
from tests.sync.joined import in_memory, joined

COMMON = Request(("A", "B", "C"), aspects=PLAIN._replace(links=True))
LWW = RepairRequest(COMMON, allow_unrelated_roots=True)
MIRROR = LWW._replace(mirror=True, max_delete="100%")
NAMES = [b"a", b"b", b"c", b"d/a", b"d/b"]


@st.composite
def trees(draw: st.DrawFn) -> MemoryTree:
    """Few names, some of them of one file, with few contents and times."""
    tree = MemoryTree(had_session=True)
    tree.make_directory(b"d")
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        others = sorted(path for path in tree.nodes if path != b"d")
        if others and draw(st.booleans()):
            tree.join(draw(st.sampled_from(others)), name)
        else:
            tree.write_file(name, draw(st.sampled_from([b"x", b"y", b"long"])), mtime_ns=draw(st.sampled_from([1, 2])))
    return tree


def groups(tree: MemoryTree) -> set[frozenset[bytes]]:
    names: dict[int, set[bytes]] = {}
    for path, node in tree.nodes.items():
        names.setdefault(node.inode, set()).add(bytes(path))
    return {frozenset(each) for each in names.values()}


def listing(tree: MemoryTree) -> dict[bytes, tuple[object, ...]]:
    return {bytes(path): (node.kind, node.mode, node.mtime_ns, node.data) for path, node in tree.nodes.items()}


def repair(found: list[MemoryTree], request: RepairRequest) -> int:
    """One run; how many actions it took."""
    with joined(*in_memory(*found)) as session:
        decided = decide(session, survey(session, request.common, View.FULL), request)
        outcomes = list(carry_out(Attending(session), decided, Silent(), Deadline()))
        session.each(lambda _, replica: replica.record())
    assert not any(outcome.problems for outcome in outcomes)
    return sum(map(sum, decided.load.actions))


def contents(tree: MemoryTree) -> set[bytes]:
    return {node.data for node in (*tree.nodes.values(), *tree.trash.values())}


@pytest.mark.parametrize("block", [1, 4096])
@given(st.lists(trees(), min_size=2, max_size=3))
def test_a_mirror_links_what_the_first_links_and_no_more(block: int, found: list[MemoryTree]) -> None:
    before = [contents(tree) for tree in found]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aefsync.sync.decide.Differences", partial(Differences, block=block))
        repair(found, MIRROR)
    for tree, had in zip(found, before, strict=True):
        assert listing(tree) == listing(found[0])
        assert groups(tree) == groups(found[0])
        assert contents(tree) >= had
    assert repair(found, MIRROR) == 0


@given(st.lists(trees(), min_size=2, max_size=3))
def test_the_newest_wins_with_what_it_is_linked_to(found: list[MemoryTree]) -> None:
    before = [contents(tree) for tree in found]
    for _ in range(3):
        repair(found, LWW)
    for tree, had in zip(found, before, strict=True):
        assert contents(tree) >= had
    standing = repair(found, LWW)
    assert standing == 0
    suspects = [path for path in NAMES if len({tree.nodes[path].data for tree in found if path in tree.nodes}) > 1]
    if not suspects:
        assert len(set(map(str, map(sorted, (map(sorted, groups(tree)) for tree in found))))) == 1


def test_a_replica_is_no_peer_of_itself() -> None:
    with joined(*in_memory(MemoryTree(), MemoryTree())) as session:
        assert [[session.peer(receiver, origin) for origin in (0, 1)] for receiver in (0, 1)] == [[None, 1], [0, None]]
