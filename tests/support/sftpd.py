"""The SFTP server of OpenSSH over a socket pair: what `internal-sftp` of sshd is, without logging in."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence

from aefsync.wire.stream import SocketStream

_PLACES = "/usr/lib/openssh:/usr/libexec/openssh:/usr/lib/ssh:/usr/libexec"


def program() -> str:
    """Where the server is."""
    found = shutil.which("sftp-server", path=_PLACES)
    assert found is not None, "openssh-sftp-server is needed (it comes with openssh-server)"
    return found


def serve(options: Sequence[str] = (), cwd: str | None = None) -> tuple[SocketStream, subprocess.Popen[bytes]]:
    """A server, and the stream that leads to it; it ends with the stream."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen([program(), *options], stdin=theirs, stdout=theirs, cwd=cwd)
    ours.settimeout(60.0)
    return SocketStream(ours), process


@contextlib.contextmanager
def sftp_stream(options: Sequence[str] = ()) -> Iterator[SocketStream]:
    """A stream that leads to a server, which has ended when the context is left."""
    stream, process = serve(options)
    try:
        yield stream
    finally:
        stream.close()
        process.wait(60.0)
