"""How far a login over SSH got, and with which keys, read from what its program says of itself.

`ssh -v` writes this to its standard error, paramiko to its log:

    debug1: Connecting to box.example [192.0.2.7] port 22.          Connecting to box.example [192.0.2.7] port 22.
    debug1: Remote protocol version 2.0, remote software ...        Remote version/idstring: SSH-2.0-OpenSSH_9.2p1
    debug1: Server host key: ssh-ed25519 SHA256:8AyW...             HostKey: ssh-ed25519
    debug1: Offering public key: /home/u/.ssh/id ED25519 ...        Trying discovered key b'0ba7' in /home/u/.ssh/id
    Authenticated to box.example ([192.0.2.7]:22) using ...         Authentication (publickey) successful!
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from aefsync.core.named_tuple import NamedTuple

DEBUG = re.compile(
    r"debug[1-3]: |Authenticated to |Transferred: sent |Bytes per second: sent |OpenSSH_\d|Pseudo-terminal "
)
"""What the lines begin with that `ssh -v` adds."""


class Trace(NamedTuple):
    """What was seen on the way, each empty where it did not come to that.

    `target` is where it connected to, or by what command; `way` the method by which the login succeeded.
    """

    target: str = ""
    software: str = ""
    host_key: str = ""
    offered: tuple[str, ...] = ()
    way: str = ""


_TARGET = re.compile(r"Connecting to (.+)\.$|[Ee]xecuting proxy command: exec (.+)$")
_SHARED = re.compile(r"auto-mux: Trying existing master|mux_client_request_session: master session id")
_SOFTWARE = re.compile(r"remote software version (\S+)|Remote version/idstring: SSH-[\d.]+-(\S+)")
_HOST_KEY = re.compile(r"Server host key: (.+)$|^HostKey: (\S+)$")
_OFFERED = re.compile(r"Offering public key: (.+)$|Trying discovered key \S+ in (.+)$|Trying SSH (agent key .+)$")
_WAY = re.compile(r'^Authenticated to .* using "([^"]+)"|Authentication \((\S+)\) successful')


def trace_of(lines: Iterable[str]) -> Trace:
    """The trace that lines of `ssh -v`, or of paramiko's log, leave."""
    trace = Trace()
    for line in lines:
        target, software, key, offered, way = (
            next(filter(None, found.groups()), "") if (found := pattern.search(line)) else ""
            for pattern in (_TARGET, _SOFTWARE, _HOST_KEY, _OFFERED, _WAY)
        )
        if _SHARED.search(line):
            target, way = "a connection that is open already", "that connection"
        trace = Trace(
            target or trace.target,
            software or trace.software,
            key or trace.host_key,
            (*trace.offered, *filter(None, [offered])),
            way or trace.way,
        )
    return trace
