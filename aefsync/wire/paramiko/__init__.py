"""SSH as paramiko speaks it: where there is no ssh program, or on request; the package is the one door to paramiko.

Of the user's ssh configuration it takes host, port, user, keys and known hosts; jump hosts and proxy commands are the
business of the ssh program.  A larger window than `WINDOW` does not make it faster, and 128 MiB made it fail when keys
were renewed.
"""

from __future__ import annotations

import contextlib
import errno
import getpass
import logging
import threading
from collections.abc import Callable

import paramiko

from aefsync.errors import AefsyncError, IncompatibleError, UnreachableError
from aefsync.wire import failures
from aefsync.wire.launching import no_agent
from aefsync.wire.login import Link, Login, has_terminal
from aefsync.wire.paramiko.access import LOG, PACKET, Ask, explain, hang_up, log_in, settings_of
from aefsync.wire.process import Ending
from aefsync.wire.stderr import StandardError
from aefsync.wire.stream import Copying

_KEEP_ALIVE_S = 20
_LOST = (EOFError, paramiko.SSHException, OSError)
"""What paramiko raises where a connection is lost."""
_END_S = 5.0


class ParamikoStream(Copying):
    """A stream over a channel on which a command is run that leads to an agent, or a subsystem of the server; connects
    when it is first used.

    `ask` puts a question to the user, who answers unseen; without it nothing is asked.
    """

    def __init__(
        self,
        login: Login,
        link: Link,
        command: str,
        heard: Callable[[str], None],
        ask: Ask | None,
        *,
        is_subsystem: bool = False,
    ) -> None:
        self.sent_bytes = 0
        self.received_bytes = 0
        self._login = login
        self._link = link
        self._command = command
        self._is_subsystem = is_subsystem
        self._heard = heard
        self._ask = ask
        self._connecting = threading.Lock()
        self._failure: AefsyncError | None = None
        self._client: paramiko.SSHClient | None = None
        self._opened: paramiko.Channel | None = None
        self._errors: StandardError | None = None
        self._closed = False
        self._is_awaited = False
        """whether an answer is waited for, or was when the wait was broken off"""

    def read(self, size: int) -> bytes:
        channel, self._is_awaited = self._channel, True
        try:
            data = channel.recv(size)
        except TimeoutError:
            raise TimeoutError(f"no byte for {self._link.timeout_s:g} s") from None
        self._is_awaited = False
        self.received_bytes += len(data)
        return data

    def write(self, *parts: bytes | memoryview) -> None:
        for part in parts:
            self._write(memoryview(part))

    def _write(self, view: memoryview) -> None:
        channel = self._channel
        try:
            while view:
                count = channel.send(bytes(view[:PACKET]))
                if not count:
                    raise EOFError
                self.sent_bytes += count
                view = view[count:]
        except TimeoutError:
            raise TimeoutError(f"no byte for {self._link.timeout_s:g} s") from None
        except _LOST as error:
            # So it says that the channel is closed, or that its transport has ended between a look at it and the packet.
            raise BrokenPipeError(errno.EPIPE, "the other side has closed") from error

    def met(self) -> None:
        if self._errors is not None:
            self._errors.release()

    def loss(self, said: bytes | None) -> AefsyncError:
        if self._opened is None or self._errors is None:
            return UnreachableError("connection lost", transient=True)
        self._opened.status_event.wait(_END_S)
        code = self._opened.exit_status if self._opened.exit_status_ready() else -1
        if code < 0:
            return failures.passing("connection lost: the other side has closed")
        if said is not None:
            return no_agent(self._login, Ending(code, said, self._errors.lines(0.5)))
        how = f"the agent has ended (exit status {code})" if code else "the other side has closed"
        return UnreachableError(f"connection lost: {how}", transient=True)

    def close(self) -> None:
        """Let the agent end by the end of its input, unless it is busy with an answer that nobody wants any more; then
        disconnect.  Whoever is still connecting finds out afterwards, and does so."""
        self._closed = True
        if self._connecting.acquire(blocking=False):
            self._connecting.release()
            self._disconnect()

    def _disconnect(self) -> None:
        if self._opened is not None and not self._opened.closed and not self._is_awaited:
            # The connection may be lost at this very moment.
            with contextlib.suppress(*_LOST):
                self._opened.shutdown_write()
                self._opened.status_event.wait(_END_S)
        if self._client is not None:
            hang_up(self._client)

    @property
    def _channel(self) -> paramiko.Channel:
        channel = self._connect()
        if self._closed:
            self._disconnect()
            raise ConnectionError("the stream is closed")
        return channel

    def _connect(self) -> paramiko.Channel:
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
            self._client = log_in(settings, self._link, self._ask)
            transport = self._client.get_transport()
            assert transport is not None
            transport.set_keepalive(_KEEP_ALIVE_S)
            channel = transport.open_session(timeout=self._link.connect_timeout_s)
            channel.settimeout(self._link.timeout_s)
            self._begin(channel)
        except _LOST as error:
            raise explain(settings.host, error) from error
        self._errors = StandardError(lambda: _read_stderr(channel), self._heard)
        return channel

    def _begin(self, channel: paramiko.Channel) -> None:
        if not self._is_subsystem:
            channel.exec_command(self._command)
            return
        try:
            channel.invoke_subsystem(self._command)
        except paramiko.SSHException:
            transport = channel.get_transport()
            if not transport.is_active():
                raise
            raise IncompatibleError(f"the server offers no {self._command}") from None


def connect(
    login: Login,
    link: Link,
    command: str,
    heard: Callable[[str], None],
    ask: Ask | None = getpass.getpass,
    *,
    is_subsystem: bool = False,
) -> ParamikoStream:
    """A stream that asks on the terminal, where there is one, and `ask` is given."""
    LOG.addHandler(logging.NullHandler())
    asking = ask if has_terminal() else None
    return ParamikoStream(login, link, command, heard, asking, is_subsystem=is_subsystem)


def _read_stderr(channel: paramiko.Channel) -> bytes:
    while True:
        try:
            return channel.recv_stderr(1 << 16)
        except TimeoutError:  # silence is the rule there
            continue
