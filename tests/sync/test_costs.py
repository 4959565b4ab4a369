"""What whole runs over a far replica cost: bytes and round trips, counted where they leave and arrive."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.silent import Silent
from aefsync.sync.events import Summary
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from tests.support.far import Hosts, hosts
from tests.support.trees import tree
from tests.sync.joined import threads


class Far:
    """A here, and B on another host."""

    def __init__(self, home: Path) -> None:
        self.a, self.b = home / "A", home / "B"
        common = Request((str(self.a), f"box:{self.b}"), cache_dir=str(home / "cache"))
        self.request = RepairRequest(common)
        self.hosts = Hosts()

    def repair(self, **options: object) -> Summary:
        """A run; what it said is on `hosts.line("box")`."""
        with hosts() as self.hosts, threads():
            *_, end = repair(self.request._replace(**options), Silent())  # type: ignore[arg-type]
        assert isinstance(end, Summary)
        assert end.exit_code == 0
        line = self.hosts.line("box")
        assert (end.sent_bytes, end.received_bytes) == (line.sent_bytes, line.received_bytes)
        return end


@pytest.fixture
def far(home: Path) -> Iterator[Far]:
    return Far(home)


def bytes_of(end: Summary) -> int:
    return end.sent_bytes + end.received_bytes


@pytest.mark.parametrize("number", [3, 1200, pytest.param(100_000, marks=pytest.mark.slow)])
def test_no_op_and_one_change_among_many(far: Far, number: int) -> None:
    """2 kB and 3 round trips; 32 kB and 9 round trips, with what it takes to carry the change out."""
    tree(far.a, {f"d{n % 40}/file {n}": f"content {n}" for n in range(number)})
    tree(far.b, {})
    far.repair()
    nothing = far.repair()
    assert nothing.equal
    assert bytes_of(nothing) <= 2000
    assert nothing.round_trips <= 3
    (far.a / "d1" / "file 1").write_text("changed")
    one = far.repair()
    assert (one.copied_files, one.literal_bytes) == (1, 7)
    assert bytes_of(one) <= 32_000
    assert one.round_trips <= 9


@pytest.mark.parametrize("size", [32 << 20, pytest.param(1 << 30, marks=pytest.mark.slow)])
def test_one_byte_in_a_large_file(far: Far, size: int) -> None:
    """At most 40 kB, with everything that the run says besides."""
    noise = b"".join(random.Random(number).randbytes(32 << 20) for number in range(size >> 25))
    tree(far.a, {"f": noise})
    tree(far.b, {"f": noise[: size // 2] + b"?" + noise[size // 2 + 1 :]}, mtime_ns=1)
    end = far.repair(allow_unrelated_roots=True)
    assert (end.replaced_files, end.equal) == (1, True)
    assert end.literal_bytes <= 16 << 10
    assert bytes_of(end) <= 40_000
    assert end.round_trips <= 16
