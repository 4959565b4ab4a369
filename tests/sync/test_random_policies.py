"""Random edits of three replicas, each on a host of its own, and between them runs of several coordinators, each with what it
remembers: on one of these hosts, or on another one.  Conflicts are settled by any policy, by rules and by commands that
merge well, badly or not at all; what was settled is undone, restored, resolved otherwise; members come and go.

`RUNS=200 pytest -m slow tests/sync/test_random_policies.py` tells so many stories; the number of one that fails tells it
again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from aefsync.core.path import RelPath
from aefsync.core.policy import Policies, parse_policy, parse_rule
from aefsync.core.silent import Silent
from aefsync.sync.conflicts import prune_conflicts, resolve_conflicts
from aefsync.sync.members import add_member
from aefsync.sync.request import RepairRequest
from aefsync.sync.undo import undo
from tests.support.afar import LOST, Afar
from tests.support.far import Hosts
from tests.support.unread import reading
from tests.sync.joined import threads
from tests.sync.test_random_agents import ANY_CODE, NUMBER, PARTS, TAKES, Group, far, happens
from tests.sync.test_random_runs import PLACES, restore

__all__ = ["far"]
MERGES = [
    "sh -c 'cat {a} {b} > {out}'", "sh -c 'sort -u {a} {b} {base} > {out}'", "cp {a} {out}", "cp {b} {out}", "cp {base} {out}",
    "sh -c 'echo half > {out}; exit 1'", "sh -c ': > {out}'", "true", "false", "/no/such/program",
]  # fmt: skip
GLOBS = ["a", "e", "g", "/d/**", "d/e/*", "*.conflict-*", "f", "**/h", "i"]


class Arguing(Afar):
    """Conflicts are settled in any way but when all is concluded."""

    is_free = True

    def policy(self) -> str:
        plain = ["keep-both", "newest", "skip", "prefer:A", "prefer:B"]
        return self.chance.choice([*plain, *["merge:" + self.chance.choice(MERGES)] * 4])

    def request(self, some: Sequence[Path], policy: str, **more: Any) -> RepairRequest:
        chance, asked = self.chance, super().request(some, "keep-both", **more)
        if not self.is_free:
            return asked
        rules = tuple(parse_rule(chance.choice(GLOBS), self.policy()) for _ in range(chance.choice([0, 0, 1, 3])))
        policies = Policies(parse_policy(self.policy()), rules)
        return asked._replace(policies=policies, preferred=(("A", 0), ("B", min(1, len(some) - 1))))

    def argue(self) -> None:
        """Some write what they think to one place."""
        chance, place = self.chance, self.chance.choice(PLACES)

        def write(root: Path) -> None:
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            (root / place).write_bytes(b"%s thinks %d\n" % (os.fsencode(root.name), chance.randrange(10**6)))
            self.editor._date(root / place)

        for root in chance.sample(self.roots, chance.choice([2, 2, 3])):
            self.edit(root, write)

    def conclude(self, **more: Any) -> None:
        self.is_free = False
        super().conclude(**more)
        self.is_free = True


def somewhere(group: Group) -> list[Path]:
    """Who is asked from one of the hosts, or from another one."""
    teller = group.teller
    if teller.chance.random() < 0.5:
        group.at(teller.chance.choice(teller.roots))
    else:
        teller.ask_at("elsewhere", teller.roots)
    return teller.in_any_order()


def settle(group: Group) -> None:
    """Something is done about conflicts, or about what was done about them."""
    teller, chance = group.teller, group.teller.chance
    some = somewhere(group)
    common = teller.common(some)
    match chance.choice(
        ["meet"] * 8 + ["cut"] * 2 + ["resolve"] * 3 + ["prune", "part", "add"] + ["undo", "restore"] * 2
    ):
        case "cut":
            teller.cut(some)
            teller.meet(some, fine=LOST, new_root=True)
            teller.heal()
        case "part":
            teller.meet(some, fine=LOST, new_root=True, paths=(RelPath(chance.choice(PARTS)),))
        case "resolve":
            take = chance.choice([*TAKES, teller.where(some[-1])])
            teller.run(lambda: resolve_conflicts(common, (), take, Silent()), fine=ANY_CODE)
        case "prune":
            teller.run(lambda: prune_conflicts(common, Silent()), fine=LOST)
        case "undo" if teller.runs:
            run = chance.choice(teller.runs[-4:])
            teller.run(lambda: undo(common, run, Silent(), dry_run=False), fine=LOST)
        case "restore":
            restore(teller, some)
        case "add":
            root, other = chance.sample(teller.roots, 2)
            one, name = group.at(root), chance.choice(["red", "blue", other.name])
            location = teller.where(other) if chance.random() < 0.8 else None
            teller.run(lambda: add_member(one, name, location, Silent()))
        case _:
            teller.meet(some, fine=LOST, new_root=True)


def tell(folder: Path, number: int, far: Hosts) -> None:
    """One story."""
    far.pins.clear()
    with reading(number):
        story(Arguing(folder, number, far, replicas=3))


def story(teller: Arguing) -> None:
    chance, group = teller.chance, Group(teller)
    with group.timed():
        somewhere(group)
        teller.conclude(new_root=True)
        for _ in range(2):
            for _ in range(chance.choice([2, 4, 6])):
                teller.edits(chance.randrange(4))
                for _ in range(chance.choice([0, 1, 1, 2])):
                    teller.argue()
                with threads():
                    settle(group) if chance.random() < 0.8 else happens(group, chance.choice(teller.roots))
            somewhere(group)
            teller.conclude(new_root=True)


def test_one(tmp_path: Path, far: Hosts) -> None:
    tell(tmp_path, 4, far)


@pytest.mark.slow
def test_many(tmp_path: Path, far: Hosts) -> None:
    for number in range(1000, 1000 + NUMBER):
        tell(tmp_path / str(number), number, far)
        shutil.rmtree(tmp_path / str(number))
