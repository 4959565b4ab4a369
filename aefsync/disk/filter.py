"""Ignore rules: gitignore lines, later ones winning (`core.patterns`)."""

from __future__ import annotations

from collections.abc import Sequence

from aefsync.core.digest import framed_digest
from aefsync.core.patterns import parse_patterns
from aefsync.errors import UsageError

IGNORE_FILE = b".aefsyncignore"


class Filter:
    """Decides which paths are unmanaged.  `digest` identifies the rules (empty where there are none)."""

    def __init__(self, rules: Sequence[str]) -> None:
        self.digest = framed_digest((rule.encode("utf-8", "surrogateescape") for rule in rules), 8) if rules else b""
        try:
            self._patterns = parse_patterns(rules) if rules else None
        except ValueError as error:
            raise UsageError(str(error)) from None

    def excludes(self, path: bytes, *, is_directory: bool) -> bool:
        """Whether the rules leave out this path (its directories being in)."""
        return self._patterns is not None and self._patterns.fit(path, is_directory=is_directory)
