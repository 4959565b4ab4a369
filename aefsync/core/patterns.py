"""Patterns: lines as in gitignore files, for what is left out and for rules alike.  The package's one door to pathspec."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

MAX_RULES = 1 << 20
"""Bytes of one file of them."""


class Patterns(NamedTuple):
    """Some lines, of which the last one that stands for a path decides; what lies below a directory goes with it."""

    lines: tuple[str, ...]
    spec: GitIgnoreSpec

    def is_written(self, path: bytes) -> bool:
        """Whether one of the lines is the path itself, whatever else it stands for."""
        return path.decode("utf-8", "surrogateescape") in self.lines

    def fit(self, path: bytes, *, is_directory: bool = False) -> bool:
        """Whether they stand for a path."""
        text = path.decode("utf-8", "surrogateescape")
        return bool(self.spec.match_file(text + "/" if is_directory else text))


def parse_patterns(lines: Sequence[str]) -> Patterns:
    """Read lines as users write them; raises `ValueError` for one that cannot be read.

    >>> parse_patterns(["*.o", "!keep.o"]).fit(b"src/a.o")
    True
    """
    from pathspec import GitIgnoreSpec

    for line in lines:
        try:
            GitIgnoreSpec.from_lines([line])
        except (ValueError, re.error) as error:
            raise ValueError(f"bad pattern {line!r}: {error}") from None
    return Patterns(tuple(lines), GitIgnoreSpec.from_lines(lines))


def parse_glob(line: str) -> Patterns:
    """Read one line that is to stand for paths; raises `ValueError` for what stands for none (empty, a comment, `!`)."""
    found = parse_patterns([line])
    if not any(each.include for each in found.spec.patterns):
        raise ValueError(f"{line!r} is no glob: it stands for no path")
    return found
