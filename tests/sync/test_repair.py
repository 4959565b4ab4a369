"""`repair` over real directories: what it says step by step, what it leaves alone, and that it comes to an end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aefsync.core.differences import Differences
from aefsync.core.identity import Allowed
from aefsync.core.ports import Scanned
from aefsync.core.problem import Problem
from aefsync.core.silent import Silent
from aefsync.errors import GuardError
from aefsync.sync.diff import diff
from aefsync.sync.events import Acted, Begun, Conflicted, Differs, Event, Notice, Started, Summary, Troubled
from aefsync.sync.outcome import Tally
from aefsync.sync.repair import repair
from aefsync.sync.request import DiffRequest, RepairRequest, Request
from tests.support.trees import BASE_NS, SECOND, judge, link, survey, tree, write
from tests.sync.joined import Threads, threads

NOW = 4_000_000_000 * SECOND


@pytest.fixture
def engine() -> Iterator[Threads]:
    with threads() as started:
        yield started


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    return [tree(tmp_path / name, {"same": "same", "d/same": "same"}) for name in "ab"]


def run(roots: Sequence[Path], **options: object) -> list[Event]:
    common = Request(tuple(map(str, roots)), allowed=Allowed(empty_root=True))
    return list(repair(RepairRequest(common, **options), Silent()))  # type: ignore[arg-type]


def acted(events: Sequence[Event]) -> list[tuple[str, bytes, int | None, tuple[int, ...], str]]:
    """Action, path, origin, receivers and reason of each step."""
    return [(e.action, bytes(e.path), e.source, e.to, e.reason) for e in events if isinstance(e, Acted)]


def summary(events: Sequence[Event]) -> Summary:
    assert isinstance(events[-1], Summary)
    return events[-1]


def rest(events: Sequence[Event]) -> list[Event]:
    """All events but the first and the last."""
    assert isinstance(events[0], Started)
    return list(events[1:-1])


def trash(root: Path) -> list[str]:
    """The files in a root's trash, by the last part of their names."""
    return sorted(name for _, _, names in os.walk(root / ".aefsync" / "trash") for name in names if name[0] != ".")


# events


def test_nothing_to_do(engine: Threads, roots: list[Path]) -> None:
    before = [survey(root, exact=True) for root in roots]
    events = run(roots)
    assert rest(events) == []
    end = summary(events)
    assert (end.exit_code, end.equal, end.causes, end.literal_bytes) == (0, True, (), 0)
    assert [survey(root, exact=True) for root in roots] == before
    assert not any(name in ("stage", "apply") and argument for _, name, argument in engine.log)


def test_what_is_missing_is_created(engine: Threads, roots: list[Path]) -> None:
    write(roots[0] / "new" / "f", b"four", mode=0o640, mtime_ns=-5)
    link(roots[1] / "d" / "l", b"target")
    events = run(roots)
    assert acted(events) == [
        ("link", b"d/l", 1, (0,), "missing"),
        ("mkdir", b"new", 0, (1,), "missing"),
        ("create", b"new/f", 0, (1,), "missing"),
    ]
    end = summary(events)
    assert (end.exit_code, end.equal, end.copied_files, end.literal_bytes) == (0, True, 1, 4)
    assert end.roots[0] == end.roots[1] != b""
    assert judge(*roots) == []


def test_the_newer_replaces_and_the_older_goes_to_the_trash(engine: Threads, roots: list[Path]) -> None:
    write(roots[0] / "f", b"older", mtime_ns=BASE_NS)
    write(roots[1] / "f", b"newer!", mtime_ns=BASE_NS + 1)
    write(roots[0] / "mode", b"x", mode=0o600, mtime_ns=BASE_NS + 1)
    write(roots[1] / "mode", b"x", mode=0o644)
    events = run(roots)
    assert acted(events) == [("copy", b"f", 1, (0,), "newer"), ("metadata", b"mode", 0, (1,), "newer")]
    end = summary(events)
    assert (end.copied_files, end.replaced_files, end.metadata, end.exit_code) == (1, 1, 1, 0)
    assert judge(*roots) == []
    assert len(trash(roots[0])) == 1
    assert trash(roots[1]) == []


def test_a_file_against_a_directory_becomes_a_conflict_copy(engine: Threads, roots: list[Path]) -> None:
    write(roots[0] / "x.txt", b"file")
    write(roots[1] / "x.txt" / "in", b"inside")
    events = run(roots)
    copies = [each for each in events if isinstance(each, Acted) and each.action == "conflict_copy"]
    assert len(copies) == 1
    assert (copies[0].old, copies[0].source, copies[0].reason) == (b"x.txt", 0, "conflict")
    assert copies[0].path.startswith(b"x.conflict-")
    conflicts = [each for each in events if isinstance(each, Conflicted)]
    assert conflicts == [Conflicted(b"x.txt", "keep-both", None, copies[0].path, "a directory is in its place")]
    end = summary(events)
    assert (end.exit_code, end.causes, end.conflicts, end.equal) == (1, ("conflicts",), 1, True)
    assert judge(*roots) == []
    assert (roots[1] / os.fsdecode(copies[0].path)).read_bytes() == b"file"
    assert (roots[0] / "x.txt" / "in").read_bytes() == b"inside"


def test_a_mirror_deletes_what_the_first_has_not_and_leaves_that_alone(engine: Threads, roots: list[Path]) -> None:
    write(roots[0] / "f", b"older", mtime_ns=1)
    write(roots[1] / "f", b"newer", mtime_ns=2)
    write(roots[1] / "extra" / "g", b"x")
    before = survey(roots[0], exact=True)
    events = run(roots, mirror=True)
    assert acted(events) == [
        ("delete", b"extra", None, (1,), "mirror"),
        ("delete", b"extra/g", None, (1,), "mirror"),
        ("copy", b"f", 0, (1,), "mirror"),
    ]
    assert (summary(events).deleted, summary(events).exit_code) == (2, 0)
    assert judge(*roots) == []
    assert survey(roots[0], exact=True) == before
    assert not (roots[0] / ".aefsync").exists()


def test_a_dry_run_says_the_same_and_does_nothing(engine: Threads, roots: list[Path], tmp_path: Path) -> None:
    write(roots[0] / "f", b"x")
    write(roots[1] / "g" / "h", b"x")
    before = [survey(tmp_path, exact=True), sorted(tmp_path.iterdir())]
    dry = run(roots, dry_run=True)
    assert [survey(tmp_path, exact=True), sorted(tmp_path.iterdir())] == before
    assert not any((root / ".aefsync").exists() for root in roots)
    assert not {"stage", "write", "apply", "record"} & {method for _, method in engine.methods}
    end = summary(dry)
    assert (end.dry_run, end.exit_code, end.equal, end.literal_bytes) == (True, 0, False, 0)
    wet = run(roots)
    assert [*rest(dry), Begun((0, 1))] == rest(wet)
    assert (end.copied_files, end.differences) == (summary(wet).copied_files, summary(wet).differences)


def test_a_root_is_made_and_said_to_be(engine: Threads, roots: list[Path], tmp_path: Path) -> None:
    new = tmp_path / "new"
    dry = run([roots[0], new], dry_run=True)
    assert not new.exists()
    events = run([roots[0], new])
    assert events[1] == Notice(f"{new}: created")
    assert [*rest(dry), Begun((0, 1))] == rest(events)[1:]
    assert judge(roots[0], new) == []


def test_three_replicas_in_one_run(engine: Threads, roots: list[Path], tmp_path: Path) -> None:
    roots.append(tree(tmp_path / "c", {"same": "same", "d/same": "same", "only-c": "x"}))
    write(roots[1] / "f", b"yy")
    events = run(roots)
    assert acted(events) == [("create", b"f", 1, (0, 2), "missing"), ("create", b"only-c", 2, (0, 1), "missing")]
    assert (summary(events).copied_files, summary(events).literal_bytes) == (4, 6)
    assert judge(roots[0], roots[1]) + judge(roots[1], roots[2]) == []


def test_suspects_are_left_standing_and_said(engine: Threads, roots: list[Path]) -> None:
    write(roots[0] / "f", b"x")
    write(roots[1] / "f", b"y")
    before = [survey(root, exact=True) for root in roots]
    events = run(roots)
    assert rest(events) == [Conflicted(b"f", "skip", None, None, "same size and mtime, different content")]
    end = summary(events)
    assert (end.exit_code, end.causes, end.suspects, end.conflicts, end.equal) == (1, ("suspects",), 1, 0, False)
    assert [survey(root, exact=True) for root in roots] == before


def test_the_future_is_left_standing(engine: Threads, roots: list[Path]) -> None:
    write(roots[0] / "f", b"x", mtime_ns=NOW)
    write(roots[1] / "f", b"yy")
    events = run(roots)
    assert rest(events) == [Conflicted(b"f", "skip", None, None, "dated in the future")]
    assert (summary(events).exit_code, summary(events).causes) == (1, ("left standing",))


def test_a_guard_leaves_everything_as_it_is(engine: Threads, roots: list[Path], tmp_path: Path) -> None:
    empty = tree(tmp_path / "empty", {})
    before = survey(tmp_path, exact=True)
    common = Request(tuple(map(str, [empty, *roots])))
    with pytest.raises(GuardError):
        list(repair(RepairRequest(common, mirror=True), Silent()))
    assert survey(tmp_path, exact=True) == before
    assert not {"stage", "write", "apply", "record"} & {method for _, method in engine.methods}


# races


def test_a_source_that_changes_before_it_is_copied_is_trouble_with_that_path(roots: list[Path]) -> None:
    write(roots[0] / "changing", b"before")
    write(roots[0] / "steady", b"x")
    with threads({(1, "stage"): lambda _: write(roots[0] / "changing", b"afterwards", mtime_ns=1)}):
        events = run(roots)
    troubles = [each for each in events if isinstance(each, Troubled)]
    assert [(each.replica, each.problem.path) for each in troubles] == [(0, b"changing")]
    assert acted(events) == [("create", b"steady", 0, (1,), "missing")]
    end = summary(events)
    assert (end.exit_code, end.causes, end.problems, end.skipped, end.equal) == (4, ("problems",), 1, 1, False)
    assert not (roots[1] / "changing").exists()


def test_what_is_edited_before_it_is_replaced_is_left_alone(roots: list[Path]) -> None:
    write(roots[0] / "f", b"newer", mtime_ns=2)
    write(roots[1] / "f", b"older", mtime_ns=1)
    with threads({(1, "apply"): lambda _: write(roots[1] / "f", b"edited", mtime_ns=3)}):
        events = run(roots)
    assert (roots[1] / "f").read_bytes() == b"edited"
    assert [each.problem.path for each in events if isinstance(each, Troubled)] == [b"f"]
    assert acted(events) == []
    assert summary(events).exit_code == 4
    with threads():
        assert acted(run(roots)) == [("copy", b"f", 1, (0,), "newer")]
    assert judge(*roots) == []


def test_what_appears_during_the_run_is_left_for_the_next(roots: list[Path]) -> None:
    write(roots[0] / "f", b"x")
    with threads({(1, "apply"): lambda _: write(roots[1] / "f", b"theirs", mtime_ns=9)}):
        events = run(roots)
    assert (roots[1] / "f").read_bytes() == b"theirs"
    assert summary(events).exit_code == 4
    assert acted(events) == []


# properties

NAMES = st.sampled_from(["a", "b", "c.txt", "d"])
TIMES = st.sampled_from([-SECOND - 1, 0, BASE_NS, BASE_NS + 1])
MODES = st.sampled_from([0o644, 0o600, 0o444, 0o400, 0o755])
DATA = st.sampled_from([b"", b"x", b"y", b"longer", b"z" * 5000])
TARGETS = st.sampled_from([b"a", b"../canary", b"../canary/bird", b"..", b"/"])
FILES = st.tuples(st.just("file"), DATA, MODES, TIMES)
LINKS = st.tuples(st.just("link"), TARGETS, TIMES)
DIRECTORY_MODES = st.sampled_from([0o755, 0o700, 0o555, 0o500])
Folder = dict[str, tuple]  # type: ignore[type-arg]


def folders(inner: st.SearchStrategy[Folder]) -> st.SearchStrategy[Folder]:
    things = FILES | LINKS | st.tuples(st.just("directory"), inner, DIRECTORY_MODES)
    return st.dictionaries(NAMES, things, max_size=4)


TREES = st.recursive(st.dictionaries(NAMES, FILES | LINKS, max_size=3), folders, max_leaves=6)


@st.composite
def replicas(draw: st.DrawFn) -> list[Folder]:
    """Two or three trees that have something in common."""
    base = draw(TREES)
    return [{**base, **draw(TREES)} if draw(st.booleans()) else draw(TREES) for _ in range(draw(st.integers(2, 3)))]


def build(place: Path, folder: Folder) -> None:
    place.mkdir()
    for name, (kind, *values) in folder.items():
        if kind == "file":
            write(place / name, values[0], mode=values[1], mtime_ns=values[2])
        elif kind == "link":
            link(place / name, values[0], mtime_ns=values[1])
        else:
            build(place / name, values[0])
            (place / name).chmod(values[1])


def contents(root: Path) -> set[bytes]:
    """Every content of a file below, trash included."""
    found = (os.path.join(place, name) for place, _, names in os.walk(os.fsencode(root)) for name in names)
    return {Path(os.fsdecode(each)).read_bytes() for each in found if not os.path.islink(each) and b"index" not in each}


@settings(max_examples=25)
@given(replicas(), st.booleans(), st.sampled_from([1, 2, 4096]))
def test_a_repair_leaves_no_difference_and_a_second_does_nothing(trees: list[Folder], mirror: bool, block: int) -> None:
    with tempfile.TemporaryDirectory() as name, threads(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("aefsync.sync.decide.Differences", partial(Differences, block=block))
        folder = Path(name)
        write(folder / "canary" / "bird", b"sings")
        roots = [folder / f"r{number}" for number in range(len(trees))]
        for root, content in zip(roots, trees, strict=True):
            build(root, content)
        canary, truth = survey(folder / "canary", exact=True), survey(roots[0], exact=True)
        before = set().union(*map(contents, roots))

        options = {"mirror": mirror, "max_delete": "100%"}
        first = run(roots, **options)
        standing = {each.path for each in first if isinstance(each, Conflicted) and each.kept_as is None}
        assert not any(isinstance(each, Troubled) for each in first)
        assert _differing(roots) == standing
        assert mirror <= (not standing and survey(roots[0], exact=True) == truth)
        assert before <= set().union(*map(contents, roots))

        after = [survey(root, exact=True) for root in roots]
        second = run(roots, **options)
        assert acted(second) == []
        assert summary(second).literal_bytes == 0
        assert [survey(root, exact=True) for root in roots] == after
        assert {each.path for each in second if isinstance(each, Conflicted)} == standing
        assert summary(second).equal == (not standing)

        # Nothing but the roots was touched.
        assert survey(folder / "canary", exact=True) == canary
        assert {each.name for each in folder.iterdir()} == {"canary", *(root.name for root in roots)}


def _differing(roots: Sequence[Path]) -> set[bytes]:
    events = diff(DiffRequest(Request(tuple(map(str, roots)))), Silent())
    return {bytes(each.difference.path) for each in events if isinstance(each, Differs)}


# with processes of their own


def test_the_same_with_real_processes(roots: list[Path]) -> None:
    write(roots[0] / "f", b"x")
    events = run(roots)
    assert acted(events) == [("create", b"f", 0, (1,), "missing")]
    assert judge(*roots) == []
    assert acted(run(roots)) == []


def test_a_root_that_a_run_has_emptied_is_expected_to_be_empty(engine: Threads, tmp_path: Path) -> None:
    a, b = (tree(tmp_path / name, {"f": "x"}) for name in "ab")
    common = Request((str(a), str(b)), state_dir=str(tmp_path / "state"))

    def code(*, empty_root: bool = False) -> int:
        request = RepairRequest(common._replace(allowed=Allowed(empty_root=empty_root)), max_delete="100%", mirror=True)
        return summary(list(repair(request, Silent()))).exit_code

    assert code() == 0
    (a / "f").unlink()
    with pytest.raises(GuardError, match=r"a: .*--allow-empty-root"):
        code()
    assert code(empty_root=True) == 0
    write(a / "f", b"again")
    assert code() == 0
    (b / "f").unlink()
    with pytest.raises(GuardError, match=r"b: .*--allow-empty-root"):
        code()


def test_trouble_is_told_once() -> None:
    scanned = Scanned(b"", 1, 0, 0, 0, 0, (Problem(b"x", "permission denied"),))
    tally = Tally()
    tally.begin((scanned, scanned._replace(problems=())))
    told = [Troubled(0, Problem(b"x", "permission denied")), Troubled(1, Problem(b"x", "permission denied"))]
    assert list(filter(tally.is_news, [*told, Notice("x")])) == [told[1], Notice("x")]
