"""How a command line is parsed: typer's command, with the order of options, rsync's letters, and a quicker start."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from aefsync.cli import rsync_habits
from aefsync.cli.config import Config, ReplicaSet, is_for_the_line_only, load, values
from aefsync.cli.environment import variable
from aefsync.core.named_tuple import NamedTuple
from aefsync.errors import UsageError

_ORDER = "aefsync.order"
_CONFIGURED = "aefsync.configured"
_GIVEN = "aefsync.given"
NO_VALUE = "always"
"""What an option is worth that may have a value, and has none."""
_WHOLE = 1000
"""Longer than what any command says of itself."""
_WITH_OR_WITHOUT = ("--allow-unreachable",)
"""Their value comes behind an equals sign, or not at all: the next word is a replica."""


class Configured(NamedTuple):
    """The configuration, and the set of replicas that the command line names."""

    config: Config = Config()
    chosen: ReplicaSet | None = None


def configured(ctx: typer.Context) -> Configured:
    """The configuration that holds for a command."""
    found: Configured = ctx.meta.get(_CONFIGURED, Configured())
    return found


def _configure(ctx: Any, params: Sequence[Any], given: Mapping[str, Any]) -> None:
    """Read the configuration; what it says for the command's options holds where line and environment are silent."""
    path = given.get("config")
    config = load(os.environ.get(variable("--config")) if path is None else path, os.environ)
    arguments = [given.get(param.name) for param in params if param.param_type_name == "argument"]
    words = [word for each in arguments if each for word in ([each] if isinstance(each, str) else each)]
    chosen = config.named(words)
    ctx.meta[_CONFIGURED] = Configured(config, chosen)
    ctx.default_map = values(config, chosen, params)


def _refuse_from_environment(params: Sequence[Any]) -> None:
    """What is taken from the command line only is not silently ignored elsewhere."""
    for param in params:
        for name in param.opts if is_for_the_line_only(param) else ():
            if name.startswith("--") and os.environ.get(variable(name)):
                raise UsageError(f"{variable(name)}: {name} is taken from the command line only")


def option_order(ctx: typer.Context) -> Sequence[str]:
    """The names of the parameters given on the command line, in its order."""
    order: Sequence[str] = ctx.meta.get(_ORDER, ())
    return order


def is_on_the_line(ctx: typer.Context, name: str) -> bool:
    """Whether a parameter was given on the command line itself, not by the environment."""
    return name in option_order(ctx)


def given(ctx: typer.Context) -> Sequence[str]:
    """The words of the command line, behind the command's name."""
    words: Sequence[str] = ctx.meta.get(_GIVEN, ())
    return words


class Command(TyperCommand):
    """A command of aefsync."""

    def get_params(self, ctx: Any) -> Any:
        return _quick(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given, args = list(args), _valued(args)
        try:
            ctx.meta[_GIVEN] = given
            given_values, _, order = self.make_parser(ctx).parse_args(list(args))
            ctx.meta[_ORDER] = [param.name for param in order]
            _refuse_from_environment(self.params)
            if any(param.name == "config" for param in self.params) and not given_values.get("help"):
                _configure(ctx, self.params, given_values)
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            if getattr(error, "option_name", None) in rsync_habits.TRANSLATIONS:
                raise rsync_habits.RsyncHabitError(rsync_habits.habits(given)) from error
            raise UsageError(plain(error), hint=f"aefsync {self.name} --help") from error

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`[OPTIONS] A B [C...]`: arguments by their metavar, which says how many."""
        return ["[OPTIONS]", *(str(param.metavar) for param in self.params if param.param_type_name == "argument")]


class Group(TyperGroup):
    """The commands."""

    def get_params(self, ctx: Any) -> Any:
        return _quick(super().get_params(ctx))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """What each does, whole: on a narrow terminal over two lines, and never cut off."""
        shown = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, each.get_short_help_str(_WHOLE)) for name, each in shown if each is not None and not each.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _valued(args: Sequence[str]) -> list[str]:
    """The words, with a value for each option that may do without."""
    end = args.index("--") if "--" in args else len(args)
    return [f"{word}={NO_VALUE}" if word in _WITH_OR_WITHOUT else word for word in args[:end]] + list(args[end:])


def plain(error: typer.TyperException) -> str:
    """What typer has to say, in our style: no capital, no full stop."""
    text = error.format_message().rstrip(".")
    return text[:1].lower() + text[1:]


def _quick(params: list[Any]) -> list[Any]:
    """Let values pass that need no conversion: to turn text into text, typer 0.29 imports pydantic, for 65 ms."""
    for param in params:
        if not hasattr(param.process_value, "convert"):
            param.process_value = _QuickValue(param, param.process_value)
    return params


class _QuickValue:
    """The `process_value` of a parameter, with typer's own as `convert`."""

    def __init__(self, param: Any, convert: Callable[[Any, Any], Any]) -> None:
        self._param = param
        self.convert = convert

    def __call__(self, ctx: Any, value: Any) -> Any:
        is_answered = bool(value and self._param.callback is not None)  # by --help and --version, which are callbacks
        is_missing = bool(self._param.required and not value)
        if is_answered or is_missing or not self._is_converted(value):
            return self.convert(ctx, value)
        return value

    def _is_converted(self, value: Any) -> bool:
        wanted = getattr(getattr(self._param, "type_descriptor", None), "annotation", None)
        if wanted == list[str]:
            return value is None or isinstance(value, list | tuple)
        return value is None or (isinstance(wanted, type) and isinstance(value, wanted))
