"""What is run on the far side to get an agent, and what is said where none comes up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aefsync import __version__
from aefsync.errors import IncompatibleError
from aefsync.wire.login import Login

if TYPE_CHECKING:
    from aefsync.wire.process import Ending

NOT_FOUND = 127
"""Exit status of a shell that finds no such command."""

AGENTS = "${XDG_CACHE_HOME:-$HOME/.cache}/aefsync/agents"
"""Where a far shell finds what was deployed, a directory for each version."""
SEARCH = 'PATH="$PATH:$HOME/.local/bin:/usr/local/bin"'
"""Has it look for programs where a login by ssh often does not."""

# Within single quotes and without any of \\ ! ' the far shell may be sh, fish or tcsh.  It is the agent itself that is
# called first, so that a forced command stands in its place without any probe.  A deployed agent of this very version
# comes before the one on the PATH: it is there because that one did not fit, or was missing.
_SCRIPT = (
    f'd="{AGENTS}/{__version__}/agent"; if [ -f "$d" ]; then exec sh "$d"; fi; {SEARCH}; '
    f"command -v aefsync >/dev/null 2>&1 || exit {NOT_FOUND}; exec aefsync agent"
)


class NoAgentError(IncompatibleError):
    """A login that worked and led to no agent."""


def agent_command(program: str) -> str:
    """The command line for the far shell: `program` as the user gave it, or `aefsync` where it is usually found."""
    return f"{program} agent" if program else f"sh -c '{_SCRIPT}'"


def no_agent(login: Login, ending: Ending) -> NoAgentError:
    """The error for a login that worked and led to no agent."""
    words = [*ending.lines, *(ending.said or b"").decode("utf-8", "surrogateescape").split("\n")]
    said = [word.strip() for word in words if word.strip()]
    if ending.code == NOT_FOUND or not said:
        return NoAgentError("there is no aefsync on the far side", hint=remedies(login))
    return NoAgentError(
        f"no agent answered: {said[len(ending.lines) - 1 if ending.lines else -1]}", hint=remedies(login)
    )


def remedies(login: Login) -> str:
    """What can be done about a host without an agent, a line each."""
    return (
        f"aefsync deploy {login}   puts an agent there, in the user's cache directory\n"
        f"--deploy   does that in the same run"
    )
