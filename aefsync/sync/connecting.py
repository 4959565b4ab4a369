"""Connect to the replicas of a session: a process here for each, or a stream over SSH to an agent."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from aefsync.core.ports import Monitor
from aefsync.sync.child import Agentless, Nursery
from aefsync.sync.location import Location
from aefsync.wire.launching import agent_command
from aefsync.wire.login import Link, Login, Transport

if TYPE_CHECKING:
    from socket import socket

    from aefsync.wire.remote import RemoteReplica
    from aefsync.wire.stream import Stream


@contextlib.contextmanager
def connected(
    locations: Sequence[Location], link: Link, monitor: Monitor, nursery: Nursery
) -> Iterator[tuple[RemoteReplica, ...]]:
    """A replica for each location; all their processes have ended when the context is left."""
    with contextlib.ExitStack() as stack:
        streams: dict[int, Stream] = {}
        local = [number for number, location in enumerate(locations) if location.login is None]
        sockets: dict[int, socket] = {}
        if local:
            children = nursery.take(len(local))
            stack.callback(children.end)
            sockets.update(zip(local, children.sockets, strict=True))
        for number, location in enumerate(locations):
            if location.login is None:
                continue
            if location.agentless:
                agentless = Agentless(location.login, link)
                stack.callback(agentless.end)
                sockets[number] = agentless.socket
            else:
                streams[number] = dial(location.login, link, partial(monitor.heard, number))
                stack.callback(streams[number].close)
        # The replicas start up while the messages are imported here: a third of what a small run takes.
        from aefsync.wire.remote import RemoteReplica
        from aefsync.wire.stream import SocketStream

        streams.update({number: SocketStream(each) for number, each in sockets.items()})
        replicas = tuple(
            RemoteReplica(
                streams[number],
                _progress(monitor, number),
                label=location.text,
                compress=not location.is_served_here and link.compress,
            )
            for number, location in enumerate(locations)
        )
        for replica in replicas:
            stack.callback(replica.end)
        yield replicas


def deploy_to(login: Login, link: Link, heard: Callable[[str], None]) -> str:
    """Put an agent of this version on a host; the directory where it is.  Raises `AefsyncError`."""
    from aefsync.wire import deploying

    return deploying.deploy(dial(login, link, heard, deploying.COMMAND))


def dial(login: Login, link: Link, heard: Callable[[str], None], command: str = "") -> Stream:
    """A stream that leads to an agent, if there is one, or to another command."""
    command = command or agent_command(link.remote_command)
    from aefsync.wire import openssh
    from aefsync.wire.throttle import ThrottledStream

    stream: Stream
    if is_by_paramiko(link):
        from aefsync.wire import paramiko

        stream = paramiko.connect(login, link, command, heard)
    else:
        stream = openssh.connect(login, link, command, heard)
    return stream if link.bytes_per_s is None else ThrottledStream(stream, link.bytes_per_s)


def is_by_paramiko(link: Link) -> bool:
    """Whether it is paramiko that speaks SSH over a link, not the ssh program."""
    from aefsync.wire import openssh

    return link.transport is Transport.PARAMIKO or (link.transport is Transport.AUTO and not openssh.is_there(link))


def _progress(monitor: Monitor, number: int) -> Callable[..., None]:
    return lambda phase, done, total: monitor.progress(number, phase, done, total)
