"""The command tree, and the one handler of errors: whatever happens, one clear line and the exit code that says so.

Only the command that is asked for is imported; the engine is imported by the command functions, so `--help` is quick.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from typer.main import get_command

from aefsync import __version__
from aefsync.cli import environment, exits, signals
from aefsync.cli.bundles import unbundled
from aefsync.cli.command import Command, Group, plain
from aefsync.cli.escape import escape_text
from aefsync.cli.playing import binary, encoding
from aefsync.cli.writer import ClosedOutputError
from aefsync.core.named_tuple import NamedTuple
from aefsync.errors import AefsyncError, UsageError
from aefsync.sync.child import Nursery

COMMANDS = {
    "diff": "diff",
    "repair": "repair",
    "sync": "repair",
    "watch": "watch",
    "gossip": "gossip",
    "schedule": "schedule",
    "scrub": "scrub",
    "digest": "digest",
    "trash": "trash",
    "status": "status",
    "init": "init",
    "members": "members",
    "conflicts": "conflicts",
    "runs": "runs",
    "undo": "undo",
    "demo": "demo",
    "deploy": "deploy",
    "doctor": "doctor",
    "agent": "agent",
}
"""Names of commands, and the function (in the file of that name) that each runs."""


def run(argv: list[str], nursery: Nursery | None = None) -> int:
    """Run a command line, with replica processes that may be up already; return the exit code, never raise."""
    command = next((word for word in argv if not word.startswith("-")), "")
    try:
        try:
            with signals.raising():
                return invoke(argv, nursery)
        except Exception as error:
            if (signalled := signals.behind(error)) is not None:
                raise signalled from error
            if isinstance(error, AefsyncError | ClosedOutputError):
                raise
            raise _as_error(error, command) from error
    except ClosedOutputError:
        return _leave_quietly()
    except AefsyncError as error:
        code = exits.exit_code(error, command)
        return _report(argv, Ending(code, (error.cause, *error.beside), _lines(error), error.hint))
    except KeyboardInterrupt:
        return _report(argv, Ending(130, (signals.WORDS[130],), (signals.WORDS[130],)))
    except signals.SignalledError as signalled:
        word = signals.WORDS[signalled.exit_code]
        return _report(argv, Ending(signalled.exit_code, (word,), (word,)))


def invoke(argv: list[str], nursery: Nursery | None = None) -> int:
    """Parse a command line and run its command; raises `AefsyncError` and what the command raises."""
    names = [argv[0]] if argv[:1] and argv[0] in COMMANDS else list(COMMANDS)
    group = get_command(tree(names))
    try:
        with group.make_context("aefsync", list(argv) or ["--help"], obj=nursery) as ctx:
            return int(group.invoke(ctx) or 0)
    except typer.Exit as leaving:
        sys.stdout.flush()
        return leaving.exit_code if argv else exits.TROUBLE
    except typer.TyperException as error:
        raise UsageError(plain(error), hint="aefsync --help") from error
    except BrokenPipeError as error:  # of the help: `play` turns all others into something else
        raise ClosedOutputError from error


def tree(names: list[str]) -> typer.Typer:
    """The command tree, with these commands."""
    app = typer.Typer(
        cls=Group,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    )
    app.callback(epilog=exits.epilog(""))(_aefsync)
    for name in names:
        function = getattr(importlib.import_module(f"aefsync.cli.{COMMANDS[name]}"), COMMANDS[name])
        is_alias = name != COMMANDS[name]
        app.command(name, cls=Command, epilog=exits.epilog(COMMANDS[name]), hidden=is_alias)(unbundled(function))
    return app


def _show_version(wanted: bool) -> None:  # noqa: FBT001  typer's form of a callback
    if wanted:
        sys.stdout.write(f"aefsync {__version__}\n")
        raise typer.Exit


_Version = Annotated[
    bool, typer.Option("--version", "-V", help="Say which version this is.", is_eager=True, callback=_show_version)
]


def _aefsync(*, version: _Version = False) -> None:
    """Make replicas of a directory tree agree."""


def option_params() -> Iterator[Any]:
    """The options of all commands."""
    commands: Any = get_command(tree(list(COMMANDS)))
    for command in commands.commands.values():
        yield from (param for param in command.params if param.param_type_name == "option")


class Ending(NamedTuple):
    """How a run ended that did not come to its summary."""

    exit_code: int
    causes: tuple[str, ...]
    lines: tuple[str, ...]
    hint: str | None = None


def _report(argv: list[str], ending: Ending) -> int:
    """Say it on stderr, and in the summary that the last line of JSON always is."""
    lines = [f"aefsync: {line}" for line in ending.lines] + [f"  {line}" for line in (ending.hint or "").splitlines()]
    try:
        err = binary(sys.stderr)
        err.write("".join(f"{escape_text(line)}\n" for line in lines).encode(encoding(sys.stderr), "backslashreplace"))
        err.flush()
    except OSError:
        pass  # nobody listens; the exit code still tells
    try:
        if environment.wants_json(argv, os.environ):
            from aefsync.cli.json_lines import encoded, failure

            out = binary(sys.stdout)
            out.write(encoded(failure(ending.exit_code, ending.causes, "; ".join(ending.lines), ending.hint)))
            out.flush()
    except OSError:
        return _leave_quietly()
    return ending.exit_code


def _lines(error: AefsyncError) -> tuple[str, ...]:
    lines: tuple[str, ...] = getattr(error, "lines", (error.message,))
    return lines


def _as_error(error: Exception, command: str) -> AefsyncError:
    """What nobody foresaw, as an error of one line."""
    import traceback  # 5 ms that a run without trouble need not pay

    if os.environ.get("AEFSYNC_TRACEBACK"):
        traceback.print_exception(error)
    if isinstance(error, OSError) and error.strerror:
        name = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return AefsyncError(f"{name}{error.strerror}")
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(frame.filename)}:{frame.lineno}"
    return AefsyncError(
        f"internal error in {command or 'aefsync'}, {place}: {type(error).__name__}: {error}",
        hint="this is a bug; AEFSYNC_TRACEBACK=1 shows where it happened",
    )


def _leave_quietly() -> int:
    """Nobody reads stdout: nothing may be written to it at the end, either."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
    except OSError:
        pass
    return 141
