"""Where `aefsync` and `python -m aefsync` begin: `--version` is answered here, before typer is imported."""

from __future__ import annotations

import gc
import os
import sys
from typing import NoReturn

from aefsync import __version__


def main() -> None:
    """The console script: run the command line, and leave with its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"aefsync {__version__}\n")
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


def _leave(code: int) -> NoReturn:
    """End, without taking apart what ends with the process anyway."""
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError:
        sys.exit(code)
    os._exit(code)


def _run(argv: list[str]) -> int:
    from aefsync.sync.child import Nursery

    # What a run builds has no cycles; looking for them took a third of the time of a first copy.
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
    # Two replicas are the rule, or one with another elsewhere: their processes start up while typer is imported here.
    early = 1 if any(":" in word for word in argv) else 2
    nursery = Nursery(early if argv[:1] in (["diff"], ["repair"], ["sync"], ["watch"]) and len(argv) > 2 else 0)
    try:
        from aefsync.cli.app import run

        return run(argv, nursery)
    finally:
        nursery.close()


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
