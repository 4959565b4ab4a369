"""The script for fish: one line for each option, with the commands that have it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aefsync.cli.catalogue import Listed, Option
from aefsync.cli.completions.kinds import Completed, Kind, operands_of, value_of

_HEAD = """\
# fish completion for aefsync, made by: python -m aefsync.cli.manual

function __aefsync_ask
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    command $words[1] _complete $argv[1] $word 2>/dev/null
    test $argv[1] = hosts; or __fish_complete_directories $word ''
end

complete -c aefsync -f
complete -c aefsync -n __fish_use_subcommand -s V -l version -d 'Say which version this is'
"""

_ACTIONS = {
    Kind.NOTHING: "-x",
    Kind.FILES: "-r -F",
    Kind.DIRECTORIES: "-x -a '(__fish_complete_directories (commandline -ct))'",
    Kind.PROGRAMS: "-x -a '(__fish_complete_command)'",
    Kind.REPLICAS: "-x -a '(__aefsync_ask replicas)'",
    Kind.HOSTS: "-x -a '(__aefsync_ask hosts)'",
}


def script(commands: Sequence[Listed]) -> str:
    """The whole script."""
    return _HEAD + "".join(f"complete -c aefsync {line}\n" for line in _lines(commands))


def _lines(commands: Sequence[Listed]) -> Iterator[str]:
    for listed in commands:
        names = " ".join((listed.name, *listed.aliases))
        yield f"-n __fish_use_subcommand -a {_quoted(names)} -d {_quoted(listed.says.rstrip('.'))}"
    for operands, own in _operands(commands).items():
        if operands.kind is not Kind.NOTHING:
            yield f"-n {_seen(own)} {_ACTIONS[operands.kind].removeprefix('-x ')}"
        if operands.words:
            yield f"-n {_seen(own)} -a {_quoted(' '.join(operands.words))}"
    for option, own in _options(commands).items():
        yield from (f"-n {_seen(own)} {line}" for line in _option(option))


def _operands(commands: Sequence[Listed]) -> dict[Completed, list[str]]:
    found: dict[Completed, list[str]] = {}
    for listed in commands:
        found.setdefault(operands_of(listed), []).extend((listed.name, *listed.aliases))
    return found


def _options(commands: Sequence[Listed]) -> dict[Option, list[str]]:
    found: dict[Option, list[str]] = {}
    for listed in commands:
        for option in listed.options:
            found.setdefault(option, []).extend((listed.name, *listed.aliases))
    return found


def _option(option: Option) -> Iterator[str]:
    names = [f"-l {name[2:]}" if name[:2] == "--" else f"-s {name[1:]}" for name in option.names]
    says = f"-d {_quoted(option.says.rstrip('.'))}"
    yield f"{' '.join(names)} {_value(option)}{says}"
    if option.opposite:
        yield f"-l {option.opposite[2:]} {says}"


def _value(option: Option) -> str:
    if not option.metavar:
        return ""
    value = value_of(option)
    if value.kind is Kind.WORDS:
        return f"-x -a {_quoted(' '.join(value.words))} "
    return f"{_ACTIONS[value.kind]} "


def _seen(names: Sequence[str]) -> str:
    return _quoted(f"__fish_seen_subcommand_from {' '.join(names)}")


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
