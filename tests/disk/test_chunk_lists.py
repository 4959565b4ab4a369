"""Lists of chunks in the cache: kept, found, bounded, and no worse than none when they are damaged or false."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from aefsync.core.action import StageFile
from aefsync.core.digest import KEY_SIZE, content_digest
from aefsync.core.entry import Entry
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Missing, Open, Phase, Piece, Scan
from aefsync.core.recipe import Recipe, Run
from aefsync.disk import assembly, chunking
from aefsync.disk.chunk_lists import ChunkLists
from aefsync.disk.chunking import Chunks
from aefsync.disk.replica import LocalReplica

NOISE = random.Random(8).randbytes(5 << 20)
CHUNKS = Chunks([1 << 20, (4 << 20) - 5], bytes(range(32)))
SIZE = sum(CHUNKS.lengths)
F = RelPath(b"f")


def content(number: int) -> bytes:
    return content_digest(b"%d" % number)


@pytest.fixture
def lists(tmp_path: Path) -> ChunkLists:
    return ChunkLists(os.fsencode(tmp_path / "cache"))


def test_what_is_kept_is_found(lists: ChunkLists) -> None:
    assert lists.find(content(1), SIZE) is None
    lists.keep(content(1), CHUNKS)
    assert lists.find(content(1), SIZE) == CHUNKS
    assert lists.find(content(1), SIZE + 1) is None
    assert lists.find(content(2), SIZE) is None
    lists.forget(content(1))
    lists.forget(content(1))
    assert lists.find(content(1), SIZE) is None


def test_without_a_cache_nothing_is_kept() -> None:
    lists = ChunkLists(b"")
    lists.keep(content(1), CHUNKS)
    assert lists.find(content(1), SIZE) is None


def test_where_nothing_can_be_kept_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no directory")
    lists = ChunkLists(os.fsencode(tmp_path / "cache"))
    lists.keep(content(1), CHUNKS)
    assert lists.find(content(1), SIZE) is None


def test_damaged_lists_are_none(lists: ChunkLists, tmp_path: Path) -> None:
    lists.keep(content(1), CHUNKS)
    (place,) = (tmp_path / "cache" / "chunks").iterdir()
    good = place.read_bytes()
    for position in range(0, len(good), 5):
        place.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        assert lists.find(content(1), SIZE) is None
        place.write_bytes(good[:position])
        assert lists.find(content(1), SIZE) is None
    place.write_bytes(good + b"x" * 1000)
    assert lists.find(content(1), SIZE) is None
    (place.parent / content(2).hex()).write_bytes(good)
    assert lists.find(content(2), SIZE) is None


def test_what_was_not_used_for_longest_goes(tmp_path: Path) -> None:
    lists = ChunkLists(os.fsencode(tmp_path), most_bytes=4 * 56)
    for number in range(4):
        lists.keep(content(number), CHUNKS)
        os.utime(tmp_path / "chunks" / content(number).hex(), ns=(number, number))
    assert lists.find(content(0), SIZE) == CHUNKS
    lists.keep(content(4), CHUNKS)
    assert [number for number in range(5) if lists.find(content(number), SIZE)] == [0, 2, 3, 4]


# in sessions


class Cuts:
    """What is cut while it lasts."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        real = chunking.cut

        def cut(fd: int, offset: int, length: int, *args: Any, **named: Any) -> Chunks:
            self.sizes.append(length)
            return real(fd, offset, length, *args, **named)

        for module in (chunking, assembly):
            patch.setattr(module, "cut", cut)

    def take(self) -> list[int]:
        sizes, self.sizes = self.sizes, []
        return sizes


@pytest.fixture
def cuts(monkeypatch: pytest.MonkeyPatch) -> Cuts:
    return Cuts(monkeypatch)


def opened(root: Path, cache: Path, access: Access = Access.READ) -> tuple[LocalReplica, Entry]:
    replica = LocalReplica()
    replica.hello(Open(os.fsencode(root), "run", bytes(KEY_SIZE), access, Missing.REFUSE, os.fsencode(cache)))
    replica.scan(Scan())
    assert replica.read_unread((), None).entries == 1
    return replica, replica.entries([(0, 1)])[0]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (root / "f").write_bytes(NOISE)
    return root


def test_an_origin_cuts_a_file_once(cuts: Cuts, root: Path, tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        replica, entry = opened(root, tmp_path / "cache")
        found += replica.recipes([Run(F, 0, entry.size)], 0)
        replica.close()
    assert cuts.take() == [len(NOISE)]
    assert found[0] == found[1]
    replica, _ = opened(root, tmp_path / "cache")
    (root / "f").write_bytes(NOISE[::-1])
    assert replica.recipes([Run(F, 0, len(NOISE))], 0)[0].lengths == ()
    replica.close()


def changed(replica: LocalReplica, new: bytes, named: Recipe) -> bytes:
    """Have the file become `new`, of which `named` is true or not; what it is then, by its digest."""
    old = replica.entries([(0, 1)])[0]
    source = old._replace(content=content_digest(new), size=len(new))
    replica.match([F], (), 0)
    (lacking,) = replica.match(None, [named], 0)
    ends = [0]
    for length in named.lengths:
        ends.append(ends[-1] + length)
    for first, last in lacking:
        start, stop = ends[first], ends[last]
        replica.write([Piece(F, start, stop - start, new[start:stop])])
    return replica.stage([StageFile(source, F)], None).contents[0]


def test_a_receiver_cuts_what_it_has_once_and_knows_what_arrived(cuts: Cuts, root: Path, tmp_path: Path) -> None:
    new = NOISE[: 3 << 20] + b"!" + NOISE[3 << 20 :]
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "f").write_bytes(new)
    origin, entry = opened(tmp_path / "there", tmp_path / "other cache")
    (named,) = origin.recipes([Run(F, 0, entry.size)], 0)
    origin.close()
    cuts.take()
    # What the first one left in staging is cut by the second: nobody vouches for it.
    for sizes in ([len(NOISE)], [len(new)]):
        receiver, _ = opened(root, tmp_path / "cache", Access.WRITE)
        assert changed(receiver, new, named) == named.content
        receiver.close()
        assert cuts.take() == sizes
    assert ChunkLists(os.fsencode(tmp_path / "cache")).find(named.content, len(new)) == Chunks(
        list(named.lengths), named.digests
    )


def test_both_tell_how_far_they_are(root: Path, tmp_path: Path) -> None:
    """As a file is cut here and there, and as what is lacking of it arrives, the rest being here already."""
    new = NOISE[: 3 << 20] + b"!" + NOISE[3 << 20 :]
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "f").write_bytes(new)
    origin, entry = opened(tmp_path / "there", tmp_path / "other cache")
    told: list[tuple[Phase, int, int]] = []
    origin.on_progress = lambda *each: told.append(each)
    (named,) = origin.recipes([Run(F, 0, entry.size)], 0)
    origin.close()
    assert told[-1] == (Phase.READ, len(new), len(new))
    receiver, _ = opened(root, tmp_path / "cache", Access.WRITE)
    told.clear()
    receiver.on_progress = lambda *each: told.append(each)
    assert changed(receiver, new, named) == named.content
    receiver.close()
    read = [done for phase, done, total in told if phase is Phase.READ and total == len(NOISE)]
    came = [done for phase, done, _ in told if phase is Phase.COPY]
    assert (read[-1], came[-1]) == (len(NOISE), len(new))
    assert 0 < came[0] < len(new)
    assert (read, came) == (sorted(read), sorted(came))


def test_a_list_that_led_astray_is_forgotten(root: Path, tmp_path: Path) -> None:
    lists = ChunkLists(os.fsencode(tmp_path / "cache"))
    false = Chunks([3 << 20, 2 << 20], bytes(32))
    lists.keep(content_digest(NOISE), false)
    named = Recipe(F, 0, (3 << 20, 2 << 20), bytes(32), content_digest(NOISE[::-1]))
    receiver, _ = opened(root, tmp_path / "cache", Access.WRITE)
    assert changed(receiver, NOISE[::-1], named) == b""
    receiver.close()
    assert lists.find(content_digest(NOISE), len(NOISE)) is None
    assert lists.find(named.content, len(NOISE)) is None
