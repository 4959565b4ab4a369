"""The script for bash, 4.4 or newer.

Bash cuts words at `:`, `=` and `@`, which stand in locations: the word is put together again, and of each candidate only
what lies behind the last cut is given back.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from aefsync.cli.catalogue import Listed
from aefsync.cli.completions.kinds import Completed, Kind, operands_of, valued

_HEAD = """\
# bash completion for aefsync, made by: python -m aefsync.cli.manual

_aefsync()
{
    local cur prev command= i line=${COMP_LINE:0:COMP_POINT}
    COMPREPLY=()
    cur=${COMP_WORDS[COMP_CWORD]} i=$COMP_CWORD
    while ((i > 1)) && [[ $line == *"${COMP_WORDS[i-1]}$cur" ]]; do
        cur=${COMP_WORDS[--i]}$cur
    done
    prev=${COMP_WORDS[i-1]}
    if [[ $cur == --*=* ]]; then
        prev=${cur%%=*} cur=${cur#*=}
    fi
    local word
    for word in "${COMP_WORDS[@]:1:i-1}"; do
        if [[ $word != -* ]]; then
            command=$word
            break
        fi
    done
    case $prev in
"""

_TAIL = r"""    esac
}

_aefsync_give()
{
    local breaks= each cut=
    for each in : = @; do
        [[ $COMP_WORDBREAKS != *$each* ]] || breaks+=$each
    done
    [[ -z $breaks ]] || cut=${cur%"${cur##*[$breaks]}"}
    for each; do
        [[ $each != *[/:] ]] || compopt -o nospace 2>/dev/null
        COMPREPLY+=("${each#"$cut"}")
    done
}

_aefsync_words()
{
    local found
    mapfile -t found < <(compgen -W "$1" -- "$cur")
    _aefsync_give "${found[@]}"
}

_aefsync_ask()
{
    local each quoted found=() plain=${cur//\\/}
    [[ $cur != [\'\"]* ]] || return 0
    while IFS= read -r each; do
        printf -v quoted %q "$each"
        found+=("${quoted/#\\\~/\~}")
    done < <(
        "${COMP_WORDS[0]/#\~/$HOME}" _complete "$1" "$plain" 2>/dev/null
        [[ $1 != replicas ]] || compgen -d -S / -- "$plain"
    )
    _aefsync_give "${found[@]}"
}

_aefsync_files()
{
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "${cur//\\/}")
}

complete -F _aefsync aefsync
"""


def script(commands: Sequence[Listed]) -> str:
    """The whole script."""
    names = " ".join(name for listed in commands for name in (listed.name, *listed.aliases))
    cases = [f"        {'|'.join(own)}) {_call(value)}; return ;;\n" for value, own in valued(commands).items()]
    cases.append("    esac\n    case $command in\n")
    cases.append(f"        '') _aefsync_words {shlex.quote(names + ' --help --version')} ;;\n")
    cases += map(_command, commands)
    return _HEAD + "".join(cases) + _TAIL


def _command(listed: Listed) -> str:
    options = [name for option in listed.options for name in (*option.names, option.opposite) if name[:2] == "--"]
    operands = operands_of(listed)
    lines = [f"[[ $cur == -* ]] && _aefsync_words {shlex.quote(' '.join(options))} && return"]
    if operands.words:
        lines.append(f"_aefsync_words {shlex.quote(' '.join(operands.words))}")
    if operands.kind is not Kind.NOTHING:
        lines.append(_call(Completed(operands.kind)))
    body = "".join(f"            {line}\n" for line in lines)
    return f"        {'|'.join((listed.name, *listed.aliases))})\n{body}            ;;\n"


def _call(value: Completed) -> str:
    """The function that completes something."""
    match value.kind:
        case Kind.WORDS:
            return f"_aefsync_words {shlex.quote(' '.join(value.words))}"
        case Kind.FILES:
            return "_aefsync_files -f"
        case Kind.DIRECTORIES:
            return "_aefsync_files -d"
        case Kind.PROGRAMS:
            return "_aefsync_files -c"
        case Kind.REPLICAS | Kind.HOSTS:
            return f"_aefsync_ask {value.kind.name.lower()}"
    return ":"
