"""Sessions without end among replicas that come and go: what a sidecar keeps does not grow once it was collected."""

from __future__ import annotations

import itertools
import random

import pytest

from aefsync.core.path import RelPath
from tests.core.histories import Host, meet
from tests.support.snapshots import file

FILES = 30
QUIET = 100
"""Sessions after which nobody edits anything until all have met."""


class Soak:
    """Five replicas; files come with names that were never there before, and go again."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.hosts = [Host(name) for name in "ABCDE"]
        self.clock = itertools.count(1)
        self.away: Host | None = None

    def edit(self) -> None:
        """Somebody writes a new file or changes one, and deletes what is too much."""
        host, now = self.chance.choice(self.hosts), next(self.clock)
        names = sorted(host.tree.entries)
        path = self.chance.choice([RelPath(b"%d" % now), *names[:1]])
        host.tree.entries.pop(path, None)
        host.tree.place(file(path, b"%d" % now, now))
        for each in self.chance.sample(names, max(0, len(names) - FILES)):
            host.tree.entries.pop(each, None)

    def session(self) -> None:
        """Some meet; one may be away for a while."""
        if self.chance.random() < 0.05:
            self.away = self.chance.choice([None, *self.hosts])
        here = [host for host in self.hosts if host is not self.away]
        meet(self.chance.sample(here, self.chance.choice([2, 2, 2, 3])))

    def all_meet(self) -> None:
        self.away = None
        for _ in range(2):
            for pair in itertools.permutations(self.hosts, 2):
                meet(pair)

    def check(self) -> None:
        """Nothing is left but what is there: no tombstone, and a component for each replica and the base at most."""
        for host in self.hosts:
            assert {path for path, record in host.known.items() if record.entry is None} == set()
            assert host.known.keys() == host.tree.entries.keys()
            assert max((len(each.version.vector) for each in host.known.values()), default=0) <= len(self.hosts) + 1
            assert len(host.members) == len(self.hosts)


@pytest.mark.parametrize("sessions", [100, pytest.param(10_000, marks=pytest.mark.slow)])
def test_what_is_remembered_does_not_grow(sessions: int) -> None:
    soak = Soak(1)
    for number in range(1, sessions + 1):
        soak.edit()
        soak.session()
        if number % QUIET == 0:
            soak.all_meet()
            soak.check()
