"""Replicas on the far side of a real SSH server, many of them over few logins: a login takes longer than most tests."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from aefsync.errors import AefsyncError
from aefsync.sync.connecting import dial
from aefsync.wire import paramiko
from aefsync.wire.codec import State
from aefsync.wire.login import Link, Login, Transport
from aefsync.wire.remote import RemoteReplica
from aefsync.wire.sftp.client import SftpFiles
from aefsync.wire.stream import Stream
from tests.support.sshd import REPO, Sshd

BOX = Login("box")


class _Lease:
    """A stream on loan: it lasts longer than the session over it."""

    def __init__(self, inner: Stream) -> None:
        self._inner = inner
        self._before = (inner.sent_bytes, inner.received_bytes)
        self.read, self.read_into = inner.read, inner.read_into
        self.write = inner.write
        self.met = inner.met

    @property
    def sent_bytes(self) -> int:
        return self._inner.sent_bytes - self._before[0]

    @property
    def received_bytes(self) -> int:
        return self._inner.received_bytes - self._before[1]

    def loss(self, said: bytes | None) -> AefsyncError:
        return self._inner.loss(said)

    def close(self) -> None:
        return None


class Logins:
    """Streams to agents that serve any number of sessions, over both transports."""

    def __init__(self, server: Sshd, home: Path) -> None:
        self._server = server
        self._home = home
        self._free: dict[Transport, list[Stream]] = {Transport.OPENSSH: [], Transport.PARAMIKO: []}
        self._files: SftpFiles | None = None

    def files(self) -> SftpFiles:
        """The far side's files over SFTP, the same for whoever asks."""
        if self._files is None:
            self._configure()
            stream = paramiko.connect(BOX, Link(retries=0), "sftp", lambda line: None, is_subsystem=True)
            self._files = SftpFiles(stream)
        return self._files

    @contextlib.contextmanager
    def replica(self, transport: Transport) -> Iterator[RemoteReplica]:
        """A replica over a stream of its own, which others have afterwards if the session came to its end."""
        free = self._free[transport]
        stream = free.pop() if free else self._log_in(transport)
        lease = _Lease(stream)
        replica = RemoteReplica(lease, label="B", compress=True)
        try:
            yield replica
        finally:
            replica.close()
            if replica._caller.connection.state is State.CLOSED or not lease.sent_bytes:
                free.append(stream)
            else:
                stream.close()

    def close(self) -> None:
        for streams in self._free.values():
            for stream in streams:
                stream.close()
        if self._files is not None:
            self._files.close()

    def _configure(self) -> None:
        self._server.far(self._home)
        config = Path(os.environ["HOME"], ".ssh", "config")
        config.parent.mkdir(exist_ok=True)
        config.write_text((self._server.folder / "ssh_config").read_text())

    def _log_in(self, transport: Transport) -> Stream:
        self._configure()
        ssh = self._server.ssh if transport is Transport.OPENSSH else ""
        command = f"PYTHONPATH={REPO} exec {sys.executable} -m tests.support.again"
        return dial(BOX, Link(transport, ssh=ssh, retries=0), lambda line: None, command)
