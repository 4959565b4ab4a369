"""Half set: owners, extended attributes, modes and times of what is there, which can only be set one after the other.

A run that ends in between must not leave what is half done for the user's own: of versions that differ in nothing else
the one that was set last wins, and the others would lose what they have.  So what is there and what is to be is written
down before, and whoever writes next sets the rest before it looks at the tree, unless somebody has set something else
since.

`.aefsync/settings/RUN` holds a line of JSON for each, byte strings in hexadecimal; a line without an end was never
written whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator
from typing import Any

from aefsync.core.metadata import Attributes, Namespaces
from aefsync.core.named_tuple import NamedTuple
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.durability import Durable
from aefsync.disk.home import Home
from aefsync.disk.interrupted import Putting, finish_all
from aefsync.disk.lasting import LastingFile
from aefsync.disk.xattrs import read_attributes, set_attributes

SETTINGS = b"settings"
_FLAGS = getattr(os, "O_PATH", os.O_NONBLOCK) | os.O_NOFOLLOW
_SPECIAL = stat.S_ISUID | stat.S_ISGID
_ACL, _GUARDED = b"system.posix_acl_access", b"security."


class State(NamedTuple):
    """Metadata that counts; `None`: it does not, or is not known."""

    owner: tuple[int, int] | None = None
    attributes: Attributes | None = None
    mode: int | None = None
    mtime_ns: int | None = None


class HalfSet(NamedTuple):
    """What is at a path is to have other metadata: the `inode` there (0: it is made now), what it had, and what it is to
    have; attributes are those of these namespaces."""

    path: bytes
    inode: int
    before: State
    wanted: State
    namespaces: Namespaces = Namespaces.NONE


class HalfSets:
    """Those of one run."""

    def __init__(self, home: Home, run: str, durable: Durable) -> None:
        self._home = home
        self._path = SETTINGS + b"/" + run.encode()
        self._file = LastingFile(home, self._path, durable)

    def declare(self, each: HalfSet) -> None:
        """Write down what is about to be set; raises `OSError`: then nothing may be."""
        self._file.append(json.dumps(_packed(each)).encode() + b"\n")

    def clear(self) -> None:
        """Forget them: everything is set."""
        if self._file.is_open:
            self._file.close()
            with contextlib.suppress(OSError):
                self._home.unlink(self._path)

    def close(self) -> None:
        self._file.close()


def finish(root: ConfinedRoot, home: Home) -> None:
    """Set what interrupted runs did not come to; what cannot be is left for the next one."""
    finish_all(home, SETTINGS, Putting(_declared_in, lambda each: root.open(each.path, _FLAGS), _put_right))


def _put_right(fd: int, half: HalfSet) -> None:
    _complete(b"/proc/self/fd/%d" % fd if hasattr(os, "O_PATH") else fd, os.fstat(fd), half)


def _complete(place: int | bytes, seen: os.stat_result, half: HalfSet) -> None:
    """Set the rest, where everything that is there is what was there before, or what is to be."""
    wanted, before = half.wanted, half.before
    if (half.inode and seen.st_ino != half.inode) or stat.S_ISLNK(seen.st_mode):
        return
    there = read_attributes(place, half.namespaces, follow=True) if wanted.attributes is not None else None
    if not _is_between(seen, half) or not _are_between(there, half):
        return
    mode = stat.S_IMODE(seen.st_mode) if wanted.mode is None else wanted.mode
    if wanted.owner not in (None, (seen.st_uid, seen.st_gid)):
        os.chown(place, *wanted.owner)
    if there != wanted.attributes and wanted.attributes is not None:
        os.chmod(place, mode | stat.S_IWUSR)  # its owner may set attributes only of what he may write
        set_attributes(place, wanted.attributes, half.namespaces, follow=True)
    os.chmod(place, mode)
    if wanted.mtime_ns is not None and before.mtime_ns is not None:
        os.utime(place, ns=(wanted.mtime_ns, wanted.mtime_ns))


def _is_between(seen: os.stat_result, half: HalfSet) -> bool:
    """Whether owner, mode and mtime are those from before, those that are to be, or what they are in passing."""
    before, wanted, mode = half.before, half.wanted, stat.S_IMODE(seen.st_mode)
    modes = [each for each in (before.mode, wanted.mode) if each is not None]
    passing = {kept for each in modes for kept in (each, each & ~_SPECIAL, each | stat.S_IWUSR)}
    return (
        (wanted.owner is None or not half.inode or (seen.st_uid, seen.st_gid) in (before.owner, wanted.owner))
        and (wanted.mode is None or mode in passing)
        and (wanted.mtime_ns is None or seen.st_mtime_ns in (before.mtime_ns, wanted.mtime_ns))
    )


def _are_between(there: Attributes | None, half: HalfSet) -> bool:
    """Whether attributes are those from before, or those that are to be; what is made may have been given others."""
    if there is None:
        return True
    now, before, wanted = dict(there), dict(half.before.attributes or ()), dict(half.wanted.attributes or ())
    names = now.keys() | before.keys() | wanted.keys() if half.inode else {*filter(_is_of_user, now)}
    # Setting a mode or an owner changes these, too.
    names = {name for name in names if name != _ACL and not name.startswith(_GUARDED)}
    return all(now.get(name) in (before.get(name), wanted.get(name)) for name in names)


def _is_of_user(name: bytes) -> bool:
    return name.startswith(b"user.")


def _packed(half: HalfSet) -> list[Any]:
    return [half.path.hex(), half.inode, *map(_packed_state, (half.before, half.wanted)), int(half.namespaces)]


def _packed_state(state: State) -> list[Any]:
    attributes = state.attributes
    pairs = None if attributes is None else [(name.hex(), value.hex()) for name, value in attributes]
    return [state.owner, pairs, state.mode, state.mtime_ns]


def _declared_in(data: bytes) -> Iterator[HalfSet]:
    """What was written down, as far as it makes sense (a machine may have lost its power meanwhile)."""
    for line in data.split(b"\n")[:-1]:
        try:
            path, inode, before, wanted, namespaces = json.loads(line)
            states = _state(before), _state(wanted)
            yield HalfSet(bytes.fromhex(path), int(inode), *states, Namespaces(namespaces))
        except (ValueError, TypeError):
            return


def _state(packed: list[Any]) -> State:
    owner, pairs, mode, mtime_ns = packed
    plain = bytes.fromhex
    attributes = None if pairs is None else tuple((plain(name), plain(value)) for name, value in pairs)
    return State(None if owner is None else (int(owner[0]), int(owner[1])), attributes, mode, mtime_ns)
