"""Patterns: lines as in gitignore files, for what is left out and for rules alike.  The package's one door to pathspec.

They may come from whoever writes to a replica: none takes more than a bounded time (`wildcards`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aefsync.core.named_tuple import NamedTuple
from aefsync.core.wildcards import bounded

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

MAX_RULES = 1 << 18
"""Bytes of one file of them."""
MAX_LINE = 4096
"""Characters of one; no path that anybody can name in one call is longer."""


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

    # Other engines know nothing of groups that are passed once, and may be installed anywhere.
    return Patterns(tuple(lines), GitIgnoreSpec(map(_pattern, lines), backend="simple"))


def parse_glob(line: str) -> Patterns:
    """Read one line that is to stand for paths; raises `ValueError` for what stands for none (empty, a comment, `!`)."""
    found = parse_patterns([line])
    if not any(each.include for each in found.spec.patterns):
        raise ValueError(f"{line!r} is no glob: it stands for no path")
    return found


def _pattern(line: str) -> GitIgnoreSpecPattern:
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    if len(line) > MAX_LINE:
        raise ValueError(f"bad pattern {line[:20]!r}…: of more than {MAX_LINE} characters")
    try:
        regex, include = GitIgnoreSpecPattern.pattern_to_regex(line)
        return GitIgnoreSpecPattern(None if regex is None else re.compile(bounded(regex), re.DOTALL), include)
    except (ValueError, re.error) as error:
        raise ValueError(f"bad pattern {line!r}: {error}") from None
