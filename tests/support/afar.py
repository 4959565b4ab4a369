"""Afar: tellers of stories whose replicas are served by agents, some pinned to their root; their connections may be cut."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from aefsync.core.silent import Silent
from aefsync.errors import AefsyncError, UnreachableError
from aefsync.sync.agent import Pin
from aefsync.sync.events import Event
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from aefsync.wire.login import Link
from tests.support.far import Hosts
from tests.support.tellers import FINE, REFUSED, Teller

LOST = (*FINE, 7)
"""What a run may come to of which a replica cannot be reached, or is lost."""


class Afar(Teller):
    """Replicas of which some are each on a host of their own."""

    def __init__(self, folder: Path, number: int, hosts: Hosts, *, replicas: int = 0) -> None:
        super().__init__(folder, number, replicas=replicas)
        self.hosts = hosts
        self.link = Link(retries=0)
        chance = self.chance
        self.far = {root for root in self.roots if chance.random() < 0.6} or {chance.choice(self.roots)}
        for root in self.roots:
            if chance.random() < 0.3:
                self.limit(root, root=os.fsencode(root))
        self.where = self.location

    def location(self, root: Path) -> str:
        if root not in self.far:
            return str(root)
        pin = self.hosts.pins.get(root.name)
        return f"{root.name}:" if pin is not None and pin.root is not None else f"{root.name}:{root}"

    def limit(self, one: Path, **limits: Any) -> None:
        """What agents of one of the roots are started for from now on."""
        self.hosts.pins[one.name] = self.hosts.pins.get(one.name, Pin())._replace(**limits)

    def ask_at(self, host: str, far: Iterable[Path]) -> None:
        """Runs are asked for on some host from now on, with what is remembered there; these are far from it."""
        self.far = {*far}
        self._state = str(self.folder / "hosts" / host)

    def in_any_order(self) -> list[Path]:
        some = self.two_or_all()
        return self.chance.sample(some, len(some))

    def cut(self, some: Iterable[Path]) -> None:
        """Some connections will break: after so many messages or bytes, once or for good; runs try again, or do not."""
        chance = self.chance
        for root in [root for root in some if root in self.far and chance.random() < 0.6]:
            line, heals = self.hosts.line(root.name), chance.random() < 0.6
            match chance.choice(["writes", "replies", "sent", "received"]):
                case "writes":
                    line.begin(chance.randrange(40), heals=heals)
                case "replies":
                    line.begin(replies=chance.randrange(40), heals=heals)
                case "sent":
                    line.begin(cut_sent=chance.randrange(6000), heals=heals)
                case "received":
                    line.begin(cut_received=chance.randrange(8000), heals=heals)
        self.link = Link(retries=chance.choice([0, 0, 2]))

    def heal(self) -> None:
        """All is well again, and nobody holds a root any more."""
        self.hosts.rest()
        for line in self.hosts.lines.values():
            line.begin()
        self.link = Link(retries=0)

    def request(self, some: Sequence[Path], policy: str, **more: Any) -> RepairRequest:
        is_dry = more.pop("dry_run", False)
        return super().request(some, policy, **more)._replace(dry_run=is_dry)

    def common(self, some: Iterable[Path], **more: Any) -> Request:
        return super().common(some, link=self.link, **more)

    def meet(
        self, some: Sequence[Path] = (), policy: str = "keep-both", *, fine: Sequence[int] = FINE, **more: Any
    ) -> list[Event]:
        request = self.request(some or self.roots, policy, **more)
        return self.run(lambda: repair(request, Silent()), (*REFUSED, UnreachableError), fine=fine)

    def run(
        self,
        begin: Callable[[], Iterable[Event]],
        refused: tuple[type[AefsyncError], ...] = (AefsyncError,),
        *,
        fine: Sequence[int] = FINE,
    ) -> list[Event]:
        # An agent of which nobody hears any more may be at work for a moment.
        events = super().run(begin, refused, fine=fine)
        self.hosts.rest()
        return events
