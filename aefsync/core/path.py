"""The relative path: the one place where a name from a peer or a disk is accepted or refused.

A `RelPath` is the bytes of a path below a root, `/` between components.  Its **key** has NUL in place of `/`: sorted
by key, every subtree is one contiguous range, which plain path order does not give (`a-b` < `a/b` < `ab`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import lru_cache

RESERVED = b".aefsync"
MAX_NAME = 255
MAX_PATH = 1 << 16
_SLASH = ord("/")

# Code points that HFS+ drops when it compares names (git's list, CVE-2014-9390).
_IGNORED = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])


_PLAIN = re.compile(rb"[^./\0\x80-\xff][^/\0\x80-\xff]{0,%d}" % (MAX_NAME - 1))
"""What most names look like, about which there is nothing more to be asked than whether they may be ours."""
_ALL_PLAIN = re.compile(rb"%b(?:\0%b)*" % (_PLAIN.pattern, _PLAIN.pattern))


class PathError(ValueError):
    """A path that aefsync neither sends nor accepts."""


@lru_cache(maxsize=1024)
def is_reserved(name: bytes) -> bool:
    """Whether a file system could take `name` for `.aefsync`: case, normal form, ignorables, trailing dots, 8.3."""
    text = name.decode("utf-8", "surrogateescape").translate(_IGNORED)
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
    folded = folded.partition(":")[0].rstrip(". ")
    return folded == ".aefsync" or (folded[:7] == "aefsyn~" and folded[7:].isdigit())


def check_name(name: bytes) -> None:
    """Raise `PathError` unless `name` may be one component of a path."""
    if _PLAIN.fullmatch(name) and b"aef" not in name.lower():
        return
    if not name:
        raise PathError("empty name")
    if name in (b".", b".."):
        raise PathError("name is . or ..")
    if b"/" in name or b"\0" in name:
        raise PathError("name with / or NUL")
    if len(name) > MAX_NAME:
        raise PathError(f"name of {len(name)} bytes (at most {MAX_NAME})")
    if b"aef" in name.lower() or not name.isascii():
        if is_reserved(name):
            raise PathError("name is reserved for aefsync")


def is_too_deep(prefix: bytes, length: int = MAX_NAME) -> bool:
    """Whether the path of a name of so many bytes is too long, in the directory of this key with its closing NUL."""
    return len(prefix) + length > MAX_PATH


def check_names(joined: bytes) -> list[bytes]:
    """Names joined by NUL, one by one; raises `PathError` unless each may be one component of a path."""
    names = joined.split(b"\0")
    if not _ALL_PLAIN.fullmatch(joined) or b"aef" in joined.lower():
        for name in names:
            check_name(name)
    return names


def check_paths(paths: Sequence[bytes]) -> list[RelPath]:
    """The same of whole paths, which `RelPath` would check one by one."""
    if not paths:
        return []
    joined = b"\0".join(paths)
    is_apart = joined.count(b"\0") == len(paths) - 1 and max(map(len, paths)) <= MAX_PATH
    if is_apart and _ALL_PLAIN.fullmatch(joined.replace(b"/", b"\0")) and b"aef" not in joined.lower():
        return list(map(RelPath.again, paths))
    return list(map(RelPath, paths))


@lru_cache(maxsize=64)
def _check_directory(path: bytes) -> None:
    """Check every component; paths come a directory at a time, and deep ones are mostly that."""
    for name in path.split(b"/"):
        check_name(name)


class RelPath(bytes):
    """A path below a root; constructing one checks every component.

    >>> RelPath(b"docs/a.txt").key
    b'docs\\x00a.txt'
    """

    __slots__ = ()

    def __new__(cls, path: bytes) -> RelPath:
        if len(path) > MAX_PATH:
            raise PathError(f"path of {len(path)} bytes (at most {MAX_PATH})")
        if path[:1] == b"/":
            raise PathError("absolute path")
        directory, slash, name = path.rpartition(b"/")
        check_name(name)
        if slash:
            _check_directory(directory)
        return super().__new__(cls, path)

    @classmethod
    def from_key(cls, key: bytes) -> RelPath:
        """The path of a key; raises `PathError` as the constructor does."""
        if b"/" in key:
            raise PathError("key with /")
        return cls(key.replace(b"\0", b"/"))

    @classmethod
    def again(cls, path: bytes) -> RelPath:
        """A path that was a `RelPath` before and only had to be kept as bytes: it is not checked once more."""
        return bytes.__new__(cls, path)

    @property
    def key(self) -> bytes:
        """The sort key: subtrees are contiguous in it."""
        return self.replace(b"/", b"\0")

    @property
    def name(self) -> bytes:
        return self.rpartition(b"/")[2]

    @property
    def parent(self) -> bytes:
        """The path of the directory that holds this entry; empty for the root itself."""
        return self.rpartition(b"/")[0]

    @property
    def prefix(self) -> bytes:
        """What the keys of all that is in the same directory begin with."""
        return self.key[: -len(self.name)]

    @property
    def ancestors(self) -> list[RelPath]:
        """The directories above, outermost first, the root left out."""
        # Every component was checked: doing so again for each of them makes deep trees slow.
        return [bytes.__new__(RelPath, self[:end]) for end, byte in enumerate(self) if byte == _SLASH]

    def is_below(self, directory: bytes) -> bool:
        """Whether this path lies strictly below `directory` (empty: the root)."""
        return not directory or self.startswith(directory + b"/")

    def sibling(self, name: bytes) -> RelPath:
        """The path of another name in the same directory."""
        parent = self.parent
        return RelPath(parent + b"/" + name if parent else name)

    def __str__(self) -> str:
        return self.decode("utf-8", "surrogateescape")


def parents(path: bytes) -> Iterator[bytes]:
    """The paths above, the root (empty) last.  Plain bytes: what is unknown may have a name that `RelPath` refuses."""
    while path:
        path = path.rpartition(b"/")[0]
        yield path


def is_within(path: bytes, scope: Container[bytes]) -> bool:
    """Whether a path is one of these or lies below one; everything lies below the root."""
    return path in scope or any(above in scope for above in parents(path))


def outermost(paths: Iterable[RelPath]) -> tuple[RelPath, ...]:
    """Paths in key order, without those that lie below another one of them."""
    chosen: list[RelPath] = []
    for path in sorted(set(paths), key=lambda path: path.key):
        if not (chosen and path.is_below(chosen[-1])):
            chosen.append(path)
    return tuple(chosen)


def subtree_range(key: bytes) -> tuple[bytes, bytes]:
    """The half-open key range of an entry and everything below it (an empty key: everything)."""
    return (key, key + b"\x01") if key else (b"", END)


# Above every key: no name begins with 0xFF bytes throughout, and none is longer than MAX_NAME.
END = b"\xff" * (MAX_NAME + 1)
