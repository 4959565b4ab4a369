"""What every replica promises: one suite over memory and disk, each called directly and over the wire, and over SSH."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from aefsync.core.action import RETURNED, Act, Action, Applied, Staged, StageFile
from aefsync.core.compare import Span, select
from aefsync.core.digest import KEY_SIZE, content_digest
from aefsync.core.entry import UNKNOWN, Entry, Kind
from aefsync.core.finding import State
from aefsync.core.growth import Gathered, Growth, Learned
from aefsync.core.hint import Hints, Wait
from aefsync.core.metadata import PLAIN, Aspects, Extra, Namespaces, Owner
from aefsync.core.pairing import differences
from aefsync.core.past import ChangeCounts, RunRecord, TakenBack, Title, TrashQuery, Undo
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Missing, Open, Opened, Piece, Replica, Scan, Scanned
from aefsync.core.renamed import Rename
from aefsync.core.rot import Scrub
from aefsync.core.stores import SECOND_NS, Stores
from aefsync.core.tree import Answer, Question
from aefsync.core.view import View
from aefsync.errors import AefsyncError, RootError
from aefsync.wire.login import Transport
from tests.disk.ground import pass_the_step
from tests.support.logins import Logins
from tests.support.served import served
from tests.support.sites import SITES, MemorySite, Seen, SftpSite, Site
from tests.support.sshd import Sshd

NONCE = bytes(range(KEY_SIZE))
LOOSE = PLAIN._replace(mode_bits=0, times=False)


FAR = {"disk over openssh": Transport.OPENSSH, "disk over paramiko": Transport.PARAMIKO}


DEAF = Hints(deaf=(b"",))


class Bench:
    """Two sites of one kind, and replicas of them that end with the test; behind `logins` where they are far away."""

    def __init__(self, name: str, folder: Path, stack: contextlib.ExitStack, logins: Logins | None) -> None:
        kind, _, self._wire = name.partition(" ")
        self._transport = FAR.get(name)
        self.hears = kind != "sftp"
        self.is_agentless = kind == "sftp"
        self.is_far = kind == "sftp" or self._transport is not None
        """whether anybody there tells of changes"""
        self._logins = logins
        self.a = SITES[kind](folder / "a")
        self.b = SITES[kind](folder / "b")
        for site in (self.a, self.b):
            if isinstance(site, SftpSite) and logins is not None:
                site.files = logins.files()
        self._stack = stack

    def replica(self, site: Site, peers: Mapping[int, Site] | None = None) -> Replica:
        if self._transport is not None and self._logins is not None:
            return self._stack.enter_context(self._logins.replica(self._transport))
        local = site.replica(peers)
        if self._wire:
            return self._stack.enter_context(served(local))
        self._stack.callback(local.close)
        return local

    def open(
        self, site: Site, access: Access = Access.WRITE, run: str = "run", peers: Mapping[int, Site] | None = None
    ) -> Replica:
        """A replica that has said hello."""
        replica = self.replica(site, peers)
        hello(replica, site, access, run=run)
        return replica

    def survey(self, site: Site, access: Access = Access.WRITE, run: str = "run") -> tuple[Replica, dict[bytes, Entry]]:
        """A replica that was scanned and read, and its entries by path."""
        replica = self.open(site, access, run)
        return replica, look(replica)

    def step(self, name: str, replica: Replica, entries: dict[bytes, Entry]) -> Action:
        """One of `STEPS`, as a session plans it with such replicas: no time is wanted that they cannot keep."""
        action = STEPS[name][0](replica, entries)
        if action.wanted is None:
            return action
        return action._replace(wanted=action.wanted._replace(mtime_ns=self.a.kept(action.wanted.mtime_ns)))

    def kept(self, seen: Seen) -> Seen:
        """What is to be seen of this in such a site."""
        kind, mode, mtime_ns, data = seen
        return kind, mode, self.a.kept(mtime_ns), data

    def copy(self, receiver: Replica, files: Sequence[StageFile]) -> Staged:
        """Have files of A staged by a replica that was opened with A as its peer 0: directly, but from far away."""
        if self._transport is None and not isinstance(self.a, SftpSite):
            return receiver.stage(files, 0)
        with pytest.raises(AefsyncError, match="no replica to copy from directly"):
            receiver.stage(files, 0)
        origin = self.open(self.a, Access.READ)
        origin.scan(Scan())
        for each in files:
            relay(origin, receiver, each.source, each.path, max(1, each.source.size))
        return receiver.stage(files, None)


@pytest.fixture(scope="module")
def logins(sshd: Sshd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logins]:
    logins = Logins(sshd, tmp_path_factory.mktemp("far"))
    yield logins
    logins.close()


@pytest.fixture(params=["memory", "memory over the wire", "disk", "disk over the wire", *FAR, "sftp"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    far = request.getfixturevalue("logins") if request.param in (*FAR, "sftp") else None
    with contextlib.ExitStack() as stack:
        yield Bench(request.param, tmp_path, stack, far)


def hello(
    replica: Replica, site: Site, access: Access = Access.READ, missing: Missing = Missing.REFUSE, run: str = "run"
) -> Opened:
    return replica.hello(opening(site, access, missing, run))


def opening(site: Site, access: Access = Access.READ, missing: Missing = Missing.REFUSE, run: str = "run") -> Open:
    return Open(site.root, run, NONCE, access, missing, site.cache)


def look(replica: Replica) -> dict[bytes, Entry]:
    """Scan, read everything, and fetch everything."""
    replica.scan(Scan())
    number = replica.read_unread((), None).entries
    return {bytes(entry.path): entry for entry in replica.entries([(0, number)])}


def furnish(site: Site) -> None:
    site.make_directory(b"docs")
    site.write_file(b"docs/a.txt", b"alpha", 0o600, 1_234_567_890_123_456_789)
    site.write_file(b"docs/b.txt", b"beta", 0o644, -5)
    site.make_directory(b"empty", 0o700)
    site.make_link(b"link", b"docs/a.txt", 7)
    site.write_file(b"caf\xe9", b"")


def test_only_chosen_sub_trees_are_seen_and_digested(bench: Bench) -> None:
    for site in (bench.a, bench.b):
        furnish(site)
    bench.b.write_file(b"beside", b"x")
    bench.b.remove(b"link")
    chosen = Scan(paths=(RelPath(b"docs/a.txt"), RelPath(b"none/x")))
    roots = []
    for site in (bench.a, bench.b):
        replica = bench.open(site, Access.READ)
        assert replica.scan(chosen).entries == 2
        roots.append(replica.read_unread((), None).root)
        assert [entry.path for entry in replica.entries([(0, 2)])] == [b"docs", b"docs/a.txt"]
    assert roots[0] == roots[1] != b""


# hello


def test_hello_tells_of_the_root(bench: Bench) -> None:
    opened = hello(bench.replica(bench.a), bench.a)
    assert not opened.created
    assert not opened.seen_before
    assert opened.ancestors
    assert all(len(pair) == 2 for pair in opened.ancestors)
    other = hello(bench.replica(bench.b), bench.b)
    assert (opened.host, opened.ancestors[1:]) == (other.host, other.ancestors[1:])
    assert opened.ancestors[0] != other.ancestors[0]


def test_a_root_that_was_written_in_was_seen_before(bench: Bench) -> None:
    replica = bench.open(bench.a, Access.WRITE)
    replica.stage([], None)
    replica.close()
    assert hello(bench.replica(bench.a), bench.a).seen_before


def test_hello_tells_whether_there_is_anything_but_our_own(bench: Bench) -> None:
    bench.open(bench.a, Access.WRITE).close()
    assert hello(bench.replica(bench.a), bench.a).empty
    bench.a.write_file(b"f", b"")
    assert not hello(bench.replica(bench.a), bench.a).empty
    bench.b.vanish()
    assert hello(bench.replica(bench.b), bench.b, missing=Missing.EMPTY).empty


def test_a_root_is_known_by_an_id_of_its_own_once_it_was_written_in(bench: Bench) -> None:
    replicas = [bench.open(site, Access.WRITE) for site in (bench.a, bench.b)]
    assert hello(bench.replica(bench.a), bench.a).identity == ""
    identities = []
    for replica, site in zip(replicas, (bench.a, bench.b), strict=True):
        replica.stage([], None)
        identities.append(hello(replica, site, Access.WRITE).identity)
        replica.close()
        assert hello(bench.replica(site), site).identity == identities[-1]
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in identities)
    assert len(set(identities)) == 2


def test_a_root_is_given_a_new_id(bench: Bench) -> None:
    first = bench.open(bench.a, Access.WRITE)
    first.stage([], None)
    first.close()
    request = Open(bench.a.root, "run", NONCE, Access.READ, Missing.REFUSE, b"", new_identity="f" * 32)
    assert bench.replica(bench.a).hello(request).identity not in ("", "f" * 32)
    replica = bench.replica(bench.a)
    assert replica.hello(request._replace(access=Access.WRITE)).identity == "f" * 32
    assert replica.hello(request._replace(access=Access.WRITE, new_identity="")).identity == "f" * 32
    replica.close()
    assert hello(bench.replica(bench.a), bench.a).identity == "f" * 32


def test_a_missing_root_is_refused(bench: Bench) -> None:
    bench.a.vanish()
    with pytest.raises(RootError):
        hello(bench.replica(bench.a), bench.a, missing=Missing.REFUSE)
    assert not bench.a.exists()


def test_a_missing_root_counts_as_empty(bench: Bench) -> None:
    bench.a.vanish()
    replica = bench.replica(bench.a)
    assert not hello(replica, bench.a, missing=Missing.EMPTY).created
    scanned = replica.scan(Scan())
    empty, _ = bench.survey(bench.b, Access.READ)
    assert scanned == empty.scan(Scan())
    assert scanned.entries == 0
    assert not bench.a.exists()


def test_a_missing_root_is_created(bench: Bench) -> None:
    bench.a.vanish()
    replica = bench.replica(bench.a)
    assert hello(replica, bench.a, Access.WRITE, Missing.CREATE).created
    assert bench.a.exists()
    assert replica.scan(Scan()).entries == 0


@pytest.mark.parametrize("missing", Missing)
def test_a_root_that_exists_is_not_created(bench: Bench, missing: Missing) -> None:
    assert not hello(bench.replica(bench.a), bench.a, missing=missing).created


# scan, read_unread, entries


def test_the_root_digest_is_of_what_counts(bench: Bench) -> None:
    for number, site in enumerate((bench.a, bench.b)):
        furnish(site)
        site.write_file(b"f", b"same", 0o600 + number, (5 + number) * SECOND_NS)
        site.make_directory(b"d", 0o700 + number)
    roots: dict[Aspects, set[bytes]] = {}
    for aspects in (PLAIN, LOOSE, PLAIN._replace(mode_bits=0), PLAIN._replace(times=False)):
        for site in (bench.a, bench.b):
            replica = bench.open(site)
            replica.scan(Scan(aspects=aspects))
            roots.setdefault(aspects, set()).add(replica.read_unread((), None).root)
    assert [len(found) for found in roots.values()] == [2, 1, 2, 2]
    assert len(set.union(*roots.values())) == 7


def test_owners_count_where_they_are_asked_for(bench: Bench) -> None:
    """Without the power to give anything away, everything is ours before and after."""
    uid, gid = (1234, 5678) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    for path in (b"docs", b"docs/a.txt", b"link"):
        furnish(bench.a) if path == b"docs" else None
        bench.a.give(path, uid, gid)
    furnish(bench.b)
    counting = Scan(aspects=PLAIN._replace(owner=True, numeric_ids=True))
    found = []
    replicas = [bench.open(bench.a), bench.open(bench.b, peers={0: bench.a})]
    for replica in replicas:
        replica.scan(counting)
        number = replica.read_unread((), None).entries
        found.append({bytes(entry.path): entry for entry in replica.entries([(0, number)])})
    theirs, ours = found
    if isinstance(bench.a, SftpSite):
        assert not replicas[0].hello(opening(bench.a)).stores.owners
        assert not any(entry.extra for entry in ours.values())
        return
    owner = theirs[b"docs"].extra
    assert owner == theirs[b"link"].extra == Extra(Owner(uid, gid))
    differing = [path for path in ours if theirs[path].extra != ours[path].extra]
    assert differing in ([], [b"docs", b"docs/a.txt", b"link"])
    b = replicas[1]
    fresh = theirs[b"docs/a.txt"]._replace(path=RelPath(b"new"))
    assert bench.copy(b, [StageFile(theirs[b"docs/a.txt"], fresh.path)]).problems == ()
    acts = [Action(Act.METADATA, RelPath(path), theirs[path], ours[path]) for path in (b"docs", b"docs/a.txt", b"link")]
    acts += [
        Action(Act.CREATE, fresh.path, fresh, None),
        Action(Act.MKDIR, RelPath(b"d"), theirs[b"docs"]._replace(path=RelPath(b"d")), None),
    ]
    assert b.apply(acts) == Applied((True,) * 5, (), ())
    for path in (b"docs", b"docs/a.txt", b"link", b"new", b"d"):
        assert bench.b.owner(path) == (uid, gid)
    assert bench.b.owner(b"empty") != (1234, 5678)
    b.record()
    assert all(each.extra == owner for each in b.entries([(1, 4)]))


def test_what_does_not_count_is_not_set(bench: Bench) -> None:
    bench.a.write_file(b"f", b"new", 0o755, 99)
    bench.b.write_file(b"f", b"old!", 0o604, 5)
    bench.b.write_file(b"m", b"same", 0o644, 6)
    b = bench.open(bench.b, peers={0: bench.a})
    b.scan(Scan(aspects=LOOSE))
    found = {bytes(each.path): each for each in b.entries([(0, b.read_unread((), None).entries)])}
    _, entries = bench.survey(bench.a)
    wanted, other = entries[b"f"], found[b"m"]._replace(mode=0o600, mtime_ns=7)
    assert bench.copy(b, [StageFile(wanted, wanted.path)]).contents == (wanted.content,)
    actions = [Action(Act.COPY, wanted.path, wanted, found[b"f"]), Action(Act.METADATA, other.path, other, found[b"m"])]
    assert b.apply(actions).done == (True, True)
    listing = bench.b.listing()
    assert (listing[b"f"][1], listing[b"f"][3], listing[b"m"]) == (
        0o604,
        b"new",
        bench.kept((Kind.FILE, 0o644, 6, b"same")),
    )
    assert listing[b"f"][2] != 99
    recorded = b.record()
    b.close()
    fresh = bench.open(bench.b, run="next")
    scanned = fresh.scan(Scan(aspects=LOOSE))
    if isinstance(bench.b, SftpSite):
        # What has just changed would not be seen to change again: it is read again, as long as it is young.
        scanned = fresh.read_unread((), None)
    assert scanned.root == recorded.root


def test_a_scan_counts_what_is_there(bench: Bench) -> None:
    furnish(bench.a)
    scanned = bench.open(bench.a, Access.READ).scan(Scan())
    assert (scanned.entries, scanned.unread_files, scanned.unread_bytes) == (6, 3, 9)
    assert (scanned.problems, scanned.unexamined, scanned.special) == ((), (), 0)
    assert scanned.root == b""


def test_a_session_that_reads_changes_nothing(bench: Bench) -> None:
    furnish(bench.a)
    before = bench.a.listing()
    replica, _ = bench.survey(bench.a, Access.READ)
    replica.close()
    assert bench.a.listing() == before
    assert not hello(bench.replica(bench.a), bench.a).seen_before


def test_entries_are_as_on_disk_and_in_key_order(bench: Bench) -> None:
    furnish(bench.a)
    _, entries = bench.survey(bench.a)
    assert list(entries) == [b"caf\xe9", b"docs", b"docs/a.txt", b"docs/b.txt", b"empty", b"link"]
    for path, (kind, mode, mtime_ns, data) in bench.a.listing().items():
        entry = entries[path]
        assert (entry.kind, entry.mode) == (kind, mode)
        if kind is Kind.DIRECTORY:
            assert (entry.content, entry.target) == (bytes(32), b"")
            continue
        assert (entry.mtime_ns, entry.content) == (mtime_ns, content_digest(data))
        assert entry.target == (data if kind is Kind.SYMLINK else b"")
        if kind is Kind.FILE:
            assert entry.size == len(data)


def test_entries_of_some_positions(bench: Bench) -> None:
    furnish(bench.a)
    replica, entries = bench.survey(bench.a)
    every = list(entries.values())
    assert list(replica.entries([(1, 2), (3, 6)])) == [every[1], *every[3:6]]
    assert list(replica.entries([])) == []


def test_names_are_searched_for_what_they_hold(bench: Bench) -> None:
    furnish(bench.a)
    bench.a.make_directory(b"a.txt.d")
    bench.a.write_file(b"a.txt.d/other", b"x")
    replica, entries = bench.survey(bench.a, Access.READ)
    found = replica.search(b".txt", 0)
    assert [entry.path for entry in found] == [b"a.txt.d", b"docs/a.txt", b"docs/b.txt"]
    assert list(found) == [entries[bytes(entry.path)] for entry in found]
    assert list(replica.search(b".txt", 2)) == list(found[2:])
    assert list(replica.search(b"docs/a", 0)) == list(replica.search(b".txt", 3)) == []


def test_everything_is_read_but_what_is_skipped(bench: Bench) -> None:
    furnish(bench.a)
    replica = bench.open(bench.a, Access.READ)
    replica.scan(Scan())
    assert replica.read_unread([(0, 1), (2, 3)], None).unread_files == 2
    unread = {bytes(entry.path) for entry in replica.entries([(0, 6)]) if not entry.is_read}
    assert unread == {b"caf\xe9", b"docs/a.txt"}
    assert replica.read_unread((), None).unread_files == 0


def test_only_what_is_asked_for_is_read(bench: Bench) -> None:
    furnish(bench.a)
    replica = bench.open(bench.a, Access.READ)
    replica.scan(Scan())
    assert replica.read_unread((), []).unread_files == 3
    assert replica.read_unread((), [(1, 3)]).unread_files == 2
    known = {bytes(e.path) for e in replica.entries([(0, 6)]) if e.kind is Kind.FILE and e.is_read}
    assert known == {b"docs/a.txt"}


def test_equal_trees_have_equal_roots(bench: Bench) -> None:
    roots = []
    for site in (bench.a, bench.b):
        furnish(site)
        replica = bench.open(site)
        replica.scan(Scan())
        roots.append(replica.read_unread((), None).root)
    assert roots[0] == roots[1] != b""


def test_digests_that_were_learned_are_not_read_again(bench: Bench) -> None:
    furnish(bench.a)
    replica = bench.open(bench.a)
    replica.scan(Scan())
    furnish(bench.b)
    other, entries = bench.survey(bench.b)
    files = [entry for entry in entries.values() if entry.kind is Kind.FILE]
    replica.learn([Learned(e.path.key[: -len(e.path.name)], e.path.name, e.content) for e in files])
    replica.learn([])
    assert replica.record().root == other.record().root


# fingerprints


def test_comparison_finds_exactly_the_differences(bench: Bench) -> None:
    for site in (bench.a, bench.b):
        for directory in range(20):
            site.make_directory(b"d%02d" % directory)
            for number in range(30):
                site.write_file(b"d%02d/f%02d" % (directory, number), b"%d" % number)
    bench.a.write_file(b"d03/f05", b"other")
    bench.a.write_file(b"d03/f05-", b"only in A")
    bench.b.remove(b"d11/f00")
    bench.b.make_directory(b"z")
    replicas = [bench.survey(site)[0] for site in (bench.a, bench.b)]

    def ask(questions: Sequence[Question | None]) -> list[Answer | None]:
        return [r.fingerprints(q) if q else None for r, q in zip(replicas, questions, strict=True)]

    def fetch(number: int, spans: Sequence[Span]) -> Sequence[Entry]:
        return replicas[number].entries(spans)

    counts = [replica.read_unread((), None).entries for replica in replicas]
    found = list(differences(fetch, View.FULL, select(ask, View.FULL, counts)))
    assert [bytes(each.path) for each in found] == [b"d03/f05", b"d03/f05-", b"d11/f00", b"z"]
    assert [[entry is not None for entry in each.entries] for each in found] == [[1, 1], [1, 0], [1, 0], [0, 1]]


def counting(replica: Replica, aspects: Aspects) -> dict[bytes, Entry]:
    """The entries by path, with what counts."""
    replica.scan(Scan(aspects=aspects))
    number = replica.read_unread((), None).entries
    return {bytes(entry.path): entry for entry in replica.entries([(0, number)])}


def bring(a: Replica, b: Replica, entry: Entry, path: RelPath) -> None:
    """Bring one of A's files to B's staging."""
    relay(a, b, entry, path)
    assert b.stage([StageFile(entry, path)], None).problems == ()


def test_extended_attributes_count_where_they_are_asked_for(bench: Bench) -> None:
    aspects = PLAIN._replace(xattrs=Namespaces.USER)
    if isinstance(bench.a, SftpSite):
        assert hello(bench.replica(bench.a), bench.a).stores.xattrs is Namespaces.NONE
        return
    for site in (bench.a, bench.b):
        furnish(site)
    bench.a.attribute(b"docs/a.txt", said=b"\0\xff", more=b"")
    bench.a.attribute(b"docs", of=b"a directory")
    bench.b.attribute(b"docs/b.txt", gone=b"x")
    a, b = bench.open(bench.a), bench.open(bench.b)
    theirs, ours = counting(a, aspects), counting(b, aspects)
    assert [path for path in ours if not ours[path].same_metadata(theirs[path], aspects)] == [
        *(b"docs", b"docs/a.txt", b"docs/b.txt"),
    ]
    extra = theirs[b"docs/a.txt"].extra
    assert extra is not None
    assert extra.attributes == ((b"user.more", b""), (b"user.said", b"\0\xff"))
    fresh = theirs[b"docs/a.txt"]._replace(path=RelPath(b"new"))
    bring(a, b, theirs[b"docs/a.txt"], fresh.path)
    acts = [
        Action(Act.METADATA, RelPath(path), theirs[path], ours[path])
        for path in (b"docs", b"docs/a.txt", b"docs/b.txt")
    ]
    assert b.apply([*acts, Action(Act.CREATE, fresh.path, fresh, None)]).problems == ()
    for path in (b"docs", b"docs/a.txt", b"docs/b.txt"):
        assert bench.b.attributes(path) == bench.a.attributes(path)
    assert bench.b.attributes(b"new") == {"said": b"\0\xff", "more": b""}


def test_what_a_root_stores_is_told(bench: Bench) -> None:
    everything = hello(bench.replica(bench.a), bench.a).stores
    if isinstance(bench.a, SftpSite):
        latest = ((1 << 32) - 1) * SECOND_NS
        kept = Stores(step_ns=SECOND_NS, oldest_ns=0, newest_ns=latest, owners=False)
        assert everything == kept._replace(xattrs=Namespaces.NONE, links=False)
        return
    assert everything._replace(owners=True) == Stores()
    if isinstance(bench.b, MemorySite):
        bench.b.tree.stores = Stores(0, 2 * 10**9, 0, 1 << 62, owners=False, symlinks=False, links=False)
        assert hello(bench.replica(bench.b), bench.b).stores == bench.b.tree.stores


# hard links


LINKS = PLAIN._replace(links=True)


def test_names_of_one_file_have_the_first_of_them_as_leader(bench: Bench) -> None:
    furnish(bench.a)
    bench.a.join(b"docs/b.txt", b"a")
    bench.a.join(b"a", b"empty/z")
    replica = bench.open(bench.a, Access.READ)
    found = counting(replica, LINKS)
    if isinstance(bench.a, SftpSite):
        assert not any(entry.extra for entry in found.values())
        return
    assert {path: entry.leader for path, entry in found.items() if entry.leader} == dict.fromkeys(
        (b"a", b"docs/b.txt", b"empty/z"), b"a"
    )
    assert all(entry.extra is not None and entry.extra.leader is not None for entry in found.values())
    narrowed = Scan(paths=(RelPath(b"docs"), RelPath(b"empty")), aspects=LINKS)
    number = replica.scan(narrowed).entries
    names = {bytes(entry.path): entry.leader for entry in replica.entries([(0, number)])}
    assert (names[b"docs/b.txt"], names[b"empty/z"]) == (b"docs/b.txt", b"docs/b.txt")
    assert all(entry.extra is None for entry in look(replica).values())


def test_a_path_becomes_another_name(bench: Bench) -> None:
    bench.a.write_file(b"a", b"content", 0o600, 77)
    for name in (b"b", b"c", b"d"):
        bench.a.join(b"a", name)
    bench.b.write_file(b"c", b"something else")
    bench.b.write_file(b"old", b"stays")
    bench.b.join(b"old", b"d")
    a, b = bench.open(bench.a), bench.open(bench.b)
    theirs, ours = counting(a, LINKS), counting(b, LINKS)
    bring(a, b, theirs[b"a"], RelPath(b"a"))
    acts = [Action(Act.CREATE, RelPath(b"a"), theirs[b"a"], None)]
    acts += [Action(Act.JOIN, RelPath(name), theirs[name], ours.get(name)) for name in (b"b", b"c", b"d")]
    if isinstance(bench.b, SftpSite):
        # What says that it stores no hard links is never asked for any.
        assert b.apply(acts).done == (True, False, False, False)
        assert bench.b.names(b"old") == {b"d", b"old"}
        return
    assert b.apply(acts) == Applied((True,) * 4, (), ())
    assert bench.b.names(b"a") == {b"a", b"b", b"c", b"d"}
    assert bench.b.names(b"old") == {b"old"}
    assert bench.b.listing()[b"c"] == (Kind.FILE, 0o600, 77, b"content")
    again = counting(b, LINKS)
    assert {again[name].leader for name in (b"a", b"b", b"c", b"d")} == {b"a"}
    b.close()
    undone = bench.open(bench.b, run="undo").undo(Undo("run"))
    assert undone.problems == ()
    assert {path: seen[3] for path, seen in bench.b.listing().items()} == {
        b"c": b"something else",
        b"d": b"stays",
        b"old": b"stays",
    }
    assert bench.b.names(b"d") == {b"d", b"old"}


def test_a_name_of_something_else_than_what_is_wanted_is_refused(bench: Bench) -> None:
    bench.a.write_file(b"a", b"wanted", mtime_ns=5)
    bench.a.join(b"a", b"b")
    bench.b.write_file(b"a", b"edited", mtime_ns=5)
    theirs = counting(bench.open(bench.a), LINKS)
    b = bench.open(bench.b)
    counting(b, LINKS)
    applied = b.apply([Action(Act.JOIN, RelPath(b"b"), theirs[b"b"], None)])
    assert applied.done == (False,)
    reason = (
        "cannot be done over SFTP" if isinstance(bench.b, SftpSite) else "what it is to be linked to is not in place"
    )
    assert [problem[:2] for problem in applied.problems] == [(b"b", reason)]
    assert set(bench.b.listing()) == {b"a"}


def test_all_names_of_a_file_are_replaced(bench: Bench) -> None:
    for name in (b"a", b"b"):
        bench.a.write_file(name, b"new " + name, mtime_ns=9)
    bench.b.write_file(b"a", b"old")
    bench.b.join(b"a", b"b")
    a, theirs = bench.survey(bench.a)
    b = bench.open(bench.b)
    ours = look(b)
    for name in (b"a", b"b"):
        bring(a, b, theirs[name], RelPath(name))
    acts = [Action(Act.COPY, RelPath(name), theirs[name], ours[name]) for name in (b"a", b"b")]
    assert b.apply(acts) == Applied((True, True), (), ())
    assert {path: seen[3] for path, seen in bench.b.listing().items()} == {b"a": b"new a", b"b": b"new b"}


# read, write, stage


def relay(a: Replica, b: Replica, entry: Entry, path: bytes, size: int = 4) -> None:
    """Carry a file's bytes from A to the staging of B in pieces."""
    for offset in range(0, entry.size, size):
        (piece,) = a.read([Piece(entry.path, offset, min(size, entry.size - offset))])
        b.write([piece._replace(path=RelPath(path), length=len(piece.data))])


def test_reading_gives_what_was_asked_for_or_less(bench: Bench) -> None:
    furnish(bench.a)
    replica, _ = bench.survey(bench.a, Access.READ)
    path = RelPath(b"docs/a.txt")
    pieces = [Piece(path, 0, 5), Piece(path, 2, 2), Piece(path, 3, 100), Piece(path, 99, 5)]
    assert [piece.data for piece in replica.read(pieces)] == [b"alpha", b"ph", b"ha", b""]
    assert [piece.data for piece in replica.read([Piece(RelPath(b"nowhere"), 0, 5)])] == [b""]
    assert list(replica.read([])) == []


@pytest.mark.parametrize("size", [0, 3, 4, 1000])
def test_a_file_is_carried_over_in_pieces(bench: Bench, size: int) -> None:
    data = bytes(range(256)) * 4
    bench.a.write_file(b"f", data[:size], 0o640, 99)
    a, entries = bench.survey(bench.a)
    b = bench.open(bench.b)
    root = b.scan(Scan()).root
    relay(a, b, entries[b"f"], b"g", 100)
    staged = b.stage([StageFile(entries[b"f"], RelPath(b"g"))], None)
    assert staged.contents == (entries[b"f"].content,)
    assert staged.problems == ()
    assert bench.b.listing() == {}
    wanted = entries[b"f"]._replace(path=RelPath(b"g"))
    assert b.apply([Action(Act.CREATE, RelPath(b"g"), wanted, None)]).done == (True,)
    assert bench.b.listing() == {b"g": bench.kept((Kind.FILE, 0o640, 99, data[:size]))}
    assert b.record().root != root


def test_bytes_other_than_those_compared_are_refused(bench: Bench) -> None:
    bench.a.write_file(b"f", b"good")
    bench.a.write_file(b"g", b"fine")
    _, entries = bench.survey(bench.a)
    b = bench.open(bench.b)
    b.scan(Scan())
    b.write([Piece(RelPath(b"f"), 0, 4, b"evil"), Piece(RelPath(b"g"), 0, 4, b"fine")])
    staged = b.stage([StageFile(entries[name], entries[name].path) for name in (b"f", b"g")], None)
    assert staged.contents == (b"", entries[b"g"].content)
    assert [problem.path for problem in staged.problems] == [b"f"]
    applied = b.apply([Action(Act.CREATE, entries[b"f"].path, entries[b"f"], None)])
    assert applied.done == (False,)
    assert bench.b.listing() == {}


def test_a_file_that_did_not_arrive_whole_is_refused(bench: Bench) -> None:
    bench.a.write_file(b"f", b"good")
    _, entries = bench.survey(bench.a)
    b = bench.open(bench.b)
    b.scan(Scan())
    b.write([Piece(RelPath(b"f"), 0, 2, b"go")])
    assert b.stage([StageFile(entries[b"f"], RelPath(b"f"))], None).contents == (b"",)


def test_files_are_copied_directly_from_a_peer(bench: Bench) -> None:
    furnish(bench.a)
    _, entries = bench.survey(bench.a)
    b = bench.open(bench.b, peers={0: bench.a})
    b.scan(Scan())
    files = [entry for entry in entries.values() if entry.kind is Kind.FILE]
    staged = bench.copy(b, [StageFile(entry, entry.path) for entry in files])
    assert staged.contents == tuple(entry.content for entry in files)
    assert staged.literal_bytes == 9
    assert b.apply(creations(entries)).done == (True,) * 6
    assert bench.b.listing() == bench.a.listing()


def test_a_file_of_unknown_content_is_hashed_as_it_is_copied(bench: Bench) -> None:
    bench.a.write_file(b"f", b"data")
    a = bench.open(bench.a, Access.READ)
    a.scan(Scan())
    (entry,) = a.entries([(0, 1)])
    assert entry.content == UNKNOWN
    b = bench.open(bench.b, peers={0: bench.a})
    b.scan(Scan())
    assert bench.copy(b, [StageFile(entry, entry.path)]).contents == (content_digest(b"data"),)


@pytest.mark.parametrize("edit", ["changed", "vanished"])
def test_a_source_that_changed_since_the_scan_is_refused(bench: Bench, edit: str) -> None:
    bench.a.write_file(b"f", b"data")
    _, entries = bench.survey(bench.a, Access.READ)
    if edit == "changed":
        bench.a.write_file(b"f", b"edit", mtime_ns=2)
    else:
        bench.a.remove(b"f")
    b = bench.open(bench.b, peers={0: bench.a})
    b.scan(Scan())
    staged = bench.copy(b, [StageFile(entries[b"f"], RelPath(b"f"))])
    assert staged.contents == (b"",)
    assert [problem.path for problem in staged.problems] == [b"f"]


def test_content_that_is_here_already_is_copied_from_where_it_is(bench: Bench) -> None:
    furnish(bench.a)
    replica, _ = bench.survey(bench.a)
    moved, other = file(b"new", b"alpha", mode=0o604, mtime_ns=-5), file(b"other", b"elsewhere")
    unread = file(b"unread", b"beta")._replace(content=UNKNOWN)
    staged = replica.reuse([StageFile(each, each.path) for each in (moved, other, unread)])
    if isinstance(bench.a, SftpSite):
        # It would have to be copied over there, and nobody would have seen what was copied.
        assert staged == Staged((b"",) * 3, (), 0)
        return
    assert staged == Staged((moved.content, b"", b""), (), 0, 5)
    assert replica.apply([Action(Act.CREATE, moved.path, moved, None)]).done == (True,)
    listing = bench.a.listing()
    assert listing[b"new"] == (Kind.FILE, 0o604, -5, b"alpha")
    assert listing[b"docs/a.txt"][3] == b"alpha"


def test_content_that_changed_where_it_was_is_not_copied(bench: Bench) -> None:
    furnish(bench.a)
    replica, _ = bench.survey(bench.a)
    bench.a.write_file(b"docs/a.txt", b"ALPHA", mtime_ns=3)
    wanted = file(b"new", b"alpha")
    assert replica.reuse([StageFile(wanted, wanted.path)]) == Staged((b"",), (), 0, 0)


def all_of(replica: Replica) -> Growth:
    """Everything a replica has, by columns."""
    return replica.growth([(0, replica.scan(Scan()).entries)])


def test_entries_by_columns_are_the_same_entries(bench: Bench) -> None:
    furnish(bench.a)
    replica, entries = bench.survey(bench.a)
    every = list(entries.values())
    assert list(replica.growth([(1, 2), (3, 6)]).entries()) == [every[1], *every[3:6]]


def plant(
    bench: Bench, *, direct: bool, spoil: Callable[[], object] = lambda: None
) -> tuple[Replica, Growth, bytes, bytes]:
    """Bring all that A has to B; the replica, what was brought, and the contents and flags that came of it."""
    a = bench.survey(bench.a, Access.READ)[0]
    growth = all_of(a)
    if direct and bench.is_far:
        refusing = bench.open(bench.b)
        with pytest.raises(AefsyncError, match="no replica to copy from directly"):
            refusing.grow(growth, b"", 0)
        refusing.close()
        direct = False
    b = bench.open(bench.b, peers={0: bench.a})
    b.scan(Scan())
    spoil()
    found = Gathered(bytes(len(growth.contents)), b"") if direct else a.gather(growth)
    load = growth if direct else growth.with_contents(found.contents)
    contents = b.grow(load, found.data, 0 if direct else None)
    return b, growth, contents, b.plant()


def is_left(bench: Bench, flags: bytes, before: Mapping[bytes, object]) -> bool:
    """Whether this is a replica that leaves all to the ordinary way; it then has done nothing."""
    if isinstance(bench.b, SftpSite):
        assert not any(flags)
        assert bench.b.listing() == before
    return isinstance(bench.b, SftpSite)


@pytest.mark.parametrize("direct", [True, False])
def test_what_grew_is_planted(bench: Bench, direct: bool) -> None:
    furnish(bench.a)
    replica, growth, contents, flags = plant(bench, direct=direct)
    if is_left(bench, flags, {}):
        return
    assert flags == bytes([1]) * growth.length
    assert bench.b.listing() == bench.a.listing()
    files = {entry.path: entry for entry in look(replica_after(replica)).values() if entry.kind is not Kind.DIRECTORY}
    digests = [contents[i : i + 32] for i in range(0, len(contents), 32)]
    for entry, digest in zip(growth.entries(), digests, strict=True):
        assert digest == (files[entry.path].content if entry.path in files else UNKNOWN)


def replica_after(replica: Replica) -> Replica:
    """The replica, once it has recorded what it did, and read nothing for it."""
    replica.record()
    return replica


@pytest.mark.parametrize("direct", [True, False])
def test_what_is_in_the_way_of_a_growth_is_left_alone(bench: Bench, direct: bool) -> None:
    furnish(bench.a)
    bench.b.write_file(b"docs", b"in the way")
    bench.b.write_file(b"link", b"in the way")
    before = bench.b.listing()
    _, growth, _, flags = plant(bench, direct=direct)
    if is_left(bench, flags, before):
        return
    left = {entry.path for entry, flag in zip(growth.entries(), flags, strict=True) if not flag}
    assert left == {path for path in bench.a.listing() if path == b"link" or (path + b"/").startswith(b"docs/")}
    after = bench.b.listing()
    assert {path: after[path] for path in before} == before
    assert {path: seen for path, seen in after.items() if path not in before} == {
        path: seen for path, seen in bench.a.listing().items() if path not in left
    }


@pytest.mark.parametrize("direct", [True, False])
def test_what_changed_since_the_scan_is_not_brought(bench: Bench, direct: bool) -> None:
    furnish(bench.a)
    _, growth, contents, flags = plant(
        bench, direct=direct, spoil=lambda: bench.a.write_file(b"docs/a.txt", b"edited meanwhile", mtime_ns=77)
    )
    if is_left(bench, flags, {}):
        return
    number = [entry.path for entry in growth.entries()].index(RelPath(b"docs/a.txt"))
    assert (flags[number], contents[number * 32 : (number + 1) * 32]) == (0, UNKNOWN)
    assert flags.count(1) == growth.length - 1
    assert b"docs/a.txt" not in bench.b.listing()


def test_bytes_other_than_those_gathered_are_not_planted(bench: Bench) -> None:
    furnish(bench.a)
    a, b = bench.survey(bench.a, Access.READ)[0], bench.open(bench.b)
    growth, _ = all_of(a), b.scan(Scan())
    found = a.gather(growth)
    b.grow(growth.with_contents(found.contents), bytes(len(found.data)), None)
    flags = b.plant()
    if is_left(bench, flags, {}):
        return
    # Only of the empty file are these the right bytes.
    assert [path for path, (kind, *_) in bench.b.listing().items() if kind is Kind.FILE] == [b"caf\xe9"]
    assert b"empty" in bench.b.listing()


def test_what_was_planted_can_be_taken_back(bench: Bench) -> None:
    furnish(bench.a)
    replica, growth, _, flags = plant(bench, direct=True)
    if is_left(bench, flags, {}):
        return
    replica.record()
    replica.close()
    assert bench.open(bench.b, Access.READ).runs()[0].counts.created == growth.length
    undo(bench, "run", "r2", bench.b)
    assert bench.b.listing() == {}


def test_nothing_that_grew_is_planted_twice(bench: Bench) -> None:
    furnish(bench.a)
    replica, *_ = plant(bench, direct=True)
    assert replica.plant() == b""


def test_directories_that_are_there_may_be_moved(bench: Bench) -> None:
    furnish(bench.a)
    replica, _ = bench.survey(bench.a)
    renames = [(b"docs", b"empty/docs"), (b"missing", b"new")]
    assert list(replica.movable([Rename(RelPath(old), RelPath(new)) for old, new in renames])) == [True, False]


# apply


def creations(entries: Mapping[bytes, Entry]) -> list[Action]:
    acts = {Kind.FILE: Act.CREATE, Kind.DIRECTORY: Act.MKDIR, Kind.SYMLINK: Act.LINK}
    return [Action(acts[entry.kind], entry.path, entry, None) for entry in entries.values()]


def file(path: bytes, data: bytes, mode: int = 0o644, mtime_ns: int = 50) -> Entry:
    return Entry(RelPath(path), Kind.FILE, mode, len(data), mtime_ns, 0, 0, content_digest(data))


def link(path: bytes, target: bytes) -> Entry:
    return Entry(RelPath(path), Kind.SYMLINK, 0, len(target), 50, 0, 0, content_digest(target), target)


def directory(path: bytes, mode: int = 0o755) -> Entry:
    return Entry(RelPath(path), Kind.DIRECTORY, mode, 0, 0, 0, 0, bytes(32))


def put(replica: Replica, path: bytes, data: bytes) -> Entry:
    """Stage a file; the entry that is wanted."""
    wanted = file(path, data)
    replica.write([Piece(wanted.path, 0, len(data), data)])
    assert replica.stage([StageFile(wanted, wanted.path)], None).contents == (wanted.content,)
    return wanted


def refused(applied: Applied, path: bytes) -> bool:
    return applied.done == (False,) and [problem.path for problem in applied.problems] == [path]


Step = Callable[[Replica, dict[bytes, Entry]], Action]


def move_of(entry: Entry, path: bytes, displaced: Entry | None = None) -> Action:
    return Action(Act.MOVE, RelPath(path), entry._replace(path=RelPath(path)), entry, entry.path, displaced)


def metadata_of(entry: Entry, mode: int, mtime_ns: int) -> Action:
    return Action(Act.METADATA, entry.path, entry._replace(mode=mode, mtime_ns=mtime_ns), entry)


STEPS: dict[str, tuple[Step, dict[bytes, tuple[Kind, int, int, bytes] | None]]] = {
    "create": (
        lambda r, _: Action(Act.CREATE, RelPath(b"docs/new"), put(r, b"docs/new", b"new"), None),
        {b"docs/new": (Kind.FILE, 0o644, 50, b"new")},
    ),
    "copy": (
        lambda r, e: Action(Act.COPY, RelPath(b"docs/a.txt"), put(r, b"docs/a.txt", b"new"), e[b"docs/a.txt"]),
        {b"docs/a.txt": (Kind.FILE, 0o644, 50, b"new")},
    ),
    "copy over a symlink": (
        lambda r, e: Action(Act.COPY, RelPath(b"link"), put(r, b"link", b"new"), e[b"link"]),
        {b"link": (Kind.FILE, 0o644, 50, b"new")},
    ),
    "link": (
        lambda _, __: Action(Act.LINK, RelPath(b"l"), link(b"l", b"../x\xff"), None),
        {b"l": (Kind.SYMLINK, 0, 50, b"../x\xff")},
    ),
    "link over a file": (
        lambda _, e: Action(Act.LINK, RelPath(b"docs/a.txt"), link(b"docs/a.txt", b"x"), e[b"docs/a.txt"]),
        {b"docs/a.txt": (Kind.SYMLINK, 0, 50, b"x")},
    ),
    "link over a link": (
        lambda _, e: Action(Act.LINK, RelPath(b"link"), link(b"link", b"x"), e[b"link"]),
        {b"link": (Kind.SYMLINK, 0, 50, b"x")},
    ),
    "mkdir": (
        lambda _, __: Action(Act.MKDIR, RelPath(b"docs/d"), directory(b"docs/d", 0o750), None),
        {b"docs/d": (Kind.DIRECTORY, 0o750, 0, b"")},
    ),
    "metadata of a file": (
        lambda _, e: metadata_of(e[b"docs/a.txt"], 0o604, -7),
        {b"docs/a.txt": (Kind.FILE, 0o604, -7, b"alpha")},
    ),
    "metadata of a link": (
        lambda _, e: metadata_of(e[b"link"], 0, 77 * SECOND_NS),
        {b"link": (Kind.SYMLINK, 0, 77 * SECOND_NS, b"docs/a.txt")},
    ),
    "metadata of a directory": (
        lambda _, e: metadata_of(e[b"docs"], 0o711, 0),
        {b"docs": (Kind.DIRECTORY, 0o711, 0, b"")},
    ),
    "move": (
        lambda _, e: move_of(e[b"docs/a.txt"], b"empty/c"),
        {b"docs/a.txt": None, b"empty/c": (Kind.FILE, 0o600, 1_234_567_890_123_456_789, b"alpha")},
    ),
    "change places": (
        lambda _, e: move_of(e[b"docs/a.txt"], b"docs/b.txt", e[b"docs/b.txt"]),
        {
            b"docs/a.txt": (Kind.FILE, 0o644, -5, b"beta"),
            b"docs/b.txt": (Kind.FILE, 0o600, 1_234_567_890_123_456_789, b"alpha"),
        },
    ),
    "change places with a link": (
        lambda _, e: move_of(e[b"docs/a.txt"], b"link", e[b"link"]),
        {
            b"docs/a.txt": (Kind.SYMLINK, 0, 7, b"docs/a.txt"),
            b"link": (Kind.FILE, 0o600, 1_234_567_890_123_456_789, b"alpha"),
        },
    ),
    "delete a file": (
        lambda _, e: Action(Act.DELETE, RelPath(b"docs/a.txt"), None, e[b"docs/a.txt"]),
        {b"docs/a.txt": None},
    ),
    "delete a link": (lambda _, e: Action(Act.DELETE, RelPath(b"link"), None, e[b"link"]), {b"link": None}),
    "delete a directory": (
        lambda _, e: Action(Act.DELETE, RelPath(b"empty"), None, e[b"empty"]),
        {b"empty": None},
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_an_action_changes_what_it_says_and_nothing_else(bench: Bench, name: str) -> None:
    furnish(bench.a)
    replica, entries = bench.survey(bench.a)
    changes = {**bench.a.listing(), **STEPS[name][1]}
    expected = {path: bench.kept(seen) for path, seen in changes.items() if seen is not None}
    applied = replica.apply([bench.step(name, replica, entries)])
    assert applied == Applied((True,), (), ())
    assert bench.a.listing() == expected


@pytest.mark.parametrize(
    "name", [name for name in STEPS if "directory" not in name and name not in ("create", "link", "mkdir")]
)
def test_what_changed_since_the_scan_is_left_alone(bench: Bench, name: str) -> None:
    furnish(bench.a)
    replica, entries = bench.survey(bench.a)
    action = bench.step(name, replica, entries)
    assert action.found is not None
    bench.a.remove(action.found.path)
    bench.a.write_file(action.found.path, b"edited", mtime_ns=1000)
    before = bench.a.listing()
    assert refused(replica.apply([action]), action.found.path)
    assert bench.a.listing() == before


@pytest.mark.parametrize(
    "name", [name for name in STEPS if "directory" not in name and name not in ("create", "link", "mkdir")]
)
def test_what_vanished_since_the_scan_stays_away(bench: Bench, name: str) -> None:
    furnish(bench.a)
    replica, entries = bench.survey(bench.a)
    action = bench.step(name, replica, entries)
    assert action.found is not None
    bench.a.remove(action.found.path)
    before = bench.a.listing()
    assert refused(replica.apply([action]), action.found.path)
    assert bench.a.listing() == before


@pytest.mark.parametrize("name", ["create", "link", "mkdir"])
def test_what_appeared_since_the_scan_is_left_alone(bench: Bench, name: str) -> None:
    furnish(bench.a)
    replica, entries = bench.survey(bench.a)
    action = bench.step(name, replica, entries)
    bench.a.write_file(action.path, b"edited", mtime_ns=1000)
    before = bench.a.listing()
    assert refused(replica.apply([action]), action.path)
    assert bench.a.listing() == before


def test_a_move_replaces_nothing(bench: Bench) -> None:
    furnish(bench.a)
    replica, entries = bench.survey(bench.a)
    before = bench.a.listing()
    assert refused(replica.apply([move_of(entries[b"docs/a.txt"], b"docs/b.txt")]), b"docs/a.txt")
    assert bench.a.listing() == before


def test_a_directory_moves_with_what_it_holds(bench: Bench) -> None:
    furnish(bench.a)
    replica, entries = bench.survey(bench.a)
    assert replica.apply([move_of(entries[b"docs"], b"empty/papers")]).done == (True,)
    assert {path for path in bench.a.listing() if b"papers" in path} == {
        b"empty/papers",
        b"empty/papers/a.txt",
        b"empty/papers/b.txt",
    }
    assert b"docs" not in bench.a.listing()


def test_what_moved_is_recorded(bench: Bench) -> None:
    furnish(bench.a)
    replica, entries = bench.survey(bench.a)
    moves = [move_of(entries[b"docs"], b"empty/papers"), move_of(entries[b"link"], b"docs")]
    changed = entries[b"docs/b.txt"]._replace(path=RelPath(b"empty/papers/b.txt"))
    assert replica.apply([*moves, metadata_of(changed, 0o600, 9)]).done == (True, True, True)
    recorded = replica.record()
    fresh, _ = bench.survey(bench.a, Access.READ, run="again")
    fresh.scan(Scan())
    assert recorded.root == fresh.read_unread((), None).root


def test_two_that_changed_places_and_then_a_third(bench: Bench) -> None:
    furnish(bench.a)
    bench.a.write_file(b"c", b"gamma", mtime_ns=3)
    replica, entries = bench.survey(bench.a)
    a, b, c = entries[b"docs/a.txt"], entries[b"docs/b.txt"], entries[b"c"]
    done = replica.apply([move_of(a, b"docs/b.txt", b), move_of(b._replace(path=a.path), b"c", c)])
    assert done.done == (True, True)
    contents = {path: seen[3] for path, seen in bench.a.listing().items()}
    assert [contents[path] for path in (b"docs/a.txt", b"docs/b.txt", b"c")] == [b"gamma", b"alpha", b"beta"]
    recorded = replica.record()
    replica.scan(Scan())
    assert recorded.root == replica.read_unread((), None).root


def test_nobody_changes_places_with_what_changed_since_the_scan(bench: Bench) -> None:
    furnish(bench.a)
    replica, entries = bench.survey(bench.a)
    bench.a.write_file(b"docs/b.txt", b"edited", mtime_ns=9)
    before = bench.a.listing()
    action = move_of(entries[b"docs/a.txt"], b"docs/b.txt", entries[b"docs/b.txt"])
    assert refused(replica.apply([action]), b"docs/a.txt")
    assert bench.a.listing() == before


def test_a_directory_that_is_not_empty_is_kept(bench: Bench) -> None:
    furnish(bench.a)
    replica, entries = bench.survey(bench.a)
    before = bench.a.listing()
    assert refused(replica.apply([Action(Act.DELETE, RelPath(b"docs"), None, entries[b"docs"])]), b"docs")
    assert bench.a.listing() == before


def test_nothing_is_put_where_there_is_no_directory(bench: Bench) -> None:
    replica = bench.open(bench.a)
    replica.scan(Scan())
    action = Action(Act.CREATE, RelPath(b"no/such/f"), put(replica, b"no/such/f", b"x"), None)
    assert refused(replica.apply([action]), b"no/such/f")


def test_nothing_is_put_below_a_link(bench: Bench) -> None:
    bench.a.make_directory(b"real")
    bench.a.make_link(b"link", b"real")
    replica, _ = bench.survey(bench.a)
    before = bench.a.listing()
    action = Action(Act.CREATE, RelPath(b"link/f"), put(replica, b"link/f", b"x"), None)
    assert refused(replica.apply([action]), b"link/f")
    assert bench.a.listing() == before


def test_what_was_not_staged_is_not_put(bench: Bench) -> None:
    replica = bench.open(bench.a)
    replica.scan(Scan())
    assert refused(replica.apply([Action(Act.CREATE, RelPath(b"f"), file(b"f", b"x"), None)]), b"f")


def test_one_refusal_does_not_stop_the_others(bench: Bench) -> None:
    furnish(bench.a)
    replica, entries = bench.survey(bench.a)
    steps = [Action(Act.DELETE, RelPath(path), None, entries[path]) for path in (b"docs/a.txt", b"docs", b"link")]
    applied = replica.apply(steps)
    assert applied.done == (True, False, True)
    assert [problem.path for problem in applied.problems] == [b"docs"]


# record


def test_record_gives_the_root_of_an_equal_replica(bench: Bench) -> None:
    furnish(bench.a)
    a, entries = bench.survey(bench.a)
    b = bench.open(bench.b, peers={0: bench.a})
    b.scan(Scan())
    bench.copy(b, [StageFile(entry, entry.path) for entry in entries.values() if entry.kind is Kind.FILE])
    b.apply(creations(entries))
    recorded = b.record()
    assert recorded == a.record()
    assert (recorded.entries, recorded.unread_files, recorded.problems) == (6, 0, ())
    b.close()
    assert recorded == bench.open(bench.b, run="next").scan(Scan())


def test_record_without_changes_changes_nothing(bench: Bench) -> None:
    furnish(bench.a)
    replica = bench.open(bench.a)
    replica.scan(Scan())
    scanned: Scanned = replica.read_unread((), None)
    assert replica.record() == scanned


def test_record_forgets_what_was_deleted(bench: Bench) -> None:
    furnish(bench.a)
    replica, entries = bench.survey(bench.a)
    replica.apply([Action(Act.DELETE, RelPath(b"link"), None, entries[b"link"])])
    assert replica.record().entries == 5
    assert b"link" not in [bytes(entry.path) for entry in replica.entries([(0, 5)])]


# trash, restore, purge


def discard(bench: Bench) -> None:
    """A run that replaces one file and deletes a link and a directory."""
    replica, entries = bench.survey(bench.a, run="r1")
    path = RelPath(b"docs/a.txt")
    steps = [
        Action(Act.COPY, path, put(replica, path, b"new"), entries[path]),
        Action(Act.DELETE, RelPath(b"link"), None, entries[b"link"]),
        Action(Act.DELETE, RelPath(b"empty"), None, entries[b"empty"]),
    ]
    assert replica.apply(steps).done == (True, True, True)
    replica.record()
    replica.close()


def test_the_trash_holds_what_was_replaced_and_deleted(bench: Bench) -> None:
    furnish(bench.a)
    assert list(bench.open(bench.a, Access.READ).trash(TrashQuery())) == []
    discard(bench)
    items = bench.open(bench.a, Access.READ).trash(TrashQuery())
    assert [(item.run, item.why, item.path, item.is_directory) for item in items] == [
        ("r1", "replaced", b"docs/a.txt", False),
        ("r1", "deleted", b"empty", True),
        ("r1", "deleted", b"link", False),
    ]
    assert items[0].size == 5


def test_the_newest_run_comes_first(bench: Bench) -> None:
    furnish(bench.a)
    discard(bench)
    replica, entries = bench.survey(bench.a, run="r2")
    replica.apply([Action(Act.DELETE, RelPath(b"docs/b.txt"), None, entries[b"docs/b.txt"])])
    assert [item.run for item in replica.trash(TrashQuery())] == ["r2", "r1", "r1", "r1"]


def test_what_is_restored_is_as_it_was(bench: Bench) -> None:
    furnish(bench.a)
    before = bench.a.listing()
    discard(bench)
    replica = bench.open(bench.a, run="r2")
    items = replica.trash(TrashQuery())
    assert replica.restore(items).done == (True, True, True)
    assert bench.a.listing() == before
    assert [(item.run, item.why, item.path) for item in replica.trash(TrashQuery()) if not item.is_directory] == [
        ("r2", "replaced", b"docs/a.txt")
    ]


def test_what_is_not_in_the_trash_is_not_restored(bench: Bench) -> None:
    furnish(bench.a)
    discard(bench)
    replica = bench.open(bench.a, run="r2")
    before = bench.a.listing()
    item = replica.trash(TrashQuery())[2]._replace(path=RelPath(b"nowhere"))
    assert refused(replica.restore([item]), b"nowhere")
    assert bench.a.listing() == before


def test_purged_runs_are_gone_and_the_others_stay(bench: Bench) -> None:
    furnish(bench.a)
    discard(bench)
    replica, entries = bench.survey(bench.a, run="r2")
    replica.apply([Action(Act.DELETE, RelPath(b"docs/b.txt"), None, entries[b"docs/b.txt"])])
    assert replica.purge(["r1"]).done == (True,)
    assert [(item.run, item.path) for item in replica.trash(TrashQuery())] == [("r2", b"docs/b.txt")]


def test_the_trash_is_told_as_asked(bench: Bench) -> None:
    furnish(bench.a)
    discard(bench)
    replica, entries = bench.survey(bench.a, run="r2")
    replica.apply([Action(Act.DELETE, RelPath(b"docs/b.txt"), None, entries[b"docs/b.txt"])])

    def told(**query: Any) -> list[bytes]:
        return [item.path for item in replica.trash(TrashQuery(**query))]

    assert told() == [b"docs/b.txt", b"docs/a.txt", b"empty", b"link"]
    assert told(path=b"docs") == [b"docs/b.txt", b"docs/a.txt"]
    assert told(path=b"link") == [b"link"]
    assert told(path=b"lin") == []
    assert told(run="r1") == [b"docs/a.txt", b"empty", b"link"]
    assert told(since="r2") == [b"docs/b.txt"]
    assert told(start=2) == [b"empty", b"link"]
    assert told(start=1, run="r1") == [b"empty", b"link"]
    assert told(start=4) == []
    assert told(quarantine=True) == []
    replica.record()
    replica.close()
    replica, entries = bench.survey(bench.a, run="r3")
    replica.apply([Action(Act.DELETE, RelPath(b"docs/a.txt"), None, entries[b"docs/a.txt"], aside=RETURNED)])
    assert told(start=0)[0] == told(quarantine=True)[0] == b"docs/a.txt"
    assert told(quarantine=True, start=1) == []


# runs, undo


def undo(bench: Bench, run: str, as_run: str, site: Site | None = None) -> TakenBack:
    replica = bench.open(site or bench.a, run=as_run)
    taken = replica.undo(Undo(run))
    assert taken.rest == 0
    replica.record()
    replica.close()
    return taken


@pytest.mark.parametrize("name", STEPS)
def test_what_a_run_did_is_taken_back_and_done_again(bench: Bench, name: str) -> None:
    furnish(bench.a)
    before = bench.a.listing()
    replica, entries = bench.survey(bench.a, run="r1")
    assert replica.apply([bench.step(name, replica, entries)]).done == (True,)
    replica.close()
    after = bench.a.listing()
    looked = bench.open(bench.a, Access.READ).undo(Undo("r1", dry_run=True))
    assert bench.a.listing() == after
    taken = undo(bench, "r1", "r2")
    assert bench.a.listing() == before
    assert taken.done == looked.done == (True,)
    assert [(each.did, each.path, each.source) for each in taken.changes] == [
        (each.did, each.path, each.source) for each in looked.changes
    ]
    assert undo(bench, "r2", "r3").done == (True,)
    assert bench.a.listing() == after


def test_a_run_is_taken_back_in_reverse_order(bench: Bench) -> None:
    furnish(bench.a)
    before = bench.a.listing()
    replica, entries = bench.survey(bench.a, run="r1")
    steps = [
        move_of(entries[b"docs/a.txt"], b"moved"),
        Action(Act.DELETE, RelPath(b"docs/b.txt"), None, entries[b"docs/b.txt"]),
        Action(Act.DELETE, RelPath(b"docs"), None, entries[b"docs"]),
        Action(Act.CREATE, RelPath(b"docs"), put(replica, b"docs", b"a file now"), None),
        Action(Act.MKDIR, RelPath(b"d"), directory(b"d"), None),
        Action(Act.MKDIR, RelPath(b"d/e"), directory(b"d/e", 0o500), None),
        Action(Act.CREATE, RelPath(b"d/e/f"), put(replica, b"d/e/f", b"deep"), None),
    ]
    assert all(replica.apply(steps).done)
    replica.close()
    assert all(bench.open(bench.a, Access.READ).undo(Undo("r1", dry_run=True)).done)
    assert all(undo(bench, "r1", "r2").done)
    assert bench.a.listing() == before


@pytest.mark.parametrize("name", ["create", "copy", "link", "metadata of a file", "move"])
def test_what_was_touched_since_stays(bench: Bench, name: str) -> None:
    furnish(bench.a)
    replica, entries = bench.survey(bench.a, run="r1")
    action = bench.step(name, replica, entries)
    replica.apply([action])
    replica.close()
    bench.a.remove(action.path)
    bench.a.write_file(action.path, b"edited", mtime_ns=1000)
    before = bench.a.listing()
    taken = undo(bench, "r1", "r2")
    assert bench.a.listing() == before
    assert taken.done == (False,)
    assert [problem.path for problem in taken.problems] == [taken.changes[0].path]


def test_what_is_as_before_already_is_passed_over(bench: Bench) -> None:
    furnish(bench.a)
    replica, _ = bench.survey(bench.a, run="r1")
    replica.apply([Action(Act.CREATE, RelPath(b"f"), put(replica, b"f", b"new"), None)])
    replica.close()
    bench.a.remove(b"f")
    assert undo(bench, "r1", "r2").changes == ()


def test_what_is_no_longer_in_the_trash_stays_away(bench: Bench) -> None:
    furnish(bench.a)
    discard(bench)
    replica = bench.open(bench.a, run="r2")
    lost = replica.trash(TrashQuery(path=b"link"))
    assert replica.restore(lost).done == (True,)
    replica.close()
    bench.a.remove(b"link")
    taken = undo(bench, "r1", "r3")
    assert taken.done.count(False) == 1
    assert [problem.path for problem in taken.problems] == [b"link"]


def test_what_was_restored_can_be_undone(bench: Bench) -> None:
    furnish(bench.a)
    discard(bench)
    before = bench.a.listing()
    replica = bench.open(bench.a, run="r2")
    assert all(replica.restore(replica.trash(TrashQuery())).done)
    replica.close()
    assert all(undo(bench, "r2", "r3").done)
    assert bench.a.listing() == before


def test_runs_are_remembered(bench: Bench) -> None:
    furnish(bench.a)
    title = Title("repair --mirror", (b"/a", b"/b\xff"))
    replica = bench.replica(bench.a)
    replica.hello(Open(bench.a.root, "r1", NONCE, Access.WRITE, Missing.REFUSE, b"", title=title))
    entries = look(replica)
    wanted = [
        Action(Act.CREATE, RelPath(b"f"), put(replica, b"f", b"new"), None),
        Action(Act.DELETE, RelPath(b"nowhere"), None, entries[b"link"]._replace(path=RelPath(b"nowhere"))),
        metadata_of(entries[b"docs/a.txt"], 0o604, -7),
    ]
    assert replica.apply(wanted).done == (True, False, True)
    replica.close()
    assert list(bench.open(bench.a, Access.READ).runs()) == [
        RunRecord("r1", title.command, title.replicas, ChangeCounts(created=1, metadata=1))
    ]


def test_a_run_that_changes_nothing_is_not_remembered(bench: Bench) -> None:
    furnish(bench.a)
    replica, entries = bench.survey(bench.a, run="r1")
    gone = Action(Act.DELETE, RelPath(b"nowhere"), None, entries[b"link"]._replace(path=RelPath(b"nowhere")))
    assert replica.apply([gone]).done == (False,)
    replica.close()
    replica = bench.open(bench.a, run="r2")
    assert list(replica.runs()) == []
    with pytest.raises(AefsyncError):
        replica.undo(Undo("r1"))


def test_what_is_purged_is_forgotten(bench: Bench) -> None:
    furnish(bench.a)
    discard(bench)
    replica = bench.open(bench.a, run="r2")
    assert [record.run for record in replica.runs()] == ["r1"]
    replica.purge(["r1"])
    assert list(replica.runs()) == []


# space


def test_space_is_told_of_the_root(bench: Bench) -> None:
    replica = bench.open(bench.a, Access.READ)
    root, *mounted = replica.space()
    assert (root.path, root.trash_bytes, mounted) == (b"", 0, [])
    assert 0 < root.free_bytes <= root.total_bytes
    missing = bench.replica(bench.b)
    bench.b.vanish()
    hello(missing, bench.b, missing=Missing.EMPTY)
    assert list(missing.space()) == []


def test_space_tells_what_the_trash_takes(bench: Bench) -> None:
    furnish(bench.a)
    discard(bench)
    assert bench.open(bench.a, Access.READ).space()[0].trash_bytes > 0


def test_what_files_take_where_they_are(bench: Bench) -> None:
    bench.a.write_file(b"f", b"x" * 10_000)
    replica, _ = bench.survey(bench.a, Access.READ)
    assert list(replica.allocated([RelPath(b"f"), RelPath(b"none"), RelPath(b"no/where")])) == [10_000, None, None]
    assert list(replica.allocated([])) == []


# access and the end


WRITES: dict[str, Callable[[Replica], object]] = {
    "write": lambda replica: replica.write([Piece(RelPath(b"f"), 0, 1, b"x")]),
    "reuse": lambda replica: replica.reuse([]),
    "stage": lambda replica: replica.stage([], None),
    "grow": lambda replica: replica.grow(Growth(()), b"", None),
    "plant": lambda replica: replica.plant(),
    "apply": lambda replica: replica.apply([]),
    "restore": lambda replica: replica.restore([]),
    "purge": lambda replica: replica.purge([]),
    "undo": lambda replica: replica.undo(Undo("r1")),
}
READS: dict[str, Callable[[Replica], object]] = {
    "scan": lambda replica: replica.scan(Scan()),
    "read_unread": lambda replica: replica.read_unread((), None),
    "fingerprints": lambda replica: replica.fingerprints(Question(View.FULL, (), 0)),
    "entries": lambda replica: replica.entries([(0, 1)]),
    "read": lambda replica: replica.read([Piece(RelPath(b"f"), 0, 1)]),
    "gather": lambda replica: replica.gather(Growth(())),
    "movable": lambda replica: replica.movable([]),
    "learn": lambda replica: replica.learn([]),
    "scrub": lambda replica: replica.scrub(Scrub(begins=True)),
    "record": lambda replica: replica.record(),
    "space": lambda replica: replica.space(),
    "allocated": lambda replica: replica.allocated([RelPath(b"f")]),
    "trash": lambda replica: replica.trash(TrashQuery()),
    "runs": lambda replica: replica.runs(),
    "look at an undo": lambda replica: replica.undo(Undo("r1", dry_run=True)),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_replica_opened_for_reading_is_not_written(bench: Bench, name: str) -> None:
    replica = bench.open(bench.a, Access.READ)
    replica.scan(Scan())
    with pytest.raises(AefsyncError, match="reading"):
        WRITES[name](replica)


@pytest.mark.parametrize("name", [*READS, *WRITES])
def test_after_the_end_every_call_fails(bench: Bench, name: str) -> None:
    replica = bench.open(bench.a)
    replica.scan(Scan())
    replica.close()
    with pytest.raises(AefsyncError):
        {**READS, **WRITES}[name](replica)
    replica.close()


@pytest.mark.parametrize("name", [*READS, *WRITES])
def test_before_hello_every_call_fails(bench: Bench, name: str) -> None:
    with pytest.raises(AefsyncError):
        {**READS, **WRITES}[name](bench.replica(bench.a))


# scrub


def test_a_scrub_of_what_is_as_it_was_recorded_finds_nothing(bench: Bench) -> None:
    furnish(bench.a)
    replica = bench.open(bench.a, Access.WRITE)
    replica.scan(Scan())
    replica.record()
    if bench.is_agentless:
        with pytest.raises(AefsyncError, match="agentless"):
            replica.scrub(Scrub(begins=True))
        return
    before = bench.a.listing()
    first = replica.scrub(Scrub(begins=True, files=1))
    rest = replica.scrub(Scrub())
    assert (first.files, first.left_files, rest.left_files, rest.left_size) == (1, rest.files, 0, 0)
    assert first.size + first.left_size == first.size + rest.size > 0
    assert (first.damaged, rest.damaged, rest.problems, rest.rot, rest.suspects) == ((), (), (), 0, 0)
    assert bench.a.listing() == before


def test_what_a_scrub_has_no_record_of_is_told_and_recorded_but_for_what_is_doubted(bench: Bench) -> None:
    if bench.is_agentless:
        return  # it cannot be scrubbed, as above
    furnish(bench.a)
    pass_the_step()
    replica = bench.open(bench.a, Access.WRITE)
    number = replica.scan(Scan()).entries
    told = replica.scrub(Scrub(begins=True, tells_fresh=True))
    assert told.files == len(told.fresh) > 1 and told.left_files == 0
    assert all(each.is_read and each.kind is Kind.FILE for each in told.fresh)
    doubted = told.fresh[0].path
    assert replica.scrub(Scrub(files=0, doubted=(doubted,))).rot == 1
    assert [each.path for each in replica.entries([(0, number)]) if not each.is_read] == [doubted]


# examine


def test_a_root_is_examined_and_left_as_it_is(bench: Bench) -> None:
    furnish(bench.a)
    before = bench.a.listing()
    findings = bench.open(bench.a, Access.READ).examine()
    assert (findings[0].step, findings[0].state) == ("root", State.FINE)
    assert not [finding for finding in findings if finding.state is State.TROUBLE]
    assert bench.a.listing() == before


def test_a_root_that_is_missing_is_found_to_be(bench: Bench) -> None:
    bench.b.vanish()
    replica = bench.replica(bench.b)
    hello(replica, bench.b, missing=Missing.EMPTY)
    findings = replica.examine()
    assert [(finding.step, finding.state) for finding in findings] == [("root", State.NOTE)]
    assert not bench.b.exists()


# waiting


def test_who_begins_to_listen_has_heard_of_everything(bench: Bench) -> None:
    replica = bench.open(bench.a, Access.WRITE)
    replica.scan(Scan())
    assert replica.wait(Wait()) == (Hints((b"",)) if bench.hears else DEAF)
    assert replica.wait(Wait()) == (Hints() if bench.hears else DEAF)


def test_what_changes_is_heard_of_once(bench: Bench) -> None:
    furnish(bench.a)
    replica = bench.open(bench.a)
    replica.scan(Scan())
    replica.wait(Wait())
    bench.a.write_file(b"docs/new", b"1")
    heard = replica.wait(Wait(60_000)).changed if bench.hears else (b"docs/new",)
    while set(heard) != {b"docs/new"}:
        assert not set(heard) - {b"docs/new"}
        heard = replica.wait(Wait(60_000)).changed
    hello(replica, bench.a, Access.WRITE)
    assert replica.scan(Scan()).entries == 7


def test_who_rests_holds_nothing(bench: Bench) -> None:
    replica = bench.open(bench.a, Access.WRITE)
    replica.scan(Scan())
    replica.record()
    replica.wait(Wait())
    with pytest.raises(AefsyncError):
        replica.scan(Scan())
    other = bench.open(bench.a, Access.WRITE, run="other")
    other.scan(Scan())
    other.record()


def test_who_does_not_listen_says_so(bench: Bench) -> None:
    replica = bench.open(bench.a)
    assert replica.wait(Wait(60_000, listen=False)) == DEAF
