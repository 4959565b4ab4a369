"""The load of plans: what they come to, added up, for guards and progress, which need no more than numbers."""

from __future__ import annotations

import operator
from collections.abc import Iterable

from aefsync.core.named_tuple import NamedTuple
from aefsync.core.one_sided import OneSided
from aefsync.core.plan import Plan
from aefsync.core.step import Pass


class Load(NamedTuple):
    """What plans come to, added up: the number of `actions` by replica and pass, the `sizes` of all files to be brought
    by receiver, in bytes."""

    actions: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...]

    @property
    def deletes(self) -> tuple[int, ...]:
        """How many entries each replica loses to the trash without another version taking their place."""
        return tuple(own[Pass.DELETE] for own in self.actions)

    def has(self, step: Pass) -> bool:
        """Whether any replica has something to do in this pass."""
        return any(own[step] for own in self.actions)


def load_of(plan: Plan) -> Load:
    """What one plan comes to."""
    sizes = [0] * len(plan.actions)
    for transfer in (*plan.early, *plan.transfers):
        sizes[transfer.receiver] += transfer.file.source.size
    return Load(tuple(tuple(map(len, own)) for own in plan.actions), tuple(sizes))


def load_of_growth(found: OneSided, plan: Plan) -> Load:
    """What it comes to that all others get what one replica has; `plan` is what must follow."""
    weight = found.growth.weigh()
    receivers = [number != found.holder for number in range(len(plan.actions))]
    actions = [list(map(len, own)) for own in plan.actions]
    for own, receives in zip(actions, receivers, strict=True):
        own[Pass.PUT] += weight.entries * receives
    return Load(tuple(map(tuple, actions)), tuple(weight.size * receives for receives in receivers))


def total(loads: Iterable[Load], replicas: int) -> Load:
    """What several plans come to."""
    actions = [[0] * len(Pass) for _ in range(replicas)]
    sizes = [0] * replicas
    for load in loads:
        for replica, own in enumerate(load.actions):
            actions[replica] = list(map(operator.add, actions[replica], own))
        sizes = list(map(operator.add, sizes, load.sizes))
    return Load(tuple(map(tuple, actions)), tuple(sizes))
