"""Properties of reconcile and plan together, carried out on trees in memory."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aefsync.core.entry import Entry, Kind
from aefsync.core.path import RelPath
from aefsync.core.verdict import Decision, KeepBoth, Rules, Stand, Take, Why, at
from aefsync.core.view import View
from tests.core.simulator import Tree, actions_of, carry_out, decide, survey
from tests.support.snapshots import directory, file, link, planted

NOW = 100
LWW = Rules(now_ns=NOW)
MIRROR = Rules(now_ns=NOW, mirror=True)

MTIMES = st.sampled_from([-1, 1, 2, NOW + 5])
CTIMES = st.sampled_from([1, 2])
Leaf = Callable[[bytes], Entry]


def _file(data: bytes, mtime_ns: int, mode: int, ctime_ns: int) -> Leaf:
    return lambda path: file(path, data, mtime_ns, mode, ctime_ns)


def _link(target: bytes, mtime_ns: int) -> Leaf:
    return lambda path: link(path, target, mtime_ns)


FILES = st.builds(_file, st.sampled_from([b"x", b"y", b"long"]), MTIMES, st.sampled_from([0o644, 0o600]), CTIMES)
LINKS = st.builds(_link, st.sampled_from([b"x", b"u"]), MTIMES)
NAMES = st.sampled_from([b"a", b"b", b"c.txt"])
FOLDERS = st.recursive(
    st.dictionaries(NAMES, FILES | LINKS, max_size=3),
    lambda inner: st.dictionaries(NAMES, FILES | LINKS | inner, max_size=3),
    max_leaves=8,
)


@st.composite
def trees(draw: st.DrawFn) -> list[list[Entry]]:
    """2 to 4 trees of few names, contents and dates, so that every kind of clash is common."""
    modes = draw(st.randoms(use_true_random=False))
    base = draw(FOLDERS)
    found = []
    for _ in range(draw(st.integers(2, 4))):
        content = draw(st.one_of(FOLDERS, st.just(base), FOLDERS.map(lambda own: {**base, **own})))
        found.append(list(_flat(content, b"", modes)))
    return found


def _flat(folder: dict[bytes, object], prefix: bytes, modes: random.Random) -> Sequence[Entry]:
    found: list[Entry] = []
    for name, inner in folder.items():
        path = prefix + name
        if isinstance(inner, dict):
            found += [directory(path, modes.choice([0o755, 0o700, 0o555]), modes.choice([1, 2]))]
            found += _flat(inner, path + b"/", modes)
        else:
            assert callable(inner)
            found.append(inner(path))
    return found


def treasures(replicas: Sequence[Tree]) -> set[tuple[Kind, bytes]]:
    """Every content that is at a path or in the trash."""
    entries = [entry for tree in replicas for entry in (*tree.entries.values(), *tree.trash)]
    return {(entry.kind, entry.content) for entry in entries if entry.kind is not Kind.DIRECTORY}


def standing(decisions: Sequence[Decision]) -> set[RelPath]:
    return {each.path for each in decisions if isinstance(each.verdict, Stand)}


def disagreeing(replicas: Sequence[Tree]) -> set[RelPath]:
    columns = planted([tree.entries.values() for tree in replicas])
    return {each.path for each in columns if not View.FULL.same(each.entries)}


@given(trees())
def test_a_repair_converges_and_loses_nothing(contents: list[list[Entry]]) -> None:
    replicas = [Tree.of(content) for content in contents]
    before = treasures(replicas)
    decisions, todo = decide(replicas, LWW)
    carry_out(todo, replicas)
    assert disagreeing(replicas) == standing(decisions)
    assert before <= treasures(replicas)
    again, nothing = decide(replicas, LWW)
    assert not any(actions_of(nothing))
    assert standing(again) == standing(decisions)


@given(trees())
def test_everything_needed_is_read_beforehand(contents: list[list[Entry]]) -> None:
    replicas = [Tree.of(content) for content in contents]
    for rules in (LWW, MIRROR):
        decisions, _ = decide(replicas, rules)
        assert Stand(Why.UNREAD) not in [each.verdict for each in decisions]


@given(trees())
def test_no_path_is_lost_without_a_mirror(contents: list[list[Entry]]) -> None:
    replicas = [Tree.of(content) for content in contents]
    paths = {entry.path for content in contents for entry in content}
    decisions, todo = decide(replicas, LWW)
    carry_out(todo, replicas)
    for tree in replicas:
        assert paths - standing(decisions) <= tree.entries.keys()


@given(trees())
def test_a_mirror_makes_all_like_the_first_and_leaves_that_alone(contents: list[list[Entry]]) -> None:
    replicas = [Tree.of(content) for content in contents]
    before, truth = treasures(replicas), dict(replicas[0].entries)
    decisions, todo = decide(replicas, MIRROR)
    carry_out(todo, replicas)
    assert standing(decisions) == set()
    assert not any(actions_of(todo)[:1])
    assert replicas[0] == Tree(truth)
    assert disagreeing(replicas) == set()
    assert before <= treasures(replicas)
    assert survey(replicas, MIRROR) == []


@given(trees(), st.randoms(use_true_random=False))
def test_permuting_the_replicas_permutes_the_result(contents: list[list[Entry]], chance: random.Random) -> None:
    order = list(range(len(contents)))
    chance.shuffle(order)
    plain = [Tree.of(content) for content in contents]
    shuffled = [Tree.of(contents[i]) for i in order]
    here, todo = decide(plain, LWW)
    there, other = decide(shuffled, LWW)
    assert [_told(each) for each in here] == [_told(each) for each in there]
    carry_out(todo, plain)
    carry_out(other, shuffled)
    assert [_looks(plain[i]) for i in order] == [_looks(tree) for tree in shuffled]


def _told(decision: Decision) -> tuple[object, ...]:
    """A decision without the numbers of replicas."""
    match decision.verdict:
        case Take(winner, reason):
            return (decision.path, _seen(at(decision.entries, winner)), reason)
        case KeepBoth(winner, kept_as):
            mode = at(decision.entries, winner).mode
            return (decision.path, mode, sorted(filter(None, kept_as)))
        case verdict:
            return (decision.path, verdict)


def _seen(entry: Entry) -> tuple[object, ...]:
    """What must agree of an entry."""
    timeless = entry.kind is Kind.DIRECTORY
    return (entry.kind, entry.mode, 0 if timeless else entry.size, 0 if timeless else entry.mtime_ns, entry.content)


def _looks(tree: Tree) -> dict[RelPath, object]:
    return {path: _seen(entry) for path, entry in tree.entries.items()}


@given(trees(), st.sampled_from([LWW, MIRROR]), st.integers(0, 8))
def test_a_run_cut_short_is_finished_by_the_next(contents: list[list[Entry]], rules: Rules, done: int) -> None:
    replicas = [Tree.of(content) for content in contents]
    before = treasures(replicas)
    _, todo = decide(replicas, rules)
    carry_out(todo, replicas, stop_after=done)
    decisions, rest = decide(replicas, rules)
    carry_out(rest, replicas)
    assert disagreeing(replicas) == standing(decisions)
    assert before <= treasures(replicas)


@given(trees(), st.data(), st.sampled_from([LWW, MIRROR]))
def test_the_unknown_is_never_touched(contents: list[list[Entry]], data: st.DataObject, rules: Rules) -> None:
    folders = [
        (i, entry.path) for i, content in enumerate(contents) for entry in content if entry.kind is Kind.DIRECTORY
    ]
    assume(folders)
    number, secret = data.draw(st.sampled_from(folders))
    replicas = [Tree.of(content) for content in contents]
    kept = [{path: entry for path, entry in tree.entries.items() if _within(path, secret)} for tree in replicas]
    hidden = [(secret,) if i == number else () for i in range(len(replicas))]
    before = treasures(replicas)
    decisions, todo = decide(replicas, rules, hidden)
    for actions in actions_of(todo):
        for action in actions:
            assert not _within(action.path, secret)
            assert action.source is None or not _within(action.source, secret)
    carry_out(todo, replicas)
    for tree, own in zip(replicas, kept, strict=True):
        assert {path: entry for path, entry in tree.entries.items() if _within(path, secret)} == own
    assert before <= treasures(replicas)
    assert {path for path in disagreeing(replicas) if not _within(path, secret)} <= standing(decisions)


def _within(path: RelPath, directory: RelPath) -> bool:
    return path == directory or path.is_below(directory)


@given(trees(), trees())
def test_what_happens_elsewhere_changes_no_verdict(one: list[list[Entry]], other: list[list[Entry]]) -> None:
    """Locality: two unrelated folders are decided together as each alone."""
    number = min(len(one), len(other))
    here = [_under(b"here", content) for content in one[:number]]
    there = [_under(b"there", content) for content in other[:number]]
    together = [a + b for a, b in zip(here, there, strict=True)]
    found = [_decided(content) for content in (here, there, together)]
    assert found[0] | found[1] == found[2]


def _under(folder: bytes, content: list[Entry]) -> list[Entry]:
    moved = [entry._replace(path=RelPath(folder + b"/" + entry.path)) for entry in content]
    return [directory(folder), *moved]


def _decided(contents: list[list[Entry]]) -> dict[RelPath, object]:
    decisions, _ = decide([Tree.of(content) for content in contents], LWW)
    return {each.path: each.verdict for each in decisions}


@pytest.mark.parametrize("rules", [LWW, MIRROR])
def test_every_kind_of_clash_in_one_tree(rules: Rules) -> None:
    a = [file(b"a", b"1", 1), directory(b"b", 0o555), file(b"b/x", b"1", 1), link(b"c"), file(b"c.txt", b"1", 1)]
    b = [directory(b"a", 0o500), directory(b"a/b"), file(b"a/b/c", b"2"), file(b"b", b"3"), directory(b"c")]
    c = [link(b"a", b"x", 3), link(b"b", b"1"), file(b"c", b"5"), file(b"c.txt", b"22", 2)]
    replicas = [Tree.of(content) for content in (a, b, c)]
    _, todo = decide(replicas, rules)
    carry_out(todo, replicas)
    assert disagreeing(replicas) == set()
    copies = {path for path in replicas[1].entries if path.find(b".conflict-") >= 0}
    assert len(copies) == (0 if rules.mirror else 6)
