"""The monitor that shows nothing."""

from __future__ import annotations

from aefsync.core.ports import Phase


class Silent:
    """The monitor that shows nothing."""

    def progress(self, replica: int, phase: Phase, done: int, total: int) -> None:
        return None

    def heard(self, replica: int, line: str) -> None:
        return None
