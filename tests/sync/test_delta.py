"""What travels where the receiver has something like it already: over disks, and counted."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aefsync.core.action import StageFile
from aefsync.core.digest import KEY_SIZE, content_digest
from aefsync.core.entry import UNKNOWN, Entry
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Missing, Open, Piece, Replica, Scan
from aefsync.core.recipe import LEVELS, Run
from aefsync.sync.delta import Lacking, Seeded, lacking
from tests.support.memory import MemoryReplica, MemoryTree
from tests.support.served import served
from tests.support.sites import DiskSite, Site

NOISE = random.Random(7).randbytes(24 << 20)


class Pair(NamedTuple):
    """An origin and a receiver, scanned and read."""

    origin: Replica
    receiver: Replica
    entries: dict[bytes, Entry]


def open_replica(replica: Replica, root: bytes, access: Access) -> dict[bytes, Entry]:
    replica.hello(Open(root, "run", bytes(KEY_SIZE), access, Missing.REFUSE, b""))
    replica.scan(Scan())
    number = replica.read_unread((), None).entries
    return {bytes(entry.path): entry for entry in replica.entries([(0, number)])}


@contextlib.contextmanager
def pair(a: Site, b: Site) -> Iterator[Pair]:
    with served(a.replica()) as origin, served(b.replica()) as receiver:
        open_replica(receiver, b.root, Access.WRITE)
        yield Pair(origin, receiver, open_replica(origin, a.root, Access.READ))


@pytest.fixture
def sites(tmp_path: Path) -> tuple[DiskSite, DiskSite]:
    return DiskSite(tmp_path / "a"), DiskSite(tmp_path / "b")


def seeded(entry: Entry, *seeds: bytes) -> Seeded:
    return Seeded(StageFile(entry, entry.path), tuple(map(RelPath, seeds)))


def bring(pair: Pair, found: Lacking, files: Sequence[StageFile]) -> list[bytes]:
    """Carry out what was found to be lacking."""
    sources = {file.path: file.source.path for file in files}
    for run in found.runs:
        for piece in pair.origin.read([Piece(sources[run.path], run.offset, run.length)]):
            pair.receiver.write([piece._replace(path=run.path, length=len(piece.data))])
    return list(pair.receiver.stage(found.files, None).contents)


def edited(data: bytes, *places: int) -> bytes:
    changed = bytearray(data)
    for place in places:
        changed[place : place + 100] = bytes(100)
    return bytes(changed)


def test_an_insertion_and_some_edits_cost_some_kilobytes(sites: tuple[DiskSite, DiskSite]) -> None:
    a, b = sites
    b.write_file(b"f", NOISE)
    new = bytes(1024) + edited(NOISE, 5_000_000, 12_345_678, 20_000_000)
    a.write_file(b"f", new)
    with pair(a, b) as both:
        before = both.receiver.sent_bytes, both.origin.received_bytes  # type: ignore[attr-defined]
        found = lacking(both.origin, both.receiver, [seeded(both.entries[b"f"], b"f")])
        names = both.receiver.sent_bytes - before[0], both.origin.received_bytes - before[1]  # type: ignore[attr-defined]
        assert 1024 < sum(run.length for run in found.runs) <= 64 << 10
        assert max(names) <= 8 << 10
        assert both.receiver.round_trips <= 4 + 2 * len(LEVELS)  # type: ignore[attr-defined]
        assert bring(both, found, found.files) == [content_digest(new)]


def test_files_of_all_sizes_go_through_the_levels_together(sites: tuple[DiskSite, DiskSite]) -> None:
    a, b = sites
    sizes = {b"tiny": 900, b"small": 40_000, b"middle": 900_000, b"large": 9_000_000}
    for name, size in sizes.items():
        b.write_file(name, NOISE[:size])
        a.write_file(name, edited(NOISE[:size], size // 2))
    with pair(a, b) as both:
        files = [seeded(both.entries[name], name) for name in sizes]
        found = lacking(both.origin, both.receiver, files)
        lengths = {name: sum(run.length for run in found.runs if run.path == name) for name in sizes}
        assert lengths[b"tiny"] == 900
        assert all(0 < lengths[name] <= 40_000 for name in sizes)
        assert both.receiver.round_trips <= 4 + 2 * len(LEVELS)  # type: ignore[attr-defined]
        assert bring(both, found, found.files) == [both.entries[name].content for name in sizes]


def test_a_small_edit_in_each_of_many_small_files_costs_little(sites: tuple[DiskSite, DiskSite]) -> None:
    a, b = sites
    names = [b"%d" % number for number in range(40)]
    for number, name in enumerate(names):
        data = NOISE[number * 9000 : number * 9000 + 8000]
        b.write_file(name, data)
        a.write_file(name, data[: 100 * number] + b"inserted" + data[100 * number :])
    with pair(a, b) as both:
        before = both.receiver.sent_bytes, both.receiver.round_trips  # type: ignore[attr-defined]
        found = lacking(both.origin, both.receiver, [seeded(both.entries[name], name) for name in names])
        assert both.receiver.round_trips - before[1] == 4  # type: ignore[attr-defined]
        assert both.receiver.sent_bytes - before[0] <= 240 * len(names)  # type: ignore[attr-defined]
        assert sum(run.length for run in found.runs) <= 600 * len(names)
        assert bring(both, found, found.files) == [both.entries[name].content for name in names]


def test_a_few_bytes_are_not_worth_an_exchange(sites: tuple[DiskSite, DiskSite]) -> None:
    a, b = sites
    a.write_file(b"f", edited(NOISE[:12_000], 5000))
    b.write_file(b"f", NOISE[:12_000])
    with pair(a, b) as both:
        before = both.receiver.round_trips  # type: ignore[attr-defined]
        found = lacking(both.origin, both.receiver, [seeded(both.entries[b"f"], b"f")])
        assert both.receiver.round_trips == before  # type: ignore[attr-defined]
        assert found.runs == (Run(RelPath(b"f"), 0, 12_000),)


def test_what_is_wholly_new_travels_whole(sites: tuple[DiskSite, DiskSite]) -> None:
    a, b = sites
    a.write_file(b"f", NOISE[:5_000_000])
    b.write_file(b"f", NOISE[-5_000_000:])
    with pair(a, b) as both:
        found = lacking(both.origin, both.receiver, [seeded(both.entries[b"f"], b"f")])
        assert sum(run.length for run in found.runs) == 5_000_000
        assert bring(both, found, found.files) == [content_digest(NOISE[:5_000_000])]


def test_a_file_whose_content_is_not_known_is_named_by_it(sites: tuple[DiskSite, DiskSite]) -> None:
    a, b = sites
    b.write_file(b"old", NOISE[:5_000_000])
    a.write_file(b"new", NOISE[:5_000_000])
    with pair(a, b) as both:
        entry = both.entries[b"new"]._replace(content=UNKNOWN)
        found = lacking(both.origin, both.receiver, [seeded(entry, b"old")])
        assert found.runs == ()
        assert found.files[0].source.content == content_digest(NOISE[:5_000_000])
        assert bring(both, found, found.files) == [content_digest(NOISE[:5_000_000])]


def test_a_seed_that_is_edited_meanwhile_is_not_believed(sites: tuple[DiskSite, DiskSite]) -> None:
    a, b = sites
    for site in sites:
        site.write_file(b"f", NOISE[:5_000_000])
    with pair(a, b) as both:
        found = lacking(both.origin, both.receiver, [seeded(both.entries[b"f"], b"f")])
        b.write_file(b"f", edited(NOISE[:5_000_000], 77))
        assert bring(both, found, found.files) == [b""]


def test_a_file_that_is_gone_is_a_problem_of_its_own(sites: tuple[DiskSite, DiskSite]) -> None:
    a, b = sites
    for name in (b"f", b"g"):
        a.write_file(name, edited(NOISE[:500_000], 7))
        b.write_file(name, NOISE[:500_000])
    with pair(a, b) as both:
        a.remove(b"f")
        found = lacking(both.origin, both.receiver, [seeded(both.entries[name], name) for name in (b"f", b"g")])
        assert bring(both, found, found.files) == [b"", both.entries[b"g"].content]


blocks = st.lists(st.integers(0, 4), max_size=40)


@settings(max_examples=25, deadline=None)
@given(blocks, st.dictionaries(st.sampled_from([b"f", b"g", b"h"]), blocks, max_size=3))
def test_whatever_the_receiver_holds_the_file_arrives(new: list[int], old: dict[bytes, list[int]]) -> None:
    size = LEVELS[2].average
    parts = [NOISE[i * 100_000 : i * 100_000 + size] for i in range(5)]
    a, b = MemoryTree(), MemoryTree()
    a.write_file(b"f", b"".join(parts[i] for i in new))
    for name, own in old.items():
        b.write_file(name, b"".join(parts[i] for i in own))
    origin, receiver = MemoryReplica(a), MemoryReplica(b)
    entries = open_replica(origin, b"a", Access.READ)
    open_replica(receiver, b"b", Access.WRITE)
    both = Pair(origin, receiver, entries)
    found = lacking(origin, receiver, [seeded(entries[b"f"], *old)])
    assert sum(run.length for run in found.runs) <= len(new) * size
    if entries[b"f"].size >= 4 * size:
        held = {i for own in old.values() for i in own}
        if held:
            assert {Run(RelPath(b"f"), i * size, size) for i, n in enumerate(new) if n in held}.isdisjoint(found.runs)
    assert bring(both, found, found.files) == [entries[b"f"].content]


def test_a_file_that_was_read_before_is_still_what_it_was_then(sites: tuple[DiskSite, DiskSite]) -> None:
    a, b = sites
    a.write_file(b"f", NOISE[: 4 << 20])
    b.write_file(b"f", NOISE[: 3 << 20])
    with pair(a, b) as found:
        recorded = found.entries[b"f"]._replace(content=content_digest(b"other bytes"))
        lacks = lacking(found.origin, found.receiver, [seeded(recorded, b"f")])
        assert [file.source.content for file in lacks.files] == [recorded.content]
