"""`StandardError`: the lines of a far side, held back until it is known whether they explain why no agent answers."""

from __future__ import annotations

import threading
from collections.abc import Callable

MAX_LINES = 200
"""Lines that are kept."""
MAX_LINE = 4096


class StandardError:
    """Reads lines in a thread of its own, by `read` (empty at the end), and hands them to `heard` once released."""

    def __init__(self, read: Callable[[], bytes], heard: Callable[[str], None]) -> None:
        self._read = read
        self._heard = heard
        self._held: list[str] | None = []
        self._last: list[str] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Pass on what was held back, and from now on every line as it comes."""
        with self._lock:
            held, self._held = self._held or (), None
            for line in held:
                self._heard(line)

    def lines(self, patience_s: float) -> tuple[str, ...]:
        """The last lines, after a while for the end to come."""
        self._thread.join(patience_s)
        with self._lock:
            return tuple(self._last)

    @property
    def has_ended(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        rest = b""
        while data := self._read():
            *lines, rest = (rest + data).replace(b"\r", b"\n").split(b"\n")
            rest = rest[:MAX_LINE]
            self._take(lines)
        self._take([rest])

    def _take(self, lines: list[bytes]) -> None:
        texts = [line[:MAX_LINE].decode("utf-8", "surrogateescape") for line in lines if line.strip()]
        with self._lock:
            self._last = (self._last + texts)[-MAX_LINES:]
            if self._held is None:
                for text in texts:
                    self._heard(text)
            else:
                self._held = (self._held + texts)[-MAX_LINES:]
