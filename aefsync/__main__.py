"""Where `aefsync` and `python -m aefsync` begin: `--version` is answered here, before typer is imported."""

from __future__ import annotations

import sys

from aefsync import __version__


def main() -> None:
    """The console script: run the command line, and leave with its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"aefsync {__version__}\n")
        return
    from aefsync.cli.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
