"""How an agent is reached: whom to log in as, and where (`Login`), and what the command line says about it (`Link`)."""

from __future__ import annotations

import enum
import os

from aefsync.core.named_tuple import NamedTuple


class Transport(enum.StrEnum):
    """What carries the messages."""

    AUTO = "auto"
    """the ssh program where there is one"""
    OPENSSH = "openssh"
    PARAMIKO = "paramiko"


class Login(NamedTuple):
    """A host, by its name or an alias of the user's ssh configuration, which also fills in what is `None`."""

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        return self.host if self.user is None else f"{self.user}@{self.host}"


class Link(NamedTuple):
    """How agents are reached.

    Empty words stand for what is usual: the `ssh` program, the port and the keys of its configuration, `aefsync` on
    the far side.
    """

    transport: Transport = Transport.AUTO
    ssh: str = ""
    """the ssh program and its options, as a shell would split them"""
    port: int | None = None
    identity: str = ""
    remote_command: str = ""
    """how the far side calls aefsync"""
    connect_timeout_s: float = 20.0
    timeout_s: float = 60.0
    """silence after which a peer counts as dead"""
    retries: int = 3
    accept_new_host_key: bool = False
    deploy: bool = False
    """put an agent where there is none"""
    compress: bool = True
    """where it pays"""
    bytes_per_s: int | None = None
    """at most, in each direction"""


def has_terminal() -> bool:
    """Whether there is a terminal on which the user can be asked."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
