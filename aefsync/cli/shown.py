"""What the engine's generators yield, and what a renderer is."""

from __future__ import annotations

from typing import Protocol

from aefsync.sync.events import Digested, Event, Trashed

Shown = Event | Digested | Trashed


class Renderer(Protocol):
    """Shows events, in order, as they come."""

    def show(self, event: Shown) -> None:
        """Show one event, perhaps only when the next one comes."""

    def finish(self) -> None:
        """Show what was held back: the run is over, well or not."""
