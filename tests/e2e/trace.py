"""What a run asks of the system, recorded by strace, and the order that must hold in it (DESIGN §9, Durability)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_CALLS = (
    "fsync,fdatasync,syncfs,sync,write,pwrite64,pwritev,copy_file_range,sendfile,ftruncate,"
    "rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,symlinkat"
)
_WITH_DATA = ("write", "pwrite64", "pwritev")
"""Calls whose strings are no names."""
_LINE = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+)")
_FD = re.compile(r"^\d+<([^>]*)>$")


class Call(NamedTuple):
    """One system call; `paths` are those it works on, absolute: of a descriptor, or of a name in a directory."""

    name: str
    paths: tuple[str, ...]
    flags: str


def tracing(log: Path) -> list[str | Path]:
    """The prefix that runs a program and writes its calls down."""
    return ["strace", "-f", "--seccomp-bpf", "-y", "-s", "4000", "-o", log, "-e", f"trace={_CALLS}"]


def calls(log: Path) -> list[Call]:
    """The calls that succeeded, in order."""
    lines = (_LINE.match(line) for line in _joined(log.read_text(errors="replace").splitlines()))
    return [_call(found[2], found[3]) for found in lines if found and int(found[4]) >= 0]


def _joined(lines: list[str]) -> Iterator[str]:
    """Calls that strace cut in two because another process came in between, put together where they end."""
    begun: dict[str, str] = {}
    for line in lines:
        pid = line.partition(" ")[0]
        if line.endswith("<unfinished ...>"):
            begun[pid] = line.removesuffix("<unfinished ...>").rstrip()
        elif resumed := re.match(r"^\d+ +<\.\.\. \w+ resumed>(.*)$", line):
            yield begun.pop(pid, "") + resumed[1]
        else:
            yield line


def _call(name: str, text: str) -> Call:
    words = [word.strip() for word in text.split(", ")]
    paths: list[str] = []
    directory = None
    for word in words:
        if fd := _FD.match(word):
            directory = fd[1]
            paths.append(directory)
        elif word.startswith('"') and directory is not None and name not in _WITH_DATA:
            paths[-1] = f"{directory}/{word.strip('.').strip(chr(34))}"
            directory = None
    return Call(name, tuple(paths), words[-1] if words else "")


class Order:
    """Follows the calls on one root, and collects what breaks the order."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._home = f"{root}/.aefsync"
        self._unsafe: set[str] = set()
        self._renamed: set[str] = set()
        self.faults: list[str] = []
        self.placed = self.deleted = 0
        self.synced: list[str] = []

    def follow(self, made: list[Call]) -> Order:
        for call in made:
            if call.paths and call.paths[0].startswith(self._root):
                self._follow(call)
        return self

    def _follow(self, call: Call) -> None:
        first = call.paths[0]
        match call.name:
            case "write" | "pwrite64" | "pwritev" | "ftruncate" if first.startswith(f"{self._home}/index.db"):
                self.faults += [f"recorded before {place} was durable" for place in self._renamed]
                self._renamed.clear()
            case "write" | "pwrite64" | "pwritev" | "copy_file_range" | "sendfile":
                self._unsafe.add(call.paths[-1])
            case "fsync" | "fdatasync":
                self.synced.append(first)
                self._unsafe.discard(first)
                self._renamed.discard(first)
            case "syncfs":
                self.synced.append("*")
                self._unsafe.clear()
                self._renamed.clear()
            case "unlinkat" if "REMOVEDIR" in call.flags and not first.startswith(self._home):
                self._renamed.discard(first)
                self._renamed.add(first.rpartition("/")[0])
            case "unlinkat" if "REMOVEDIR" not in call.flags and first.startswith(f"{self._home}/trash/"):
                self.deleted += 1
                self.faults += [f"{first} was deleted before {place} was durable" for place in self._renamed]
            case "renameat2" | "renameat" | "rename" | "linkat":
                self._rename(call)

    def _rename(self, call: Call) -> None:
        old, new = call.paths
        moved = {old: new, new: old} if "EXCHANGE" in call.flags else {old: new}
        for place, to in moved.items():
            inside = to.startswith(self._home)
            if not inside and place in self._unsafe:
                self.faults.append(f"{to} was put in place before its bytes were durable")
            if not inside and any(each.startswith(f"{self._home}/runs/") for each in self._unsafe):
                self.faults.append(f"{to} was put in place before the intent was durable")
            self.placed += not inside
        self._unsafe = {moved.get(place, place) for place in self._unsafe}
        self._renamed |= {place.rpartition("/")[0] for place in (old, new) if not place.startswith(self._home)}

    @property
    def pending(self) -> set[str]:
        """Directories with renames that nothing made durable."""
        return self._renamed
