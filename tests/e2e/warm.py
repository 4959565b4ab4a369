"""Runs of the program that need not start an interpreter: most of a short run's time is the import of what it needs.

A server imports the whole package once, and forks for each run: a process of its own as ever, with its own arguments,
environment, directory, streams, session and exit code, which begins where `python -m aefsync` has come to when it
calls `main()`.  The processes that such a run starts by `spawn_entry` are forked in the same way.  The server is the
reaper of all that a run leaves behind, and so knows it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

_SUBREAPER = 36
_REQUEST = 1 << 20
_PART = 1 << 16
_LAZY = ("blake3", "msgspec", "pathspec", "pyfastcdc", "rich.console", "rich.progress", "rich.table", "sqlite3")
"""What is imported when needed, and nearly always is."""


class Warm:
    """The tests' end: starts the server, and has runs done by it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._at_start = _read_at_start(environment)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _REQUEST)
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.warm", str(theirs.fileno())],
                env=environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )

    def suits(self, environment: Mapping[str, str]) -> bool:
        """Whether a run with this environment needs no interpreter of its own."""
        return _read_at_start(environment) == self._at_start

    def run(
        self, words: Sequence[str], environment: Mapping[str, str], directory: Path, patience_s: float
    ) -> tuple[int | None, bytes, bytes]:
        """The exit status of a run (as of `subprocess`; none: it took longer, and was killed), and what it printed."""
        pipes = [os.pipe() for _ in range(3)]
        request = json.dumps([words, dict(environment), str(directory)]).encode()
        socket.send_fds(self._socket, [request], [write for _, write in pipes])
        for _, write in pipes:
            os.close(write)
        said = {read: bytearray() for read, _ in pipes}
        out, err, status = said.values()
        in_time = _drain(said, patience_s)
        if not in_time:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(status.split()[0]), signal.SIGKILL)
            _drain(said, patience_s)
        for read in said:
            os.close(read)
        return int(status.split()[1]) if in_time else None, bytes(out), bytes(err)

    def processes(self) -> list[int]:
        """What runs below the server (Linux)."""
        parents = {}
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                state, parent = (place / "stat").read_bytes().rpartition(b") ")[2].split()[:2]
                if state != b"Z":
                    parents[int(place.name)] = int(parent)
        found = [self._server.pid]
        for each in found:
            found += [pid for pid, parent in parents.items() if parent == each]
        return found[1:]

    def close(self) -> None:
        self._socket.close()
        self._server.wait()


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that an interpreter, or a module when it is imported, looks at."""
    kinds = ("PYTHON", "LC_", "LANG", "TZ", "LD_", "TERM", "FORCE_COLOR", "TTY_")
    return {name: value for name, value in environment.items() if name.startswith(kinds)}


def _drain(pipes: Mapping[int, bytearray], patience_s: float) -> bool:
    """Read these pipes to their ends; whether all have come to it in time."""
    end = time.monotonic() + patience_s
    left = set(pipes)
    while left and (ready := select.select(left, [], [], max(0.0, end - time.monotonic()))[0]):
        for pipe in ready:
            data = os.read(pipe, _PART)
            pipes[pipe] += data
            if not data:
                left.remove(pipe)
    return not left


def main() -> NoReturn:
    """The server: a process for each request, until nobody is there to make any."""
    control = socket.socket(fileno=int(sys.argv[1]))
    ctypes.CDLL(None).prctl(_SUBREAPER, 1)
    import aefsync

    for module in [*_LAZY, *(each.name for each in pkgutil.walk_packages(aefsync.__path__, "aefsync."))]:
        importlib.import_module(module)
    gc.freeze()
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    runs: dict[int, int] = {}
    while True:
        ready = select.select([control, ended], [], [])[0]
        if ended in ready:
            os.read(ended, _PART)
            _reap(runs)
        if control in ready:
            request, streams, *_ = socket.recv_fds(control, _REQUEST, 3)
            if not request:
                os._exit(0)
            if not (pid := os.fork()):
                _become(*json.loads(request), *streams[:2])
            runs[pid] = streams[2]
            os.write(runs[pid], b"%d\n" % pid)
            for stream in streams[:2]:
                os.close(stream)


def _reap(runs: dict[int, int]) -> None:
    """Take note of what has ended: runs, and what they left behind."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            if (status := runs.pop(found[0], None)) is not None:
                os.write(status, b"%d\n" % os.waitstatus_to_exitcode(found[1]))
                os.close(status)


def _become(words: list[str], environment: dict[str, str], directory: str, out: int, err: int) -> NoReturn:
    """Be the program, in a new process."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    _take_streams(out, err, keep=())
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    for user in ("aefsync.sync.child", "aefsync.disk.crew"):
        importlib.import_module(user).spawn_entry = _fork_entry
    from aefsync import __main__ as program

    _end_as(program.main, [str(program.__file__), *words])


def _take_streams(out: int, err: int, keep: Sequence[int]) -> None:
    """Have these as standard streams, no other descriptor but those to keep, and signals as when a program starts."""
    null = os.open(os.devnull, os.O_RDWR)
    for number, stream in enumerate((null, null if out < 0 else out, err)):
        os.dup2(stream, number)
    low = 3
    for kept in [*sorted(keep), os.sysconf("SC_OPEN_MAX")]:
        os.closerange(low, kept)
        low = kept + 1
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _end_as(run: Callable[[], Any], words: list[str]) -> NoReturn:
    """Run to the end, and end as an interpreter would."""
    sys.argv = words
    code: Any = 0
    try:
        run()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:  # noqa: BLE001  the interpreter's last resort
        sys.excepthook(*sys.exc_info())
        code = 1
    if not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
        code = 1
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code & 0xFF)


class _Forked:
    """As much of `subprocess.Popen` as those need who call `spawn_entry`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self._look(os.WNOHANG)

    def wait(self, timeout: float | None = None) -> int:
        end = time.monotonic() + (timeout or 0.0)
        while (code := self._look(0 if timeout is None else os.WNOHANG)) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("a forked process", timeout or 0.0)
            time.sleep(0.005)
        return code

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def _look(self, options: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, options)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


def _fork_entry(
    module: str, words: Sequence[str], descriptors: Sequence[int], *, before: Sequence[str] = (), asks: bool = False
) -> Any:
    """`spawn_entry`, by a fork where no thread is in the way: what comes `before` the imports is done with them."""
    from aefsync.disk import spawning

    if threading.active_count() > 1:
        return spawning.spawn_entry(module, words, descriptors, before=before, asks=asks)
    if pid := os.fork():
        if not asks:
            with contextlib.suppress(OSError):  # done there already
                os.setpgid(pid, 0)
        return _Forked(pid)
    if not asks:
        os.setpgid(0, 0)
    _take_streams(-1, 2, descriptors)
    gc.set_threshold(200_000, 20, 100)
    _end_as(importlib.import_module(module).main, [module, *words])


if __name__ == "__main__":
    main()
