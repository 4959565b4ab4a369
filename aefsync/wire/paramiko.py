"""SSH as paramiko speaks it: where there is no ssh program, or on request; the one door to paramiko.

Of the user's ssh configuration it takes host, port, user, keys and known hosts; jump hosts and proxy commands are the
business of the ssh program.  A larger window than `WINDOW` does not make it faster, and 128 MiB made it fail when keys
were renewed.
"""

from __future__ import annotations

import getpass
import logging
import os
import socket
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import paramiko

from aefsync.errors import AefsyncError, UnreachableError, UsageError
from aefsync.wire import failures
from aefsync.wire.launching import no_agent
from aefsync.wire.login import Link, Login, has_terminal
from aefsync.wire.process import Ending
from aefsync.wire.stderr import StandardError

WINDOW = 16 << 20
PACKET = 32 << 10
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
DIGESTS = (
    *("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"),
    *("hmac-sha2-256", "hmac-sha2-512"),
)
_KEEP_ALIVE_S = 20
_END_S = 5.0
_SYSTEM_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts"

_LOG = logging.getLogger("paramiko")
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


class ParamikoStream:
    """A stream over a channel on which a command is run that leads to an agent; connects when it is first used.

    `ask` puts a question to the user, who answers unseen; without it nothing is asked.
    """

    def __init__(self, login: Login, link: Link, command: str, heard: Callable[[str], None], ask: Ask | None) -> None:
        self.sent_bytes = 0
        self.received_bytes = 0
        self._login = login
        self._link = link
        self._command = command
        self._heard = heard
        self._ask = ask
        self._connecting = threading.Lock()
        self._failure: AefsyncError | None = None
        self._client: paramiko.SSHClient | None = None
        self._opened: paramiko.Channel | None = None
        self._errors: StandardError | None = None
        self._closed = False

    def read(self, size: int) -> bytes:
        try:
            data = self._channel.recv(size)
        except TimeoutError:
            raise TimeoutError(f"no byte for {self._link.timeout_s:g} s") from None
        self.received_bytes += len(data)
        return data

    def write(self, data: bytes) -> None:
        channel = self._channel
        view = memoryview(data)
        try:
            while view:
                count = channel.send(bytes(view[:PACKET]))
                if not count:
                    raise BrokenPipeError
                self.sent_bytes += count
                view = view[count:]
        except TimeoutError:
            raise TimeoutError(f"no byte for {self._link.timeout_s:g} s") from None

    def met(self) -> None:
        if self._errors is not None:
            self._errors.release()

    def loss(self, said: bytes | None) -> AefsyncError:
        if self._opened is None or self._errors is None:
            return UnreachableError("connection lost", transient=True)
        self._opened.status_event.wait(1.0)
        code = self._opened.exit_status if self._opened.exit_status_ready() else -1
        if code < 0:
            return failures.passing("connection lost: the other side has closed")
        if said is not None:
            return no_agent(self._login, Ending(code, said, self._errors.lines(0.5)))
        how = f"the agent has ended (exit status {code})" if code else "the other side has closed"
        return UnreachableError(f"connection lost: {how}", transient=True)

    def close(self) -> None:
        """Let the agent end by the end of its input, then disconnect."""
        with self._connecting:
            self._closed = True
        if self._opened is not None and not self._opened.closed:
            self._opened.shutdown_write()
            self._opened.status_event.wait(_END_S)
        if self._client is not None:
            _hang_up(self._client)

    @property
    def _channel(self) -> paramiko.Channel:
        with self._connecting:
            if self._failure is not None:
                raise self._failure
            if self._closed:
                raise ConnectionError("the stream is closed")
            if self._opened is None:
                try:
                    self._opened = self._open()
                except AefsyncError as error:
                    self._failure = error
                    raise
            return self._opened

    def _open(self) -> paramiko.Channel:
        settings = settings_of(self._login, self._link)
        try:
            self._client = _log_in(settings, self._link, self._ask)
            transport = self._client.get_transport()
            assert transport is not None
            transport.set_keepalive(_KEEP_ALIVE_S)
            channel = transport.open_session(timeout=self._link.connect_timeout_s)
            channel.settimeout(self._link.timeout_s)
            channel.exec_command(self._command)
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise _explain(settings.host, error) from error
        self._errors = StandardError(lambda: _read_stderr(channel), self._heard)
        return channel


def connect(login: Login, link: Link, command: str, heard: Callable[[str], None]) -> ParamikoStream:
    """A stream that asks on the terminal, where there is one."""
    _LOG.addHandler(logging.NullHandler())
    return ParamikoStream(login, link, command, heard, getpass.getpass if has_terminal() else None)


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


def _log_in(settings: Settings, link: Link, ask: Ask | None) -> paramiko.SSHClient:
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
            _hang_up(client)
            _connect(client, settings, link, ask(f"{settings.user}@{settings.host}'s password, or that of the key: "))
    except BaseException:
        _hang_up(client)
        raise
    return client


def _hang_up(client: paramiko.SSHClient) -> None:
    """Disconnect, and wait for the thread that speaks."""
    transport = client.get_transport()
    client.close()
    if transport is not None:
        transport.join(_END_S)


def _connect(client: paramiko.SSHClient, settings: Settings, link: Link, password: str | None) -> None:
    connection = socket.create_connection((settings.host, settings.port), link.connect_timeout_s)
    _LOG.debug("Connecting to %s [%s] port %d.", settings.host, connection.getpeername()[0], settings.port)
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


def _read_stderr(channel: paramiko.Channel) -> bytes:
    while True:
        try:
            return channel.recv_stderr(1 << 16)
        except TimeoutError:  # silence is the rule there
            continue


def _explain(host: str, error: Exception) -> AefsyncError:
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
