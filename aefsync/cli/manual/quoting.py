"""Docstrings of the package, quoted in pages, so that what a page says is what the code says.

On a line of its own `{core.tree}` stands for the docstring of that module, `{core.settling: heads}` for the indented
block in it that begins with these words, and `{core.settling: heads | items}` for the same table as a list of items.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import re
from collections.abc import Iterator

_QUOTED = re.compile(r"^\{([\w.]+)(?:: ([^}\n|]+?))?( \| items)?\}$", re.MULTILINE)
_BLOCK = re.compile(r"(?:^[ ]{4}.*(?:\n|\Z)|^\n(?=[ ]{4}))+", re.MULTILINE)
_CELL = re.compile(r"\S+(?: \S+)*")


def quoted(text: str) -> str:
    """Text with all that it quotes; raises `LookupError` for what is nowhere."""
    return _QUOTED.sub(lambda match: _found(match[1], match[2], is_table=bool(match[3])), text)


def _found(name: str, words: str | None, *, is_table: bool) -> str:
    whole = inspect.cleandoc(importlib.import_module(f"aefsync.{name}").__doc__ or "")
    if words is None:
        return whole
    for match in _BLOCK.finditer(whole):
        block = match[0].strip("\n").rstrip()
        if block.split()[: len(words.split())] == words.split():
            return "\n\n".join(items(block)) if is_table else block
    raise LookupError(f"aefsync.{name}: no block begins with {words!r}")


def items(block: str) -> Iterator[str]:
    """The rows of a table as items; its columns begin where the cells of its first line do.

    >>> list(items("  a   one\\n      or so\\n  b   two"))
    ['a :: one or so', 'b :: two']
    """
    first, *_ = lines = block.split("\n")
    starts = [match.start() for match in _CELL.finditer(first)]
    rows: list[list[str]] = []
    for line in lines:
        cells = [line[start:end].strip() for start, end in itertools.pairwise([*starts, len(line) + 1])]
        if cells[0]:
            rows.append(cells)
        else:
            rows[-1] = [f"{above} {cell}".strip() for above, cell in zip(rows[-1], cells, strict=True)]
    return (f"{cells[0]} :: {'; '.join(filter(None, cells[1:]))}" for cells in rows)
