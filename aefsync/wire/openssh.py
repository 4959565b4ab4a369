"""The `ssh` program as a child: it knows the user's configuration, agents, jump hosts and hardware keys.

What its end means is read from its exit status (255: ssh itself failed) and from what it says in that case.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
from collections.abc import Callable

from aefsync.errors import AefsyncError, UnreachableError, UsageError
from aefsync.wire import failures
from aefsync.wire.launching import no_agent
from aefsync.wire.login import Link, Login, has_terminal
from aefsync.wire.process import Ending, ProcessStream
from aefsync.wire.tracing import DEBUG

_ANSWER_S = 120.0
"""How long somebody may take to answer ssh's questions; as long as its server waits for a login."""


def connect(login: Login, link: Link, command: str, heard: Callable[[str], None]) -> ProcessStream:
    """Start ssh, which has the far shell run `command`; whether it gets through shows at the first read.  Raises `UsageError` where there is no such program."""
    asks = has_terminal()
    argv = ssh_argv(login, link, asks=asks)
    if shutil.which(argv[0]) is None:
        raise UsageError(f"{argv[0]}: there is no such program", hint="--ssh names another one")
    first_s = link.connect_timeout_s + (_ANSWER_S if asks else link.timeout_s)
    return ProcessStream(
        [*argv, command],
        lambda ending: explain(login, ending),
        heard,
        first_s=first_s,
        silence_s=link.timeout_s,
        apart=not asks,
    )


def is_there(link: Link) -> bool:
    """Whether there is an ssh program, or one was asked for."""
    return bool(link.ssh) or shutil.which("ssh") is not None


def talkative(link: Link) -> Link:
    """A link over which ssh says how far it gets (`tracing`); another program does not know how."""
    argv = _program(link)
    return link._replace(ssh=shlex.join([*argv, "-v"])) if os.path.basename(argv[0]) == "ssh" else link


def ssh_argv(login: Login, link: Link, *, asks: bool) -> list[str]:
    """The command line up to the host: a command for the far side may follow."""
    argv = _program(link)
    if os.path.basename(argv[0]) == "ssh":
        argv += ["-T", "-x"]
        for option in _options(link, asks=asks):
            argv += ["-o", option]
    port = login.port or link.port
    argv += ["-p", str(port)] if port is not None else []
    argv += ["-i", link.identity] if link.identity else []
    argv += ["-l", login.user] if login.user is not None else []
    return [*argv, login.host]


def _program(link: Link) -> list[str]:
    try:
        return shlex.split(link.ssh) or ["ssh"]
    except ValueError as error:
        raise UsageError(f"--ssh: {link.ssh}: {str(error).lower()}") from None


def _options(link: Link, *, asks: bool) -> list[str]:
    """As scp and sftp have them, with a deadline; nothing is asked where nobody can answer."""
    options = ["ForwardAgent=no", "PermitLocalCommand=no", "ClearAllForwardings=yes", "RemoteCommand=none"]
    options += [f"ConnectTimeout={max(1, round(link.connect_timeout_s))}"]
    if not asks:
        options.append("BatchMode=yes")
    if link.accept_new_host_key:
        options.append("StrictHostKeyChecking=accept-new")
    return options


_REASONS: tuple[tuple[str, Callable[[str, str], UnreachableError]], ...] = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED()", lambda host, _: failures.changed_host_key(host)),
    (r"Host key verification failed()|No \S+ host key is known", lambda host, _: failures.unknown_host_key()),
    (r"Permission denied \((.*)\)", lambda host, ways: failures.login_refused(ways)),
    ("Temporary failure in name resolution()", lambda host, _: failures.unresolved(host, transient=True)),
    ("Could not resolve hostname()|Name or service not known", lambda host, _: failures.unresolved(host)),
    ("Connection refused()", lambda host, _: failures.not_listening()),
    ("([Cc]onnection timed out|[Cc]onnection reset|No route to host)", lambda host, what: failures.passing(what)),
    ("(Connection closed by|Network is unreachable)", lambda host, what: failures.passing(what)),
)
"""What ssh says, and what that means."""


def explain(login: Login, ending: Ending) -> AefsyncError:
    """What the end of ssh means."""
    ending = ending._replace(lines=tuple(line for line in ending.lines if not DEBUG.match(line)))
    text = "\n".join(ending.lines)
    if ending.code == 255 or (ending.code is None and ending.said is not None):
        return _unreachable(login, text, ending)
    if ending.said is not None:
        return no_agent(login, ending)
    how = "the other side has closed" if not ending.code else f"the agent has ended ({_status(ending.code)})"
    return UnreachableError(f"connection lost: {how}", transient=True)


def _unreachable(login: Login, text: str, ending: Ending) -> UnreachableError:
    last = ending.lines[-1] if ending.lines else "ssh has ended without a word"
    error = UnreachableError(last, transient=ending.said is None)
    for pattern, means in _REASONS:
        found = re.search(pattern, text)
        if found:
            error = means(login.host, found[1] or "")
            break
    if ending.said is None:
        return UnreachableError(f"connection lost: {error.message}", hint=error.hint, transient=error.transient)
    return error


def _status(code: int) -> str:
    return f"exit status {code}" if code >= 0 else signal.strsignal(-code) or f"signal {-code}"
