"""How far a login got, read from what ssh -v and paramiko say."""

from __future__ import annotations

import pytest

from aefsync.wire.tracing import Trace, trace_of

SSH = [
    "OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19 27 Jan 2026",
    "debug1: Connecting to 127.0.0.1 [127.0.0.1] port 58001.",
    "debug1: Connection established.",
    "debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2p1 Debian-2+deb12u10",
    "debug1: Server host key: ssh-ed25519 SHA256:8Ay",
    "debug1: Host 'box' is known and matches the ED25519 host key.",
    "debug1: Will attempt key: /k/other ED25519 SHA256:abc explicit",
    "debug1: Offering public key: /k/other ED25519 SHA256:abc explicit",
    "debug1: Authentications that can continue: publickey",
    "debug1: Offering public key: /k/user ED25519 SHA256:def agent",
    'Authenticated to 127.0.0.1 ([127.0.0.1]:58001) using "publickey".',
    "debug1: Sending command: sh -c 'x'",
]
PARAMIKO = [
    "Connecting to 127.0.0.1 [127.0.0.1] port 58001.",
    "Remote version/idstring: SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10",
    "HostKey: ssh-ed25519",
    "Trying SSH agent key b'77'",
    "Authentication (publickey) failed.",
    "Trying discovered key b'0ba7' in /k/user",
    "Authentication (publickey) successful!",
]
HERE = "127.0.0.1 [127.0.0.1] port 58001"
OFFERED = ("/k/other ED25519 SHA256:abc explicit", "/k/user ED25519 SHA256:def agent")


@pytest.mark.parametrize(
    ("lines", "number", "trace"),
    [
        (SSH, 1, Trace()),
        (SSH, 2, Trace(HERE)),
        (SSH, 4, Trace(HERE, "OpenSSH_9.2p1")),
        (SSH, 7, Trace(HERE, "OpenSSH_9.2p1", "ssh-ed25519 SHA256:8Ay")),
        (SSH, 9, Trace(HERE, "OpenSSH_9.2p1", "ssh-ed25519 SHA256:8Ay", OFFERED[:1])),
        (SSH, 12, Trace(HERE, "OpenSSH_9.2p1", "ssh-ed25519 SHA256:8Ay", OFFERED, "publickey")),
        (PARAMIKO, 5, Trace(HERE, "OpenSSH_9.2p1", "ssh-ed25519", ("agent key b'77'",))),
        (PARAMIKO, 7, Trace(HERE, "OpenSSH_9.2p1", "ssh-ed25519", ("agent key b'77'", "/k/user"), "publickey")),
        (["debug1: Executing proxy command: exec nc box 22"], 1, Trace("nc box 22")),
    ],
)
def test_how_far_it_got(lines: list[str], number: int, trace: Trace) -> None:
    assert trace_of(lines[:number]) == trace


def test_a_connection_that_others_share_tells_no_more() -> None:
    trace = trace_of(["debug1: auto-mux: Trying existing master"])
    assert trace.target == "a connection that is open already"
    assert trace.way
