"""`scrub` over real directories: what is found, what is mended from whom, and what never spreads."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from aefsync.core.policy import Policies, parse_globs, parse_rule
from aefsync.core.ports import Phase
from aefsync.core.problem import ROT, SUSPECT
from aefsync.core.silent import Silent
from aefsync.errors import UsageError
from aefsync.sync.diff import diff
from aefsync.sync.events import Acted, Event, Notice, Summary, Troubled
from aefsync.sync.repair import repair
from aefsync.sync.request import DiffRequest, RepairRequest, Request
from aefsync.sync.scrub import ScrubRequest, scrub
from aefsync.sync.standing import Stood
from aefsync.sync.status import status
from tests.support.rot import Mapped, quiet, settle
from tests.sync.joined import Threads, threads

EVERYTHING = parse_globs(["**"])


@pytest.fixture(autouse=True)
def engine() -> Iterator[Threads]:
    with threads() as started:
        yield started


class Pair:
    """Two replicas that agree; files `mapped` can still be damaged."""

    def __init__(self, folder: Path) -> None:
        self.a, self.b = folder / "a", folder / "b"
        self.state = folder / "state"
        self.mapped: dict[str, Mapped] = {}
        self.a.mkdir()

    def write(self, name: str, data: bytes, offset: int | None = None) -> None:
        path = self.a / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        if offset is not None:
            self.mapped[name] = Mapped(path, offset)

    def request(self, *roots: Path) -> Request:
        return Request(tuple(map(str, roots)), state_dir=str(self.state))

    def agree(self) -> list[Event]:
        return list(repair(RepairRequest(self.request(self.a, self.b), policies=Policies()), Silent()))

    def rot(self) -> None:
        """Have everything rot that can."""
        for mapped in self.mapped.values():
            mapped.flip()
        settle(self.a)

    def scrub(self, *roots: Path, **options: object) -> list[Event]:
        return list(scrub(ScrubRequest(self.request(*(roots or (self.a,))), **options), Silent()))  # type: ignore[arg-type]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with quiet(tmp_path) as folder:
        yield Pair(folder)


def summary(events: Sequence[Event]) -> Summary:
    assert isinstance(events[-1], Summary)
    return events[-1]


def acted(events: Sequence[Event]) -> list[tuple[str, bytes, int | None, tuple[int, ...]]]:
    return [(e.action, bytes(e.path), e.source, e.to) for e in events if isinstance(e, Acted)]


def troubles(events: Sequence[Event]) -> list[tuple[int, bytes, str]]:
    return [(e.replica, e.problem.path, e.problem.reason) for e in events if isinstance(e, Troubled)]


def plant(pair: Pair, flips: int, seed: int = 1) -> None:
    """Files of which so many have one flipped bit; the replicas agreed before."""
    chance = random.Random(seed)
    for number in range(flips):
        data = chance.randbytes(chance.choice([1, 100, 4096, 70_000]))
        pair.write(f"{number % 7}/{number}", data, chance.randrange(len(data)))
        pair.write(f"{number % 7}/{number}.healthy", data)
    pair.agree()
    pair.rot()


def check_all_are_mended(pair: Pair, flips: int) -> None:
    """Nothing spreads before, and everything is as it was afterwards."""
    healthy = {path.relative_to(pair.b): path.read_bytes() for path in pair.b.rglob("*") if path.is_file()}
    pair.agree()
    events = pair.scrub(peers=(str(pair.b),))
    assert (len(acted(events)), troubles(events)) == (flips, [])
    assert (summary(events).exit_code, summary(events).rot, summary(events).copied_files) == (1, 0, flips)
    for root in (pair.a, pair.b):
        own = {path.relative_to(root): path for path in root.rglob("*") if path.is_file()}
        tree = {name: path.read_bytes() for name, path in own.items() if ".aefsync" not in name.parts}
        assert tree == {name: data for name, data in healthy.items() if ".aefsync" not in name.parts}
    assert summary(pair.scrub()).exit_code == 0
    assert summary(pair.agree()).exit_code == 0
    assert acted(pair.agree()) == []


def test_every_flipped_bit_is_found_and_mended(pair: Pair) -> None:
    plant(pair, 24)
    check_all_are_mended(pair, 24)


@pytest.mark.slow
def test_a_thousand_flipped_bits_are_found_and_mended(pair: Pair) -> None:
    plant(pair, 1000)
    check_all_are_mended(pair, 1000)


@pytest.mark.parametrize("size", [16 << 20, pytest.param(1 << 30, marks=pytest.mark.slow)])
def test_one_bit_of_a_large_file_costs_a_few_chunks(pair: Pair, size: int) -> None:
    pair.write("large", b"")
    with (pair.a / "large").open("wb") as file:
        for block in range(size >> 20):
            file.write(random.Random(block).randbytes(1 << 20))
    pair.mapped["large"] = Mapped(pair.a / "large", size // 2)
    pair.agree()
    pair.rot()
    done = summary(pair.scrub(peers=(str(pair.b),)))
    assert done.copied_files == 1
    assert 0 < done.literal_bytes <= 64 << 10
    assert done.literal_bytes + done.reused_bytes == size


def test_nothing_is_changed_where_it_is_only_asked_for(pair: Pair) -> None:
    pair.write("f", b"12345", 2)
    pair.agree()
    pair.rot()
    events = pair.scrub(dry_run=True, peers=(str(pair.b),))
    assert (acted(events), troubles(events)) == ([], [(0, b"f", ROT)])
    assert (summary(events).exit_code, summary(events).causes, summary(events).rot) == (1, ("rot",), 1)
    assert (pair.a / "f").read_bytes() == b"12245"


def test_members_mend_each_other(pair: Pair) -> None:
    pair.write("f", b"12345", 2)
    pair.agree()
    pair.rot()
    events = pair.scrub(pair.a, pair.b)
    assert acted(events) == [("repair_rot", b"f", 1, (0,))]


def test_where_nobody_has_it_as_it_was_it_stays(pair: Pair) -> None:
    pair.write("f", b"12345", 2)
    pair.agree()
    pair.rot()
    (pair.b / "f").write_bytes(b"other")
    events = pair.scrub(peers=(str(pair.b),))
    assert acted(events) == []
    assert troubles(events) == [(0, b"f", f"{ROT}; nobody reached has it as it was recorded")]
    assert summary(events).rot == 1


def test_a_peer_that_rots_too_mends_nothing(pair: Pair) -> None:
    pair.write("f", b"12345", 2)
    pair.agree()
    pair.rot()
    # Its index says that its copy is as it was.
    os.utime(pair.b / "f", ns=(10**18, 10**18))
    pair.agree()
    mapped = Mapped(pair.b / "f", 0)
    pair.agree()
    mapped.flip()
    events = pair.scrub(peers=(str(pair.b),))
    assert (acted(events), (pair.a / "f").read_bytes()) == ([], b"12245")
    assert summary(events).rot == 1


def test_a_peer_that_is_not_there_is_told(pair: Pair) -> None:
    pair.write("f", b"12345", 2)
    pair.agree()
    pair.rot()
    events = pair.scrub(peers=(str(pair.a / "nowhere"), str(pair.b)))
    assert acted(events) == [("repair_rot", b"f", None, (0,))]
    assert any(isinstance(each, Notice) and "nowhere" in each.text for each in events)
    assert summary(events).exit_code == 7


def suspect(pair: Pair) -> None:
    """A file whose bytes changed, the mtime being put back."""
    pair.write("f", b"12345")
    pair.agree()
    before = (pair.a / "f").stat()
    (pair.a / "f").write_bytes(b"x2345")
    os.utime(pair.a / "f", ns=(before.st_atime_ns, before.st_mtime_ns))


def test_rot_does_not_spread_where_the_last_write_wins_and_everything_is_read(pair: Pair) -> None:
    pair.write("f", b"12345", 2)
    pair.agree()
    pair.rot()
    (pair.b / "f").write_bytes(b"older")
    os.utime(pair.b / "f", ns=(1, 1))
    common = pair.request(pair.a, pair.b)._replace(checksum=True)
    events = list(repair(RepairRequest(common), Silent()))
    assert (acted(events), troubles(events)) == ([], [(0, b"f", ROT)])
    assert (summary(events).exit_code, summary(events).rot) == (1, 1)
    compared = list(diff(DiffRequest(common), Silent()))
    assert troubles(compared) == [(0, b"f", ROT)]
    assert (summary(compared).exit_code, summary(compared).causes, summary(compared).equal) == (1, ("rot",), False)
    assert (pair.b / "f").read_bytes() == b"older"
    for events in (diff(DiffRequest(pair.request(pair.a, pair.b)), Silent()), pair.agree(), pair.agree()):
        told = list(events)
        assert (acted(told), troubles(told), summary(told).exit_code) == ([], [(0, b"f", ROT)], 1)


def test_suspects_stay_unless_the_user_knows_better(pair: Pair) -> None:
    suspect(pair)
    for _ in range(2):
        events = pair.scrub(peers=(str(pair.b),))
        assert (acted(events), troubles(events)) == ([], [(0, b"f", SUSPECT)])
        assert (summary(events).exit_code, summary(events).suspects) == (1, 1)
    events = pair.scrub(peers=(str(pair.b),), mended=EVERYTHING)
    assert acted(events) == [("repair_rot", b"f", None, (0,))]
    assert (pair.a / "f").read_bytes() == b"12345"
    assert summary(pair.scrub()).exit_code == 0


@pytest.mark.parametrize("how", ["accepted", "edits"])
def test_a_suspect_may_be_an_edit_which_spreads(pair: Pair, how: str) -> None:
    suspect(pair)
    events = pair.scrub(**{how: parse_globs(["f"])})
    assert (troubles(events), summary(events).exit_code, summary(events).suspects) == ([], 0, 0)
    assert acted(pair.agree()) == [("copy", b"f", 0, (1,))]
    assert (pair.b / "f").read_bytes() == b"x2345"


def test_a_rule_takes_suspects_for_edits_in_every_repair(pair: Pair) -> None:
    suspect(pair)
    standing = pair.agree()
    assert troubles(standing) == [(0, b"f", SUSPECT)]
    done = summary(standing)
    assert (done.exit_code, done.causes, done.suspects, done.problems, done.equal) == (1, ("suspects",), 1, 0, False)
    policies = Policies(rules=(parse_rule("*", None, "edit"),))
    events = list(repair(RepairRequest(pair.request(pair.a, pair.b), policies=policies), Silent()))
    assert acted(events) == [("copy", b"f", 0, (1,))]
    assert summary(events).exit_code == 0
    assert (pair.b / "f").read_bytes() == b"x2345"


def test_status_tells_of_what_is_damaged(pair: Pair) -> None:
    pair.write("g", b"12345", 2)
    suspect(pair)
    pair.rot()
    pair.agree()
    assert [(each.rot, each.suspects) for each in stood(pair)] == [(0, 1), (0, 0)]
    (pair.b / "g").unlink()
    assert troubles(pair.scrub()) == [
        (0, b"f", SUSPECT),
        (0, b"g", f"{ROT}; nobody reached has it as it was recorded"),
    ]
    assert [(each.rot, each.suspects) for each in stood(pair)] == [(1, 1), (0, 0)]
    (pair.b / "g").write_bytes(b"12345")
    pair.scrub(pair.a, pair.b, mended=EVERYTHING)
    assert [(each.rot, each.suspects) for each in stood(pair)] == [(0, 0), (0, 0)]
    assert all(each.oldest_verified_s for each in stood(pair))


def stood(pair: Pair) -> list[Stood]:
    events = list(status(pair.request(pair.a, pair.b), Silent()))
    found = [each for each in events if isinstance(each, Stood)]
    assert summary(events).exit_code == any(each.rot or each.suspects for each in found)
    return found


def test_budgets(pair: Pair) -> None:
    for number in range(6):
        pair.write(f"{number}/f", bytes(1000))
    pair.agree()
    half = pair.scrub(read_percent=50)
    assert (summary(half).verified_files, summary(half).verified, summary(half).exit_code) == (3, False, 0)
    assert any(isinstance(each, Notice) and "other 3 files" in each.text for each in half)
    ticks = itertools.count()
    request = ScrubRequest(pair.request(pair.a), time_limit_s=1)
    late = list(scrub(request, Silent(), clock=lambda: float(next(ticks))))
    assert summary(late).verified_files == 0
    assert any(isinstance(each, Notice) and "--time-limit" in each.text for each in late)
    assert summary(pair.scrub()).oldest_verified_s > 0


def test_how_far_it_is(pair: Pair) -> None:
    for name in "abc":
        pair.write(name, bytes(1000))
    pair.agree()

    class Heard(Silent):
        told: list[tuple[Phase, int, int]] = []

        def progress(self, replica: int, phase: Phase, done: int, total: int) -> None:
            self.told.append((phase, done, total))

    list(scrub(ScrubRequest(pair.request(pair.a)), Heard()))
    assert (Phase.READ, 1000, 3000) in Heard.told


def test_a_root_without_an_agent_cannot_be_scrubbed(pair: Pair) -> None:
    with pytest.raises(UsageError, match="agent"):
        pair.scrub(peers=("sftp://host/b",))


def test_rot_does_not_spread_to_a_replica_that_joins(pair: Pair) -> None:
    pair.write("d/f", b"12345", 2)
    pair.write("d/g", b"12345")
    pair.agree()
    pair.rot()
    c = pair.a.parent / "c"
    events = list(repair(RepairRequest(pair.request(pair.a, c), policies=Policies()), Silent()))
    joined = {path.name: path.read_bytes() for path in (c / "d").iterdir()}
    assert joined == {"g": b"12345"}
    assert summary(events).exit_code == 4
    for roots in ((pair.a, c), (pair.a, pair.b, c)):
        events = list(repair(RepairRequest(pair.request(*roots), policies=Policies()), Silent()))
        assert (troubles(events), summary(events).exit_code) == ([(0, b"d/f", ROT)], 1)
