"""Writes lines to stdout or stderr: in blocks, coloured where asked, and telling a closed reader from other trouble."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import BinaryIO

PATIENCE_S = 0.1
"""How long a line for a terminal may wait for more."""


class ClosedOutputError(Exception):
    """Nobody reads stdout any more."""


class Writer:
    """Lines for one stream.

    `prompt` is for streams somebody looks at: what is written shows soon.  `before` is called before anything is
    written (progress gets out of the way).
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        encoding: str = "utf-8",
        colored: bool = False,
        prompt: bool = False,
        before: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._encoding = encoding
        self._colored = colored
        self._prompt = prompt
        self._before = before
        self._clock = clock
        self._shown = 0.0

    def line(self, text: str, *, marked: str = "", style: str = "") -> None:
        """Write `marked`, in an ANSI `style` where colours are on, and `text`."""
        if self._colored and style:
            marked = f"\x1b[{style}m{marked}\x1b[0m"
        self.raw(f"{marked}{text}\n".encode(self._encoding, "backslashreplace"))

    def raw(self, data: bytes) -> None:
        """Write bytes as they are."""
        if self._before:
            self._before()
        try:
            self._stream.write(data)
        except BrokenPipeError as error:
            raise ClosedOutputError from error
        if self._prompt and self._clock() - self._shown > PATIENCE_S:
            self.flush()

    def flush(self) -> None:
        """Hand over what was written."""
        try:
            self._stream.flush()
        except BrokenPipeError as error:
            raise ClosedOutputError from error
        self._shown = self._clock()
