"""Filters: gitignore syntax, the union of both roots' `.aefsyncignore`, and that what is filtered is never touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.program import Program
from tests.support.trees import survey, tree

FILES = {"keep.txt": "1", "skip.o": "2", "build/out": "3", "src/a.c": "4", "src/a.o": "5", "src/build/x": "6"}


def paths(root: Path) -> set[str]:
    return {path.decode() for path in survey(root)}


def differing(done: object) -> set[str]:
    return {each["path"] for each in done.events if each["event"] == "difference"}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--exclude", "*.o"], {"keep.txt", "build", "build/out", "src", "src/a.c", "src/build", "src/build/x"}),
        (["--exclude", "build/"], {"keep.txt", "skip.o", "src", "src/a.c", "src/a.o"}),
        (["--exclude", "/build"], {"keep.txt", "skip.o", "src", "src/a.c", "src/a.o", "src/build", "src/build/x"}),
        (["--exclude", "*.o", "--include", "src/a.o"], set(FILES) - {"skip.o"} | {"build", "src", "src/build"}),
        (
            ["--include", "src/a.o", "--exclude", "*.o"],
            set(FILES) - {"skip.o", "src/a.o"} | {"build", "src", "src/build"},
        ),
        (["--exclude", "src/**/x", "--exclude", "b*"], {"keep.txt", "skip.o", "src", "src/a.c", "src/a.o"}),
    ],
)
def test_patterns(aefsync: Program, pair: Pair, options: list[str], left: set[str]) -> None:
    tree(pair.a, FILES)
    tree(pair.b, {})
    assert differing(aefsync("diff", "--json", *options, *pair).expect(1)) == left
    aefsync("repair", *options, *pair).expect(0)
    assert paths(pair.b) == left


def test_exclude_from(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    tree(pair.a, FILES)
    tree(pair.b, {})
    (tmp_path / "rules").write_text("# comment\n\n*.o\n!src/a.o\nbuild/\n")
    assert differing(aefsync("diff", "--json", "--exclude-from", tmp_path / "rules", *pair).expect(1)) == {
        "keep.txt", "src", "src/a.c", "src/a.o",
    }  # fmt: skip
    done = aefsync("diff", "--exclude-from", tmp_path / "nowhere", *pair).expect(2)
    assert b"nowhere" in done.err


def test_ignore_files_of_both_roots_hold(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {**FILES, ".aefsyncignore": "*.o\n/src/build\n"})
    tree(
        pair.b,
        {
            "only-b.o": "1",
            "only-b.tmp": "2",
            "keep.tmp": "3",
            ".aefsyncignore": "*.o\n/lib/*.tmp\n",
        },
    )
    tree(pair.a, {"lib/x.tmp": "1", "lib/y": "2"})
    aefsync("repair", "--exclude", ".aefsyncignore", *pair).expect(0)
    assert paths(pair.b) >= {"keep.txt", "build/out", "src/a.c", "lib/y"}
    assert not paths(pair.b) & {"skip.o", "src/a.o", "src/build/x", "src/build", "lib/x.tmp"}
    assert not paths(pair.a) & {"only-b.o"}
    assert paths(pair.a) >= {"only-b.tmp", "keep.tmp"}
    assert aefsync("diff", "--exclude", ".aefsyncignore", *pair).expect(0).out == b""


def test_the_command_line_comes_after_ignore_files(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x.o": "1", "y.o": "2", ".aefsyncignore": "*.o\n"})
    tree(pair.b, {".aefsyncignore": "*.o\n"})
    assert differing(aefsync("diff", "--json", "--include", "x.o", *pair).expect(1)) == {"x.o"}


def test_filtered_paths_are_never_deleted(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"keep": "1"})
    tree(pair.b, {"keep": "1", "local.o": "2", "gone": "3", "dir/local.o": "4", "dir/gone": "5"})
    aefsync("repair", "--mirror", "--exclude", "*.o", *pair).expect(0, 1)
    assert paths(pair.b) == {"keep", "local.o", "dir", "dir/local.o"}
    again = aefsync("repair", "--mirror", "--exclude", "*.o", "--json", *pair).summary
    assert again["deleted"] == 0


def test_directories_stay_for_what_is_filtered_deep_below(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "1"})
    tree(pair.b, {"x": "1", "d/e/f/keep.o": "o", "d/e/f/goes": "g", "d/e/goes": "g"})
    done = aefsync("repair", "--mirror", "--max-delete", "100%", "--exclude", "*.o", *pair).expect(0)
    assert b"skipped" not in done.out
    assert [path for path in (pair.b / "d").rglob("*") if path.is_file()] == [pair.b / "d/e/f/keep.o"]


def test_filters_that_leave_nothing_stop_the_run(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, {"x": root.name})
    aefsync("repair", "--exclude", "*", *pair).expect(5)


def test_changing_the_rules_is_seen_by_the_index(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, FILES)
    tree(pair.b, {})
    aefsync("diff", "--exclude", "*.o", *pair).expect(1)
    assert "src/a.o" in differing(aefsync("diff", "--json", *pair).expect(1))
    assert "src/a.o" not in differing(aefsync("diff", "--json", "--exclude", "*.o", *pair).expect(1))


@pytest.mark.parametrize(
    ("option", "pattern"), [("--exclude", "!"), ("--exclude", "\\"), ("--exclude", "[z-a]"), ("--include", "[z-a]")]
)
def test_bad_patterns(aefsync: Program, pair: Pair, option: str, pattern: str) -> None:
    for root in pair:
        tree(root, {"x": root.name})
    for command in ("diff", "repair"):
        done = aefsync(command, option, pattern, *pair).expect(2)
        assert b"pattern" in done.err
    assert not (pair.a / ".aefsync").exists()


def test_filters_see_names_that_are_not_utf8(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"caf\udce9.o": "1", "caf\udce9.c": "2", "z": "3"})
    tree(pair.b, {"z": "3"})
    done = aefsync("diff", "-0", "--exclude", "*.o", *pair).expect(1)
    assert done.out == b"< caf\xe9.c\0"
    assert aefsync("diff", "-0", "--exclude", b"caf\xe9.*", "--include", "x", *pair).expect(0).out == b""
