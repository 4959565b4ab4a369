"""What only one replica has, brought by columns: at what cost, what is left to the ordinary way, and what is said of it."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from aefsync.core.growth import SMALL
from aefsync.core.one_sided import FROM, OneSided
from aefsync.core.ports import Scan
from aefsync.core.silent import Silent
from aefsync.core.writing import Durability, Writing
from aefsync.sync.deadline import Deadline
from aefsync.sync.events import Acted, Event, Grew, Notice, Summary, Troubled
from aefsync.sync.growing import Grown, all_grown, bring, digests_of, nothing_grown
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from tests.core.test_one_sided import FOUND
from tests.support.memory import MemoryTree
from tests.support.trees import judge, tree
from tests.sync.joined import in_memory, joined, threads
from tests.sync.test_attending import leave

MANY = {f"d{number % 7}/{number:03}": str(number) for number in range(FROM)}
COUNT = len(MANY) + 7


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    return [tree(tmp_path / "a", MANY), *(tree(tmp_path / name, {}) for name in "bc")]


def run(*roots: Path, **options: object) -> list[Event]:
    asked = RepairRequest(Request(tuple(map(str, roots))), **options)  # type: ignore[arg-type]
    return list(repair(asked, Silent()))


def ended(events: list[Event]) -> Summary:
    assert isinstance(events[-1], Summary)
    return events[-1]


def acted(events: list[Event]) -> dict[tuple[str, bytes], tuple[int, ...]]:
    """The receivers of each step, whichever way it was told."""
    single = [one for each in events for one in (each.acted() if isinstance(each, Grew) else [each])]
    found = [((each.action, bytes(each.path)), each.to) for each in single if isinstance(each, Acted)]
    assert [key[1].replace(b"/", b"\0") for key, _ in found] == sorted(key[1].replace(b"/", b"\0") for key, _ in found)
    return dict(found)


def test_a_first_copy_names_nothing_one_by_one(roots: list[Path]) -> None:
    with threads() as engine:
        events = run(*roots[:2])
    assert Counter(engine.methods)[1, "grow"] == Counter(engine.methods)[1, "plant"] == 1
    assert not {"entries", "stage", "apply"} & {method for _, method in engine.methods}
    assert [type(event) for event in events if isinstance(event, Acted | Grew)] == [Grew]
    end = ended(events)
    assert (end.exit_code, end.equal, end.copied_files, end.differences) == (0, True, FROM, COUNT)
    assert end.literal_bytes == sum(map(len, MANY.values()))
    assert judge(*roots[:2]) == []
    # Read once, by the pass that copied it: the holder was told what was found.
    with threads() as engine:
        assert ended(run(*roots[:2])).differences == 0
    assert [replica.files_read for replica in engine.replicas] == [0, 0]


def test_a_few_are_brought_one_by_one(tmp_path: Path) -> None:
    few = dict(list(MANY.items())[: FROM // 2])
    roots = [tree(tmp_path / "a", few), tree(tmp_path / "b", {})]
    with threads() as engine:
        assert ended(run(*roots)).equal
    assert "grow" not in {method for _, method in engine.methods}


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("mirror", [False, True])
def test_what_is_said_is_the_same_either_way(roots: list[Path], dry_run: bool, mirror: bool) -> None:
    with threads():
        by_columns = run(*roots, dry_run=dry_run, mirror=mirror)
    for root in roots[1:]:
        shutil.rmtree(root)
        root.mkdir()
    with threads():
        one_by_one = run(*roots, dry_run=dry_run, mirror=mirror, writing=Writing(Durability.FULL))
    assert any(isinstance(event, Grew) for event in by_columns)
    assert not any(isinstance(event, Grew) for event in one_by_one)
    assert acted(by_columns) == acted(one_by_one)
    assert set(acted(by_columns).values()) == {(1, 2)}
    said, other = (ended(each)._asdict() for each in (by_columns, one_by_one))
    for name in ("run", "elapsed_s", "sent_bytes", "received_bytes", "round_trips"):
        said[name] = other[name] = None
    assert said == other


def test_what_is_not_plain_comes_in_the_ordinary_way(roots: list[Path]) -> None:
    (roots[0] / "d3" / "large").write_bytes(b"x" * (SMALL + 1))
    os.chmod(roots[0] / "d4", 0o555)

    def spoil(_: object) -> None:
        (roots[0] / "d0" / "000").write_text("edited")
        (roots[2] / "d1").mkdir()
        (roots[2] / "d1" / "001").write_text("appeared")

    with threads({(1, "grow"): spoil}):
        events = run(*roots)
    troubles = [(each.replica, each.problem.path) for each in events if isinstance(each, Troubled)]
    assert sorted(set(troubles)) == [(0, b"d0/000"), (2, b"d1/001")]
    told = acted(events)
    assert told["create", b"d3/large"] == told["create", b"d1/008"] == told["mkdir", b"d1"] == (1, 2)
    assert told["create", b"d1/001"] == (1,)
    assert ("create", b"d0/000") not in told
    assert (roots[2] / "d1" / "001").read_text() == "appeared"
    assert os.stat(roots[1] / "d4").st_mode & 0o777 == 0o555
    with threads():
        run(*roots)
    assert judge(roots[0], roots[1]) == []


@pytest.mark.parametrize("method", ["grow", "plant"])
def test_a_receiver_that_is_lost_leaves_the_others_alone(roots: list[Path], method: str) -> None:
    with threads({(1, method): leave}):
        events = run(*roots)
    assert (ended(events).exit_code, "lost" in ended(events).causes) == (7, True)
    assert judge(roots[0], roots[2]) == []
    with threads():
        assert ended(run(*roots)).equal


def test_a_holder_that_is_lost_is_told_of_once(tmp_path: Path) -> None:
    roots = [tree(tmp_path / "a", MANY), tree(tmp_path / "b", {})]
    with threads({(0, "learn"): leave}):
        events = run(*roots)
    lost = [event.text for event in events if isinstance(event, Notice) and "the others are done" in event.text]
    assert len(lost) == 1
    assert ended(events).exit_code == 7
    assert judge(*roots) == []


def test_content_that_the_receiver_has_does_not_come_by_columns(roots: list[Path]) -> None:
    with threads():
        run(*roots[:2])
    (roots[0] / "d1").rename(roots[0] / "elsewhere")
    tree(roots[0], {f"new/{number:03}": "x" for number in range(FROM)})
    with threads() as engine:
        assert ended(run(*roots[:2])).equal
    assert (1, "stage") in engine.methods


def test_a_tree_that_stands_in_the_way_is_never_replaced(roots: list[Path]) -> None:
    def appear(_: object) -> None:
        for name in ("d0", "d1"):
            (roots[1] / name).write_text("appeared")

    with threads({(1, "plant"): appear}):
        events = run(*roots[:2])
    assert (roots[1] / "d0").read_text() == (roots[1] / "d1").read_text() == "appeared"
    assert ended(events).exit_code == 4


def test_far_replicas_get_packed_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = MemoryTree(), MemoryTree()
    for number in range(FROM):
        a.write_file(b"f%03d" % number, b"x" * number)
    replicas = in_memory(a, b)
    monkeypatch.setattr("aefsync.sync.session.Session.peer", lambda *_: None)
    with joined(*replicas) as session:
        for each in session.replicas:
            each.scan(Scan())
        found = OneSided(0, session.replicas[0].growth([(0, FROM)]))
        assert bring(session, 1, found, Deadline(None, 0.0), []) is None
        assert session.replicas[1].plant() == b"\1" * FROM
    assert [replica.calls["gather"] for replica in replicas] == [1, 0]
    assert {path: node.data for path, node in b.nodes.items()} == {path: node.data for path, node in a.nodes.items()}


def test_what_some_receiver_lacks() -> None:
    one, other = bytes([7]) * 32, bytes([8]) * 32
    contents = digests_of(FOUND, [[bytes(32) + one], [], [bytes(64), other + bytes(32)]])
    assert contents == bytes(32) + one + other + bytes(32)
    result = Grown(FOUND, (b"\1\1\0\0", b"", b"\1\0\1\0"), contents)
    assert not result.is_whole
    assert result.literal_bytes == 3 + 3
    assert [to for _, to in result.arrived()] == [(0, 2), (0,), (2,), ()]
    lacking = {bytes(path): [entry and entry.content for entry in entries] for path, entries in result.lacking()}
    nothing = bytes(32)
    assert lacking == {b"d/a": [one, one, None], b"d/b": [None, other, other], b"e": [None, nothing, None]}
    assert list(all_grown(FOUND, 2).lacking()) == []
    assert [bytes(path) for path, _ in nothing_grown(FOUND, 2).lacking()] == [b"d", b"d/a", b"d/b", b"e"]
