"""Logging in by paramiko: whom the user's ssh configuration names, by which keys, and whose host keys are taken."""

from __future__ import annotations

import getpass
import logging
import os
import socket
from collections.abc import Callable
from typing import Any

import paramiko

from aefsync.core.named_tuple import NamedTuple
from aefsync.errors import AefsyncError, UsageError
from aefsync.wire import failures
from aefsync.wire.login import Link, Login

WINDOW = 16 << 20
PACKET = 32 << 10
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
DIGESTS = (
    *("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"),
    *("hmac-sha2-256", "hmac-sha2-512"),
)
_END_S = 5.0
_SYSTEM_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts"

LOG = logging.getLogger("paramiko")
"""Where paramiko says how far it gets (`tracing`), to whoever listens."""

Ask = Callable[[str], str]


class _UnknownKeyError(paramiko.SSHException):
    """A host key that nobody has seen before."""


class _Refusing(paramiko.MissingHostKeyPolicy):
    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise _UnknownKeyError(hostname)


class _Keeping(paramiko.MissingHostKeyPolicy):
    """Takes a new host key as it is, and writes it down."""

    def __init__(self, known_hosts: str) -> None:
        self._known_hosts = known_hosts

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        os.makedirs(os.path.dirname(self._known_hosts), mode=0o700, exist_ok=True)
        with open(self._known_hosts, "a", encoding="utf-8") as file:
            file.write(f"{hostname} {key.get_name()} {key.get_base64()}\n")


class Settings(NamedTuple):
    """Where to connect, and as whom, after the user's configuration was asked."""

    host: str
    port: int
    user: str
    keys: tuple[str, ...]
    known_hosts: str
    key_alias: str | None


def settings_of(login: Login, link: Link) -> Settings:
    """What the command line and the user's configuration say; raises `UsageError` for what only ssh can do."""
    config = paramiko.SSHConfig()
    for path in (os.path.expanduser("~/.ssh/config"), "/etc/ssh/ssh_config"):
        if os.path.exists(path):
            config = paramiko.SSHConfig.from_path(path)
            break
    found: dict[str, Any] = dict(config.lookup(login.host))
    for name in ("proxycommand", "proxyjump"):
        if found.get(name, "none") != "none":
            raise UsageError(
                f"{login.host}: {name} of the ssh configuration needs the ssh program (--transport openssh)"
            )
    known = str(found.get("userknownhostsfile", "~/.ssh/known_hosts")).split()[0]
    return Settings(
        host=str(found.get("hostname", login.host)),
        port=login.port or link.port or int(found.get("port", 22)),
        user=login.user or str(found.get("user", "")) or getpass.getuser(),
        keys=(link.identity,) if link.identity else tuple(map(os.path.expanduser, found.get("identityfile", ()))),
        known_hosts=os.path.expanduser(known),
        key_alias=found.get("hostkeyalias"),
    )


def log_in(settings: Settings, link: Link, ask: Ask | None) -> paramiko.SSHClient:
    """Connect by key or agent; where that is not enough, by what the user answers."""
    client = paramiko.SSHClient()
    for place in (_SYSTEM_KNOWN_HOSTS, settings.known_hosts):
        if os.path.exists(place):
            client.load_host_keys(place)
    policy = _Keeping(settings.known_hosts) if link.accept_new_host_key else _Refusing()
    client.set_missing_host_key_policy(policy)
    try:
        try:
            _connect(client, settings, link, None)
        except paramiko.AuthenticationException:
            if ask is None:
                raise
            hang_up(client)
            _connect(client, settings, link, ask(f"{settings.user}@{settings.host}'s password, or that of the key: "))
    except BaseException:
        hang_up(client)
        raise
    return client


def hang_up(client: paramiko.SSHClient) -> None:
    """Disconnect, and wait for the thread that speaks."""
    transport = client.get_transport()
    client.close()
    if transport is not None:
        transport.join(_END_S)


def _connect(client: paramiko.SSHClient, settings: Settings, link: Link, password: str | None) -> None:
    connection = socket.create_connection((settings.host, settings.port), link.connect_timeout_s)
    LOG.debug("Connecting to %s [%s] port %d.", settings.host, connection.getpeername()[0], settings.port)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # As a dictionary: the types that go with paramiko do not know that there may be several keys.
    arguments: dict[str, Any] = {
        "username": settings.user,
        "password": password,
        "key_filename": list(settings.keys),
        "look_for_keys": not settings.keys,
        "allow_agent": not link.identity,
        "sock": connection,
        "transport_factory": _transport,
        **dict.fromkeys(("timeout", "banner_timeout", "auth_timeout"), link.connect_timeout_s),
    }
    # An alias stands in the known hosts without any port.
    client.connect(settings.key_alias or settings.host, 22 if settings.key_alias else settings.port, **arguments)


def _transport(connection: socket.socket, **options: Any) -> paramiko.Transport:
    transport = paramiko.Transport(connection, default_window_size=WINDOW, default_max_packet_size=PACKET, **options)
    wanted = transport.get_security_options()
    wanted.ciphers, wanted.digests = CIPHERS, DIGESTS
    return transport


def explain(host: str, error: Exception) -> AefsyncError:
    """Why a host cannot be reached, or what was lost."""
    match error:
        case _UnknownKeyError():
            return failures.unknown_host_key()
        case paramiko.BadHostKeyException():
            return failures.changed_host_key(host)
        case paramiko.BadAuthenticationType():
            return failures.login_refused(",".join(error.allowed_types))
        case paramiko.AuthenticationException():
            return failures.login_refused("no key or password that the host takes")
        case socket.gaierror():
            return failures.unresolved(host, transient=error.errno == socket.EAI_AGAIN)
        case ConnectionRefusedError():
            return failures.not_listening()
        case TimeoutError():
            return failures.passing("connection timed out")
        case OSError():
            return failures.passing(error.strerror or str(error))
        case _:
            return failures.passing(str(error) or "connection closed by the host")
