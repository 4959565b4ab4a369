"""Kinds: what a value or an operand may be completed with, as far as the command tree tells."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from aefsync.cli.catalogue import Listed, Option
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.policy import WITH_ARGUMENT, PolicyKind


class Kind(enum.Enum):
    """What something is completed with."""

    NOTHING = enum.auto()
    WORDS = enum.auto()
    """some fixed words"""
    FILES = enum.auto()
    DIRECTORIES = enum.auto()
    PROGRAMS = enum.auto()
    REPLICAS = enum.auto()
    HOSTS = enum.auto()


class Completed(NamedTuple):
    kind: Kind
    words: tuple[str, ...] = ()


_BY_METAVAR = {
    "FILE": Completed(Kind.FILES),
    "DIR": Completed(Kind.DIRECTORIES),
    "CMD": Completed(Kind.PROGRAMS),
    "POLICY": Completed(Kind.WORDS, tuple(f"{each}:" if each in WITH_ARGUMENT else str(each) for each in PolicyKind)),
    "LOCATION": Completed(Kind.REPLICAS),
}


def value_of(option: Option) -> Completed:
    """What the value of an option is completed with."""
    if option.choices:
        return Completed(Kind.WORDS, option.choices)
    return _BY_METAVAR.get(option.metavar, Completed(Kind.NOTHING))


def operands_of(listed: Listed) -> Completed:
    """What the operands of a command are completed with; beside replicas it may have verbs."""
    if not listed.operands:
        return Completed(Kind.NOTHING)
    is_host = listed.operands.endswith("@]HOST")
    return Completed(Kind.HOSTS if is_host else Kind.REPLICAS, listed.verbs)


def valued(commands: Sequence[Listed]) -> dict[Completed, list[str]]:
    """The names of all options that take a value, by what that is completed with; raises `ValueError` where an option
    means one thing here and another there."""
    found: dict[str, Completed] = {}
    for option in (option for listed in commands for option in listed.options):
        for name in option.names:
            value = value_of(option) if option.metavar else None
            if value is not None and found.setdefault(name, value) != value:
                raise ValueError(f"{name} is completed in two ways")
    names: dict[Completed, list[str]] = {}
    for name, value in found.items():
        names.setdefault(value, []).append(name)
    return names
