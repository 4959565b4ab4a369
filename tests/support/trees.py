"""Real trees on disk, odd ones above all, and `judge`: rsync's opinion on whether two of them agree.

Builders take a root that does not exist yet and are the same on every call, so that a tree built twice is equal.
Names are bytes throughout.
"""

from __future__ import annotations

import contextlib
import os
import random
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

IS_ROOT = os.geteuid() == 0
BASE_NS = 1_600_000_000_123_456_789
"""The mtime of whatever has none of its own: past, and not a whole second."""

SECOND = 1_000_000_000

NAMES = [
    b"-rf", b"--delete", b"-", b" ", b" leading", b"trailing ", b"two  spaces", b".hidden", b"...", b"..dots", b"~", b"~user",
    b"*", b"?", b"[a]", b"{a,b}", b"!", b"!bang", b"#hash", b"$HOME", b"`id`", b"$(id)", b"'", b'"', b"\\", b"back\\slash",
    b"a:b", b"host:path", b"::", b"@set", b"%s%n", b"&;|<>", b"CON", b"nul.", b"Case", b"case", b"CASE", b"[bold]markup[/bold]",
    b"new\nline", b"\n", b"tab\there", b"cr\rlf\n", b"\x01", b"\x1b[31mred\x1b[0m", b"\x7f", b"bell\x07", b"\xff", b"\xfe\xff",
    b"caf\xe9", b"\xc3(", b"\xed\xa0\x80", "café".encode(), b"cafe\xcc\x81", "日本語".encode(), "🙂".encode(),
    "rtl\u202egpj.exe".encode(), "zero\u200bwidth".encode(), "c1\u0085".encode(), "ﬀ".encode(), "ß".encode(), "İ".encode(),
    b"n" * 255, "名".encode() * 85, b"\xfa" * 255, b"aefsync", b".aefsync-not", b".aefsyncx", b"aefsync~", b".git",
    b"x.conflict-20200101T000000Z-abcd.txt", b"lock", b"index.db", b"0", b"1e5", b"null", b"None",
]  # fmt: skip
"""Every odd name that is allowed; nothing here folds to `.aefsync`."""

ORDER = [
    b"a/b",
    b"a/b-",
    b"a-b",
    b"a.b",
    b"ab",
    b"a!",
    b"a\x01",
    b"a0",
    b"A",
    b"a/\x01",
    b"a/b.d/c",
    b"a/b\x01",
    b"b/a",
    b"b-",
]
"""Files whose key order differs from the order of their paths."""

MTIMES_NS = {
    b"epoch": 0,
    b"one-nanosecond": 1,
    b"minus-one-nanosecond": -1,
    b"minus-half-a-second": -SECOND // 2,
    b"minus-one-second": -SECOND,
    b"year-1950": -631_152_000 * SECOND + 999_999_999,
    b"year-1902": -2_145_916_800 * SECOND + 1,
    b"microsecond": 1_234_567_890_000_001_000,
    b"nanosecond": 1_234_567_890_123_456_789,
    b"before-2038": (2**31 - 1) * SECOND + 999_999_999,
    b"year-2038": 2**31 * SECOND,
    b"year-2200": 7_258_118_400 * SECOND + 7,
}
"""Moments that ext4 can store; the last ones lie in the future."""


def needs_attributes(place: Path) -> None:
    """Skip the test where extended attributes cannot be had."""
    try:
        os.setxattr(place, "user.a", b"1")
        os.removexattr(place, "user.a")
    except (OSError, AttributeError):
        pytest.skip("this file system, or this system, has no extended attributes")


def write(path: bytes | Path, data: bytes = b"", *, mode: int = 0o644, mtime_ns: int = BASE_NS) -> None:
    """Make a file, its parents too."""
    place = os.fsencode(path)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "wb") as file:
        file.write(data)
    os.chmod(place, mode)
    os.utime(place, ns=(mtime_ns, mtime_ns))


def link(path: bytes | Path, target: bytes, *, mtime_ns: int = BASE_NS) -> None:
    """Make a symlink with an mtime of its own."""
    place = os.fsencode(path)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    os.symlink(target, place)
    os.utime(place, ns=(mtime_ns, mtime_ns), follow_symlinks=False)


def tree(root: Path, files: Mapping[str, bytes | str | None], *, mtime_ns: int = BASE_NS) -> Path:
    """A small tree: path → content; a path ending in `/` (content `None`) is a directory."""
    root.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        if data is None:
            (root / name).mkdir(parents=True, exist_ok=True)
        else:
            write(root / name, data.encode() if isinstance(data, str) else data, mtime_ns=mtime_ns)
    return root


def texts(root: Path) -> dict[str, str]:
    """What is in a small tree: path → content; directories end with a slash."""
    paths = (path for path in sorted(root.rglob("*")) if ".aefsync" not in path.relative_to(root).parts)
    named = {path: str(path.relative_to(root)) for path in paths}
    return {
        f"{name}/" if path.is_dir() else name: "" if path.is_dir() else path.read_text() for path, name in named.items()
    }


def one_file(root: Path) -> list[list[str]]:
    """Which names are one file, `.aefsync` left out."""
    found: dict[int, list[str]] = {}
    for name in (name for name in sorted(texts(root)) if not name.endswith("/")):
        found.setdefault((root / name).lstat().st_ino, []).append(name)
    return sorted(found.values())


def odd_tree(root: Path) -> Path:
    """Every odd name and kind that aefsync replicates, and beside them the specials that it skips."""
    base = os.fsencode(root)
    os.makedirs(base)
    for part in (_sizes, _names, _order, _links, _modes, _times, _nesting, _specials):
        part(os.path.join(base, part.__name__.strip("_").encode()))
    return root


def _sizes(base: bytes) -> None:
    noise = random.Random(1).randbytes(1 << 20)
    for size in (0, 1, 31, 1023, 1024, 1025, 4095, 4096, 65_535, 65_537, 131_072, (1 << 20) + 3):
        write(base + b"/%d" % size, (noise + noise)[:size])
    write(base + b"/equal-1", noise[:70_000])
    write(base + b"/equal-2", noise[:70_000])
    write(base + b"/sparse", b"end")
    with open(base + b"/sparse", "r+b") as file:
        file.truncate(3 << 20)
    os.utime(base + b"/sparse", ns=(BASE_NS, BASE_NS))


def _names(base: bytes) -> None:
    for number, name in enumerate(NAMES):
        write(base + b"/files/" + name, b"%d" % number)
        write(base + b"/directories/" + name + b"/inside", b"%d" % number)
        link(base + b"/links/" + name, name)


def _order(base: bytes) -> None:
    for name in ORDER:
        write(base + b"/" + name, name)


def _links(base: bytes) -> None:
    write(base + b"/file", b"file")
    os.makedirs(base + b"/dir/empty/empty")
    targets = {
        b"to-file": b"file", b"to-dir": b"dir", b"to-dir-slash": b"dir/", b"dangling": b"nothing/here", b"absolute": b"/etc/passwd",
        b"out": b"../../../../outside", b"self": b"self", b"loop": b"../links", b"dot": b".", b"newline": b"a\nb",
        b"not-utf8": b"\xff\xfe/caf\xe9", b"long": b"x/" * 2000, b"space": b" ", b"dash": b"-rf",
        b"control": b"\x1b[2J",
    }  # fmt: skip
    for number, (name, target) in enumerate(targets.items()):
        link(base + b"/" + name, target, mtime_ns=BASE_NS + number)
    link(base + b"/old", b"file", mtime_ns=-SECOND - 1)


def _modes(base: bytes) -> None:
    # Without read permission only root can compare them; the special bits are dropped on the way, so none of those.
    for mode in (
        0o400,
        0o444,
        0o600,
        0o640,
        0o644,
        0o666,
        0o700,
        0o755,
        0o777,
        *((0o000, 0o111, 0o200) if IS_ROOT else ()),
    ):
        write(base + b"/%03o" % mode, b"%o" % mode, mode=mode)
    for mode in (0o500, 0o555, 0o700, 0o755, 0o777, *((0o000, 0o111, 0o300) if IS_ROOT else ())):
        directory = base + b"/dir-%03o" % mode
        write(directory + b"/file", b"inside")
        write(directory + b"/below/file", b"below")
        os.makedirs(directory + b"/empty")
        for inner in (b"/below", b"/empty", b""):
            os.chmod(directory + inner, mode)


def _times(base: bytes) -> None:
    for name, mtime_ns in MTIMES_NS.items():
        write(base + b"/" + name, name, mtime_ns=mtime_ns)
    write(base + b"/dated-dir/file")
    os.utime(base + b"/dated-dir", ns=(-SECOND, -SECOND))


def _nesting(base: bytes) -> None:
    """As deep as a path that can still be named: rsync is to judge it (`deep_tree` goes further)."""
    write(base + b"/d" * 400 + b"/leaf", b"deep")
    write(base + (b"/" + b"w" * 200) * 12 + b"/leaf", b"wide")


def _specials(base: bytes) -> None:
    write(base + b"/regular", b"beside them")
    os.mkfifo(base + b"/fifo", 0o644)
    os.mknod(base + b"/socket", stat.S_IFSOCK | 0o644)
    with contextlib.suppress(PermissionError):
        os.mknod(base + b"/device", stat.S_IFCHR | 0o600, os.makedev(1, 3))


def deep_tree(root: Path, levels: int = 60, name: bytes = b"deep" * 25) -> Path:
    """A chain of directories whose path is longer than PATH_MAX, with a file and a symlink on each level."""
    root.mkdir()
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for level in range(levels):
        file = os.open(b"file", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=descriptor)
        os.write(file, b"%d" % level)
        os.utime(file, ns=(BASE_NS, BASE_NS))
        os.close(file)
        os.symlink(b"../file", b"link", dir_fd=descriptor)
        os.utime(b"link", ns=(BASE_NS, BASE_NS), dir_fd=descriptor, follow_symlinks=False)
        os.mkdir(name, dir_fd=descriptor)
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    return root


Stats = dict[bytes, tuple[int | bytes, ...]]


def survey(root: Path | bytes, *, exact: bool = False) -> Stats:
    """What is below a root, `.aefsync` left out: path → kind and mode, size, mtime, content or target.

    `exact` adds inode, ctime, owner and the mtimes of directories: equal before and after means that nothing at all
    was touched.  Works beyond PATH_MAX.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return dict(_survey(descriptor, b"", exact))
    finally:
        os.close(descriptor)


def _survey(directory: int, prefix: bytes, exact: bool) -> Iterator[tuple[bytes, tuple[int | bytes, ...]]]:
    for name in sorted(os.fsencode(each) for each in os.listdir(directory)):
        if name == b".aefsync":
            continue
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        kind = stat.S_IFMT(found.st_mode)
        timed = exact or kind != stat.S_IFDIR
        row: tuple[int | bytes, ...] = (found.st_mode, found.st_size if kind == stat.S_IFREG else 0)
        row += (found.st_mtime_ns if timed else 0, _content(directory, name, kind))
        if exact:
            row += (found.st_ino, found.st_ctime_ns, found.st_uid, found.st_gid, found.st_nlink)
        yield prefix + name, row
        if kind == stat.S_IFDIR:
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            try:
                yield from _survey(below, prefix + name + b"/", exact)
            finally:
                os.close(below)


def _content(directory: int, name: bytes, kind: int) -> bytes:
    if kind == stat.S_IFLNK:
        return os.fsencode(os.readlink(name, dir_fd=directory))
    if kind != stat.S_IFREG:
        return b""
    with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory), "rb") as file:
        return file.read()


def without_specials(stats: Stats) -> Stats:
    """A survey without the FIFOs, sockets and devices in it."""
    kept = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
    return {path: row for path, row in stats.items() if stat.S_IFMT(int(row[0])) in kept}


def judge(a: Path, b: Path) -> list[bytes]:
    """What rsync would still do to make the trees agree, both ways; empty where they agree.

    Contents are compared.  `.aefsync` at any depth and specials are left out.
    """
    return [*_judge(a, b), *_judge(b, a)]


def _judge(a: Path, b: Path) -> Iterator[bytes]:
    command = ["rsync", "-rlptcn", "-O", "--delete", "-i", "--exclude=.aefsync"]
    command += [f"--exclude=/{path}" for root in (a, b) for path in specials(root)]
    done = subprocess.run([*command, f"{a}/", f"{b}/"], capture_output=True, check=False)
    for line in (done.stdout + done.stderr).splitlines():
        if line and not line.startswith(b"skipping non-regular file"):
            yield line
    if done.returncode:
        yield b"rsync ended with %d" % done.returncode


def specials(root: Path) -> list[str]:
    """The FIFOs, sockets and devices below a root; only plainly named ones are allowed, rsync's filters being patterns."""
    found = []
    for directory, _, files in os.walk(os.fsencode(root)):
        for name in files:
            path = os.path.join(directory, name)
            if stat.S_IFMT(os.lstat(path).st_mode) not in (stat.S_IFREG, stat.S_IFLNK):
                found.append(os.path.relpath(path, os.fsencode(root)).decode("ascii"))
    assert not any(set(path) & set("*?[\\\n") for path in found), found
    return found
