"""Sessions by version vectors, over replicas in memory: what travels, what is remembered, what it costs."""

from __future__ import annotations

import pytest

from aefsync.core.path import RelPath
from aefsync.core.policy import Policies, Policy, PolicyKind
from aefsync.core.silent import Silent
from aefsync.core.version import Dot
from aefsync.core.view import View
from aefsync.sync.attending import Attending
from aefsync.sync.deadline import Deadline
from aefsync.sync.decide import Decided, decide
from aefsync.sync.passes import Outcome, carry_out
from aefsync.sync.past import Past
from aefsync.sync.request import RepairRequest, Request
from aefsync.sync.survey import survey
from tests.support.memory import MemoryTree
from tests.sync.joined import Log, in_memory, joined

A_DAY = 86_400
KEEP_BOTH = Policy()


@pytest.fixture
def trees() -> list[MemoryTree]:
    return [MemoryTree(), MemoryTree(), MemoryTree()]


def meet(*trees: MemoryTree, policy: Policy = KEEP_BOTH, now_s: int = 10 * A_DAY, preferred: int = 0) -> Log:
    """One session, whole; the calls it took."""
    return session(*trees, policy=policy, now_s=now_s, preferred=preferred)[0]


def session(
    *trees: MemoryTree, policy: Policy = KEEP_BOTH, now_s: int = 10 * A_DAY, preferred: int = 0
) -> tuple[Log, Decided, list[Outcome]]:
    request = RepairRequest(
        Request(tuple("ABC"[: len(trees)])), policies=Policies(policy), preferred=((policy.argument, preferred),)
    )
    replicas = in_memory(*trees)
    with joined(*replicas) as opened:
        past = Past(opened, lambda: now_s)
        found = survey(opened, request.common, View.VERSIONED, past)
        decided = decide(opened, found, request, past)
        attending = Attending(opened)
        outcomes = list(carry_out(attending, decided, Silent(), Deadline(None, 0)))
        scans = list(found.scans)
        if not decided.is_empty or any(scanned.unread_files for scanned in scans):
            scans = opened.each(lambda _, replica: replica.record())
        past.conclude(attending, scans, is_whole=not any(outcome.problems for outcome in outcomes))
        assert len({scanned.history for scanned in scans}) == 1
    return replicas[0].log, decided, outcomes


def files(tree: MemoryTree) -> dict[bytes, bytes]:
    return {bytes(path): node.data for path, node in tree.nodes.items()}


def counters(*trees: MemoryTree) -> list[int]:
    return [tree.sidecar.mark.counter if tree.sidecar else -1 for tree in trees]


def test_the_first_contact_of_equal_trees_mints_nothing(trees: list[MemoryTree]) -> None:
    for tree in trees[:2]:
        tree.write_file(b"a", b"same")
    log = meet(*trees[:2])
    assert counters(*trees[:2]) == [0, 0]
    assert not [method for _, method, _ in log if method in ("apply", "stage", "entries")]


def test_a_deletion_travels_and_its_tombstone_goes_when_all_have_seen_it(trees: list[MemoryTree]) -> None:
    for tree in trees:
        tree.write_file(b"a", b"same")
    meet(*trees)
    trees[0].remove(b"a")
    meet(*trees[:2])
    assert files(trees[1]) == {}
    assert [len(tree.sidecar.tombstones()) for tree in trees if tree.sidecar] == [1, 1, 0]
    meet(*trees[1:])
    assert files(trees[2]) == {}
    meet(*trees)
    meet(*trees)
    assert [len(tree.sidecar.tombstones()) for tree in trees if tree.sidecar] == [0, 0, 0]


def test_an_edit_replaces_what_it_was_made_of(trees: list[MemoryTree]) -> None:
    a, b, _ = trees
    a.write_file(b"a", b"old", mtime_ns=9)
    b.write_file(b"a", b"old", mtime_ns=9)
    meet(a, b)
    a.write_file(b"a", b"new!", mtime_ns=5)  # the mtime says nothing
    meet(a, b)
    assert files(a) == files(b) == {b"a": b"new!"}


def test_concurrent_edits_are_both_kept_and_settled_for_good(trees: list[MemoryTree]) -> None:
    a, b, c = trees
    for tree in trees:
        tree.write_file(b"a.txt", b"old", mtime_ns=1)
    meet(*trees)
    a.write_file(b"a.txt", b"from a", mtime_ns=10**9)
    b.write_file(b"a.txt", b"b's edit", mtime_ns=2 * 10**9)
    meet(a, b)
    assert files(a) == files(b)
    assert files(a)[b"a.txt"] == b"b's edit"
    (copy,) = set(files(a)) - {b"a.txt"}
    assert copy.startswith(b"a.conflict-19700101T000001Z-") and files(a)[copy] == b"from a"
    before = counters(*trees)
    meet(b, c)
    assert files(c) == files(a)
    a.remove(copy)
    meet(a, c)
    meet(b, c)
    assert set(files(b)) == {b"a.txt"}
    assert counters(*trees) == [before[0] + 1, *before[1:]]


@pytest.mark.parametrize(("kind", "wins"), [(PolicyKind.NEWEST, b"b's edit"), (PolicyKind.PREFER, b"from a")])
def test_policies(trees: list[MemoryTree], kind: PolicyKind, wins: bytes) -> None:
    a, b, _ = trees
    a.write_file(b"a.txt", b"from a", mtime_ns=1)
    b.write_file(b"a.txt", b"b's edit", mtime_ns=2)
    meet(a, b, policy=Policy(kind, "A" if kind is PolicyKind.PREFER else ""))
    assert files(a) == files(b) == {b"a.txt": wins}
    # Only a preference is an edit.
    assert counters(a, b) == [1 if kind is PolicyKind.PREFER else 0, 0]


def test_skip_leaves_both(trees: list[MemoryTree]) -> None:
    a, b, _ = trees
    a.write_file(b"a.txt", b"from a", mtime_ns=1)
    b.write_file(b"a.txt", b"b's edit", mtime_ns=2)
    with pytest.raises(AssertionError):  # the histories do not agree
        meet(a, b, policy=Policy(PolicyKind.SKIP))
    assert (files(a), files(b)) == ({b"a.txt": b"from a"}, {b"a.txt": b"b's edit"})


def test_a_tree_deleted_here_and_edited_there_lives_where_it_was_edited(trees: list[MemoryTree]) -> None:
    a, b, _ = trees
    for tree in (a, b):
        tree.make_directory(b"d")
        tree.write_file(b"d/x", b"x", mtime_ns=1)
        tree.write_file(b"d/y", b"y", mtime_ns=1)
    meet(a, b)
    for path in (b"d/x", b"d/y", b"d"):
        a.remove(path)
    b.write_file(b"d/x", b"edited", mtime_ns=2)
    meet(a, b)
    assert files(a) == files(b) == {b"d": b"", b"d/x": b"edited"}


def test_a_session_without_news_asks_nothing_and_leaves_nothing(trees: list[MemoryTree]) -> None:
    a, b, _ = trees
    a.write_file(b"a", b"data")
    meet(a, b)
    meet(a, b)
    assert [method for number, method, _ in meet(a, b) if number == 0 and method != "close"] == ["hello", "scan"]
    assert "remember" in [method for _, method, _ in meet(a, b, now_s=11 * A_DAY)]


def test_a_replica_restored_from_a_backup_is_another_one_from_then_on(trees: list[MemoryTree]) -> None:
    import copy

    a, b, _ = trees
    a.write_file(b"a", b"1")
    meet(a, b)
    backup = copy.deepcopy(a)
    a.write_file(b"a", b"lost with the disk", mtime_ns=5)
    meet(a, b)
    backup.write_file(b"a", b"edited after the restore", mtime_ns=6)
    meet(backup, b)
    assert backup.sidecar is not None
    assert backup.sidecar.epoch == 1
    assert set(files(b).values()) == {b"lost with the disk", b"edited after the restore"}
    assert files(backup) == files(b)


def test_a_member_has_seen_what_the_others_did(trees: list[MemoryTree]) -> None:
    a, b, c = trees
    a.write_file(b"a", b"1")
    meet(a, b)
    a.write_file(b"a", b"2", mtime_ns=2)
    meet(a, b)
    meet(b, c)
    assert c.sidecar is not None and a.sidecar is not None
    assert [each.id for each in c.sidecar.members] == sorted(f"{tree.number:032x}" for tree in trees)
    seen = {each.id: each.seen for each in c.sidecar.members}
    assert set(seen.values()) == {(Dot(a.sidecar.author, 1),)}


def test_a_rename_is_a_rename_elsewhere_and_no_delete(trees: list[MemoryTree]) -> None:
    a, b, c = trees
    for tree in trees:
        for number in range(20):
            tree.write_file(b"f%d" % number, b"content %d" % number, mtime_ns=1)
    meet(*trees)
    for number in range(20):
        a.nodes[RelPath(b"new%d" % number)] = a.nodes.pop(RelPath(b"f%d" % number))
    _, decided, _ = session(a, b)
    assert decided.load.deletes == (0, 0)
    assert not b.trash and files(a) == files(b)
    before = counters(*trees)
    session(b, c)
    session(a, c)
    assert files(c) == files(a) and not c.trash
    assert counters(*trees) == before


def test_a_rename_here_and_an_edit_there_leave_both(trees: list[MemoryTree]) -> None:
    a, b, _ = trees
    for tree in (a, b):
        tree.write_file(b"old", b"content", mtime_ns=1)
    meet(a, b)
    a.nodes[RelPath(b"new")] = a.nodes.pop(RelPath(b"old"))
    b.write_file(b"old", b"edited", mtime_ns=2)
    meet(a, b)
    assert files(a) == files(b) == {b"new": b"content", b"old": b"edited"}


def test_names_swapped_are_swapped(trees: list[MemoryTree]) -> None:
    a, b, _ = trees
    for tree in (a, b):
        tree.write_file(b"x", b"content of x", mtime_ns=1)
        tree.write_file(b"y", b"y", mtime_ns=1)
    meet(a, b)
    x, y = a.nodes[RelPath(b"x")], a.nodes[RelPath(b"y")]
    a.nodes |= {RelPath(b"x"): y, RelPath(b"y"): x}
    meet(a, b)
    assert files(b) == {b"x": b"y", b"y": b"content of x"}
    meet(a, b)


def test_what_was_deleted_while_a_member_was_away_for_a_year_does_not_come_back(trees: list[MemoryTree]) -> None:
    a, b, c = trees
    meet(*trees)
    for path in (b"gone", b"kept"):
        a.write_file(path, path)
    meet(*trees)
    a.remove(b"gone")
    year = 10 * A_DAY
    for _ in range(3):
        year += 120 * A_DAY
        meet(a, b, now_s=year)
    assert not a.sidecar.tombstones() and not b.sidecar.tombstones()  # type: ignore[union-attr]
    c.write_file(b"new", b"made while away", mtime_ns=5)
    b.write_file(b"newer", b"made here", mtime_ns=5)
    meet(b, c, now_s=year)
    assert set(files(c)) == set(files(b)) == {b"kept", b"new", b"newer"}
    assert [(why, bytes(path)) for _, why, path in c.trash] == [("returned", b"gone")]
    meet(a, c, now_s=year)
    assert files(a) == files(c)
