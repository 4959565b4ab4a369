"""Guards in their order, and what is read because a decision hangs on it."""

from __future__ import annotations

import time

import pytest

from aefsync.core.identity import Allowed
from aefsync.core.path import RelPath
from aefsync.core.ports import Scan
from aefsync.core.problem import Problem
from aefsync.core.verdict import Decision, Stand, Take, Verdict, Why
from aefsync.core.view import View
from aefsync.errors import GuardError, UsageError
from aefsync.sync.decide import Decided, decide
from aefsync.sync.outcome import is_standing
from aefsync.sync.request import RepairRequest, Request
from aefsync.sync.survey import survey
from tests.support.memory import MemoryReplica, MemoryTree
from tests.sync.joined import Watched, in_memory, joined

COMMON = Request(("A", "B"))
LWW = RepairRequest(COMMON)
MIRROR = RepairRequest(COMMON, mirror=True)
ALLOWING = MIRROR._replace(common=MIRROR.common._replace(allowed=Allowed(empty_root=True)))


def judge(trees: list[MemoryTree], request: RepairRequest = LWW, replicas: list[Watched] | None = None) -> Decided:
    """Survey and decide."""
    with joined(*(replicas or in_memory(*trees))) as session:
        return decide(session, survey(session, request.common, View.FULL), request)


def standing(decided: Decided) -> list[tuple[RelPath, Verdict]]:
    return [(each.path, each.verdict) for each in decided.decisions if isinstance(each.verdict, Stand)]


def filled(name: bytes, files: int, *, seen: bool = False) -> MemoryTree:
    found = MemoryTree(had_session=seen)
    for number in range(files):
        found.write_file(b"%s%d" % (name, number), name)
    return found


def refusal(trees: list[MemoryTree], request: RepairRequest) -> str:
    with pytest.raises(GuardError) as caught:
        judge(trees, request)
    assert caught.value.exit_code == 5
    return caught.value.message


# guards


def test_the_mirror_of_an_empty_replica_is_refused() -> None:
    trees = [MemoryTree(), filled(b"b", 3)]
    message = refusal(trees, MIRROR)
    assert message.startswith("A: ")
    assert "B (3)" in message
    assert message.endswith("--allow-empty-root")


def test_the_mirror_of_an_empty_replica_is_allowed_as_a_whole() -> None:
    trees = [MemoryTree(), filled(b"b", 300)]
    # One flag is enough: that all would be deleted has been said.
    assert judge(trees, ALLOWING).load.deletes == (0, 300)


def test_an_empty_replica_without_mirror_is_filled() -> None:
    decided = judge([MemoryTree(), filled(b"b", 300)])
    assert sum(decided.load.actions[0]) == 300
    assert decided.load.deletes == (0, 0)


def test_too_many_deletes_are_refused() -> None:
    trees = [filled(b"a", 20), filled(b"a", 20)]
    for number in range(21):
        trees[1].write_file(b"extra%d" % number, b"x")
    message = refusal(trees, MIRROR)
    assert message.startswith("B: expected at most 50 % deletes, but 21 of its 41 entries")
    assert message.endswith("--max-delete 21")
    assert judge(trees, MIRROR._replace(max_delete="21")).load.deletes == (0, 21)
    assert "at most 20 deletes" in refusal(trees, MIRROR._replace(max_delete="20"))


def test_permission_for_an_empty_root_is_none_for_many_deletes() -> None:
    trees = [filled(b"a", 1), filled(b"b", 30)]
    assert "--max-delete" in refusal(trees, ALLOWING)


@pytest.mark.parametrize("text", ["", "x", "-1", "101%", "1.5"])
def test_a_limit_that_is_none_is_a_mistake_of_the_user(text: str) -> None:
    with pytest.raises(UsageError, match="^--max-delete: "):
        judge([filled(b"a", 1), filled(b"a", 1)], LWW._replace(max_delete=text))


def test_unrelated_roots_are_refused_at_first_contact() -> None:
    message = refusal([filled(b"a", 150), filled(b"b", 150)], LWW)
    assert message.startswith("A: expected a replica of B")
    assert message.endswith("--allow-unrelated-roots")


@pytest.mark.parametrize(("a_seen", "b_seen"), [(True, False), (False, True)])
def test_first_contact_is_while_one_of_them_is_new(a_seen: bool, b_seen: bool) -> None:
    assert "--allow-unrelated-roots" in refusal([filled(b"a", 150, seen=a_seen), filled(b"b", 150, seen=b_seen)], LWW)


def test_unrelated_roots_are_allowed_later_or_when_the_user_says_so() -> None:
    seen = judge([filled(b"a", 150, seen=True), filled(b"b", 150, seen=True)])
    said = judge([filled(b"a", 150), filled(b"b", 150)], LWW._replace(allow_unrelated_roots=True))
    assert [sum(own) for own in seen.load.actions] == [sum(own) for own in said.load.actions] == [150, 150]


def test_small_trees_are_never_unrelated() -> None:
    assert judge([filled(b"a", 100), filled(b"b", 100)]).differences == 200


def test_of_several_guards_the_one_that_says_most_comes_first() -> None:
    unrelated = [filled(b"a", 150), filled(b"b", 150)]
    assert "--allow-unrelated-roots" in refusal(unrelated, MIRROR)
    assert "--max-delete" in refusal(unrelated, MIRROR._replace(allow_unrelated_roots=True))
    assert "--allow-empty-root" in refusal([MemoryTree(), filled(b"b", 150)], MIRROR)


def test_no_guard_has_read_or_written_anything() -> None:
    replicas = in_memory(filled(b"a", 150), filled(b"b", 150))
    with pytest.raises(GuardError):
        judge([], LWW, replicas)
    assert [replica.files_read for replica in replicas] == [0, 0]
    assert not {"stage", "write", "apply", "record"} & {method for _, method, _ in replicas[0].log}


# content that a decision hangs on


def test_sizes_that_differ_under_one_mtime_are_told_apart_by_content() -> None:
    a, b = MemoryTree(), MemoryTree()
    for number in range(4):
        for each in (a, b):
            each.make_directory(b"d%d" % number)
        a.write_file(b"d%d/f" % number, b"short", mtime_ns=number)
        b.write_file(b"d%d/f" % number, b"longer" + b"!" * number, mtime_ns=9 - number)
    a.write_file(b"d2/tie", b"x", mtime_ns=5)
    b.write_file(b"d2/tie", b"yy", mtime_ns=5)
    replicas = in_memory(a, b)
    decided = judge([], LWW, replicas)
    # Newer files are not read: the one tie is.
    assert [replica.files_read for replica in replicas] == [1, 1]
    reasons = {bytes(step.path): step.reason for step in decided.window(0).plan.steps}
    assert reasons == {b"d2/tie": "larger digest"} | {b"d%d/f" % number: "newer" for number in range(4)}


def test_what_one_of_three_lacks_is_read_where_two_have_it() -> None:
    trees = [MemoryTree() for _ in range(3)]
    for each in trees[:2]:
        each.write_file(b"f", b"x")
    replicas = in_memory(*trees)
    decided = judge([], LWW, replicas)
    assert [replica.files_read for replica in replicas] == [1, 1, 0]
    assert [sum(own) for own in decided.load.actions] == [0, 0, 1]


def test_equal_stat_with_different_bytes_is_left_standing() -> None:
    a, b = MemoryTree(), MemoryTree()
    a.write_file(b"f", b"x")
    b.write_file(b"f", b"y")
    decided = judge([a, b])
    assert standing(decided) == [(b"f", Stand(Why.SUSPECT))]
    assert decided.is_empty


def test_what_no_replica_can_date_is_left_standing() -> None:
    a, b = MemoryTree(), MemoryTree()
    now_ns = time.time_ns()
    a.write_file(b"future", b"x", mtime_ns=now_ns + 3600 * 10**9)
    b.write_file(b"future", b"old")
    a.write_file(b"skewed", b"x", mtime_ns=now_ns + 10**9)
    b.write_file(b"skewed", b"old")
    decided = judge([a, b])
    assert standing(decided) == [(b"future", Stand(Why.FUTURE))]
    assert [step.path for step in decided.window(0).plan.steps] == [b"skewed"]


def test_what_is_unknown_on_one_replica_is_left_alone_everywhere() -> None:
    a, b = MemoryTree(), MemoryTree()
    for each in (a, b):
        each.make_directory(b"d")
    a.write_file(b"d/f", b"x")
    a.write_file(b"g", b"x")
    replicas = in_memory(a, b)
    scan, closed = replicas[1].scan, (Problem(b"d", "denied", subtree=True),)
    replicas[1].scan = lambda request: scan(request)._replace(problems=closed)
    replicas[1].read_unread = lambda *_: scan(Scan())._replace(problems=closed)
    decided = judge([], LWW, replicas)
    # It is reported as a problem, and not as left standing once more.
    assert standing(decided) == [(b"d/f", Stand(Why.UNKNOWN))]
    assert not any(map(is_standing, decided.decisions))
    assert decided.differences == 2
    assert [step.path for step in decided.window(0).plan.steps] == [b"g"]


def test_what_cannot_be_read_is_reported_once() -> None:
    a, b = MemoryTree(), MemoryTree()
    a.write_file(b"f", b"x")
    b.write_file(b"f", b"y", mtime_ns=2)
    replicas = in_memory(a, b)
    replicas[1].read_unread = lambda *_: replicas[1].scan(Scan())
    decided = judge([], LWW, replicas)
    assert decided.is_empty
    assert standing(decided) == [(b"f", Stand(Why.UNREAD))]
    assert not any(map(is_standing, decided.decisions))


def test_a_plan_comes_from_the_decisions() -> None:
    a, b = MemoryTree(), MemoryTree()
    a.write_file(b"f", b"x", mtime_ns=2)
    b.write_file(b"f", b"yy", mtime_ns=1)
    decided = judge([a, b])
    (transfer,) = decided.window(0).plan.transfers
    assert (transfer.origin, transfer.receiver, transfer.file.path) == (0, 1, b"f")
    assert Decision(RelPath(b"f"), (), Take(0, "newer")).path == transfer.file.path


class Blinking(MemoryReplica):
    """A replica whose scan misses what is there."""

    def _sees(self, path: RelPath) -> bool:
        return not path.startswith(b"there")


def test_what_a_scan_missed_is_not_deleted() -> None:
    trees = [filled(b"a", 30), filled(b"a", 30)]
    for path in (b"there/in", b"gone/in", b"there.txt"):
        for tree in trees[b"gone" in path :]:
            tree.nodes.get(RelPath(path).parent or path) or tree.make_directory(path.partition(b"/")[0])
            tree.write_file(path, b"x") if b"/" in path else None
    replicas = [Watched(Blinking(trees[0]), 0), Watched(MemoryReplica(trees[1]), 1)]
    decided = judge(trees, MIRROR, replicas)
    assert standing(decided) == [
        (b"there", Stand(Why.APPEARED)),
        (b"there/in", Stand(Why.BELOW)),
        (b"there.txt", Stand(Why.APPEARED)),
    ]
    assert decided.load.deletes == (0, 2)
