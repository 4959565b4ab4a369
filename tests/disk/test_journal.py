"""The journal of a run: what it holds survives truncation, damage and a full disk, as far as it was written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.change import Change, Did
from aefsync.core.past import ChangeCounts, Title
from aefsync.core.path import RelPath
from aefsync.disk.durability import Durable
from aefsync.disk.journal import Journal, Recorded, path_of, recorded_runs
from aefsync.disk.journal_batch import (
    Fate,
    Outcome,
    doubtful,
    made,
    pack_intent,
    pack_outcome,
    unpack_intent,
    unpack_outcome,
)
from aefsync.disk.lasting import LastingFile
from aefsync.disk.retention import forget
from tests.disk.file_systems import refusing
from tests.disk.ground import Site, wanted, wanted_directory, wanted_link
from tests.support.values import changes, counts, int64s, paths

TITLE = Title("repair", (b"/a", b"/b\xff"))


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    fates = tuple(draw(st.lists(st.sampled_from(Fate), max_size=5)))
    stamps = tuple(draw(st.tuples(int64s, counts)) for _ in fates)
    kept = draw(st.dictionaries(st.integers(0, len(fates) - 1), paths, max_size=3)) if fates else {}
    return Outcome(fates, stamps, kept)


@given(st.lists(changes(), max_size=6))
def test_intents_are_packed_whole(batch: list[Change]) -> None:
    assert unpack_intent(pack_intent(batch)) == batch


@given(outcomes())
def test_outcomes_are_packed_whole(outcome: Outcome) -> None:
    assert unpack_outcome(pack_outcome(outcome), len(outcome.fates)) == outcome


def created(path: bytes, data: bytes = b"x") -> Change:
    return Change(Did.CREATED, RelPath(path), None, wanted(path, data))


def stamped(change: Change, ctime_ns: int, inode: int) -> Change:
    assert change.after is not None
    return change._replace(after=change.after._replace(ctime_ns=ctime_ns, inode=inode))


MOVE = Change(Did.MOVED, RelPath(b"new"), wanted(b"old", b"1"), wanted(b"new", b"1"), RelPath(b"old"))
REPLACED = Change(Did.REPLACED, RelPath(b"r"), wanted(b"r", b"1"), wanted_link(b"r", b"2"))
DELETED = Change(Did.DELETED, RelPath(b"d"), wanted_directory(b"d"), None)


@pytest.mark.parametrize(
    ("change", "fate", "kept", "found"),
    [
        (created(b"f"), Fate.DONE, None, [stamped(created(b"f"), 7, 8)]),
        (created(b"f"), Fate.DOUBTFUL, None, [stamped(created(b"f"), 7, 8)]),
        (created(b"f"), Fate.LEFT, None, []),
        (created(b"f"), Fate.THERE, None, []),
        (DELETED, Fate.DONE, None, [DELETED]),
        (MOVE, Fate.THERE, None, [Change(Did.DELETED, RelPath(b"old"), MOVE.before, None)]),
        (
            REPLACED,
            Fate.DONE,
            RelPath(b"r.conflict"),
            [
                Change(Did.MOVED, RelPath(b"r.conflict"), None, None, RelPath(b"r")),
                Change(Did.CREATED, RelPath(b"r"), None, stamped(REPLACED, 7, 8).after),
            ],
        ),
    ],
)
def test_what_was_made(change: Change, fate: Fate, kept: RelPath | None, found: list[Change]) -> None:
    outcome = Outcome((fate,), ((7, 8),), {} if kept is None else {0: kept})
    assert list(made([change], outcome)) == found


def write(site: Site, run: str, *batches: list[Change]) -> None:
    """A journal of these batches, all done."""
    journal = Journal(LastingFile(site.home, path_of(run), Durable()), TITLE)
    for batch in batches:
        journal.intend(batch)
        journal.confirm(Outcome((Fate.DONE,) * len(batch), ((7, 8),) * len(batch), {}))
    journal.close()


def read(site: Site, run: str) -> tuple[Title, list[list[Change]], ChangeCounts]:
    recorded = Recorded(site.home, run)
    try:
        return recorded.title, [recorded.batch(number) for number in range(recorded.batches)], recorded.counts
    finally:
        recorded.close()


ONE = [created(b"a"), MOVE]
TWO = [DELETED, created(b"b", b"second")]
SEEN = [[stamped(ONE[0], 7, 8), stamped(MOVE, 7, 8)], [DELETED, stamped(TWO[1], 7, 8)]]


def test_a_journal_tells_what_was_done(site: Site) -> None:
    write(site, "r1", ONE, TWO)
    write(site, "r2", [DELETED])
    assert read(site, "r1") == (TITLE, SEEN, ChangeCounts(created=2, moved=1, deleted=1))
    assert recorded_runs(site.home) == ["r1", "r2"]
    forget(site.home, "r1")
    forget(site.home, "r1")
    assert recorded_runs(site.home) == ["r2"]


def test_a_journal_that_is_read_a_byte_at_a_time_tells_the_same(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    write(site, "r1", ONE, TWO)
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, length, place: pread(fd, min(length, 1), place))
    assert read(site, "r1")[:2] == (TITLE, SEEN)


def test_a_run_that_does_nothing_leaves_no_journal(site: Site) -> None:
    Journal(LastingFile(site.home, path_of("r1"), Durable()), TITLE).close()
    assert not site.exists(b".aefsync/runs")
    journal = Journal(LastingFile(site.home, path_of("r2"), Durable()), TITLE)
    journal.intend([DELETED])
    journal.confirm(Outcome((Fate.LEFT,), ((0, 0),), {}))
    journal.intend([])
    journal.confirm(Outcome((), (), {}))
    journal.close()
    assert recorded_runs(site.home) == []


def test_a_journal_cut_off_anywhere_tells_all_before(site: Site) -> None:
    write(site, "r", ONE, TWO)
    place = os.fsencode(site.path) + b"/.aefsync/runs/r"
    whole = Path(os.fsdecode(place)).read_bytes()
    told = set()
    for length in range(len(whole)):
        os.truncate(place, len(whole) - length)
        title, batches, counted = read(site, "r")
        told.add((title, len(batches)))
        assert sum(counted) == sum(map(len, batches))
        for batch, sure, planned in zip(batches, SEEN, (ONE, TWO), strict=False):
            assert batch in (sure, list(made(planned, doubtful(2))))
        assert all(batch == sure for batch, sure in zip(batches[:-1], SEEN, strict=False))
    assert told == {(TITLE, 2), (TITLE, 1), (TITLE, 0), (Title(), 0)}


def test_a_damaged_journal_invents_nothing(site: Site) -> None:
    write(site, "r", ONE, TWO)
    place = site.path / ".aefsync" / "runs" / "r"
    whole = place.read_bytes()
    possible = [*SEEN, *([*made(batch, doubtful(2))] for batch in (ONE, TWO)), []]
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x55
        place.write_bytes(damaged)
        _, batches, _ = read(site, "r")
        assert all(batch in possible for batch in batches)


def test_a_batch_that_cannot_be_written_leaves_no_half(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(LastingFile(site.home, path_of("r"), Durable()), TITLE)
    journal.intend(ONE)
    journal.confirm(Outcome((Fate.DONE,) * 2, ((7, 8),) * 2, {}))
    write_all, full = os.write, refusing(errno.ENOSPC)
    turns = iter([lambda fd, data: write_all(fd, data[:5]), full])

    def write_half(fd: int, data: memoryview) -> int:
        return next(turns)(fd, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write_half)
        with pytest.raises(OSError, match="No space"):
            journal.intend(TWO)
    journal.intend(TWO)
    journal.confirm(Outcome((Fate.DONE,) * 2, ((7, 8),) * 2, {}))
    journal.close()
    assert read(site, "r") == (TITLE, SEEN, ChangeCounts(created=2, moved=1, deleted=1))


def test_a_killed_run_leaves_its_last_batch_in_doubt(site: Site) -> None:
    write(site, "r", ONE)
    journal = Journal(LastingFile(site.home, path_of("s"), Durable()), TITLE)
    journal.intend(TWO)
    journal._log.close()
    assert read(site, "s")[1] == [[*made(TWO, doubtful(2))]]


def test_a_journal_is_compact(site: Site) -> None:
    """As many bytes for a file as its digest, its stamps and what is new in its name."""
    batch = [created(b"some/directory/of/many/file-%06d" % number, os.urandom(8)) for number in range(512)]
    write(site, "r", batch)
    assert (site.path / ".aefsync" / "runs" / "r").stat().st_size < 512 * 64


def test_once_it_could_not_be_made_durable_it_takes_nothing_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(LastingFile(site.home, path_of("r"), Durable()), TITLE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refusing(errno.EIO))
        with pytest.raises(OSError, match="Input/output"):
            journal.intend(ONE)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with pytest.raises(OSError, match="before"):
        journal.intend(TWO)
    journal.close()
    assert synced == [], "the file system would call that a success"
