"""The options about replicas on other hosts, which all commands that take locations share."""

from __future__ import annotations

import re
from typing import Annotated

from aefsync.cli.options import option
from aefsync.cli.units import duration_s, in_seconds, rate
from aefsync.core.named_tuple import NamedTuple
from aefsync.errors import UsageError
from aefsync.wire.login import Link, Transport

_LEAST_S = 5


class Reaching(NamedTuple):
    """How other hosts are reached."""

    transport: Annotated[
        str,
        option("--transport", says="What speaks SSH: the ssh program, or this one.", metavar="auto|openssh|paramiko"),
    ] = "auto"
    ssh: Annotated[str, option("-e", "--ssh", says="The ssh program, and options for it.", metavar="CMD")] = ""
    port: Annotated[str, option("-p", "--port", says="The port of SSH there.", metavar="PORT")] = ""
    identity: Annotated[str, option("--identity", says="The private key to log in with.", metavar="FILE")] = ""
    remote_command: Annotated[
        str, option("--remote-command", says="How to call aefsync there.", metavar="CMD")
    ] = ""  # fmt: skip
    connect_timeout: Annotated[
        str, option("--connect-timeout", says="Give up connecting after this (default: 20s).", metavar="DURATION")
    ] = "20s"
    timeout: Annotated[
        str, option("--timeout", says="Give up a host silent for this long (default: 60s).", metavar="DURATION")
    ] = "60s"
    retries: Annotated[
        str, option("--retries", says="How often to try a connection again (default: 3).", metavar="N")
    ] = "3"
    deploy: Annotated[bool, option("--deploy", says="Put an agent there if there is none.")] = False
    compress: Annotated[
        bool, option("--compress/--no-compress", says="Compress what travels, where it pays (default).")
    ] = True
    bwlimit: Annotated[
        str, option("--bwlimit", says="At most this much a second, each way (KiB, or 5M).", metavar="RATE")
    ] = ""
    accept_new_host_key: Annotated[
        bool,
        option("--accept-new-host-key", says="Trust a host never seen before.", environment_too=False),
    ] = False


def link(reaching: Reaching) -> Link:
    """The same as a value of the engine; raises `UsageError`."""
    if reaching.transport not in {each.value for each in Transport}:
        words = ", ".join(each.value for each in Transport)
        raise UsageError(f"--transport: {reaching.transport!r} is none of {words}")
    timeout_s = duration_s(in_seconds(reaching.timeout), "--timeout")
    if timeout_s < _LEAST_S:
        raise UsageError(f"--timeout: {reaching.timeout} is too short: a healthy host may be silent for some seconds")
    return Link(
        Transport(reaching.transport),
        ssh=reaching.ssh,
        port=_port(reaching.port),
        identity=reaching.identity,
        remote_command=reaching.remote_command,
        connect_timeout_s=max(1, duration_s(in_seconds(reaching.connect_timeout), "--connect-timeout")),
        timeout_s=timeout_s,
        retries=_number(reaching.retries, "--retries"),
        accept_new_host_key=reaching.accept_new_host_key,
        deploy=reaching.deploy,
        compress=reaching.compress,
        bytes_per_s=rate(reaching.bwlimit, "--bwlimit") if reaching.bwlimit else None,
    )


def _port(text: str) -> int | None:
    if not text:
        return None
    number = _number(text, "--port")
    if not 0 < number < 1 << 16:
        raise UsageError(f"--port: {text} is no port")
    return number


def _number(text: str, option_name: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", text):
        raise UsageError(f"{option_name}: {text!r} is no number")
    return int(text)
