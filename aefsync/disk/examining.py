"""Examine a root of this machine, step by step, changing nothing that stays."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from aefsync.core.finding import Finding, State
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RESERVED
from aefsync.core.problem import reason_of
from aefsync.core.space import size_text
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.filesystem import file_system_of
from aefsync.disk.home import TMP, Home, open_home
from aefsync.disk.lock import LOCK
from aefsync.disk.mounts import kind_of_mount
from aefsync.disk.probing import Abilities, probe
from aefsync.disk.removing import remove_tree
from aefsync.disk.room import space_of
from aefsync.errors import RootError

FINE, NOTE, TROUBLE = State.FINE, State.NOTE, State.TROUBLE
_COUNTED = 200_000
"""Directories counted; who has more knows it."""
_LITTLE = 100
"""Free space of less than one in this many is little."""
_ENTRY_BYTES = 160
"""Memory that a run takes for each entry, at most, beside what it begins with."""
_BASE_BYTES = 64 << 20


class Machine(NamedTuple):
    """Where the system tells of itself."""

    proc: str = "/proc"

    def number(self, path: str, word: str = "") -> int | None:
        """The first number in a file, or in the line of it that begins with `word`."""
        with contextlib.suppress(OSError, ValueError, StopIteration, IndexError):
            with open(os.path.join(self.proc, path), encoding="ascii", errors="replace") as file:
                line = next(line for line in file if line.startswith(word))
            return int(line.removeprefix(word).split()[0])
        return None

    def file_system(self, fd: int) -> str:
        """The kind of file system that an open directory is on; empty where the system does not tell."""
        return kind_of_mount(fd, os.path.join(self.proc, "self/mountinfo"))


def examine(
    path: bytes,
    machine: Machine = Machine(),  # noqa: B008  nothing can change it
    *,
    tries: bool = True,
) -> Iterator[Finding]:
    """What is found at a location, the first trouble that nothing can be done without being the last finding.

    With `tries` files are made, and removed again, to find out what the file system can do.
    """
    place = os.path.realpath(path)
    try:
        fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        yield _closed(place, error)
        return
    root = ConfinedRoot(fd)
    home: Home | None = None
    try:
        yield Finding("root", FINE, os.fsdecode(place))
        home, findings = _look_for_home(root)
        yield from findings
        yield from _file_system(root, machine)
        locked = _holder(home, machine) if home is not None else ""
        yield from _writing(root, None if locked else home) if tries else _untried()
        yield from _space(root, home)
        yield from _home(home, locked)
        yield from _size(root, machine)
    finally:
        if home is not None:
            home.close()
        os.close(fd)


def _closed(place: bytes, error: OSError) -> Finding:
    name = os.fsdecode(place)
    if isinstance(error, FileNotFoundError):
        if os.path.isdir(os.path.dirname(place)):
            return Finding("root", NOTE, f"{name}: no such directory yet", "repair makes it (is its disk mounted?)")
        return Finding("root", TROUBLE, f"{name}: no such directory", "make the directory that it is to be in")
    if isinstance(error, NotADirectoryError):
        return Finding("root", TROUBLE, f"{name}: is not a directory", "a replica is a directory")
    return Finding("root", TROUBLE, f"{name}: {reason_of(error)}", "run as somebody who may read it")


def _look_for_home(root: ConfinedRoot) -> tuple[Home | None, list[Finding]]:
    try:
        return open_home(root), []
    except RootError as error:
        return None, [Finding("home", TROUBLE, error.message, "run as the owner of .aefsync")]


def _file_system(root: ConfinedRoot, machine: Machine) -> Iterator[Finding]:
    kind = file_system_of(root.fd)
    believed = "size, mtime, ctime and inode" if kind.stable else "size and mtime only (a network or foreign one)"
    name = machine.file_system(root.fd)
    state = FINE if kind.stable else NOTE
    yield Finding("file system", state, f"{name + ': ' if name else ''}unchanged files are known by {believed}")
    with contextlib.suppress(OSError):
        os.listdir(root.fd)
        yield Finding("reading", FINE, "the root can be listed")
        return
    yield Finding("reading", TROUBLE, "the root cannot be listed", "run as somebody who may read it")


def _writing(root: ConfinedRoot, home: Home | None) -> Iterator[Finding]:
    """Whether a repair can write here; if so, what the file system makes of it."""
    if os.fstatvfs(root.fd).f_flag & os.ST_RDONLY:
        remedy = "remount it for writing; diff, and being the first of --mirror, work"
        yield Finding("writing", TROUBLE, "the file system is read-only", remedy)
        return
    try:
        abilities = _try_out(root, home)
    except OSError as error:
        reason = reason_of(error)
        yield Finding("writing", TROUBLE, f"nothing can be made here: {reason}", "run as somebody who may write")
        return
    yield Finding("writing", FINE, "files can be made here")
    yield from _abilities(abilities)


def _untried() -> Iterator[Finding]:
    yield Finding("writing", NOTE, "whoever serves this root lets nothing be changed")


def _try_out(root: ConfinedRoot, home: Home | None) -> Abilities:
    """In our own staging where there is one, else in a directory that exists only for as long."""
    name = b"doctor-" + os.urandom(4).hex().encode()
    where, path = (root, b".aefsync-" + name) if home is None else (home.alone, TMP + b"/" + name)
    where.make_directories(path)
    try:
        with where.directory(path) as fd:
            return probe(fd)
    finally:
        remove_tree(where, path)


def _abilities(abilities: Abilities) -> Iterator[Finding]:
    step = abilities.time_step_ns
    text = "ns" if step == 1 else f"{step} ns" if step < 1_000_000 else f"{step / 1e9:g} s"
    state = FINE if step <= 1_000 else NOTE
    yield Finding("times", state, f"mtimes are kept to the {text}", "" if state is FINE else "--modify-window 2s")
    if abilities.folds_case or abilities.folds_forms:
        what = " and ".join(["case"] * abilities.folds_case + ["Unicode normal form"] * abilities.folds_forms)
        yield Finding("names", NOTE, f"names that differ only in {what} are one", "rename those of the other replicas")
    if abilities.cannot:
        yield Finding("abilities", NOTE, f"it does not know: {', '.join(abilities.cannot)}")
    else:
        yield Finding("abilities", FINE, "modes, links, extended attributes, exchange of names")


def _space(root: ConfinedRoot, home: Home | None) -> Iterator[Finding]:
    for space in space_of(root, home):
        where = f" on {os.fsdecode(space.path)}, mounted below" if space.path else ""
        trash = f", {size_text(space.trash_bytes)} in the trash" if space.trash_bytes else ""
        text = f"{size_text(space.free_bytes)} of {size_text(space.total_bytes)} free{where}{trash}"
        little = space.free_bytes * _LITTLE < space.total_bytes
        remedy = "aefsync trash ROOT purge --older-than 7d" if space.trash_bytes else "make room"
        yield Finding("space", NOTE if little else FINE, text, remedy if little else "")


def _home(home: Home | None, locked: str) -> Iterator[Finding]:
    if home is None:
        yield Finding("identity", FINE, "no .aefsync yet: the first run that writes here makes it")
        return
    if home.identity:
        yield Finding("identity", FINE, f"known as {home.identity}")
    else:
        yield Finding("identity", NOTE, "the id is missing or damaged", "the next repair gives it a new one")
    if locked:
        yield Finding("lock", NOTE, f"another run is at work ({locked})", "wait for it, or use --lock-wait")
    else:
        yield Finding("lock", FINE, "nobody is at work here")
    try:
        size = home.lstat(b"index.db").st_size
    except OSError:
        yield Finding("index", FINE, "none: the next run reads everything once")
    else:
        yield Finding("index", FINE, size_text(size))


def _holder(home: Home, machine: Machine) -> str:
    """Who holds the lock, asked without taking it; empty where nobody does, or the system does not tell."""
    with contextlib.suppress(OSError):
        inode = home.lstat(LOCK).st_ino
        with open(os.path.join(machine.proc, "locks"), encoding="ascii", errors="replace") as table:
            if not any(f":{inode} " in line for line in table):
                return ""
        return home.lock.holder
    return ""


def _size(root: ConfinedRoot, machine: Machine) -> Iterator[Finding]:
    """What the tree needs of the machine: watches for its directories, memory for its entries."""
    directories, entries = _count(root)
    more = " at least" if directories >= _COUNTED else ""
    watches = machine.number("sys/fs/inotify/max_user_watches")
    if watches is not None:
        text = f"directories: {directories}{more}; inotify watches for each user: {watches}"
        remedy = f"sysctl fs.inotify.max_user_watches={directories * 2}, or watch --poll"
        few = directories > watches
        yield Finding("watching", NOTE if few else FINE, text, remedy if few else "")
    free = machine.number("meminfo", "MemAvailable:")
    if free is not None:
        need = _BASE_BYTES + entries * _ENTRY_BYTES
        text = f"entries: {entries}{more}; about {size_text(need)} needed, {size_text(free << 10)} available"
        tight = need > free << 10
        yield Finding("memory", NOTE if tight else FINE, text, "repair sub-trees one by one: --path" if tight else "")


def _count(root: ConfinedRoot) -> tuple[int, int]:
    """Directories and entries, as far as they can be seen; not beyond `_COUNTED` directories."""
    pending, directories, entries = [b""], 0, 0
    while pending and directories < _COUNTED:
        path = pending.pop()
        with contextlib.suppress(OSError), root.directory(path) as fd, os.scandir(fd) as found:
            directories += 1
            for entry in found:
                if entry.name == RESERVED.decode():
                    continue
                entries += 1
                if entry.is_dir(follow_symlinks=False):
                    pending.append(os.path.join(path, os.fsencode(entry.name)))
    return directories, entries
