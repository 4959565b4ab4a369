"""The words of `trash` and `conflicts`: roots first, then a verb, then what this is about."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence

import typer

from aefsync.cli.command import is_on_the_line
from aefsync.errors import RootError, UsageError
from aefsync.sync.events import Event

LIST = "list"
"""What is done where no verb is said."""


def split(words: Sequence[str], verbs: Collection[str]) -> tuple[tuple[str, ...], str, list[str]]:
    """The roots, of which there is one at least, the verb, and what comes after it."""
    place = next((i for i, word in enumerate(words) if i > 0 and word in verbs), len(words))
    return tuple(words[:place]), (*words[place:], LIST)[0], list(words[place + 1 :])


def refuse(ctx: typer.Context, command: str, options: Iterable[str]) -> None:
    """Raise `UsageError` where the command line has one of these options, which say nothing to this verb."""
    for name in options:
        if is_on_the_line(ctx, name):
            raise UsageError(f"{command}: --{name.replace('_', '-')} has no meaning here")


def listed(events: Iterator[Event], command: str, roots: Sequence[str]) -> Iterator[Event]:
    """What a list tells; where one of the roots is none, how a path is named."""
    try:
        yield from events
    except RootError as error:
        word = next((each for each in roots[1:] if error.message.startswith(f"{each}: ")), "")
        if word:
            path = shlex.join(("aefsync", command, roots[0], LIST, word))
            error.hint = error.hint or f"a path comes after the verb: {path}"
        raise
