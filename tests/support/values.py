"""Hypothesis strategies for the values of the port."""

from __future__ import annotations

import stat
import struct
from typing import Any

from hypothesis import strategies as st

from aefsync.core.action import QUARANTINED, Act, Action, Applied, KeptCopy, Staged, StageFile
from aefsync.core.along import Along
from aefsync.core.change import Change, Did
from aefsync.core.digest import KEY_SIZE
from aefsync.core.entry import Entry, Kind
from aefsync.core.finding import Finding, State
from aefsync.core.growth import Gathered, Growth, Learned, symlinks_of
from aefsync.core.hint import Hints, Wait
from aefsync.core.members import MOST_INCARNATIONS, ROSTER, TAG, Encounter, Known, Mark, Member, Memory, Standing
from aefsync.core.members import State as Membership
from aefsync.core.metadata import PLAIN, Aspects, Extra, Namespaces, Owner
from aefsync.core.past import ChangeCounts, RunRecord, TakenBack, Title, TrashItem, TrashQuery, Undo
from aefsync.core.path import PathError, RelPath
from aefsync.core.ports import Access, Missing, Open, Opened, Phase, Piece, Scan, Scanned
from aefsync.core.problem import Problem
from aefsync.core.recipe import LEVELS, Recipe, Run
from aefsync.core.renamed import Rename
from aefsync.core.rot import Damage, Scrub, Scrubbed, Verdict
from aefsync.core.snapshot import Block
from aefsync.core.space import Share, Space
from aefsync.core.stores import Folding, Stores
from aefsync.core.tree import Answer, KeyRange, Question
from aefsync.core.unsettled import MOST, SHOWN, LeftStanding, Sighting, StandingPath
from aefsync.core.version import AUTHOR, Dot, Tombstone, Version
from aefsync.core.version_table import VersionTable
from aefsync.core.view import STAT, View
from aefsync.core.writing import Durability, Writing
from aefsync.wire.dialogue import Call, Failed, Message, Method, Progress, Reply

INT63 = (1 << 63) - 1


def _is_path(path: bytes) -> bool:
    try:
        RelPath(path)
    except PathError:
        return False
    return True


def _is_name(name: bytes) -> bool:
    return b"/" not in name and _is_path(name)


counts = st.integers(0, INT63)
int64s = st.integers(-INT63 - 1, INT63)
names = st.sampled_from([b"a", b"b", b"a-b", b"docs", b"caf\xe9", b"n" * 255]) | st.binary(min_size=1, max_size=8)
paths = st.lists(names, min_size=1, max_size=4).map(b"/".join).filter(_is_path).map(RelPath)
digests = st.binary(min_size=32, max_size=32)
texts = st.binary(max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
runs = st.sampled_from(["20261122T101112Z-1f3a", "r", "..."])


ids = st.integers(0, (1 << 32) - 1)
owner_names = st.binary(max_size=12).map(lambda raw: raw.replace(b"\0", b"0"))
attributes = st.lists(st.tuples(owner_names.filter(bool), st.binary(max_size=9)), max_size=3).map(tuple)
owners = st.builds(Owner, ids, ids, owner_names, owner_names)
leaders = st.none() | st.just(b"") | paths.map(bytes)
extras = st.builds(Extra, st.none() | owners, st.none() | st.binary(max_size=16), attributes, leaders)
some_extras = st.none() | extras


authors = st.sampled_from([b"A" * AUTHOR, b"B" * AUTHOR]) | st.binary(min_size=AUTHOR, max_size=AUTHOR)
vectors = st.dictionaries(authors, counts, max_size=3).map(lambda found: tuple(map(Dot._make, sorted(found.items()))))
versions = st.builds(Version, vectors, st.just(b"") | authors)
some_versions = st.none() | versions


def entries(
    path: st.SearchStrategy[RelPath] = paths,
    extra: st.SearchStrategy[Extra | None] = some_extras,
    version: st.SearchStrategy[Version | None] = st.none(),  # noqa: B008  strategies are values
) -> st.SearchStrategy[Entry]:
    targets = st.binary(max_size=20).map(lambda raw: raw.replace(b"\0", b"0"))
    modes = st.integers(0, 0o7777)
    row = (modes, counts, int64s, int64s, counts, digests, targets)
    found = st.builds(Entry, path, st.sampled_from(Kind), *row, extra, version)
    return found.map(lambda entry: entry if entry.kind is Kind.SYMLINK else entry._replace(target=b""))


@st.composite
def spans(draw: st.DrawFn, most: int = 1000) -> list[tuple[int, int]]:
    ends = sorted(draw(st.sets(st.integers(0, most), max_size=12)))
    return list(zip(ends[0::2], ends[1::2], strict=False))


@st.composite
def aspects(draw: st.DrawFn) -> Aspects:
    """What counts; by default most of the time."""
    if draw(st.booleans()):
        return PLAIN
    oldest_ns, newest_ns = sorted([draw(int64s), draw(int64s)])
    bits, times = draw(st.integers(0, 0o7777)), draw(st.booleans())
    step_ns, window_ns, flags = draw(st.integers(1, INT63)), draw(counts), [draw(st.booleans()) for _ in range(2)]
    names = draw(st.sampled_from(Namespaces)), draw(st.booleans()), draw(st.booleans()), draw(st.integers(0, 3))
    return Aspects(bits, times, step_ns, oldest_ns, newest_ns, window_ns, *flags, *names)


@st.composite
def stores(draw: st.DrawFn) -> Stores:
    """What a root can store; everything most of the time."""
    if draw(st.booleans()):
        return Stores()
    flags = draw(st.booleans()), draw(st.booleans())
    numbers = draw(st.integers(0, 0o7777)), draw(st.integers(1, INT63)), draw(int64s), draw(int64s)
    return Stores(
        *numbers, *flags, Folding(draw(st.integers(0, 3))), draw(st.sampled_from(Namespaces)), links=draw(st.booleans())
    )


@st.composite
def actions(draw: st.DrawFn) -> Action:
    act, path = draw(st.sampled_from(Act)), draw(paths)
    source = draw(paths) if act is Act.MOVE else None
    is_gone = act is Act.DELETE or (act is Act.RECORD and draw(st.booleans()))
    version = draw(versions if act is Act.RECORD else some_versions)
    wanted = None if is_gone else draw(entries(st.just(path), version=st.just(version)))
    bare, placed = (entries(st.just(place), st.none()) for place in (source or path, path))
    found = draw(st.none() if act is Act.RECORD and is_gone else bare if act is Act.RECORD else st.none() | bare)
    displaced = draw(st.none() | placed) if act is Act.MOVE else None
    if displaced is not None:
        displaced = displaced._replace(version=draw(some_versions))
    below = paths.map(lambda other: RelPath(path + b"/" + other)) | st.just(path)
    brought = st.builds(Along, versions, st.lists(st.tuples(below, versions), max_size=3).map(tuple))
    along = draw(st.none() | brought) if act is Act.MOVE else None
    if act is Act.JOIN and wanted is not None:
        wanted = wanted._replace(extra=Extra(leader=bytes(draw(paths.filter(lambda other: other != path)))))
    aside = draw(st.sampled_from(["", *QUARANTINED]))
    leaves = draw(some_versions) if act is Act.MOVE and displaced is None else None
    return Action(act, path, wanted, found, source, displaced, version if is_gone else leaves, aside, along)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    did, path = draw(st.sampled_from(Did)), draw(paths)
    source = draw(paths) if did is Did.MOVED else None
    # Changes are told without owners and extended attributes: they stay in the journal.
    before = draw(st.none() | entries(st.just(source or path), st.none()))
    after = draw(st.none() | entries(st.just(path), st.none()))
    displaced = draw(st.none() | entries(st.just(path), st.none())) if did is Did.MOVED else None
    return Change(did, path, before, after, source, displaced)


@st.composite
def fresh_files(draw: st.DrawFn) -> Entry:
    found = draw(entries(extra=st.none()))
    return found._replace(kind=Kind.FILE, target=b"", content=draw(digests.filter(any)))


@st.composite
def damages(draw: st.DrawFn) -> Damage:
    recorded = draw(entries(extra=st.none()))._replace(kind=Kind.FILE, target=b"")
    content = draw(st.just(b"") | digests.filter(any))
    return Damage(recorded, content, draw(st.sampled_from([Verdict.ROT, Verdict.SUSPECT])))


@st.composite
def questions(draw: st.DrawFn) -> Question:
    bounds = sorted(draw(st.sets(st.binary(max_size=12), max_size=12)))
    ranges = [KeyRange(*pair) for pair in zip(bounds[0::2], bounds[1::2], strict=False)]
    view, size = draw(st.sampled_from(View)), draw(st.integers(1, 32))
    return Question(view, tuple(draw(st.permutations(ranges))), draw(st.integers(0, 1 << 16)), size)


@st.composite
def written(draw: st.DrawFn) -> Piece:
    data = draw(st.binary(max_size=50))
    return Piece(draw(paths), draw(counts), len(data), data)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    lengths = tuple(draw(st.lists(st.integers(1, 1 << 22), max_size=6)))
    size = draw(st.sampled_from([level.digest for level in LEVELS])) * len(lengths)
    digests = draw(st.binary(min_size=size, max_size=size))
    return Recipe(draw(paths), draw(st.integers(0, 1 << 60)), lengths, digests, draw(st.sampled_from([b"", bytes(32)])))


def rows(each: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(each, max_size=6).map(tuple)


ids_of_members = st.binary(min_size=16, max_size=16).map(bytes.hex)
member_names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8)
some_members = st.lists(
    st.builds(
        Member,
        ids_of_members,
        member_names,
        st.integers(0, MOST_INCARNATIONS),
        st.sampled_from(Membership),
        vectors,
        counts,
        st.just(b"") | authors,
        counts,
    ),
    max_size=4,
    unique_by=lambda member: member.id,
).map(lambda found: tuple(sorted(found)))
marks = st.builds(Mark, counts, st.binary(min_size=TAG, max_size=TAG))
met = st.lists(
    st.builds(Encounter, ids_of_members, marks, counts), max_size=4, unique_by=lambda encounter: encounter.id
).map(tuple)
rosters = st.binary(max_size=ROSTER)
standing_paths = st.builds(StandingPath, paths, st.booleans())
left_standing = st.builds(
    LeftStanding, st.integers(0, MOST), st.integers(0, MOST), st.lists(standing_paths, max_size=SHOWN).map(tuple)
)
standings = st.builds(
    Standing, ids_of_members, authors, marks, some_members, met, rosters, st.booleans(), left_standing
)
sightings = st.builds(
    Sighting,
    rows(standing_paths),
    rows(st.binary(max_size=30)),
    st.booleans(),
    st.frozensets(ids_of_members, max_size=3),
)
places_of_trouble = st.just(b"") | st.just(b"a/.aefsync") | paths.map(bytes)
problems = st.builds(Problem, places_of_trouble, texts, st.booleans())
scanned = st.builds(
    Scanned,
    st.sampled_from([b"", bytes(16)]),
    counts,
    counts,
    counts,
    counts,
    counts,
    rows(problems),
    rows(st.binary(max_size=30)),
    rows(st.binary(max_size=30)),
    rows(st.binary(max_size=30)),
    st.sampled_from([b"", bytes(16)]),
    counts,
    st.none() | standings,
    st.booleans(),
)
plain_scans = st.builds(
    Scan,
    rows(texts),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    rows(paths),
    st.none() | rows(st.binary(max_size=30)),
    st.booleans(),
    st.booleans(),
    aspects(),
    st.just(False),
    st.just(()),
    st.just(()),
)
scans = plain_scans | st.tuples(plain_scans, vectors, met).map(
    lambda drawn: drawn[0]._replace(versions=True, watermark=drawn[1], claims=drawn[2])
)
copies = st.builds(KeptCopy, paths, paths)
applied = st.builds(Applied, rows(st.booleans()), rows(problems), rows(copies), rows(paths))
items = rows(st.builds(TrashItem, runs, st.sampled_from(["replaced", "deleted.1"]), paths, st.booleans(), counts))
nonces = st.binary(min_size=KEY_SIZE, max_size=KEY_SIZE)
places = st.binary(max_size=30).map(lambda raw: raw.replace(b"\0", b"/"))
identities = st.sampled_from(["", "0123456789abcdef" * 2])
opens = st.builds(
    Open,
    places,
    st.just("") | runs,
    nonces,
    st.sampled_from(Access),
    st.sampled_from(Missing),
    places,
    st.integers(1, 256),
    st.builds(
        Writing,
        st.sampled_from(Durability),
        st.booleans(),
        st.integers(0, 1 << 30),
        st.builds(Share, counts, st.booleans()),
    ),
    rows(places),
    identities,
    st.builds(Title, st.text(st.characters(codec="ascii"), max_size=20), rows(places)),
    st.builds(Known, rosters, rows(ids_of_members)),
)
opened = st.builds(
    Opened,
    st.binary(max_size=30),
    st.binary(max_size=30),
    st.lists(st.tuples(int64s, int64s), min_size=1, max_size=6).map(tuple),
    rows(texts),
    int64s,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "fastcdc-2020 1 2 3"]),
    st.booleans(),
    identities,
    st.booleans(),
    stores(),
    st.none() | standings,
    texts,
    rows(texts).map(lambda each: each[:16]),
    texts,
    st.booleans(),
)
answers = st.builds(Answer, rows(counts), st.binary(max_size=64), rows(counts), rows(st.binary(max_size=12)))
staged = st.builds(Staged, rows(st.sampled_from([b"", bytes(32)])), rows(problems), counts, counts, rows(problems))
levels = st.integers(0, len(LEVELS) - 1)
change_counts = st.builds(ChangeCounts, counts, counts, counts, counts, counts)
records = st.builds(RunRecord, runs, texts, rows(st.binary(max_size=30)), change_counts)
taken_back = st.builds(TakenBack, rows(changes()), rows(st.booleans()), rows(problems), counts, rows(paths))

sub_trees = rows(st.just(b"") | paths.map(bytes))


@st.composite
def growths(draw: st.DrawFn) -> Growth:
    """Blocks of one or two directories, in key order."""
    blocks, targets = [], []
    for prefix in sorted(draw(st.sets(st.sampled_from([b"", b"a\0", b"b\0c\0", b"caf\xe9\0"]), min_size=1))):
        own = sorted(draw(st.sets(names.filter(_is_name), min_size=1, max_size=4)))
        kinds = [draw(st.sampled_from([stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK])) for _ in own]
        rows = [STAT.pack(k | draw(st.integers(0, 0o7777)), draw(counts), draw(int64s), 2, draw(counts)) for k in kinds]
        targets += [draw(st.sampled_from([b"", b"to"])) for kind in kinds if kind == stat.S_IFLNK]
        contents = b"".join(draw(digests) for _ in own)
        blocks.append(Block(prefix, b"\0".join(own), b"".join(rows), contents, len(own)))
    ordered = [blocks[0]]
    for block in blocks[1:]:
        if block.prefix > ordered[-1].prefix + ordered[-1].names.split(b"\0")[-1]:
            ordered.append(block)
    links = sum(len(symlinks_of(block)) for block in ordered)
    return Growth(tuple(ordered), tuple(targets[:links]))


@st.composite
def dated_growths(draw: st.DrawFn) -> Growth:
    """The same, with or without versions."""
    growth, some = draw(growths()), tuple(draw(st.lists(versions, max_size=2, unique=True)))
    numbers = (
        draw(st.lists(st.integers(0, len(some) - 1), min_size=growth.length, max_size=growth.length)) if some else []
    )
    return VersionTable(some, struct.pack(f"<{len(numbers)}H", *numbers)).put_into(growth)


learned = growths().map(lambda growth: tuple(Learned(b.prefix, b.names, b.contents) for b in growth.blocks))
columns = st.lists(digests, max_size=3).map(b"".join)
arguments: dict[Method, st.SearchStrategy[tuple[Any, ...]]] = {
    Method.HELLO: st.tuples(opens),
    Method.SCAN: st.tuples(scans),
    Method.READ_UNREAD: st.tuples(spans().map(tuple), st.none() | spans().map(tuple)),
    Method.FINGERPRINTS: st.tuples(questions()),
    Method.ENTRIES: st.tuples(spans().map(tuple)),
    Method.GROWTH: st.tuples(spans().map(tuple)),
    Method.GATHER: st.tuples(dated_growths()),
    Method.GROW: st.tuples(dated_growths(), st.binary(max_size=9), st.none() | st.integers(0, 9)),
    Method.PLANT: st.just(()),
    Method.READ: st.tuples(rows(st.builds(Piece, paths, counts, st.integers(0, 1 << 20)))),
    Method.RECIPES: st.tuples(rows(st.builds(Run, paths, counts, counts)), levels),
    Method.MATCH: st.tuples(st.none() | rows(paths), rows(recipes()), levels),
    Method.WRITE: st.tuples(rows(written())),
    Method.STAGE: st.tuples(rows(st.builds(StageFile, entries(), paths, st.none())), st.none() | st.integers(0, 9)),
    Method.REUSE: st.tuples(rows(st.builds(StageFile, entries(), paths, st.none()))),
    Method.MOVABLE: st.tuples(rows(st.builds(Rename, paths, paths))),
    Method.LEARN: st.tuples(learned),
    Method.APPLY: st.tuples(rows(actions())),
    Method.RECORD: st.just(()),
    Method.SEARCH: st.tuples(st.binary(min_size=1, max_size=20), st.integers(0, 1 << 36)),
    Method.TOMBSTONES: st.tuples(spans().map(tuple)),
    Method.MINT: st.just(()),
    Method.REMEMBER: st.tuples(st.builds(Memory, some_members, met, st.none() | sightings)),
    Method.SPACE: st.just(()),
    Method.ALLOCATED: st.tuples(rows(paths)),
    Method.TRASH: st.tuples(st.builds(TrashQuery, st.just(b"") | paths.map(bytes), texts, texts, counts)),
    Method.RESTORE: st.tuples(items, places),
    Method.PURGE: st.tuples(rows(runs)),
    Method.RUNS: st.just(()),
    Method.UNDO: st.tuples(st.builds(Undo, runs, counts, st.booleans())),
    Method.SCRUB: st.tuples(
        st.builds(Scrub, st.booleans(), *[counts] * 4, rows(paths), st.booleans(), *[rows(paths)] * 2)
    ),
    Method.EXAMINE: st.just(()),
    Method.WAIT: st.tuples(st.builds(Wait, st.integers(0, 3_600_000), st.booleans())),
    Method.CLOSE: st.just(()),
}
results: dict[Method, st.SearchStrategy[Any]] = {
    Method.HELLO: opened,
    Method.SCAN: scanned,
    Method.READ_UNREAD: scanned,
    Method.FINGERPRINTS: answers,
    Method.ENTRIES: rows(entries(version=some_versions)),
    Method.GROWTH: dated_growths(),
    Method.GATHER: st.builds(Gathered, columns, st.binary(max_size=9)),
    Method.GROW: columns,
    Method.PLANT: st.binary(max_size=9),
    Method.READ: rows(written()),
    Method.RECIPES: rows(recipes()),
    Method.MATCH: rows(spans().map(tuple)),
    Method.WRITE: st.none(),
    Method.STAGE: staged,
    Method.REUSE: staged,
    Method.MOVABLE: rows(st.booleans()),
    Method.LEARN: st.none(),
    Method.APPLY: applied,
    Method.RECORD: scanned,
    Method.SEARCH: rows(entries(version=some_versions)),
    Method.TOMBSTONES: rows(st.builds(Tombstone, paths, versions)),
    Method.MINT: st.builds(Dot, authors, st.integers(1, INT63)),
    Method.REMEMBER: left_standing,
    Method.SPACE: rows(st.builds(Space, st.binary(max_size=12), counts, counts, counts, st.none() | counts)),
    Method.ALLOCATED: rows(counts),
    Method.TRASH: items,
    Method.RESTORE: applied,
    Method.PURGE: applied,
    Method.RUNS: rows(records),
    Method.UNDO: taken_back,
    Method.SCRUB: st.builds(
        Scrubbed, counts, counts, rows(damages()), rows(problems), *[counts] * 5, rows(fresh_files())
    ),
    Method.EXAMINE: rows(st.builds(Finding, texts, st.sampled_from(State), texts, texts)),
    Method.WAIT: st.builds(Hints, sub_trees, sub_trees, texts),
    Method.CLOSE: st.none(),
}

calls = st.sampled_from(Method).flatmap(lambda method: st.builds(Call, st.just(method), arguments[method]))
replies = st.sampled_from(Method).flatmap(lambda method: st.builds(Reply, st.just(method), results[method]))
progress = st.builds(Progress, st.sampled_from(Phase), counts, counts)
failures = st.builds(Failed, st.sampled_from(["RootError", "AefsyncError"]), texts, st.none() | texts)
server_messages: st.SearchStrategy[Message] = replies | progress | failures
