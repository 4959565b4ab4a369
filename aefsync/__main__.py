"""Where `aefsync` and `python -m aefsync` begin: `--version` is answered here, before typer is imported."""

from __future__ import annotations

import os
import sys

from aefsync import __version__


def main() -> None:
    """The console script: run the command line, and leave with its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"aefsync {__version__}\n")
        return
    occupy_standard_streams()
    try:
        code = _run(sys.argv[1:])
    except KeyboardInterrupt:  # before the command line could take care of it
        sys.stderr.write("aefsync: interrupted\n")
        code = 130
    sys.exit(code)


def _run(argv: list[str]) -> int:
    from aefsync.sync.child import Nursery

    # Two replicas are the rule, or one with another elsewhere: their processes start up while typer is imported here.
    early = 1 if any(":" in word for word in argv) else 2
    nursery = Nursery(early if argv[:1] in (["diff"], ["repair"], ["sync"]) and len(argv) > 2 else 0)
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
