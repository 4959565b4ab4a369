"""Whatever comes by columns where versions count ends as if each entry had come by itself: in the tree, in the sidecar,
in what is said, and in what comes after."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aefsync.core.policy import Policies
from aefsync.core.silent import Silent
from aefsync.core.version import Dot, Version
from aefsync.core.view import STAT
from aefsync.disk.sidecar import Sidecar, connect
from aefsync.disk.standing import AUTHOR, marks_of
from aefsync.disk.vectors import Vectors
from aefsync.sync.events import Acted, Event, Grew, Summary
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from tests.support.trees import judge, tree
from tests.sync.joined import threads
from tests.sync.test_attending import leave
from tests.sync.test_growing import COUNT, MANY, ended

OLD = 10**18


def run(*roots: Path, **options: object) -> list[Event]:
    asked = RepairRequest(Request(tuple(map(str, roots))), policies=Policies(), **options)  # type: ignore[arg-type]
    with threads():
        return list(repair(asked, Silent()))


@contextlib.contextmanager
def from_entries(number: int) -> Iterator[None]:
    """So many entries of one replica come by columns, which nobody reads before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aefsync.disk.replica.FEW_FILES", 0)
        patch.setattr("aefsync.core.compare.FEW", 0)
        patch.setattr("aefsync.core.one_sided.FROM", number)
        yield


@contextlib.contextmanager
def sidecar_of(root: Path) -> Iterator[Sidecar]:
    with contextlib.closing(connect(str(root / ".aefsync" / "sidecar.db"), journal="DELETE")) as sidecar:
        yield sidecar


def remembered(root: Path) -> tuple[int, dict[bytes, Any], dict[bytes, Version]]:
    """The counter of a root, what it records of each path, and what it knows to be deleted."""
    with sidecar_of(root) as sidecar:
        vectors, marks, records = Vectors(sidecar.vectors()), marks_of(sidecar.words()), dict[bytes, Any]()
        for head in list(sidecar.heads()):
            for name, record in sidecar.records(head.directory, head.first).each():
                mode, size, mtime_ns, *_ = STAT.unpack(record.stat)
                look = (mode,) if stat.S_ISDIR(mode) else (mode, size, mtime_ns)
                records[head.directory + name] = (look, record.content, record.flags, vectors.version(record.version))
        tombstones = {
            directory + name: vectors.version(number)
            for directory, own in sidecar.tombstones().items()
            for name, number in own.items()
        }
        assert list(sidecar.pending()) == []
        return marks[-1].counter if marks else 0, records, tombstones


def known_as(roots: list[Path]) -> list[bytes]:
    """Give roots names of their own in vectors; conflicts hang on these."""
    run(*roots)
    authors = [bytes([number + 1]) * 16 for number in range(len(roots))]
    for root, author in zip(roots, authors, strict=True):
        with sidecar_of(root) as sidecar:
            sidecar.set_words({AUTHOR: author})
    return authors


def edit(roots: list[Path], chance: random.Random, number: int) -> None:
    """New sub-trees, edits, deletions and renames, anywhere."""
    for root in roots:
        for _ in range(chance.randrange(3)):
            base = chance.choice([b"new%d" % number, b"d1", b"e/f", b"n%d" % chance.randrange(3)])
            for each in range(chance.choice([3, 40])):
                put(root, b"%b/%b%d" % (base, chance.choice([b"", b"x/", b"y/z/"]), each), chance, number)
        files = sorted(path for path in root.rglob("*") if path.is_file() and ".aefsync" not in path.parts)
        for path in chance.sample(files, min(len(files), chance.randrange(4))):
            what = chance.choice(["edit", "remove", "rename", "drop"])
            if what == "edit":
                put(root, os.fsencode(path.relative_to(root)), chance, number)
            elif what == "rename":
                path.exists() and path.rename(path.with_name(f"moved-{path.name}"))
            elif what == "drop" and path.parent != root:
                shutil.rmtree(path.parent, ignore_errors=True)
            elif path.exists():
                path.unlink()


def put(root: Path, path: bytes, chance: random.Random, number: int) -> None:
    place = root / os.fsdecode(path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"%d" % chance.randrange(1 << 30))
    except OSError:
        return  # something else is there
    os.utime(place, ns=(OLD, OLD + number * 10**9 + chance.randrange(3) * 10**6))


def done(events: list[Event]) -> Counter[tuple[str, bytes, tuple[int, ...]]]:
    """What was done, whichever way it was told."""
    single = [one for each in events for one in (each.acted() if isinstance(each, Grew) else [each])]
    return Counter((each.action, bytes(each.path), each.to) for each in single if isinstance(each, Acted))


@pytest.mark.parametrize("seed", [2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 40))])
def test_it_ends_the_same_either_way(tmp_path: Path, seed: int) -> None:
    kinds, said = {"columns": 1, "singly": 1 << 30}, {}
    brought = 0
    sets = {name: [tmp_path / name / each for each in "abc"[: 2 + seed % 2]] for name in kinds}
    for roots in sets.values():
        for root in roots:
            root.mkdir(parents=True)
            tree(root / "d1", {"one": "1", "two/three": "3"})
            for path in (root / "d1").rglob("*"):
                os.utime(path, ns=(OLD, OLD), follow_symlinks=False)
        known_as(roots)
    for number in range(3):
        for name, roots in sets.items():
            edit(roots, random.Random(seed * 100 + number), number)
            with from_entries(kinds[name]):
                events = run(*roots, max_delete="100%")
            brought += sum(isinstance(event, Grew) for event in events) if name == "columns" else 0
            end = ended(events)
            said[name] = (done(events), end.exit_code, end.equal, end.causes)
        assert said["columns"] == said["singly"]
        assert list(map(remembered, sets["columns"])) == list(map(remembered, sets["singly"]))
    before = [remembered(root)[:2] for root in sets["columns"]]
    again = ended(run(*sets["columns"]))
    assert again.copied_files == 0
    assert [remembered(root)[:2] for root in sets["columns"]] == before
    assert brought or seed != 2


def test_a_first_copy_names_nothing_one_by_one(tmp_path: Path) -> None:
    roots = [tree(tmp_path / "a", MANY), *(tree(tmp_path / name, {}) for name in "bc")]
    asked = RepairRequest(Request(tuple(map(str, roots))), policies=Policies())
    for _ in range(2):
        with threads() as engine:
            events = list(repair(asked, Silent()))
        assert not {"entries", "stage", "apply"} & {method for _, method in engine.methods}
        end = events[-1]
        assert isinstance(end, Summary)
        assert (end.exit_code, end.equal) == (0, True)
        if not end.differences:
            return
        assert end.differences == COUNT
    raise AssertionError("there is something left to do")


def test_what_a_scan_found_anew_comes_with_its_dot(tmp_path: Path) -> None:
    roots = [tree(tmp_path / name, {"kept": "x", "deleted": "y"}) for name in "ab"]
    author, _ = known_as(roots)
    for number in range(300):
        tree(roots[0] / "new" / str(number % 9), {f"{number}": str(number)})
    (roots[1] / "deleted").unlink()
    events = run(*roots, max_delete="100%")
    assert any(isinstance(event, Grew) for event in events)
    assert judge(*roots) == []
    mine, theirs = map(remembered, roots)
    assert mine[1:] == theirs[1:]
    found = {record[3] for path, record in mine[1].items() if path.startswith(b"new")}
    assert found == {Version((Dot(author, 1),), author)}


@pytest.mark.parametrize(("into", "by_columns"), [("archive", True), ("new/papers", False)])
def test_a_rename_is_in_the_way_of_nothing_but_what_it_touches(tmp_path: Path, into: str, *, by_columns: bool) -> None:
    roots = [tree(tmp_path / name, {f"docs/{number}": f"text {number}" for number in range(9)}) for name in "ab"]
    known_as(roots)
    for number in range(300):
        tree(roots[0] / "new" / str(number % 9), {f"{number}": str(number)})
    (roots[0] / "docs").rename(roots[0] / into)
    events = run(*roots, max_delete="100%")
    assert ("move", into.encode(), (1,)) in done(events)
    assert any(isinstance(event, Grew) for event in events) == by_columns
    assert judge(*roots) == []
    assert remembered(roots[0])[1:] == remembered(roots[1])[1:]


@pytest.mark.parametrize("method", ["plant", "record"])
def test_a_run_that_was_killed_makes_no_edit_of_its_work(tmp_path: Path, method: str) -> None:
    roots = [tree(tmp_path / name, {"kept": "x"}) for name in "ab"]
    run(*roots)
    for number in range(300):
        tree(roots[0] / "new" / str(number % 9), {f"{number}": str(number)})
    asked = RepairRequest(Request(tuple(map(str, roots))), policies=Policies())
    with threads({(1, method): leave}):
        assert ended(list(repair(asked, Silent()))).exit_code == 7
    (roots[0] / "new" / "0" / "0").write_text("edited on the holder")
    events = run(*roots)
    assert ended(events).equal
    assert ended(events).conflicts == 0
    assert judge(*roots) == []
    assert [remembered(root)[0] for root in roots] == [2, 0]
