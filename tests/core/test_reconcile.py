"""Reconcile as a table: the versions of one path on A, B, C ..., by name, and what is decided."""

from __future__ import annotations

import itertools

import pytest

from aefsync.core.compare import Difference
from aefsync.core.conflict_name import conflict_name
from aefsync.core.differences import Differences
from aefsync.core.entry import Entry
from aefsync.core.path import RelPath
from aefsync.core.policy import Policies
from aefsync.core.reconcile import Unread, needs_content, reconcile
from aefsync.core.verdict import Decision, KeepBoth, Remove, Rules, Stand, Take, Verdict, Versions, Why, mirror
from aefsync.core.version import FOUND, Dot, Version, base, minted
from aefsync.core.view import View
from tests.support.snapshots import directory, file, link, planted, unread

P = RelPath(b"p.txt")
NOW = 1000
LWW = Rules(now_ns=NOW)
MIRROR = Rules(now_ns=NOW, mirror=True)

V: dict[str, Entry | None] = {
    "-": None,
    # files: content x, y (3 bytes) or long (4 bytes), then mtime
    "x1": file(P, b"xxx", 1),
    "x1,0600": file(P, b"xxx", 1, mode=0o600),
    "x1,0600,later": file(P, b"xxx", 1, mode=0o600, ctime_ns=2),
    "y1": file(P, b"yyy", 1),
    "z1": file(P, b"zzz", 1),
    "long1": file(P, b"long", 1),
    "x2": file(P, b"xxx", 2),
    "x2,later": file(P, b"xxx", 2, mode=0o600, ctime_ns=2),
    "y2": file(P, b"yyy", 2),
    "long2": file(P, b"long", 2),
    "x-1": file(P, b"xxx", -1),
    "xNOW": file(P, b"xxx", NOW),
    "xFUT": file(P, b"xxx", NOW + 1),
    "xFUT,0600": file(P, b"xxx", NOW + 1, mode=0o600),
    "yFUT": file(P, b"yyy", NOW + 1),
    "longFUT": file(P, b"long", NOW + 1),
    # not read
    "?3,1": unread(file(P, b"???", 1)),
    "?3,2": unread(file(P, b"???", 2)),
    "?4,1": unread(file(P, b"????", 1)),
    "?4,2": unread(file(P, b"????", 2)),
    "?3,FUT": unread(file(P, b"???", NOW + 1)),
    # links
    "->t1": link(P, b"t", 1),
    "->t2": link(P, b"t", 2),
    "->u1": link(P, b"u", 1),
    "->tFUT": link(P, b"t", NOW + 1),
    # directories
    "d": directory(P, 0o755),
    "d,0700": directory(P, 0o700),
    "d,0700,later": directory(P, 0o700, ctime_ns=2),
}


def versions(names: str) -> Versions:
    return tuple(V[name] for name in names.split())


def decide(names: str, rules: Rules = LWW) -> Verdict:
    entries = versions(names)
    found = {each.path: each for each in reconcile(Differences([Difference(P, entries)]), rules, [()] * len(entries))}
    assert found[P].entries == entries
    return found[P].verdict


def bigger(one: str, other: str) -> int:
    """The index of the version with the larger content digest."""
    contents = [entry.content for entry in versions(f"{one} {other}") if entry]
    return contents.index(max(contents))


SUSPECT, FUTURE, UNREAD = Stand(Why.SUSPECT), Stand(Why.FUTURE), Stand(Why.UNREAD)

TABLE: list[tuple[str, Verdict]] = [
    # missing means copy
    ("x1 -", Take(0, "missing")),
    ("- x1", Take(1, "missing")),
    ("- x1 -", Take(1, "missing")),
    ("x1 - x1", Take(0, "missing")),
    ("- d", Take(1, "missing")),
    ("->t1 -", Take(0, "missing")),
    ("xFUT -", Take(0, "missing")),
    ("xFUT - xFUT", Take(0, "missing")),
    ("?3,1 -", Take(0, "missing")),
    ("?3,FUT -", Take(0, "missing")),
    # the newest wins
    ("x1 y2", Take(1, "newer")),
    ("y2 x1", Take(0, "newer")),
    ("x-1 long1", Take(1, "newer")),
    ("x1 y2 -", Take(1, "newer")),
    ("x1 x1 long2", Take(2, "newer")),
    ("x1 y1 long2", Take(2, "newer")),
    ("x1 xNOW", Take(1, "newer")),
    ("x1 ->t2", Take(1, "newer")),
    ("x2 ->t1", Take(0, "newer")),
    ("->u1 ->t2", Take(1, "newer")),
    ("x1 x2", Take(1, "newer")),
    ("y1 x2 x2,later", Take(2, "newer")),
    # equal mtimes, different size or kind: by content digest
    ("x1 long1", Take(bigger("x1", "long1"), "larger digest")),
    ("long1 x1", Take(bigger("long1", "x1"), "larger digest")),
    ("x1 ->t1", Take(bigger("x1", "->t1"), "larger digest")),
    ("->t1 ->u1", Take(bigger("->t1", "->u1"), "larger digest")),
    ("y2 long2 x1", Take(bigger("y2", "long2"), "larger digest")),
    # equal content and mtime: metadata
    ("x1 x1,0600", Take(0, "mode")),
    ("x1,0600 x1", Take(1, "mode")),
    ("x1 x1,0600,later", Take(1, "mode")),
    ("x1 x1,0600 -", Take(0, "mode")),
    ("xFUT xFUT,0600", Take(0, "mode")),
    # directories
    ("d d,0700", Take(0, "mode")),
    ("d,0700 d", Take(1, "mode")),
    ("d d,0700,later", Take(1, "mode")),
    ("d d,0700,later -", Take(1, "mode")),
    # suspects: one size and mtime, two contents
    ("x1 y1", SUSPECT),
    ("x1 y1 -", SUSPECT),
    ("x1 y1 z1", SUSPECT),
    ("x1 y1 x1", Take(0, "majority")),
    ("y1 x1 x1,0600,later", Take(2, "majority")),
    ("x1 x1 y1 y1", SUSPECT),
    ("x1 x1 y1 y1 x1", Take(0, "majority")),
    ("x2 y2 x1", SUSPECT),
    ("x2 x2 y2 long1", SUSPECT),
    ("x2 x2 x2 y2 long1", Take(0, "majority")),
    ("x1 y1 long1", SUSPECT),
    ("x1 y1 long1 long1 long1", Take(2, "majority")),
    ("xFUT yFUT", SUSPECT),
    ("xFUT yFUT xFUT", FUTURE),
    # the future
    ("xFUT y1", FUTURE),
    ("xFUT x1", FUTURE),
    ("xFUT long1 -", FUTURE),
    ("xFUT longFUT", FUTURE),
    ("x1 ->tFUT", FUTURE),
    # not read
    ("?3,1 ?4,2", Take(1, "newer")),
    ("?3,1 long2", Take(1, "newer")),
    ("->t2 ?3,1", Take(0, "newer")),
    ("long2 ?3,1 ?3,1", Take(0, "newer")),
    ("?3,1 ?4,1", UNREAD),
    ("?3,1 long1", UNREAD),
    ("?3,1 x1", UNREAD),
    ("?3,1 x2", UNREAD),
    ("?3,2 x1", UNREAD),
    ("?3,1 ->t1", UNREAD),
    ("x2 long2 ?3,1", UNREAD),
    ("?3,FUT ?4,1", FUTURE),
    # a directory against others: more below
    ("d ?3,1", UNREAD),
    ("- d ?3,1", UNREAD),
]


@pytest.mark.parametrize(("names", "verdict"), TABLE)
def test_last_write_wins(names: str, verdict: Verdict) -> None:
    assert decide(names) == verdict


@pytest.mark.parametrize(("names", "verdict"), TABLE)
def test_whatever_the_order_of_the_replicas(names: str, verdict: Verdict) -> None:
    entries = versions(names)
    for order in itertools.permutations(range(len(entries))):
        found = decide(" ".join(names.split()[i] for i in order))
        if isinstance(verdict, Take):
            assert isinstance(found, Take)
            assert entries[order[found.winner]] == entries[verdict.winner]
            assert found.reason == verdict.reason
        else:
            assert found == verdict


@pytest.mark.parametrize(
    ("names", "verdict"),
    [
        ("x1 -", Take(0, "mirror")),
        ("- x1", Remove()),
        ("- d x1", Remove()),
        ("x1 y2", Take(0, "mirror")),
        ("x1 y1", Take(0, "mirror")),
        ("x1 y1 y1", Take(0, "mirror")),
        ("x1 xFUT", Take(0, "mirror")),
        ("xFUT x1", Take(0, "mirror")),
        ("x1 d", Take(0, "mirror")),
        ("d x1", Take(0, "mirror")),
        ("d,0700 d", Take(0, "mirror")),
        ("->t1 x2", Take(0, "mirror")),
        ("?3,1 ?4,1", Take(0, "mirror")),
        ("?3,1 d", Take(0, "mirror")),
        ("d ?3,1", Take(0, "mirror")),
        ("- ?3,1 x1", Remove()),
        ("long1 ?3,1 ?3,1", Take(0, "mirror")),
        ("?3,1 x1", UNREAD),
        ("x1 ?3,1", UNREAD),
        ("x1 long1 ?3,1", UNREAD),
    ],
)
def test_mirror(names: str, verdict: Verdict) -> None:
    assert decide(names, MIRROR) == verdict


@pytest.mark.parametrize("rules", [LWW, MIRROR])
@pytest.mark.parametrize("names", [names for names, _ in TABLE])
def test_reading_what_is_needed_is_enough(names: str, rules: Rules) -> None:
    entries = versions(names)
    wanted = list(needs_content(Differences([Difference(P, entries)]), rules))
    assert all(entries[each.replica] == unread(entries[each.replica] or file(P)) for each in wanted)
    fully = list(entries)
    for each in wanted:
        entry = fully[each.replica]
        assert entry is not None
        fully[each.replica] = entry._replace(content=bytes([each.replica + 1]) * 32)
    if View.FULL.same(fully):
        return
    found = {
        each.path: each.verdict
        for each in reconcile(Differences([Difference(P, tuple(fully))]), rules, [()] * len(fully))
    }
    assert found[P] != UNREAD


@pytest.mark.parametrize(
    ("names", "replicas"),
    [
        ("x1 y2", []),
        ("?3,1 -", []),
        ("?3,1 ?4,2", []),
        ("?3,1 ?4,1", [0, 1]),
        ("?3,1 long1", [0]),
        ("?3,1 ?3,2 ?4,1", [0, 1]),
        ("?3,1 d", [0]),
        ("- ?3,1 d ?4,2", [1, 3]),
    ],
)
def test_what_is_needed_and_no_more(names: str, replicas: list[int]) -> None:
    assert list(needs_content(Differences([Difference(P, versions(names))]), LWW)) == [Unread(i, P) for i in replicas]


# --- directories against others --------------------------------------------------------------------------------------


def copy_of(name: str, path: RelPath = P) -> RelPath:
    entry = V[name]
    assert entry is not None
    content = b"symlink" + entry.content if name.startswith("->") else entry.content
    return path.sibling(conflict_name(path.name, b"", entry.mtime_ns, content))


def clash(names: str, *others: Difference, hidden: bytes | None = None) -> dict[RelPath, Decision]:
    entries = versions(names)
    unknown = [()] * (len(entries) - 1) + [() if hidden is None else (hidden,)]
    ordered = sorted([Difference(P, entries), *others], key=lambda each: each.path.key)
    found = list(reconcile(Differences(ordered), LWW, unknown))
    assert [each.path.key for each in found] == sorted(each.path.key for each in found)
    return {each.path: each for each in found}


@pytest.mark.parametrize("name", ["x1", "->t1", "xFUT", "->tFUT"])
def test_the_directory_stays_and_the_other_becomes_a_copy(name: str) -> None:
    copy = copy_of(name)
    assert clash(f"d {name} -") == {
        P: Decision(P, versions(f"d {name} -"), KeepBoth(0, (None, copy, None))),
        copy: Decision(copy, versions(f"- {name} -"), Take(1, "missing")),
    }


def test_each_content_gets_a_copy_of_its_own() -> None:
    found = clash("x1 d y1 ->t1")
    x, y, t = copy_of("x1"), copy_of("y1"), copy_of("->t1")
    assert len({x, y, t}) == 3
    assert found[P].verdict == KeepBoth(1, (x, None, y, t))
    assert [found[x].verdict, found[y].verdict, found[t].verdict] == [
        Take(0, "missing"),
        Take(2, "missing"),
        Take(3, "missing"),
    ]


def test_a_file_and_a_link_of_equal_digest_do_not_share_a_copy() -> None:
    text, target = file(P, b"t", 1), link(P, b"t", 1)
    found = list(reconcile(Differences([Difference(P, (text, target, V["d"]))]), LWW, [(), (), ()]))
    assert len(found) == 3


def test_equal_contents_share_the_copy_of_the_newest() -> None:
    copy = copy_of("x2")
    found = clash("x1 d x2")
    assert found[P].verdict == KeepBoth(1, (copy, None, copy))
    assert found[copy] == Decision(copy, versions("x1 - x2"), Take(2, "newer"))


def test_among_directories_the_last_changed_mode_holds() -> None:
    verdict = clash("d x1 d,0700,later")[P].verdict
    assert isinstance(verdict, KeepBoth)
    assert verdict.winner == 2


def test_a_copy_that_a_replica_has_already_takes_part() -> None:
    copy = copy_of("x1")
    there = file(copy, b"xxx", 1)
    found = clash("x1 d -", Difference(copy, (None, None, there)))
    assert found[P].verdict == KeepBoth(1, (copy, None, None))
    assert found[copy] == Decision(copy, (V["x1"], None, there), Take(0, "missing"))


def test_a_copy_beside_its_own_original_is_not_moved_again() -> None:
    copy = copy_of("x1")
    there = file(copy, b"xxx", 1)
    found = clash("x1 d -", Difference(copy, (there, None, None)))
    assert found[P].verdict == KeepBoth(1, (None, None, None))
    assert found[copy] == Decision(copy, (there, None, None), Take(0, "missing"))


def test_a_copy_that_was_not_read_is_asked_for() -> None:
    copy = copy_of("x1")
    there, longer = unread(file(copy, b"xxx", 1)), unread(file(b"q.txt", b"longer", 1))
    beside = [Difference(copy, (None, None, there)), Difference(RelPath(b"q.txt"), (None, None, longer))]
    assert list(needs_content(Differences([Difference(P, versions("x1 d -")), *beside]), LWW)) == [Unread(2, copy)]
    assert list(needs_content(Differences(beside), LWW)) == []


@pytest.mark.parametrize(
    "there", [directory(copy_of("x1")), file(copy_of("x1"), b"zzz", 1), unread(file(copy_of("x1"), b"zzz"))]
)
def test_a_copy_whose_name_is_taken_leaves_all_standing(there: Entry) -> None:
    copy = there.path
    found = clash("x1 d -", Difference(copy, (None, None, there)))
    assert found[P].verdict == Stand(Why.NAME_TAKEN)
    assert found[copy] == Decision(copy, (None, None, there), Take(2, "missing"))


def test_a_path_too_long_for_a_copy_leaves_all_standing() -> None:
    path = RelPath(b"/".join([b"d" * 250] * 261) + b"/" + b"x" * 20)
    entries = (file(path, b"x"), directory(path))
    assert list(reconcile(Differences([Difference(path, entries)]), LWW, [(), ()])) == [
        Decision(path, entries, Stand(Why.NAME_TAKEN))
    ]


def test_what_a_replica_that_came_back_has_in_conflict_is_kept_as_a_copy() -> None:
    """The others have seen it, and have no such copy: that does not mean that they have deleted one."""
    author = b"A" * 16
    older = Version(minted((Dot(base(file(P, b"xxx", 1)), 0),), Dot(author, 1)), author)
    entries = file(P, b"xxx", 1)._replace(version=older), file(P, b"longer", 2)._replace(version=FOUND)
    rules = Rules(NOW, policies=Policies(), returned=frozenset([0]), watermark=older.vector)
    copy = P.sibling(conflict_name(P.name, author, 1, entries[0].content))
    found = {each.path: each.verdict for each in reconcile(Differences([Difference(P, entries)]), rules, [(), ()])}
    assert isinstance(found[P], KeepBoth) and found[P].kept_as == (copy, None)
    assert isinstance(found[copy], Take) and found[copy].winner == 0


def test_what_became_a_file_and_lives_on_as_a_directory_elsewhere_is_read() -> None:
    """Newer as it is, it has to give way, to a copy that its content names: unread, it is left standing."""
    here, there = b"A" * 16, b"B" * 16
    old = Version((Dot(here, 1),), here)
    gone, edited = (Version(minted(old.vector, Dot(author, 2)), author) for author in (there, here))
    became = file(P, b"a file now", 5)._replace(version=Version(minted(old.vector, Dot(there, 1)), there))
    inner = file(b"p.txt/in", b"edited", 6)._replace(version=edited)
    below = Difference(inner.path, (inner, None), (None, gone))
    rules, was = Rules(NOW, policies=Policies()), directory(P)._replace(version=old)
    found = Differences([Difference(P, (was, unread(became))), below])
    assert list(needs_content(found, rules)) == [Unread(1, P)]
    verdicts = {each.path: each.verdict for each in reconcile(found, rules, [(), ()])}
    assert verdicts == {P: UNREAD, inner.path: Stand(Why.BELOW)}
    found = Differences([Difference(P, (was, became)), below])
    assert isinstance(next(each.verdict for each in reconcile(found, rules, [(), ()]) if each.path == P), KeepBoth)


def test_the_loser_of_a_conflict_on_a_copy_is_another_copy_of_the_original() -> None:
    first = copy_of("x1")
    found = list(reconcile(Differences([Difference(first, (file(first, b"yyy", 5), directory(first)))]), LWW, [(), ()]))
    assert [each.path for each in found] == sorted([first, P.sibling(conflict_name(P.name, b"", 5, V["y1"].content))])  # type: ignore[union-attr]


def test_two_files_that_share_a_copy() -> None:
    """A file and its conflict copy, of one content and mtime, both against directories."""
    copy = copy_of("x1")
    again = file(copy, b"xxx", 1)
    found = clash("x1 d", Difference(copy, (again, directory(copy))))
    assert {each.verdict for each in found.values()} == {Stand(Why.NAME_TAKEN)}


def test_two_clashing_paths_that_share_a_copy_leave_it_once() -> None:
    """A file, and what is named like another copy of it, of one content and mtime: the second goes to the trash."""
    copy = copy_of("x1")
    other = P.sibling(b"p.conflict-20200101T000000Z-00000000.txt")
    found = clash("x1 d", Difference(other, (file(other, b"xxx", 1), directory(other))))
    kept = {path: each.verdict for path, each in found.items()}
    first, second = sorted([P, other], key=lambda path: path.key)
    assert kept[first] == KeepBoth(1, (copy, None))
    assert kept[second] == KeepBoth(1, (None, None))
    entry = found[copy].entries[0]
    assert entry is not None
    assert entry.path == first


def test_an_unknown_name_for_the_copy_leaves_all_standing() -> None:
    assert clash("x1 d", hidden=copy_of("x1"))[P].verdict == Stand(Why.NAME_TAKEN)


def test_below_a_clash_everything_is_copied() -> None:
    inner = file(b"p.txt/in", b"w")
    found = clash("x1 d", Difference(inner.path, (None, inner)))
    assert found[inner.path].verdict == Take(1, "missing")


def test_below_a_clash_left_standing_nothing_is_done() -> None:
    inner, deep = file(b"p.txt/in", b"w"), directory(b"p.txt/deep")
    below = file(b"p.txt/deep/x")
    found = clash(
        "?3,1 d d",
        Difference(inner.path, (None, inner, None)),
        Difference(deep.path, (None, deep, file(b"p.txt/deep"))),
        Difference(below.path, (None, below, None)),
    )
    assert found.pop(P).verdict == UNREAD
    assert {each.verdict for each in found.values()} == {Stand(Why.BELOW)}


# --- what is unknown -------------------------------------------------------------------------------------------------

TREE_A = [directory(b"d"), directory(b"d/u"), file(b"d/u/1"), file(b"d/x"), file(b"e")]


def stands(rules: Rules, hidden: bytes, trees: list[list[Entry]], of: int = 0) -> dict[RelPath, Verdict]:
    unknown = [(hidden,) if i == of else () for i in range(len(trees))]
    found = [each for each in planted(trees) if not View.FULL.same(each.entries)]
    return {each.path: each.verdict for each in reconcile(Differences(found), rules, unknown)}


@pytest.mark.parametrize("rules", [LWW, MIRROR])
@pytest.mark.parametrize("of", [0, 1])
def test_at_and_below_the_unknown_nothing_is_done(rules: Rules, of: int) -> None:
    found = stands(rules, b"d/u", [[], TREE_A], of)
    assert {path for path, verdict in found.items() if verdict == Stand(Why.UNKNOWN)} >= {b"d/u", b"d/u/1"}
    assert not isinstance(found[RelPath(b"d/x")], Stand)
    assert not isinstance(found[RelPath(b"e")], Stand)


def test_a_mirror_does_not_take_away_what_holds_the_unknown() -> None:
    assert stands(MIRROR, b"d/u", [[], TREE_A], of=1)[RelPath(b"d")] == Stand(Why.UNKNOWN)
    assert stands(MIRROR, b"d/u", [[file(b"d")], TREE_A], of=1)[RelPath(b"d")] == Stand(Why.UNKNOWN)
    assert stands(MIRROR, b"d/u", [[directory(b"d", 0o700)], TREE_A], of=1)[RelPath(b"d")] == Take(0, "mirror")
    assert stands(LWW, b"d/u", [[], TREE_A], of=1)[RelPath(b"d")] == Take(1, "missing")


def test_an_unknown_root_stops_everything() -> None:
    assert set(stands(MIRROR, b"", [[], TREE_A]).values()) == {Stand(Why.UNKNOWN)}


def test_the_unknown_may_have_a_name_that_no_path_has() -> None:
    assert set(stands(MIRROR, b"q/.aefsync/../\0", [[], TREE_A]).values()) == {Remove()}


def test_an_unknown_clash_stands_and_so_does_all_below_it() -> None:
    found = stands(LWW, b"d", [[file(b"d")], TREE_A], of=1)
    assert found.pop(RelPath(b"e")) == Take(1, "missing")
    assert set(found.values()) == {Stand(Why.UNKNOWN)}


def test_a_neighbour_of_the_unknown_is_not_below_it() -> None:
    found = stands(LWW, b"d/u", [[], [directory(b"d"), file(b"d/u-2"), file(b"d/u.x")]])
    assert not any(isinstance(verdict, Stand) for verdict in found.values())


def test_a_mirror_that_deletes_nothing_keeps_what_it_does_not_have() -> None:
    keeping = MIRROR._replace(no_delete=True)
    kept = Stand(Why.KEPT)
    versions: list[tuple[Entry | None, Entry | None, Verdict]] = [
        (None, file(b"x"), kept),
        (None, directory(b"x"), kept),
        (file(b"x"), directory(b"x"), kept),
        (directory(b"x"), file(b"x"), Take(0, "mirror")),
        (file(b"x", b"1"), file(b"x", b"22"), Take(0, "mirror")),
    ]
    for *entries, verdict in versions:
        assert mirror(tuple(entries), keeping) == verdict, entries
