"""`--exclude`, `--include` and `--exclude-from` as one list of gitignore lines in the order of the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence

from aefsync.errors import UsageError

FILTERS = ("exclude", "include", "exclude_from")


def rules(order: Sequence[str], given: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Gitignore lines, later ones winning.

    `order` names the options as they stood on the command line; values beyond it come from the environment, and so
    from before the line.
    """
    values = {name: list(given[name]) for name in FILTERS}
    lines: list[str] = []
    for name in FILTERS:
        for _ in range(len(values[name]) - order.count(name)):
            lines += _lines(name, values[name].pop(0))
    for name in order:
        if name in values:
            lines += _lines(name, values[name].pop(0))
    return tuple(lines)


def lines(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """The gitignore lines of filters that are in order already, each with the name of its option."""
    return [line for name, value in pairs for line in _lines(name, value)]


def _lines(name: str, value: str) -> list[str]:
    if name == "exclude_from":
        return _read(value)
    if not value:
        raise UsageError(f"--{name}: an empty pattern")
    literal = f"\\{value}" if value.startswith("#") else value
    return [f"!{literal}" if name == "include" else literal]


def _read(file: str) -> list[str]:
    try:
        if file == "-":
            data = sys.stdin.buffer.read()
        else:
            with open(file, "rb") as stream:
                data = stream.read()
    except OSError as error:
        raise UsageError(f"--exclude-from: {file}: {error.strerror}") from error
    lines = os.fsdecode(data).removeprefix("\ufeff").split("\n")
    return [line for text in lines if (line := text.removesuffix("\r")) and not line.startswith("#")]
