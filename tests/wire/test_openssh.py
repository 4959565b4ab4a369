"""The command line of ssh, and what its end means, for every way in which a login can fail."""

from __future__ import annotations

import pytest

from aefsync.errors import IncompatibleError, UnreachableError, UsageError
from aefsync.wire.launching import agent_command
from aefsync.wire.login import Link, Login
from aefsync.wire.openssh import connect, explain, ssh_argv
from aefsync.wire.process import Ending

HOST = Login("host", "me")


def test_the_command_line() -> None:
    argv = ssh_argv(Login("host"), Link(), asks=True)
    assert argv[0] == "ssh"
    assert argv[-1] == "host"
    assert "ConnectTimeout=20" in argv
    assert not {"-p", "-i", "-l", "BatchMode=yes", "StrictHostKeyChecking=accept-new"} & set(argv)


def test_nothing_is_asked_where_nobody_can_answer() -> None:
    assert "BatchMode=yes" in ssh_argv(Login("host"), Link(), asks=False)


def test_options_and_the_location_itself_go_to_ssh() -> None:
    link = Link(ssh="ssh -F 'my config'", port=22, identity="key", accept_new_host_key=True, connect_timeout_s=0.2)
    argv = ssh_argv(Login("::1", "me", 2222), link, asks=True)
    assert argv[:3] == ["ssh", "-F", "my config"]
    assert argv[-7:] == ["-p", "2222", "-i", "key", "-l", "me", "::1"]
    assert "StrictHostKeyChecking=accept-new" in argv
    assert "ConnectTimeout=1" in argv


def test_another_program_is_given_what_all_of_them_know() -> None:
    assert ssh_argv(HOST, Link(ssh="dbclient -y", port=5), asks=False) == [
        *("dbclient", "-y", "-p", "5", "-l", "me", "host")
    ]


@pytest.mark.parametrize(("ssh", "words"), [("no-such-ssh-anywhere", "no such program"), ("ssh 'x", "--ssh")])
def test_a_program_that_cannot_be_started(ssh: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        connect(HOST, Link(ssh=ssh), "agent", lambda line: None)


def test_the_far_command_is_plain_enough_for_any_shell() -> None:
    usual = agent_command("")
    assert usual.startswith("sh -c '")
    assert usual.count("'") == 2
    assert not set("\\!\n") & set(usual)
    assert agent_command("sudo /opt/aefsync") == "sudo /opt/aefsync agent"


UNREACHABLE = {
    "a name that does not resolve": (
        "ssh: Could not resolve hostname host: Name or service not known",
        "host does not resolve to an address",
        False,
    ),
    "a name that does not resolve now": (
        "ssh: Could not resolve hostname host: Temporary failure in name resolution",
        "host does not resolve to an address now",
        True,
    ),
    "a closed port": (
        "ssh: connect to host h port 22: Connection refused",
        "connection refused: no SSH server listens there",
        True,
    ),
    "no answer": ("ssh: connect to host h port 22: Connection timed out", "connection timed out", True),
    "no route": ("ssh: connect to host h port 22: No route to host", "no route to host", True),
    "an unknown host key": ("Host key verification failed.", "its host key is not known", False),
    "a changed host key": (
        "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.",
        "its host key is not the one that is known",
        False,
    ),
    "a wrong key": ("me@host: Permission denied (publickey).", "login refused (publickey)", False),
    "anything else": ("first\nsomething unheard of", "something unheard of", False),
    "nothing": ("", "ssh has ended without a word", False),
}


@pytest.mark.parametrize("name", UNREACHABLE)
def test_why_a_host_cannot_be_reached(name: str) -> None:
    text, message, transient = UNREACHABLE[name]
    error = explain(HOST, Ending(255, b"", tuple(text.splitlines())))
    assert isinstance(error, UnreachableError)
    assert (error.message, error.transient) == (message, transient)
    again = explain(HOST, Ending(255, None, tuple(text.splitlines())))
    assert again.message == f"connection lost: {message}"


NO_AGENT = {
    "not installed": (Ending(127, b"", ()), "there is no aefsync on the far side"),
    "silence": (Ending(0, b"", ()), "there is no aefsync on the far side"),
    "another service": (Ending(1, b"This service allows sftp connections only.\n", ()), "sftp connections only."),
    "no login": (Ending(1, b"Welcome\n\nThis account is currently not available.\n", ()), "not available."),
    "a broken program": (Ending(1, b"Welcome\n", ("Traceback", "ImportError: x")), "answered: ImportError: x"),
}


@pytest.mark.parametrize("name", NO_AGENT)
def test_a_login_that_leads_to_no_agent(name: str) -> None:
    ending, words = NO_AGENT[name]
    error = explain(HOST, ending)
    assert isinstance(error, IncompatibleError)
    assert error.message.endswith(words)
    assert [line.split("   ")[0] for line in (error.hint or "").splitlines()] == ["aefsync deploy me@host", "--deploy"]


@pytest.mark.parametrize(("code", "words"), [(0, "other side has closed"), (3, "exit status 3"), (-9, "Killed")])
def test_an_agent_that_goes_away(code: int, words: str) -> None:
    error = explain(HOST, Ending(code, None, ()))
    assert isinstance(error, UnreachableError)
    assert words in error.message
