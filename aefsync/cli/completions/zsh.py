"""The script for zsh: `_arguments` with an array for each group of options that commands share."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from aefsync.cli.catalogue import Group, Listed, Option
from aefsync.cli.completions.kinds import Completed, Kind, operands_of, value_of

_HEAD = """\
#compdef aefsync
# zsh completion for aefsync, made by: python -m aefsync.cli.manual

_aefsync_ask()
{
    local -a found
    found=(${(f)"$(_call_program $1 ${(q)aefsync} _complete $1 ${(q)${(Q)PREFIX}} 2>/dev/null)"})
    local expl
    (( ! $#found )) || _wanted $1 expl $1 compadd -S '' -a found
    [[ $1 == hosts ]] || _path_files -/
}

_aefsync()
{
    local aefsync=${words[1]/#\\~/$HOME} curcontext=$curcontext state line
    local -a commands
    typeset -A opt_args
"""

_TAIL = """\
        esac
    fi
}

_aefsync "$@"
"""

_ACTIONS = {
    Kind.NOTHING: " ",
    Kind.FILES: "_files",
    Kind.DIRECTORIES: "_path_files -/",
    Kind.PROGRAMS: "_command_names -e",
    Kind.REPLICAS: " _aefsync_ask replicas",
    Kind.HOSTS: " _aefsync_ask hosts",
}
"""What `_arguments` calls; behind a space, as it stands."""


def script(commands: Sequence[Listed]) -> str:
    """The whole script."""
    return _HEAD + "".join(_lines(commands)) + _TAIL


def _lines(commands: Sequence[Listed]) -> Iterator[str]:
    groups = {group: f"g{number}" for number, group in enumerate(dict.fromkeys(_groups(commands)), 1)}
    yield from (f"    local -a {name}\n    {name}=(\n{_specs(group)}    )\n" for group, name in groups.items())
    pairs = [(name, listed) for listed in commands for name in (listed.name, *listed.aliases)]
    yield "    commands=(\n"
    yield from (f"        {shlex.quote(name + ':' + listed.says.rstrip('.'))}\n" for name, listed in pairs)
    yield "    )\n    _arguments -C -S '(-V --version)'{-V,--version}'[say which version this is]' \\\n"
    yield "        '(-h --help)'{-h,--help}'[show the help]' '1: :->command' '*:: :->operands'\n"
    yield "    if [[ $state == command ]]; then\n        _describe command commands\n"
    yield "    elif [[ $state == operands ]]; then\n        case $words[1] in\n"
    for listed in commands:
        names = [f"${groups[group]}" for group in listed.groups]
        action = _action(operands_of(listed))
        operands = f" '*:replica:{action}'" if listed.operands else ""
        yield f"            {'|'.join((listed.name, *listed.aliases))}) _arguments -s -S {' '.join(names)}{operands} ;;\n"


def _groups(commands: Sequence[Listed]) -> Iterator[Group]:
    return (group for listed in commands for group in listed.groups)


def _specs(group: Group) -> str:
    return "".join(f"        {spec}\n" for option in group.options for spec in _spec(option))


def _spec(option: Option) -> Iterator[str]:
    """One word of `_arguments` for each name."""
    names = [*option.names, *([option.opposite] if option.opposite else [])]
    before = "*" if option.repeats else f"({' '.join(names)})"
    says = option.says.rstrip(".").replace("[", "\\[").replace("]", "\\]")
    value = f":{option.metavar.replace(':', ' ')}:{_action(value_of(option))}" if option.metavar else ""
    for name in names:
        sign = "=" if value and name[:2] == "--" else ""
        yield shlex.quote(f"{before}{name}{sign}[{says}]{value}")


def _action(value: Completed) -> str:
    words = "(" + " ".join(word.replace(":", "\\:") for word in value.words) + ")"
    if value.kind is Kind.WORDS:
        return words
    action = _ACTIONS[value.kind]
    return f'{{_alternative "words:verb:{words}" "replicas:replica:{action}"}}' if value.words else action
