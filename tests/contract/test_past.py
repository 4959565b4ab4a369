"""What every replica promises of the past: how a scan is judged by what is remembered, and what is remembered then."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from aefsync.core.action import Act, Action, StageFile
from aefsync.core.digest import content_digest
from aefsync.core.entry import Entry
from aefsync.core.growth import Learned
from aefsync.core.members import Encounter, Known, Mark, Member, Memory, Standing
from aefsync.core.path import END, RelPath
from aefsync.core.ports import Access, Piece, Replica, Scan, Scanned
from aefsync.core.tree import KeyRange, Question
from aefsync.core.unsettled import LeftStanding, Sighting, StandingPath
from aefsync.core.version import FOUND, Dot, Tombstone, Version, explicit, minted
from aefsync.core.view import View
from tests.contract.test_replica import Bench, bench, hello, logins, opening
from tests.support.sites import Site

__all__ = ["bench", "logins"]

PAST = Scan(versions=True)
SITES = ["memory", "memory over the wire", "disk", "disk over the wire", "sftp"]
near = pytest.mark.parametrize("bench", SITES, indirect=True)
pytestmark = near


class Seen:
    """A replica that was scanned with versions, everything read."""

    def __init__(self, bench: Bench, site: Site, scan: Scan = PAST, access: Access = Access.WRITE) -> None:
        self.replica: Replica = bench.open(site, access)
        self.first: Scanned = self.replica.scan(scan)
        self.scanned: Scanned = self.replica.read_unread((), None)
        found = self.replica.entries([(0, self.scanned.entries)])
        self.entries = {bytes(entry.path): entry for entry in found}
        self.tombstones = {
            bytes(tombstone.path): tombstone.version
            for tombstone in self.replica.tombstones([(0, self.scanned.tombstones)])
        }

    def close(self) -> None:
        """End a session as one that came to its end, and left what there was to remember."""
        self.replica.remember(Memory(()))
        self.replica.close()

    def version(self, path: bytes) -> Version:
        version = self.entries[path].version
        assert version is not None
        return version

    @property
    def standing(self) -> Standing:
        assert self.scanned.standing is not None
        return self.scanned.standing

    def dot(self, counter: int) -> Dot:
        return Dot(self.standing.author, counter)


def again(bench: Bench, site: Site, edit: Callable[[], object] = lambda: None, scan: Scan = PAST) -> Seen:
    """A first session, an edit, and a second session."""
    first = Seen(bench, site)
    first.close()
    edit()
    return Seen(bench, site, scan)


def furnish(site: Site) -> None:
    site.make_directory(b"d")
    site.write_file(b"d/x", b"x")
    site.write_file(b"a", b"a")
    site.make_link(b"l", b"a")


def test_what_the_first_scan_finds_has_no_origin(bench: Bench) -> None:
    furnish(bench.a)
    seen = Seen(bench, bench.a)
    assert {entry.version for entry in seen.entries.values()} == {FOUND}
    assert seen.tombstones == {}
    assert seen.standing.mark.counter == 0


def test_a_session_that_comes_to_nothing_leaves_nothing(bench: Bench) -> None:
    furnish(bench.a)
    seen = Seen(bench, bench.a)
    seen.replica.close()
    assert hello(bench.replica(bench.a), bench.a).standing is None
    bench.a.write_file(b"new", b"since")
    assert Seen(bench, bench.a).version(b"new") == FOUND


def test_a_second_scan_changes_nothing(bench: Bench) -> None:
    furnish(bench.a)
    first = Seen(bench, bench.a)
    first.close()
    second = Seen(bench, bench.a)
    assert second.scanned.history == first.scanned.history != b""
    assert second.standing == first.standing


def test_a_new_file_gets_a_dot_and_all_of_a_scan_the_same(bench: Bench) -> None:
    furnish(bench.a)

    def edit() -> None:
        bench.a.write_file(b"new", b"1")
        bench.a.write_file(b"d/newer", b"2")

    seen = again(bench, bench.a, edit)
    assert seen.version(b"new") == seen.version(b"d/newer") == Version((seen.dot(1),), seen.standing.author)
    assert seen.version(b"a") == FOUND
    assert seen.standing.mark.counter == 1


def test_an_edit_follows_what_was_there(bench: Bench) -> None:
    furnish(bench.a)
    before = Seen(bench, bench.a)
    before.close()
    bench.a.write_file(b"a", b"edited", mtime_ns=99)
    bench.a.write_file(b"d/x", b"x", mode=0o600)
    seen = Seen(bench, bench.a)
    for path in (b"a", b"d/x"):
        assert seen.version(path).vector == minted(explicit(FOUND, before.entries[path]), seen.dot(1)), path


def test_what_is_gone_leaves_a_tombstone(bench: Bench) -> None:
    furnish(bench.a)
    before = Seen(bench, bench.a)
    before.close()
    bench.a.remove(b"d/x")
    bench.a.remove(b"d")
    seen = Seen(bench, bench.a)
    assert set(seen.tombstones) == {b"d", b"d/x"}
    assert seen.tombstones[b"d/x"].vector == minted(explicit(FOUND, before.entries[b"d/x"]), seen.dot(1))
    seen.close()
    bench.a.make_directory(b"d")
    later = Seen(bench, bench.a)
    assert set(later.tombstones) == {b"d/x"}
    assert later.version(b"d").vector == minted(seen.tombstones[b"d"].vector, later.dot(2))


def test_tombstones_answer_questions(bench: Bench) -> None:
    furnish(bench.a)
    seen = again(bench, bench.a, lambda: bench.a.remove(b"a"))
    whole = (KeyRange(b"", END),)
    assert seen.replica.fingerprints(Question(View.BURIED, whole, 0)).counts == (1,)
    assert seen.replica.fingerprints(Question(View.VERSIONED, whole, 0)).counts == (3,)
    full, versioned = (seen.replica.fingerprints(Question(view, whole, 0)) for view in (View.FULL, View.VERSIONED))
    assert full == versioned  # nothing that is there has a vector


def test_what_all_have_seen_is_forgotten(bench: Bench) -> None:
    furnish(bench.a)
    seen = again(bench, bench.a, lambda: bench.a.remove(b"a"))
    seen.close()
    forgetting = Seen(bench, bench.a, PAST._replace(watermark=(seen.dot(1),)))
    assert forgetting.tombstones == {}
    forgetting.replica.close()
    assert set(Seen(bench, bench.a).tombstones) == set()


def test_a_session_that_only_reads_leaves_nothing(bench: Bench) -> None:
    furnish(bench.a)
    seen = again(bench, bench.a, lambda: bench.a.write_file(b"new", b"1"), PAST)
    seen.close()
    bench.a.write_file(b"newer", b"2")
    reading = Seen(bench, bench.a, access=Access.READ)
    assert reading.version(b"newer").vector == (seen.dot(2),)
    assert reading.scanned.standing is None
    reading.replica.close()
    bench.a.remove(b"newer")
    assert Seen(bench, bench.a).standing.mark == seen.standing.mark


def test_outside_of_a_chosen_sub_tree_nothing_is_judged(bench: Bench) -> None:
    furnish(bench.a)
    seen = again(bench, bench.a, lambda: bench.a.remove(b"a"), PAST._replace(paths=(RelPath(b"d"),)))
    assert seen.tombstones == {}
    seen.close()
    assert set(Seen(bench, bench.a).tombstones) == {b"a"}


def copied(replica: Replica, entry: Entry, path: bytes, data: bytes, version: Version) -> Action:
    """A file that is ready to be placed, with a version."""
    wanted = entry._replace(path=RelPath(path), version=version)
    replica.write([Piece(wanted.path, 0, len(data), data)])
    replica.stage([StageFile(wanted, wanted.path)], None)
    return Action(Act.CREATE, wanted.path, wanted, None)


def test_what_is_placed_has_the_version_it_came_with(bench: Bench) -> None:
    furnish(bench.a)
    bench.b.write_file(b"other", b"other")
    other = Seen(bench, bench.b).entries[b"other"]
    version = Version((Dot(bytes(16), 7),), bytes(16))
    seen = Seen(bench, bench.a)
    gone = Action(Act.DELETE, RelPath(b"a"), None, seen.entries[b"a"], tombstone=version)
    known = seen.entries[b"l"]._replace(version=version)
    adopted = Action(Act.RECORD, RelPath(b"l"), known, seen.entries[b"l"])
    buried = Action(Act.RECORD, RelPath(b"never"), None, None, tombstone=version)
    actions = [copied(seen.replica, other, b"new", b"other", version), gone, adopted, buried]
    assert seen.replica.apply(actions).done == (True,) * 4
    after = seen.replica.record()
    assert after.tombstones == 2
    found = {bytes(e.path): e.version for e in seen.replica.entries([(0, after.entries)])}
    assert found == {b"d": FOUND, b"d/x": FOUND, b"l": version, b"new": version}
    seen.close()
    later = Seen(bench, bench.a)
    assert later.scanned.history == after.history
    assert later.tombstones == {b"a": version, b"never": version}
    assert later.standing.mark.counter == 0


def test_what_an_interrupted_run_placed_has_the_version_it_came_with(bench: Bench) -> None:
    furnish(bench.a)
    bench.b.write_file(b"other", b"other")
    other = Seen(bench, bench.b).entries[b"other"]
    version = Version((Dot(bytes(16), 7),), bytes(16))
    seen = Seen(bench, bench.a)
    gone = Action(Act.DELETE, RelPath(b"a"), None, seen.entries[b"a"], tombstone=version)
    known = seen.entries[b"l"]._replace(version=version)
    adopted = Action(Act.RECORD, RelPath(b"l"), known, seen.entries[b"l"])
    seen.replica.apply([copied(seen.replica, other, b"new", b"other", version), gone, adopted])
    seen.replica.close()  # nothing was recorded
    later = Seen(bench, bench.a)
    assert later.version(b"new") == version
    assert later.tombstones == {b"a": version}
    assert later.version(b"l") == FOUND
    assert later.standing.mark.counter == 0


@pytest.mark.parametrize("is_read", [True, False])
def test_what_others_may_have_by_now_was_remembered_before(bench: Bench, is_read: bool) -> None:
    furnish(bench.a)
    if is_read:
        before = Seen(bench, bench.a)
        replica, entry, learned = before.replica, before.entries[b"d/x"], []
    else:
        replica = bench.open(bench.a)
        scanned = replica.scan(PAST)
        (found,) = (each for each in replica.entries([(0, scanned.entries)]) if each.path == b"d/x")
        entry = found._replace(content=content_digest(b"x"))
        learned = [Learned(b"d\0", b"x", entry.content)]
    replica.learn(learned)
    replica.close()
    bench.a.write_file(b"d/x", b"edited")
    seen = Seen(bench, bench.a)
    assert seen.version(b"d/x").vector == minted(explicit(FOUND, entry), seen.dot(1))
    assert seen.version(b"d") == FOUND


def test_minted_dots_are_new_and_last(bench: Bench) -> None:
    seen = Seen(bench, bench.a)
    assert seen.replica.mint() == seen.dot(1)
    assert seen.replica.mint() == seen.dot(2)
    seen.close()
    assert Seen(bench, bench.a).standing.mark.counter == 2


def test_members_and_encounters_are_kept(bench: Bench) -> None:
    seen = Seen(bench, bench.a)
    members = (Member(seen.standing.id, "here", 1), Member("f" * 32, seen=(Dot(bytes(16), 3),), last_s=5, whole_s=4))
    met = (Encounter("f" * 32, Mark(3, b"12345678"), 0),)
    seen.replica.remember(Memory(members, met))
    seen.replica.close()
    replica = bench.replica(bench.a)

    standing = hello(replica, bench.a).standing
    assert standing is not None
    assert (standing.members, standing.met) == (members, met)


def test_the_others_have_all_that_one_has_once_a_session_was_whole(bench: Bench) -> None:
    for is_whole in (False, True, False):
        seen = Seen(bench, bench.a)
        own = (Member(seen.standing.id, last_s=5),)
        seen.replica.remember(Memory(own, is_whole=is_whole))
        seen.replica.close()
        replica = bench.replica(bench.a)
        standing = hello(replica, bench.a).standing
        replica.close()
        assert standing is not None
        # It stays so, and a session that looked at a part does not tell.
        before = is_whole or seen.standing.shared
        assert standing.shared == before


def test_what_is_left_standing_stays_until_a_session_finds_it_settled(bench: Bench) -> None:
    furnish(bench.a)
    stood = (StandingPath(RelPath(b"a"), is_suspect=True), StandingPath(RelPath(b"d/x"), is_suspect=False))

    def session(*stood: StandingPath, paths: tuple[RelPath, ...] = ()) -> LeftStanding:
        """What stands, as it is said at once, and by whoever opens the replica next."""
        seen = Seen(bench, bench.a, PAST._replace(paths=paths))
        left = seen.replica.remember(Memory((), (), Sighting(stood, (), True, frozenset({"f" * 32}))))
        seen.replica.close()
        replica = bench.replica(bench.a)
        standing = hello(replica, bench.a).standing
        replica.close()
        assert standing is not None
        assert standing.left == left
        return left

    assert session(*stood) == LeftStanding(1, 1, stood)
    assert session(paths=(RelPath(b"d"),)) == LeftStanding(0, 1, stood[:1])
    assert session(stood[1], paths=(RelPath(b"d"),)) == LeftStanding(1, 1, stood)
    assert session() == LeftStanding()


def test_what_is_known_is_not_said_again(bench: Bench) -> None:
    seen = Seen(bench, bench.a)
    members = (Member("f" * 32, "far", seen=(Dot(bytes(16), 3),)),)
    met = tuple(Encounter(letter * 32, Mark(3, b"12345678"), 0) for letter in "ef")
    seen.replica.remember(Memory(members, met))
    seen.replica.close()

    def said(known: Known) -> Standing:
        standing = bench.replica(bench.a).hello(opening(bench.a)._replace(known=known)).standing
        assert standing is not None
        return standing

    everything = said(Known())
    assert (everything.members, everything.met) == (members, met)
    assert said(Known(everything.roster)) == everything._replace(members=())
    assert said(Known(b"another!", ("f" * 32,))) == everything._replace(met=met[1:])


def claims(*marks: Mark) -> Scan:
    return PAST._replace(claims=tuple(Encounter("f" * 32, mark) for mark in marks))


def test_its_own_marks_prove_that_a_replica_is_itself(bench: Bench) -> None:
    furnish(bench.a)
    seen = again(bench, bench.a, lambda: bench.a.write_file(b"a", b"edited"))
    seen.close()
    later = Seen(bench, bench.a, claims(seen.standing.mark))
    assert not later.first.restored
    assert later.standing.author == seen.standing.author


def test_a_mark_that_is_not_its_own_makes_a_replica_another_one(bench: Bench) -> None:
    furnish(bench.a)
    seen = again(bench, bench.a, lambda: bench.a.write_file(b"a", b"edited"))
    seen.close()
    later = Seen(bench, bench.a, claims(Mark(1, b"8 bytes!")))
    assert later.first.restored
    assert later.standing.author != seen.standing.author
    assert seen.standing.author not in dict(later.version(b"a").vector)
    assert later.version(b"a").author == later.standing.author
    assert later.version(b"d/x") == FOUND
    # So it is until a session leaves nothing out.
    for is_whole in (False, True):
        assert later.standing.returned
        later.replica.remember(Memory((), is_whole=is_whole))
        later.close()
        later = Seen(bench, bench.a, PAST)
    assert not later.standing.returned
    later.replica.remember(Memory((), returned=True))
    later.close()
    assert Seen(bench, bench.a, PAST).standing.returned


def test_lists_of_tombstones(bench: Bench) -> None:
    furnish(bench.a)

    def edit() -> None:
        for path in (b"d/x", b"d", b"l"):
            bench.a.remove(path)

    seen = again(bench, bench.a, edit)
    whole: Sequence[Tombstone] = seen.replica.tombstones([(0, 3)])
    assert [tombstone.path for tombstone in whole] == [b"d", b"d/x", b"l"]
    assert list(seen.replica.tombstones([(0, 1), (2, 3)])) == [whole[0], whole[2]]
