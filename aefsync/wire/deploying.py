"""Put an agent on a host: ask what its Python is like, pick what fits, send it, and have it put in place there."""

from __future__ import annotations

import inspect
import json
from typing import Any

from aefsync import __version__
from aefsync.errors import IncompatibleError, ProtocolError, UnreachableError
from aefsync.wire import installing, packages
from aefsync.wire.stream import READ_SIZE, Stream

MAX_TALK = 1 << 20
"""Bytes that a login may print before what was asked for."""
NO_PYTHON, TOO_OLD = 0, 1

PYTHON_NAMES = "python3 python3.14 python3.13 python3.12 python3.11 python"
"""What a Python that is new enough may be called, in the order in which it is looked for."""

# As the agent's own command: within single quotes, without any of \\ ! '
_SCRIPT = (
    f"o={NO_PYTHON}; for p in {PYTHON_NAMES}; do command -v $p >/dev/null 2>&1 || continue; "
    f'$p -c "import sys; sys.exit(sys.version_info < (3, 11))" >/dev/null 2>&1 || {{ o={TOO_OLD}; continue; }}; '
    'exec $p -I -c "import sys; exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"; done; '
    f"echo {installing.MARK}$o"
)
COMMAND = f"sh -c '{_SCRIPT}'"


def deploy(stream: Stream) -> str:
    """Deploy over a stream to `COMMAND`, which is closed; the directory where the agent is now.

    Raises `AefsyncError`.
    """
    try:
        listener = _Listener(stream)
        text = f"{inspect.getsource(installing)}\nmain({__version__!r}, sys.stdin.buffer, sys.stdout.buffer)\n".encode()
        stream.write(b"%d\n%s" % (len(text), text))
        archive = _archive(listener.hear())
        stream.write(b"%d\n%s" % (len(archive), archive))
        return str(listener.hear())
    except TimeoutError as error:
        raise UnreachableError(f"connection lost: {error}") from error
    except OSError as error:
        raise stream.loss(b"") from error
    finally:
        stream.close()


def _archive(facts: Any) -> bytes:
    if facts == NO_PYTHON:
        raise IncompatibleError("there is no Python on the far side: 3.11 or newer is needed")
    if facts == TOO_OLD:
        raise IncompatibleError("Python is too old on the far side: 3.11 or newer is needed")
    try:
        return packages.archive(facts)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ProtocolError("what the far side says of itself cannot be understood") from error


class _Listener:
    """Finds marked lines among whatever the far side prints."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._said = b""

    def hear(self) -> Any:
        """What the next marked line holds."""
        while True:
            line, newline, rest = self._said.partition(b"\n")
            if newline:
                self._said = rest
                if line.startswith(installing.MARK.encode()):
                    return self._parsed(line[len(installing.MARK) :])
                continue
            data = self._stream.read(READ_SIZE)
            if not data:
                raise self._stream.loss(self._said)
            self._said += data
            if len(self._said) > MAX_TALK:
                raise ProtocolError("the far side talks and does not come to the point")

    def _parsed(self, text: bytes) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            raise ProtocolError("what the far side says of itself cannot be understood") from None
