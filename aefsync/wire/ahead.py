"""Reads ahead while a call goes on, so that a wait ends when its client has something more to say, or has left."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Ahead:
    """A read that goes on in a thread of its own; `on_end` is called before anybody can have its result."""

    def __init__(self, read: Callable[[], bytes], on_end: Callable[[], None]) -> None:
        self._read = read
        self._on_end = on_end
        self._data = b""
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._data = self._read()
        except Exception as error:  # noqa: BLE001  it is raised again by whoever takes the result
            self._error = error
        self._on_end()

    def result(self) -> bytes:
        """What was read, or raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._data
