"""Ignore rules: gitignore lines, later ones winning.  The package's one door to pathspec."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aefsync.core.digest import framed_digest
from aefsync.errors import UsageError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = b".aefsyncignore"
MAX_RULES = 1 << 20
"""Bytes of one ignore file."""


class Filter:
    """Decides which paths are unmanaged.  `digest` identifies the rules (empty where there are none)."""

    def __init__(self, rules: Sequence[str]) -> None:
        self.digest = framed_digest((rule.encode("utf-8", "surrogateescape") for rule in rules), 8) if rules else b""
        self._spec = _compile(rules) if rules else None

    def excludes(self, path: bytes, *, is_directory: bool) -> bool:
        """Whether the rules leave out this path (its directories being in)."""
        if self._spec is None:
            return False
        text = path.decode("utf-8", "surrogateescape")
        return bool(self._spec.match_file(text + "/" if is_directory else text))


def _compile(rules: Sequence[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    for rule in rules:
        try:
            GitIgnoreSpec.from_lines([rule])
        except (ValueError, re.error) as error:
            raise UsageError(f"bad pattern {rule!r}: {error}") from None
    return GitIgnoreSpec.from_lines(rules)
