"""What the command line takes from the environment: colours, terminals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from aefsync.errors import UsageError

COLORS = ("auto", "always", "never")


def is_terminal(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """Whether somebody looks at `stream` on a terminal that can do more than print."""
    return stream is not None and stream.isatty() and environ.get("TERM") != "dumb"


def colors_on(choice: str, stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """Whether to colour: as asked, else on terminals unless `NO_COLOR` is set."""
    if choice not in COLORS:
        raise UsageError(f"--color: {choice!r} is none of {', '.join(COLORS)}")
    if choice == "auto":
        return is_terminal(stream, environ) and not environ.get("NO_COLOR")
    return choice == "always"


def wants_json(argv: list[str], environ: Mapping[str, str]) -> bool:
    """Whether `--json` is asked for; looked up by hand, for errors found before the options are known."""
    options = argv[: argv.index("--")] if "--" in argv else argv
    return "--json" in options or environ.get("AEFSYNC_JSON", "").lower() in ("1", "true", "t", "yes", "y", "on")


def variable(option: str) -> str:
    """The environment variable that a long option is also read from."""
    return "AEFSYNC_" + option.lstrip("-").replace("-", "_").upper()
