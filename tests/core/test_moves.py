from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aefsync.core.action import Act
from aefsync.core.entry import Entry, Kind
from aefsync.core.path import RelPath
from aefsync.core.renamed import Rename
from tests.core.mover import Mover, Tree, fates, left, moves_of, shown, tree
from tests.support.snapshots import directory, file, link, unread


def f(path: str, data: str, mtime_ns: int = 1, mode: int = 0o644) -> Entry:
    return file(path.encode(), data.encode(), mtime_ns, mode)


def d(path: str, mode: int = 0o755) -> Entry:
    return directory(path.encode(), mode)


def ln(path: str, target: str) -> Entry:
    return link(path.encode(), target.encode())


CASES: dict[str, tuple[list[Entry], list[Entry], list[str], list[str]]] = {
    "a file": ([f("a", "x")], [f("b", "x")], ["move a -> b"], []),
    "a symlink": ([ln("a", "x")], [ln("b", "x")], ["move a -> b"], []),
    "an empty file": ([f("a", "")], [f("b", "")], ["move a -> b"], []),
    "an empty directory": ([d("a")], [d("b")], ["move a -> b"], []),
    "a file of another kind": ([f("a", "x")], [ln("b", "x")], [], ["- a", "+ b"]),
    "other content": ([f("a", "x")], [f("b", "y")], [], ["- a", "+ b"]),
    "with other metadata": ([f("a", "x", 1)], [f("b", "x", 2)], ["move a -> b"], ["m b"]),
    "a copy is no move": ([f("a", "x")], [f("a", "x"), f("b", "x")], [], ["+ b"]),
    "a copy of what is replaced": ([f("a", "x")], [f("a", "y"), f("a.bak", "x")], [], ["* a", "+ a.bak"]),
    "into a new directory": (
        [f("a", "x")],
        [d("n"), d("n/m"), f("n/m/a", "x")],
        ["mkdir n", "mkdir n/m", "move a -> n/m/a"],
        [],
    ),
    "out of a deleted directory": ([d("o"), f("o/a", "x"), f("o/b", "y")], [f("a", "x")], ["move o/a -> a"], ["- o", "- o/b"]),
    "over another": ([f("a", "x"), f("b", "y")], [f("b", "x")], ["delete b", "move a -> b"], []),
    "over a symlink": ([f("a", "x"), ln("b", "y")], [f("b", "x")], ["delete b", "move a -> b"], []),
    "a chain": ([f("a", "x"), f("b", "y")], [f("b", "x"), f("c", "y")], ["move b -> c", "move a -> b"], []),
    "a chain against the order of names": (
        [f("c", "x"), f("b", "y")],
        [f("b", "x"), f("a", "y")],
        ["move b -> a", "move c -> b"],
        [],
    ),
    "logs rotated": (
        [f("log", "4"), f("log.1", "3"), f("log.2", "2")],
        [f("log", "5"), f("log.1", "4"), f("log.2", "3")],
        ["delete log.2", "move log.1 -> log.2", "move log -> log.1"],
        ["+ log"],
    ),
    "a swap": ([f("a", "x"), f("b", "y")], [f("a", "y"), f("b", "x")], ["move b <-> a"], []),
    "a swap with other metadata": (
        [f("a", "x", 1), f("b", "y", 2)],
        [f("a", "y", 3), f("b", "x", 4)],
        ["move b <-> a"],
        ["m a", "m b"],
    ),
    "a circle of three": (
        [f("a", "x"), f("b", "y"), f("c", "z")],
        [f("a", "z"), f("b", "x"), f("c", "y")],
        ["move c <-> a", "move c <-> b"],
        [],
    ),
    "a directory": (
        [d("old"), d("old/s"), f("old/a", "x"), f("old/s/b", "y")],
        [d("new"), d("new/s"), f("new/a", "x"), f("new/s/b", "y")],
        ["move old -> new"],
        [],
    ),
    "a directory and changes in it": (
        [d("old"), f("old/a", "x"), f("old/b", "y"), f("old/c", "z"), f("old/d", "u"), f("old/e", "v", 1)],
        [d("new", 0o700), f("new/a", "x"), f("new/b", "Y"), f("new/c", "z"), f("new/n", "n"), f("new/e", "v", 2)],
        ["move old -> new"],
        ["m new", "* new/b", "- new/d", "m new/e", "+ new/n"],
    ),
    "a directory of which too little is left": (
        [d("old"), f("old/a", "x"), f("old/b", "y"), f("old/c", "z")],
        [d("new"), f("new/a", "x")],
        ["mkdir new", "move old/a -> new/a"],
        ["- old", "- old/b", "- old/c"],
    ),
    "a directory moved out of one that is renamed": (
        [d("l"), f("l/a", "x"), f("l/b", "y"), d("l/t"), f("l/t/c", "z")],
        [d("s"), f("s/a", "x"), f("s/b", "y"), d("t"), f("t/c", "z")],
        ["move l -> s", "move s/t -> t"],
        [],
    ),
    "a directory moved out of one that is renamed later": (
        [d("l"), f("l/a", "x"), f("l/b", "y"), d("l/t"), f("l/t/c", "z")],
        [d("s"), f("s/a", "x"), f("s/b", "y"), d("r"), f("r/c", "z")],
        ["move l/t -> r", "move l -> s"],
        [],
    ),
    "a directory into its sibling": (
        [d("a"), f("a/x", "x"), d("b"), f("b/y", "y")],
        [d("b"), f("b/y", "y"), d("b/a"), f("b/a/x", "x")],
        ["move a -> b/a"],
        [],
    ),
    "a directory into a new one": (
        [d("a"), f("a/x", "x")],
        [d("n"), d("n/a"), f("n/a/x", "x")],
        ["mkdir n", "move a -> n/a"],
        [],
    ),
    "a directory into one that is renamed": (
        [d("a"), f("a/x", "x"), d("b"), f("b/y", "y"), f("b/z", "z")],
        [d("c"), f("c/y", "y"), f("c/z", "z"), d("c/a"), f("c/a/x", "x")],
        ["move b -> c", "move a -> c/a"],
        [],
    ),
    "a parent dissolved": (
        [d("p"), d("p/a"), f("p/a/x", "x"), f("p/a/y", "y")],
        [d("a"), f("a/x", "x"), f("a/y", "y")],
        ["move p/a -> a"],
        ["- p"],
    ),
    "two directories merged": (
        [d("a"), f("a/x", "x"), f("a/y", "y"), d("b"), f("b/z", "z")],
        [d("m"), f("m/x", "x"), f("m/y", "y"), f("m/z", "z")],
        ["move a -> m", "move b/z -> m/z"],
        ["- b"],
    ),
    "a file below its own path": ([f("x", "x")], [d("x"), f("x/x", "x")], [], ["* x", "+ x/x"]),
    "a file in the place of its directory": ([d("x"), f("x/x", "x")], [f("x", "x")], [], ["* x", "- x/x"]),
    "a directory in the place of a file": (
        [f("n", "q"), d("o"), f("o/a", "x"), f("o/b", "y")],
        [d("n"), f("n/a", "x"), f("n/b", "y")],
        [],
        ["* n", "+ n/a", "+ n/b", "- o", "- o/a", "- o/b"],
    ),
    "a file in the place of a renamed directory": (
        [d("o"), f("o/a", "x"), f("o/b", "y")],
        [f("o", "q"), d("n"), f("n/a", "x"), f("n/b", "y")],
        ["move o -> n"],
        ["+ o"],
    ),
    "the nearest of several alike": (
        [d("p"), f("p/a", "x"), d("q"), f("q/b", "x", 5), f("q/c", "x"), d("r")],
        [d("p"), d("q"), f("q/a", "x"), d("r"), f("r/d", "x", 5)],
        ["move p/a -> q/a", "move q/b -> r/d"],
        ["- q/c"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_cases(name: str) -> None:
    has, wanted, actions, rest = CASES[name]
    there = tree(*has)
    moves = moves_of(there, wanted)
    assert shown(moves) == actions
    assert left(moves) == rest
    check(there, wanted)


def check(has: Tree, wanted: Sequence[Entry]) -> None:
    """The moves lead to what is wanted, lose nothing on the way, and what is left at any time is decided as well."""
    changed = fates(has, wanted)
    mover = Mover(has)
    before = mover.treasures()
    for _ in mover.carry_out(moves_of(has, wanted)):
        assert before <= mover.treasures()
        rest = Mover(mover.tree)
        for _ in rest.carry_out(moves_of(mover.tree, wanted)):
            pass
        assert fates(rest.tree, wanted) == []
    assert fates(mover.tree, wanted) == []
    untouched = has.keys() - {fate.path for fate in changed}
    assert {path: has[path] for path in untouched} == {path: mover.tree[path] for path in untouched}


CONTENTS = st.sampled_from(["x", "y", "z", "", "u", "v"])
LEAVES = st.builds(lambda data, time: (data, time), CONTENTS, st.integers(1, 2)) | st.just("link")
NAMES = st.sampled_from(["a", "b", "c", "d.e"])
FOLDERS = st.recursive(
    st.dictionaries(NAMES, LEAVES, max_size=3),
    lambda inner: st.dictionaries(NAMES, LEAVES | inner, max_size=4),
    max_leaves=12,
)
Folder = dict[str, object]


@st.composite
def edits(draw: st.DrawFn) -> tuple[Folder, Folder]:
    """A folder before and after some of its parts were moved about, changed, copied and deleted."""
    before = draw(FOLDERS)
    after = _copied(before)
    for _ in range(draw(st.integers(1, 5))):
        folders = _folders(after)
        old_home, new_home = draw(st.sampled_from(folders)), draw(st.sampled_from(folders))
        names = sorted(old_home)
        if not names:
            continue
        name = draw(st.sampled_from(names))
        match draw(st.sampled_from(["move", "move", "move", "swap", "copy", "delete", "edit"])):
            case "move":
                part = old_home.pop(name)
                if not isinstance(part, dict) or all(each is not new_home for each in _folders(part)):
                    new_home[draw(NAMES)] = part
            case "swap":
                other = draw(st.sampled_from(names))
                old_home[name], old_home[other] = old_home[other], old_home[name]
            case "copy":
                part = old_home[name]
                new_home[draw(NAMES)] = _copied(part) if isinstance(part, dict) else part
            case "delete":
                del old_home[name]
            case "edit":
                old_home[name] = draw(LEAVES)
    return before, after


def _copied(folder: Folder) -> Folder:
    return {name: _copied(part) if isinstance(part, dict) else part for name, part in folder.items()}


def _folders(folder: Folder) -> list[Folder]:
    return [folder, *(each for part in folder.values() if isinstance(part, dict) for each in _folders(part))]


def entries_of(folder: Folder, prefix: str = "") -> list[Entry]:
    found: list[Entry] = []
    for name, part in folder.items():
        path = prefix + name
        if isinstance(part, dict):
            found += [d(path), *entries_of(part, path + "/")]
        else:
            found.append(ln(path, "x") if part == "link" else f(path, *part))  # type: ignore[misc]
    return found


@settings(max_examples=40)
@given(edits())
@example(({"a": {"b": {"c": ("x", 1)}}}, {"a": {"c": ("x", 1)}}))
@example(({"a": {"a": ("x", 1)}}, {"a": {"a": {"a": ("x", 1)}}}))
@example(({"a": {"a": "link"}, "b": {"a": ("x", 1)}}, {"a": {"a": {"a": ("x", 1)}}, "b": {"a": "link"}}))
def test_the_result_is_as_without_moves_and_nothing_is_lost(trees: tuple[Folder, Folder]) -> None:
    before, after = trees
    check(tree(*entries_of(before)), entries_of(after))


@given(FOLDERS, FOLDERS)
def test_unrelated_trees(before: Folder, after: Folder) -> None:
    check(tree(*entries_of(before)), entries_of(after))


@given(edits())
def test_each_version_is_used_once_and_each_path_served_once(trees: tuple[Folder, Folder]) -> None:
    before, after = trees
    moves = moves_of(tree(*entries_of(before)), entries_of(after))
    targets = [action.path for action in moves.actions if action.act is Act.MOVE]
    assert len(set(targets)) == len(targets)


@given(FOLDERS.filter(lambda folder: any(isinstance(part, dict) for part in folder.values())))
def test_a_renamed_tree_is_one_rename(folder: Folder) -> None:
    has = [d("old"), *entries_of(folder, "old/")]
    moves = moves_of(tree(*has), [d("new"), *entries_of(folder, "new/")])
    if any(entry.kind is not Kind.DIRECTORY for entry in has):
        assert shown(moves) == ["move old -> new"]
        assert left(moves) == []


RENAMED = (
    [d("o"), f("o/a", "x"), f("o/b", "y"), d("o/s"), f("o/s/c", "z"), f("o/s/d", "u"), d("o/e")],
    [d("n"), f("n/a", "x"), f("n/b", "y"), d("n/s"), f("n/s/c", "z"), f("n/s/d", "u"), d("n/e")],
)


def test_a_directory_that_is_not_movable_is_taken_apart() -> None:
    has, wanted = RENAMED
    asked: list[RelPath] = []

    def movable(renames: Sequence[Rename]) -> list[bool]:
        asked.extend(each.old for each in renames)
        return [each.old != b"o" for each in renames]

    moves = moves_of(tree(*has), wanted, movable=movable)
    assert shown(moves) == ["mkdir n", "move o/s -> n/s", "move o/a -> n/a", "move o/b -> n/b", "move o/e -> n/e"]
    assert left(moves) == ["- o"]
    assert asked == [b"o", b"o/s", b"o/e"]


def test_what_came_along_is_not_asked_about_again() -> None:
    has, wanted = RENAMED
    moved_on = [entry for entry in wanted if entry.path != b"n/e"] + [d("e")]
    moves = moves_of(tree(*has), moved_on, movable=lambda renames: [each.old == b"o" for each in renames])
    assert shown(moves) == ["move o -> n", "move n/e -> e"]


@pytest.mark.parametrize("barred", ["o", "n"])
def test_a_directory_with_something_left_standing_below_is_not_renamed(barred: str) -> None:
    has, wanted = RENAMED
    moves = moves_of(tree(*has), wanted, barred=[barred.encode()])
    assert "move o -> n" not in shown(moves)
    check(tree(*has), wanted)


def test_what_was_not_read_moves_nowhere() -> None:
    there = {path: unread(entry) for path, entry in tree(f("a", "x")).items()}
    assert shown(moves_of(there, [unread(f("b", "x"))])) == []


def test_a_thousand_alike() -> None:
    has = [entry for i in range(1000) for entry in (d(f"o{i:03}"), f(f"o{i:03}/empty", ""), f(f"o{i:03}/own", f"{i}"))]
    wanted = [
        entry for i in range(1000) for entry in (d(f"n{i:03}"), f(f"n{i:03}/empty", ""), f(f"n{i:03}/own", f"{i}"))
    ]
    moves = moves_of(tree(*has), wanted)
    assert shown(moves) == [f"move o{i:03} -> n{i:03}" for i in range(1000)]
    assert left(moves) == []
