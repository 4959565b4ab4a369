from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from aefsync.core.action import StageFile
from aefsync.core.path import RelPath
from aefsync.core.space import Share, Space
from aefsync.core.step import Transfer
from aefsync.errors import GuardError
from aefsync.sync.room import BLOCK, Room
from tests.contract.test_replica import file
from tests.support.memory import MemoryReplica, MemoryTree
from tests.sync.joined import Watched, joined

ONE = Share(100, is_percentage=True)
MB = 1 << 20


class Receiver(MemoryReplica):
    """A replica with file systems below its root."""

    def __init__(self, tree: MemoryTree, spaces: list[Space]) -> None:
        super().__init__(tree)
        self.spaces = spaces

    def space(self) -> list[Space]:
        return self.spaces


class Dense(MemoryReplica):
    """A replica whose files have no holes."""

    def allocated(self, paths: Sequence[RelPath]) -> list[int]:
        return [1 << 50] * len(paths)


class Sparse(MemoryReplica):
    """A replica whose files are nothing but holes."""

    def allocated(self, paths: Sequence[RelPath]) -> list[int]:
        return [100] * len(paths)


def transfer(path: bytes, size: int) -> Transfer:
    source = file(path, b"")._replace(size=size)
    return Transfer(0, 1, StageFile(source, RelPath(path)))


def guard(transfers: list[Transfer], spaces: list[Space], origin: type[MemoryReplica] = Dense) -> list[str]:
    """Whether the guard lets them pass; the calls it made."""
    replicas = (Watched(origin(MemoryTree()), 0), Watched(Receiver(MemoryTree(), spaces), 1))
    with joined(*replicas) as session:
        room = Room(session)
        room.ask_ahead()
        for each in transfers:
            room.add([each])
        room.guard(ONE, ([each] for each in transfers))
    return [name for replica in replicas for _, name, _ in replica.log if name in ("space", "allocated")]


def test_no_room_is_needed_where_nothing_is_brought() -> None:
    assert guard([], [Space(b"", 0, 100 * MB, 0)]) == ["space", "space"]


def test_room_enough() -> None:
    assert guard([transfer(b"f", MB)], [Space(b"", 90 * MB, 100 * MB, 0)]) == ["space", "space"]


def test_many_small_files_take_a_block_each() -> None:
    transfers = [transfer(b"%d" % number, 1) for number in range(100)]
    spaces = [Space(b"", 100 * BLOCK, 10 * MB, 0)]
    with pytest.raises(GuardError, match="409.6 kB are free"):
        guard(transfers, spaces)


def test_there_may_be_bytes_and_no_inodes() -> None:
    transfers = [transfer(b"%d" % number, 1) for number in range(100)]
    guard(transfers, [Space(b"", 90 * MB, 100 * MB, 0, free_inodes=100)])
    with pytest.raises(GuardError, match="B: expected room for 100 files, but there are inodes for 99 more"):
        guard(transfers, [Space(b"", 90 * MB, 100 * MB, 0, free_inodes=99)])


def test_each_file_system_counts_for_itself() -> None:
    spaces = [
        Space(b"", 90 * MB, 100 * MB, 0),
        Space(b"mnt", 2 * MB, 100 * MB, 0),
        Space(b"mnt/in", 50 * MB, 100 * MB, 0),
    ]
    guard([transfer(b"mnt/in/f", 10 * MB), transfer(b"f", 10 * MB), transfer(b"mntx", MB)], spaces)
    with pytest.raises(GuardError, match=r"B/mnt: expected room for"):
        guard([transfer(b"mnt/f", 10 * MB)], spaces)


def test_a_sparse_file_needs_what_it_takes() -> None:
    spaces = [Space(b"", 10 * MB, 100 * MB, 0)]
    assert guard([transfer(b"f", 1 << 40)], spaces, Sparse) == ["space", "allocated", "space"]
    with pytest.raises(GuardError):
        guard([transfer(b"f", 1 << 40)], spaces)


def test_what_the_disk_says_of_a_missing_root(tmp_path: Path) -> None:
    assert guard([transfer(b"f", 1 << 40)], []) == ["space", "space"]
