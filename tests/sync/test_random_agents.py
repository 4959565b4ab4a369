"""Random edits on real trees that agents serve, and between them runs of all sorts: agents that let nothing be changed, or
nothing be destroyed; connections that are cut anywhere; members who meet in pairs, leave, are forgotten, restored, copied.
Whatever was done, one run over everything makes all agree, and nothing is lost.

`RUNS=200 pytest -m slow tests/sync/test_random_agents.py` tells so many stories of each class; the class and number of one
that fails tell it again.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aefsync.core.copies import Take, Way
from aefsync.core.path import RelPath
from aefsync.core.policy import Policies
from aefsync.core.silent import Silent
from aefsync.sync.conflicts import prune_conflicts, resolve_conflicts
from aefsync.sync.events import Enrolled, Event, LeftUndone
from aefsync.sync.gossip import gossip
from aefsync.sync.hooks import Hooks
from aefsync.sync.init import init
from aefsync.sync.members import forget, leave, list_members
from aefsync.sync.request import GossipRequest, RepairRequest, Request
from aefsync.sync.surroundings import Surroundings
from aefsync.sync.trash import purge_trash
from aefsync.sync.undo import undo
from tests.support.afar import LOST, Afar
from tests.support.far import Hosts, hosts
from tests.support.kept import kept
from tests.support.tellers import end
from tests.support.trees import survey
from tests.support.unread import reading
from tests.sync.joined import threads
from tests.sync.test_random_runs import POLICIES

NUMBER = int(os.environ.get("RUNS", "40"))
PARTS = [b"d", b"f", b"d/e"]
TAKES = [*map(Take, Way), "A", "B"]
ANY_CODE = (0, 1, 4, 7)
DAY_S = 86_400


def act(teller: Afar, some: list[Path]) -> list[Event]:
    """One thing that is done by some of them."""
    chance, common = teller.chance, teller.common(some)
    match chance.choice(
        ["meet"] * 9 + ["no_delete", "part", "mirror", "lww", "dry", "undo", "undo", "resolve", "prune"]
    ):
        case "no_delete":
            return teller.meet(some, chance.choice(POLICIES), no_delete=True, fine=LOST)
        case "part":
            return teller.meet(some, chance.choice(POLICIES), paths=(RelPath(chance.choice(PARTS)),), fine=LOST)
        case "mirror" | "lww" as way:
            return teller.meet(some, "lww", mirror=way == "mirror", fine=LOST)
        case "dry":
            return teller.meet(some, chance.choice(POLICIES), dry_run=True, fine=LOST)
        case "undo" if teller.runs:
            run = chance.choice(teller.runs[-4:])
            return teller.run(lambda: undo(common, run, Silent(), dry_run=False), fine=LOST)
        case "resolve":
            take = chance.choice([*TAKES, teller.where(some[-1])])
            return teller.run(lambda: resolve_conflicts(common, (), take, Silent()), fine=ANY_CODE)
        case "prune":
            return teller.run(lambda: prune_conflicts(common, Silent()), fine=LOST)
        case _:
            return teller.meet(some, chance.choice(POLICIES), fine=LOST)


def of_limits(teller: Afar) -> None:
    """One of them is served by an agent that lets nothing be changed, or nothing be destroyed, for a while."""
    chance = teller.chance
    teller.meet()
    for _ in range(3):
        one, is_read_only = chance.choice(teller.roots), chance.random() < 0.5
        was_far = one in teller.far
        teller.far.add(one)
        teller.limit(one, read_only=is_read_only, append_only=not is_read_only)
        for _ in range(chance.choice([1, 2, 3])):
            teller.edits(chance.randrange(6))
            some = list(dict.fromkeys([*teller.in_any_order(), one]))
            with kept(one, read_only=is_read_only):
                events = act(teller, some)
                teller.run(lambda: purge_trash(teller.common([one]), -DAY_S, Silent()))  # noqa: B023
            if any(isinstance(event, LeftUndone) for event in events):
                assert "read-only" in end(events).causes and end(events).exit_code == 1
        teller.limit(one, read_only=False, append_only=False)
        teller.far -= set() if was_far else {one}
        teller.conclude()


def of_cuts(teller: Afar) -> None:
    """Connections are cut in whatever is done, then pairs meet, then all."""
    chance = teller.chance
    teller.meet()
    for _ in range(3):
        for _ in range(chance.choice([1, 2, 3, 4])):
            teller.edits(chance.randrange(6))
            for _ in range(chance.choice([0, 1, 3])):
                teller.edit(chance.choice(teller.roots), teller.editor.put_large)
            some = teller.in_any_order()
            teller.cut(some)
            act(teller, some)
            teller.heal()
        if chance.random() < 0.5:
            teller.meet(chance.sample(teller.roots, 2))
        teller.conclude()


def of_one_editor(teller: Afar) -> None:
    """Who alone edits is obeyed, wherever connections are cut."""
    chance = teller.chance
    teller.meet()
    single = chance.choice(teller.roots)
    for _ in range(3):
        for _ in range(chance.choice([1, 2, 3])):
            teller.edits(chance.randrange(1, 6), single)
            before = survey(single)
            some = teller.in_any_order()
            teller.cut(some)
            teller.meet(some, fine=LOST, paths=(RelPath(chance.choice(PARTS)),) if chance.random() < 0.3 else ())
            teller.heal()
            assert survey(single) == before
        before = survey(single)
        teller.conclude()
        assert survey(single) == before and not any(b".conflict-" in path for path in before)


class Group:
    """Each replica as its own host sees the others: with a state directory of its own."""

    def __init__(self, teller: Afar) -> None:
        self.teller = teller
        self.later_s = 0
        self.kept: dict[Path, Path] = {}

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """While the context lasts, it may become later."""
        now, now_ns = time.time, time.time_ns
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "time", lambda: now() + self.later_s)
            patch.setattr(time, "time_ns", lambda: now_ns() + self.later_s * 10**9)
            yield

    def at(self, root: Path) -> Request:
        """What is asked on one host, from which all others are far."""
        teller = self.teller
        teller.ask_at(root.name, {*teller.roots} - {root})
        return teller.common([root])

    def meet(self, root: Path, other: Path) -> None:
        self.at(root)
        self.teller.meet([root, other], new_root=True, fine=LOST)

    def gossip(self, root: Path) -> None:
        teller, clock = self.teller, itertools.count(int(time.time()) + self.later_s)
        asked = RepairRequest(self.at(root), policies=Policies(), max_delete="100%")
        around = Surroundings(chance=teller.chance.random)
        request = GossipRequest(asked, fanout=teller.chance.choice([1, 1, 2]))
        # (5: who was put somewhere else is not who is expected there.)
        teller.run(
            lambda: gossip(request, Silent(), Hooks(), None, around, lambda: float(next(clock))), fine=(0, 1, 5, 7)
        )

    def round(self) -> None:
        roots = self.teller.roots
        for root, other in [*zip(roots, [*roots[1:], roots[0]], strict=True)] * 2:
            self.meet(root, other)
        self.at(roots[0])
        self.teller.conclude(new_root=True)


def happens(group: Group, root: Path) -> None:
    """Something to one member, or to its group."""
    teller, chance = group.teller, group.teller.chance
    match chance.choice(
        ["gossip"] * 9 + ["meet", "leave", "forget", "init", "backup", "restored", "copied", "later", "cut"]
    ):
        case "leave":
            one = group.at(root)
            teller.run(lambda: leave(one, Silent()))
        case "init":
            one = group.at(root)
            teller.run(lambda: init(one, [""], Silent()))
        case "forget":
            one = group.at(root)
            known = [each.member.id for each in list_members(one, Silent()) if isinstance(each, Enrolled)]
            teller.run(lambda: forget(one, chance.choice(known), Silent()))
        case "backup":
            group.kept[root] = teller.folder / "backup" / root.name
            shutil.rmtree(group.kept[root], ignore_errors=True)
            shutil.copytree(root, group.kept[root], symlinks=True)
        case "restored" if root in group.kept:
            gone = teller.held([root])
            shutil.rmtree(root)
            shutil.copytree(group.kept[root], root, symlinks=True)
            teller.written -= gone - teller.held(teller.roots)
        case "copied" if len(teller.roots) < 5:
            teller.roots.append(teller.folder / "abcde"[len(teller.roots)])
            shutil.copytree(root, teller.roots[-1], symlinks=True)
            group.meet(teller.roots[-1], root)
        case "later":
            group.later_s += chance.choice([3600, 40 * DAY_S, 100 * DAY_S])
        case "cut":
            teller.cut(teller.roots)
            group.gossip(root)
            teller.heal()
        case "gossip":
            group.gossip(root)
        case _:
            group.meet(root, chance.choice([each for each in teller.roots if each != root]))


def of_members(teller: Afar) -> None:
    chance, group = teller.chance, Group(teller)
    teller.hosts.pins.clear()
    with group.timed():
        group.round()
        for _ in range(2):
            for _ in range(chance.choice([2, 4, 6])):
                teller.edits(chance.randrange(4))
                with threads():
                    happens(group, chance.choice(teller.roots))
            group.round()


STORIES = {of_limits: 0, of_cuts: 0, of_one_editor: 3, of_members: 3}
"""Each with how many replicas it is about; 0: two or three."""
Story = Callable[[Afar], None]


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    monkeypatch.setattr("aefsync.sync.reconnecting.FIRST_S", 0.0)
    with hosts() as there:
        there.in_turn = True
        yield there


def tell(story: Story, folder: Path, number: int, far: Hosts) -> None:
    """One story."""
    far.pins.clear()
    with reading(number):
        story(Afar(folder, number, far, replicas=STORIES[story]))


@pytest.mark.parametrize(("story", "number"), [*itertools.product(STORIES, [1, 4])])
def test_a_few(tmp_path: Path, far: Hosts, story: Story, number: int) -> None:
    tell(story, tmp_path, number, far)


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES)
def test_many(tmp_path: Path, far: Hosts, story: Story) -> None:
    for number in range(1000, 1000 + NUMBER):
        tell(story, tmp_path / str(number), number, far)
        shutil.rmtree(tmp_path / str(number))
