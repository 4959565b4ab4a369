"""Keeps the house in shape: floors, doors, sizes (DESIGN §3).  Everything is read from the source by `ast`."""

from __future__ import annotations

import ast
import functools
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import aefsync

ROOT = Path(__file__).parents[1]
PACKAGE = Path(aefsync.__file__).parent

TOP = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "aefsync",
    "completions",
    "man",
    "pyproject.toml",
    "tests",
}
"""All that stands at the top of the repository."""
MAX_FILE = 300
MAX_FUNCTION = 50

FLOORS = {
    "errors": set[str](),
    "core": {"errors"},
    "disk": {"errors", "core"},
    "wire": {"errors", "core"},
    "sync": {"errors", "core", "disk", "wire"},
    "cli": {"errors", "core", "disk", "wire", "sync"},
    "api": {"errors", "core", "wire", "sync"},
}
"""What each floor may import from, beside itself and `aefsync.__version__`; `cli` and `api` are two doors to one house."""

ROOF = {"__main__"}
"""Modules outside the floors that may import from all of them."""

DOORS = {
    "blake3": "aefsync.core.digest",
    "msgspec": "aefsync.wire.messages",
    "pathspec": "aefsync.core.patterns",
    "pyfastcdc": "aefsync.disk.chunking",
    "paramiko": "aefsync.wire.paramiko",
    "zstandard": "aefsync.wire.compression",
    "typer": "aefsync.cli",
    "click": "aefsync.cli",
    "rich": "aefsync.cli",
    "prometheus_client": "aefsync.cli.metrics",
    "watchdog": "aefsync.disk.watching",
}
"""The one module (or, for the command line, floor) that each third-party package is imported by."""

PURE = {
    "__future__", "abc", "array", "base64", "bisect", "collections", "contextlib", "dataclasses", "datetime", "enum",
    "errno", "fnmatch", "functools", "heapq", "itertools", "math", "operator", "os.path", "re", "stat", "string", "struct",
    "types", "typing", "unicodedata", "zlib",
}  # fmt: skip
"""What of the standard library core may import: nothing that reads a file, socket, clock or random number."""

PURE_NAMES = {"os.path", "os.path.commonprefix", "os.path.splitext", "sys.byteorder"}
"""What core may use of modules that are not pure as a whole."""

IMPURE_NAMES = {"open", "print", "input", "now", "today", "utcnow"}
"""Calls that have no place in core, whatever they are called on."""

VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "tools", "base"}


class Import(NamedTuple):
    module: str
    line: int
    at_start: bool
    """executed when the importing module is imported"""


class Module(NamedTuple):
    name: str
    path: Path
    tree: ast.Module
    imports: tuple[Import, ...]

    @property
    def floor(self) -> str:
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else ""

    def place(self, line: int) -> str:
        return f"{self.path.relative_to(PACKAGE.parent)}:{line}"


@functools.cache
def modules() -> dict[str, Module]:
    """Every module of the package, by its dotted name."""
    names = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("aefsync", *path.relative_to(PACKAGE).with_suffix("").parts)
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    found = {}
    for name, path in names.items():
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        found[name] = Module(name, path, tree, tuple(imports(name, path, tree, names.keys())))
    return found


def imports(name: str, path: Path, tree: ast.Module, known: Collection[str]) -> Iterator[Import]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    late = {id(node) for scope in ast.walk(tree) if is_late(scope) for node in ast.walk(scope)}
    for node in ast.walk(tree):
        at_start = id(node) not in late
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, at_start) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*up, *([base] if base else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield Import(full if full in known or full in PURE else base, node.lineno, at_start)


def is_late(node: ast.AST) -> bool:
    """Whether what is below `node` does not run at import: functions, and what is there for type checkers only."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def report(faults: list[str]) -> None:
    assert not faults, "\n" + "\n".join(faults)


def test_nothing_else_stands_at_the_top() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is no checkout")
    assert {name.partition("/")[0] for name in listed.stdout.decode().split("\0") if name} <= TOP


def test_every_module_is_on_a_floor() -> None:
    report([name for name, module in modules().items() if module.floor not in {"", *FLOORS, *ROOF}])


def test_imports_go_down_only() -> None:
    faults = []
    for module in modules().values():
        if module.floor in ROOF:
            continue
        allowed = FLOORS[module.floor] | {module.floor} if module.floor else {"api"}
        for each in module.imports:
            parts = each.module.split(".")
            if parts[0] == "aefsync" and len(parts) > 1 and parts[1] not in allowed:
                faults.append(f"{module.place(each.line)}: {module.floor or 'aefsync'} imports {each.module}")
    report(faults)


def test_no_import_cycles() -> None:
    graph = {
        name: {each.module for each in module.imports if each.at_start and each.module in modules()} - {name}
        for name, module in modules().items()
    }
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, "cycle: " + " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for following in sorted(graph[name]):
                walk(following, (*path, name))
            done.add(name)

    for name in sorted(graph):
        walk(name, ())


def test_core_is_pure() -> None:
    faults = []
    for module in modules().values():
        if module.floor != "core":
            continue
        for each in module.imports:
            top = each.module.split(".")[0]
            if top != "aefsync" and not {each.module, top} & {*PURE, "sys"} and top not in DOORS:
                faults.append(f"{module.place(each.line)}: imports {each.module}")
        faults += [f"{module.place(line)}: {what}" for line, what in impurities(module.tree)]
    report(faults)


def impurities(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield node.lineno, "changes a global"
        elif isinstance(node, ast.Attribute) and ast.unparse(node).startswith(("os.", "sys.")):
            if ast.unparse(node) not in PURE_NAMES:
                yield node.lineno, f"uses {ast.unparse(node)}"
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in IMPURE_NAMES:
                yield node.lineno, f"calls {ast.unparse(node.func)}"


@pytest.mark.parametrize("package", DOORS)
def test_one_door_per_package(package: str) -> None:
    door = DOORS[package]
    report(
        [
            f"{module.place(each.line)}: imports {each.module} (its door is {door})"
            for name, module in modules().items()
            for each in module.imports
            if each.module.split(".")[0] == package and name != door and not name.startswith(f"{door}.")
        ]
    )


def test_no_third_party_package_without_a_door() -> None:
    import sys

    faults = [
        f"{module.place(each.line)}: {each.module}"
        for module in modules().values()
        for each in module.imports
        if each.module.split(".")[0] not in {"aefsync", *DOORS, *sys.stdlib_module_names}
    ]
    report(faults)


def test_dependencies_are_those_with_a_door() -> None:
    import re
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = {re.split(r"[^\w-]", line)[0] for line in project["dependencies"]}
    used = {each.module.split(".")[0] for module in modules().values() for each in module.imports} & set(DOORS)
    assert used - {"click"} <= listed, "imported and not listed"
    assert listed <= set(DOORS), "listed and without a door"


def test_files_and_functions_are_short() -> None:
    faults = []
    for module in modules().values():
        lines = len(module.path.read_text(encoding="utf-8").splitlines())
        if lines > MAX_FILE:
            faults.append(f"{module.place(1)}: {lines} lines (at most {MAX_FILE})")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION:
                    faults.append(
                        f"{module.place(node.lineno)}: {node.name} has {length} lines (at most {MAX_FUNCTION})"
                    )
    report(faults)


def test_modules_are_named_after_what_they_do() -> None:
    report([name for name in modules() if name.rpartition(".")[2] in VAGUE])


def test_only_the_command_line_prints() -> None:
    faults = []
    for module in modules().values():
        if module.floor in {"cli", *ROOF}:
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
                faults.append(module.place(node.lineno))
            elif isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.stdout":
                faults.append(f"{module.place(node.lineno)}: sys.stdout")
    report(faults)


def test_every_module_says_what_it_is_for() -> None:
    report([str(module.path) for module in modules().values() if not ast.get_docstring(module.tree)])
