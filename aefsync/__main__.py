"""Where `aefsync` and `python -m aefsync` begin: `--version` is answered here, and shells, before typer is imported."""

from __future__ import annotations

import gc
import os
import sys
from typing import NoReturn, TextIO

from aefsync import __version__

_USUAL = {"diff": 2, "repair": 2, "sync": 2, "watch": 2, "gossip": 1, "digest": 1, "runs": 1}
"""Commands, and how many replicas each is about as a rule."""


def main() -> None:
    """The console script: run the command line, and leave with its exit code."""
    if sys.stdout is None:
        sys.stdout = _unread()
    if sys.argv[1:] in (["--version"], ["-V"]):
        _say_version()
        return
    if sys.argv[1:2] == ["_complete"]:
        from aefsync.cli import completing

        completing.main(sys.argv[2:])
        return
    occupy_standard_streams()
    # Importing the command line makes much that stays and no cycles worth a look: a tenth of its time.
    gc.set_threshold(200_000, 20, 100)
    try:
        code = _run(sys.argv[1:])
    except KeyboardInterrupt:  # before the command line could take care of it
        sys.stderr.write("aefsync: interrupted\n")
        code = 130
    _leave(code)


def _say_version() -> None:
    try:
        sys.stdout.write(f"aefsync {__version__}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(141)


def _leave(code: int) -> NoReturn:
    """End, without taking apart what ends with the process anyway."""
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except BrokenPipeError:
        code = 141
    except OSError:
        sys.exit(code)
    os._exit(code)


def _run(argv: list[str]) -> int:
    from aefsync.sync.child import Nursery

    # What a run builds has no cycles; looking for them took a third of the time of a first copy.
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
    # The processes of replicas start up while typer is imported here.
    nursery = Nursery(_replicas_here(argv))
    try:
        from aefsync.cli.app import run

        return run(argv, nursery)
    finally:
        nursery.close()


def _replicas_here(argv: list[str]) -> int:
    """A guess of how many replicas of this machine a command line is about: one of them may be elsewhere."""
    usual = _USUAL.get(argv[0], 0) if argv else 0
    return max(0, usual - any(":" in word for word in argv)) if len(argv) > usual else 0


def _unread() -> TextIO:
    """A stdout whose reader is gone, in the place of one that is closed: whoever writes to it hears of that."""
    reader, writer = os.pipe()
    os.close(reader)
    if writer != 1:
        os.dup2(writer, 1)
        os.close(writer)
    return open(1, "w", encoding="utf-8", closefd=False)


def occupy_standard_streams() -> None:
    """Put nothing where stdin, stdout or stderr are closed, so that no socket is opened in their place."""
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor > 2:
            os.close(descriptor)
            return
        os.set_inheritable(descriptor, True)  # noqa: FBT003  takes no names


if __name__ == "__main__":
    main()
