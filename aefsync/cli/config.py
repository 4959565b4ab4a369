"""The configuration file: defaults for options, and sets of replicas that `@NAME` stands for.

    [defaults]                      any long option, without its dashes; lists for those that may be given often
    max-delete = "10%"
    exclude = ["*.tmp"]

    [sets.photos]                   @photos; beside `replicas` the options that hold for this set only
    replicas = ["~/photos", {name = "nas", location = "nas:photos"}]
    on-change = "/usr/local/bin/tell"

    [[sets.photos.rules]]           what becomes of conflicts on paths like this; the last rule that fits wins
    glob = "*.xmp"
    conflicts = "newest"
    suspect = "edit"                what changed but for size, mtime and inode is an edit there, and no damage

What is on the command line wins, then the environment, the set, the defaults; filters add up, in the order defaults,
set, environment or line, so that naming one more pattern never uncovers what the file leaves out.  What must not be
taken by accident (`--mirror`, `--allow-*`, ...) is taken from the command line only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from aefsync.cli.filters import FILTERS
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.policy import Rule, parse_rule
from aefsync.core.problem import reason_of
from aefsync.errors import UsageError
from aefsync.sync import places

Table = Mapping[str, Any]

_REMOTE = r"[^/]*:"
"""A location with a colon before any slash is on another host."""


class ReplicaSet(NamedTuple):
    """The replicas of a set, the names that some of them have (else empty), the options for the set, and its rules."""

    locations: tuple[str, ...]
    names: tuple[str, ...]
    options: Table
    rules: tuple[Rule, ...] = ()


class Config(NamedTuple):
    """What a configuration file says; `file` is empty where there is none."""

    file: str = ""
    defaults: Table = {}
    sets: Mapping[str, ReplicaSet] = {}

    def named(self, words: Iterable[str]) -> ReplicaSet | None:
        """The set that some of these words name; raises `UsageError` where there are several."""
        names = dict.fromkeys(word[1:] for word in words if word.startswith("@") and word[1:] in self.sets)
        if len(names) > 1:
            raise UsageError(f"one set of replicas at a time, not {', '.join('@' + name for name in names)}")
        return next((self.sets[name] for name in names), None)


def load(given: str | None, environ: Mapping[str, str]) -> Config:
    """Read the configuration; raises `UsageError`, naming file and line or key."""
    file = places.config_file(environ) if given is None else given
    try:
        with open(file or os.devnull, "rb") as stream:
            data = stream.read()
    except FileNotFoundError:
        if given:
            raise UsageError(f"--config: {file}: no such file") from None
        return Config()
    except OSError as error:
        raise UsageError(f"{file}: {reason_of(error)}") from None
    return _parse(file, data, environ.get("HOME", "")) if file else Config()


def _parse(file: str, data: bytes, home: str) -> Config:
    import tomllib  # 8 ms that nobody pays who has no such file

    try:
        content = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        text = str(error)
        raise UsageError(f"{file}: {text[:1].lower()}{text[1:]}") from None
    for key in content:
        if key not in ("defaults", "sets"):
            raise UsageError(f"{file}: {key}: unknown; there are [defaults] and [sets.NAME]")
    sets = _table(file, "sets", content.get("sets", {}))
    found = {name: _set(file, name, _table(file, f"sets.{name}", table), home) for name, table in sets.items()}
    config = Config(file, _table(file, "defaults", content.get("defaults", {})), found)
    check_options(file, "defaults", config.defaults)
    for name, each in found.items():
        check_options(file, f"sets.{name}", each.options)
    return config


def _table(file: str, key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{file}: {key}: is no table")
    return value


def _set(file: str, name: str, table: dict[str, Any], home: str) -> ReplicaSet:
    where = f"{file}: sets.{name}"
    replicas = table.get("replicas")
    if not isinstance(replicas, list) or not replicas:
        raise UsageError(f"{where}.replicas: a list of locations is missing")
    pairs = [_replica(f"{where}.replicas", each, home) for each in replicas]
    names = [own for _, own in pairs if own]
    if len(names) != len(set(names)):
        raise UsageError(f"{where}.replicas: a name is given twice")
    options = {key: value for key, value in table.items() if key not in ("replicas", "rules")}
    rules = _rules(f"{where}.rules", table.get("rules", []))
    return ReplicaSet(tuple(location for location, _ in pairs), tuple(own for _, own in pairs), options, rules)


def _rules(where: str, value: Any) -> tuple[Rule, ...]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise UsageError(f"{where}: rules are tables, each under [[...]]")
    rules = []
    for table in value:
        is_known = {"glob"} < set(table) <= {"glob", "conflicts", "suspect"}
        if not is_known or not all(isinstance(each, str) for each in table.values()):
            raise UsageError(f'{where}: a rule is glob = "...", and conflicts = "..." or suspect = "edit"')
        try:
            rules.append(parse_rule(table["glob"], table.get("conflicts"), table.get("suspect")))
        except ValueError as error:
            raise UsageError(f"{where}: {error}") from None
    return tuple(rules)


def _replica(where: str, value: Any, home: str) -> tuple[str, str]:
    """Location and name of a replica."""
    table = {"location": value} if isinstance(value, str) else value
    if not isinstance(table, dict) or not {"location"} <= set(table) <= {"location", "name"}:
        raise UsageError(f'{where}: a replica is a location, or {{name = "...", location = "..."}}')
    if not all(isinstance(each, str) and each for each in table.values()):
        raise UsageError(f"{where}: names and locations are texts")
    location = table["location"]
    if location.startswith("~/") and home:
        location = os.path.join(home, location[2:])
    if not os.path.isabs(location) and not re.match(_REMOTE, location):
        raise UsageError(f"{where}: {location}: a path in the configuration is absolute, or begins with ~/")
    return location, table.get("name", "")


def check_options(file: str, table: str, options: Table) -> None:
    """Raise `UsageError` for what is no option, or must not come from a file, or has a value of another sort."""
    params = _params()
    for key, value in options.items():
        param = params.get(key)
        if param is None:
            raise UsageError(f"{file}: {table}.{key}: there is no option --{key}")
        if is_for_the_line_only(param) or key == "config":
            raise UsageError(f"{file}: {table}.{key}: --{key} is taken from the command line only")
        _value(f"{file}: {table}.{key}", param, value)


def _params() -> dict[str, Any]:
    """The options of all commands, by long name without dashes."""
    from aefsync.cli.app import option_params

    return {name[2:]: param for param in option_params() for name in param.opts if name.startswith("--")}


def is_for_the_line_only(param: Any) -> bool:
    """Whether an option is never taken from the environment, nor from the configuration."""
    return param.param_type_name == "option" and param.envvar is None and bool(param.name != "version")


def _value(where: str, param: Any, value: Any) -> Any:
    """A value of the file as its option wants it."""
    wanted = param.type_descriptor.annotation
    if wanted is bool and isinstance(value, bool):
        return value
    if wanted is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if wanted == list[str]:
        values = [value] if isinstance(value, str) else value
        if isinstance(values, list) and all(isinstance(each, str) for each in values):
            return values
    if wanted is str and isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    what = {bool: "true or false", int: "a number", str: "a text"}.get(wanted, "a list of texts")
    raise UsageError(f"{where}: {value!r} is not {what}")


def values(config: Config, chosen: ReplicaSet | None, params: Iterable[Any]) -> dict[str, Any]:
    """What the configuration says for these parameters, by their names; filters apart, which add up."""
    options = {**config.defaults, **(chosen.options if chosen else {})}
    found = {}
    for param in params:
        for name in param.opts:
            if name[:2] == "--" and name[2:] in options and param.name not in FILTERS:
                found[str(param.name)] = _value(f"{config.file}: {name[2:]}", param, options[name[2:]])
    return found


def filter_values(config: Config, chosen: ReplicaSet | None) -> list[tuple[str, str]]:
    """The filters of the configuration in order, each with its option's parameter; files relative to its directory."""
    found = []
    for table in (config.defaults, chosen.options if chosen else {}):
        for key, value in table.items():
            name = key.replace("-", "_")
            if name in FILTERS:
                texts = [value] if isinstance(value, str) else value
                folder = os.path.dirname(config.file)
                found += [(name, os.path.join(folder, text) if name == "exclude_from" else text) for text in texts]
    return found
