"""What a survey costs: which files are read, and what travels."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from aefsync.core.ports import Access, Opened, Scanned
from aefsync.core.problem import Problem
from aefsync.core.view import View
from aefsync.errors import GuardError
from aefsync.sync.events import Notice, Troubled
from aefsync.sync.request import Request
from aefsync.sync.session import Session
from aefsync.sync.survey import Survey, compare, observations, scan_of, survey
from tests.support.memory import MemoryTree
from tests.sync.joined import Watched, in_memory, joined

REQUEST = Request(("A", "B"))


def look(replicas: Sequence[Watched], request: Request = REQUEST, view: View = View.FULL) -> list[bytes]:
    """Survey; the paths that differ."""
    with joined(*replicas, access=Access.READ) as session:
        return [bytes(each.path) for each in survey(session, request, view).differences(session)]


def pair(files: int = 5) -> tuple[MemoryTree, MemoryTree]:
    """Two equal trees."""
    a, b = MemoryTree(), MemoryTree()
    for each in (a, b):
        each.make_directory(b"d")
        each.make_link(b"l", b"t")
        for number in range(files):
            each.write_file(b"d/%d" % number, b"content %d" % number)
    return a, b


def read(replicas: Sequence[Watched]) -> list[int]:
    return [replica.files_read for replica in replicas]


# what is read


def test_files_of_one_side_are_not_read() -> None:
    a, b = pair(0)
    a.write_file(b"only-a", b"x")
    b.write_file(b"d/only-b", b"x")
    replicas = in_memory(a, b)
    assert look(replicas) == [b"d/only-b", b"only-a"]
    assert read(replicas) == [0, 0]


def test_files_of_different_size_are_not_read() -> None:
    a, b = pair(0)
    a.write_file(b"f", b"x")
    b.write_file(b"f", b"xx")
    replicas = in_memory(a, b)
    assert look(replicas) == [b"f"]
    assert read(replicas) == [0, 0]


def test_a_file_against_something_else_is_not_read() -> None:
    a, b = pair(0)
    a.write_file(b"f", b"x")
    b.make_link(b"f", b"x")
    a.write_file(b"g", b"x")
    b.make_directory(b"g")
    replicas = in_memory(a, b)
    assert look(replicas) == [b"f", b"g"]
    assert read(replicas) == [0, 0]


@pytest.mark.parametrize("many", [0, 300])
def test_what_must_be_compared_is_read_and_no_more(many: int) -> None:
    a, b = pair(3 + many)
    a.write_file(b"d/1", b"CONTENT 1")
    a.write_file(b"d/2", b"content 2", mtime_ns=77)
    a.write_file(b"larger", b"xx")
    b.write_file(b"larger", b"x")
    for number in range(many // 2):
        b.write_file(b"only/%d" % number, b"x")
    replicas = in_memory(a, b)
    assert look(replicas)[:2] == [b"d/1", b"d/2"]
    assert read(replicas) == [3 + many, 3 + many]


def test_of_three_a_file_is_read_where_two_have_it_alike() -> None:
    a, b, c = MemoryTree(), MemoryTree(), MemoryTree()
    a.write_file(b"f", b"x")
    b.write_file(b"f", b"x")
    replicas = in_memory(a, b, c)
    assert look(replicas) == [b"f"]
    # It differs in shape (C has none), and so differs anyway: what of it must be known is asked for when deciding.
    assert read(replicas) == [0, 0, 0]


def test_what_is_known_is_not_read_again() -> None:
    trees = pair()
    replicas = in_memory(*trees)
    look(replicas)
    assert read(replicas) == [5, 5]
    again = in_memory(*trees)
    assert look(again) == []
    assert read(again) == [0, 0]
    assert [replica.calls["read_unread"] for replica in again] == [0, 0]


def test_a_changed_file_is_all_that_is_read_again() -> None:
    a, b = pair()
    look(in_memory(a, b))
    a.write_file(b"d/3", b"CONTENT 3")
    replicas = in_memory(a, b)
    assert look(replicas) == [b"d/3"]
    assert read(replicas) == [1, 0]


def test_checksum_reads_everything_again() -> None:
    trees = pair()
    look(in_memory(*trees))
    replicas = in_memory(*trees)
    assert look(replicas, REQUEST._replace(checksum=True)) == []
    assert read(replicas) == [5, 5]


def test_quick_reads_nothing() -> None:
    a, b = pair()
    a.write_file(b"d/1", b"CONTENT 1")
    a.write_file(b"d/2", b"content 2", mtime_ns=77)
    replicas = in_memory(a, b)
    assert look(replicas, view=View.QUICK) == [b"d/2"]
    assert read(replicas) == [0, 0]
    assert [replica.calls["read_unread"] for replica in replicas] == [0, 0]


def test_a_single_replica_is_read_whole() -> None:
    a, _ = pair()
    replicas = in_memory(a)
    assert look(replicas) == []
    assert read(replicas) == [5]


# what travels


def said(session: Session) -> int:
    """Protocol bytes, both ways, of all replicas."""
    return sum(replica.sent_bytes + replica.received_bytes for replica in session.replicas)


@pytest.mark.parametrize("files", [0, 5, 3000])
def test_equal_trees_cost_one_exchange(files: int) -> None:
    trees = pair(files)
    look(in_memory(*trees))
    replicas = in_memory(*trees)
    with joined(*replicas) as session:
        trips, before = session.round_trips, said(session)
        found = survey(session, REQUEST, View.FULL)
        assert list(found.differences(session)) == []
        assert session.round_trips - trips <= 2
        assert said(session) - before <= 300
    assert [replica.calls["scan"] for replica in replicas] == [1, 1]
    assert [replica.calls["fingerprints"] for replica in replicas] == [0, 0]


def test_one_difference_among_many_costs_little() -> None:
    a, b = pair(3000)
    look(in_memory(a, b))
    a.write_file(b"d/777", b"other")
    replicas = in_memory(a, b)
    with joined(*replicas) as session:
        before = said(session)
        found = survey(session, REQUEST, View.FULL)
        assert [bytes(each.path) for each in found.differences(session)] == [b"d/777"]
        assert said(session) - before < 12_000
        assert session.round_trips <= 12


def test_replicas_are_asked_eagerly_only_where_both_hold_something() -> None:
    a, b = pair(1)
    for trees, eager in (((a, b), True), ((a, MemoryTree()), False)):
        replicas = in_memory(*trees)
        look(replicas)
        requests = [request for _, method, request in replicas[0].log if method == "scan"]
        assert [request.eager for request in requests] == [eager] * 2
    replicas = in_memory(a, b)
    look(replicas, view=View.QUICK)
    assert not any(request.eager for _, method, request in replicas[0].log if method == "scan")


# the survey itself


SCANNED = Scanned(bytes(16), 1, 0, 0, 0, 0, ())


def with_rules(*rules: tuple[str, ...]) -> Session:
    opened = tuple(Opened(b"/", b"", ((1, 1),), own, 0, created=False, seen_before=False) for own in rules)
    return Session((), (), opened, "run")


def test_rules_of_all_replicas_hold_and_the_command_lines_come_last() -> None:
    session = with_rules(("*.o", "tmp/"), ("tmp/", "!a.o"))
    scan = scan_of(session, REQUEST._replace(rules=("tmp/", "x"), one_file_system=True, checksum=True))
    assert scan.rules == ("*.o", "tmp/", "!a.o", "tmp/", "x")
    assert (scan.one_file_system, scan.ignore_index, scan.eager) == (True, True, False)


def test_filters_that_leave_nothing_stop_the_run() -> None:
    replicas = in_memory(*pair())
    nothing = SCANNED._replace(entries=0, excluded=7)
    replicas[1].scan = lambda request: nothing
    with pytest.raises(GuardError, match=r"^B: .*the filters leave nothing \(7 excluded\)"):
        look(replicas)
    assert read(replicas) == [0, 0]


def test_equal_roots_are_compared_no_further() -> None:
    assert compare(with_rules(), View.FULL, [SCANNED, SCANNED]).selections == ()


def test_what_is_unknown_is_told_for_each_replica() -> None:
    problems = (Problem(b"closed", "denied", subtree=True), Problem(b"file", "denied"))
    found = Survey(View.FULL, (SCANNED, SCANNED._replace(problems=problems, unexamined=(b"mnt",), entries=3)), ())
    assert found.unknown == (frozenset(), {b"closed", b"mnt"})
    assert (found.entries, found.roots) == ((1, 3), (bytes(16), bytes(16)))


@pytest.mark.parametrize(
    ("special", "text"),
    [((0, 0), None), ((1, 0), "1 device, FIFO or socket skipped"), ((1, 2), "3 devices, FIFOs and sockets skipped")],
)
def test_one_notice_for_all_that_is_never_replicated(special: tuple[int, int], text: str | None) -> None:
    found = Survey(View.FULL, tuple(SCANNED._replace(special=count) for count in special), ())
    assert list(observations(found)) == ([Notice(text)] if text else [])


def test_problems_are_told_with_their_replica() -> None:
    problem = Problem(b"f", "denied")
    found = Survey(View.FULL, (SCANNED, SCANNED._replace(problems=(problem,))), ())
    assert list(observations(found)) == [Troubled(1, problem)]
