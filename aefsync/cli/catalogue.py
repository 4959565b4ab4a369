"""The catalogue: the command tree as values, from which manual pages and completions are made."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from aefsync.cli import exits
from aefsync.cli.app import COMMANDS, tree
from aefsync.cli.bundles import bundles_of
from aefsync.core.named_tuple import NamedTuple


class Option(NamedTuple):
    """An option.  `metavar` is empty where it takes no value, `opposite` the name that takes it back; `variable` is the
    environment variable that stands for it, empty where it is taken from the command line only."""

    names: tuple[str, ...]
    metavar: str
    says: str
    opposite: str = ""
    variable: str = ""
    repeats: bool = False

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that its value is one of, if the metavar lists them."""
        parts = self.metavar.split("|")
        return tuple(part for part in parts if part.islower()) if len(parts) > 1 else ()


HELP = Option(("-h", "--help"), "", "Show this message and exit.")


class Group(NamedTuple):
    """Options that belong together, as several commands share them."""

    title: str
    options: tuple[Option, ...]


class Listed(NamedTuple):
    """A command: what the first line of its help says, the paragraphs behind it, how its operands are written."""

    name: str
    aliases: tuple[str, ...]
    says: str
    paragraphs: tuple[str, ...]
    operands: str
    groups: tuple[Group, ...]
    exits: exits.Table

    @property
    def options(self) -> tuple[Option, ...]:
        return tuple(option for group in self.groups for option in group.options)

    @property
    def verbs(self) -> tuple[str, ...]:
        """Words that may stand behind the replicas and say what is to be done with them.

        >>> Listed("x", (), "", (), "ROOT... [list [PATH] | purge]", (), ()).verbs
        ('list', 'purge')
        """
        return tuple(re.findall(r"\b[a-z]+\b", self.operands))


def catalogue() -> tuple[Listed, ...]:
    """All commands, in the order of the help."""
    commands: Any = get_command(tree(list(COMMANDS)))
    return tuple(_listed(name, commands.commands[name]) for name in COMMANDS if name == COMMANDS[name])


def _listed(name: str, command: Any) -> Listed:
    says, *paragraphs = inspect.cleandoc(command.help).split("\n\n")
    operands = [str(param.metavar) for param in command.params if param.param_type_name == "argument"]
    return Listed(
        name,
        tuple(alias for alias in COMMANDS if COMMANDS[alias] == name != alias),
        says,
        tuple(" ".join(paragraph.split()) for paragraph in paragraphs),
        " ".join(operands),
        tuple(_groups(name, command)),
        exits.table(name),
    )


def _groups(name: str, command: Any) -> Iterator[Group]:
    """The options of a command: its own first, then those of each bundle under what the bundle is about."""
    options = {param.name: _option(param) for param in command.params if param.param_type_name == "option"}
    bundles = bundles_of(getattr(importlib.import_module(f"aefsync.cli.{name}"), name))
    shared = {field for bundle in bundles.values() for field in bundle._fields}
    own = tuple(option for field, option in options.items() if field not in shared)
    yield Group("", (*own, HELP))
    for bundle in bundles.values():
        title = inspect.cleandoc(bundle.__doc__).partition(".")[0]
        yield Group(" ".join(title.split()), tuple(options[field] for field in bundle._fields if field in options))


def _option(param: Any) -> Option:
    # The value of one that may do without never is the next word.
    is_valued = not (param.is_flag or param.count or str(param.metavar).startswith("[="))
    variable = param.envvar if isinstance(param.envvar, str) else ""
    says = " ".join(str(param.help).split())
    opposite = param.secondary_opts[0] if param.secondary_opts else ""
    repeats = bool(param.multiple or param.count)
    return Option(tuple(param.opts), str(param.metavar) if is_valued else "", says, opposite, variable, repeats)
