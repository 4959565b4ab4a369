"""What counts as metadata, end to end: rsync judges, and a second repair does nothing."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.program import Arg, Program
from tests.support.trees import BASE_NS, IS_ROOT, SECOND, judge, link, survey, tree, write

pytestmark = pytest.mark.usefixtures("last_write_wins")


def nothing_left(aefsync: Program, pair: Pair, *options: Arg) -> None:
    """A diff shows nothing, and a further repair touches nothing."""
    assert aefsync("diff", *options, *pair).expect(0).out == b""
    before = [survey(root, exact=True) for root in pair]
    again = aefsync("repair", *options, *pair).expect(0)
    assert (again.out, again.err) == (b"", b"")
    assert [survey(root, exact=True) for root in pair] == before


def mode(path: Path) -> int:
    return os.lstat(path).st_mode & 0o7777


def test_permissions_that_do_not_count(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, {"same": "1", "d/in": "2", "edited": "3"})
    os.chmod(pair.a / "same", 0o600)
    os.chmod(pair.a / "d", 0o700)
    os.chmod(pair.b / "edited", 0o604)
    write(pair.a / "edited", b"new", mode=0o755, mtime_ns=BASE_NS + SECOND)
    write(pair.a / "script", b"#!", mode=0o777)
    assert aefsync("diff", "--no-perms", *pair).expect(1).lines == ["* edited", "< script"]
    aefsync("repair", "--no-perms", *pair).expect(0)
    assert (pair.b / "edited").read_bytes() == b"new"
    assert [mode(pair.b / name) for name in ("same", "d", "edited")] == [0o644, 0o755, 0o604]
    umask = os.umask(0o022)
    os.umask(umask)
    assert mode(pair.b / "script") == 0o777 & ~umask
    nothing_left(aefsync, pair, "--no-perms")
    assert aefsync("diff", *pair).expect(1).lines[0] == "m d (mode 700 755)"


def test_times_that_do_not_count(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, {"same": "1", "other": "2"})
    os.utime(pair.a / "same", ns=(5, 5))
    write(pair.a / "other", b"3!", mtime_ns=BASE_NS + SECOND)
    assert aefsync("diff", "--no-times", *pair).expect(1).lines == ["* other"]
    aefsync("repair", "--no-times", *pair).expect(0)
    assert (pair.b / "other").read_bytes() == b"3!"
    assert os.stat(pair.b / "same").st_mtime_ns == BASE_NS
    assert os.stat(pair.b / "other").st_mtime_ns > BASE_NS + SECOND
    nothing_left(aefsync, pair, "--no-times")


def test_times_within_the_window(aefsync: Program, pair: Pair) -> None:
    for number, root in enumerate(pair):
        tree(root, {f"{i}": "same" for i in range(100)}, mtime_ns=BASE_NS + number * SECOND * 9 // 10)
        write(root / "apart", b"", mtime_ns=BASE_NS + number * 2 * SECOND)
        write(root / "suspect", b"%d" % number, mtime_ns=BASE_NS + number)
        write(root / "later", b"longer" * number, mtime_ns=BASE_NS + number * SECOND // 2)
    window = "--modify-window=1s"
    assert aefsync("diff", window, *pair).expect(1).lines == ["m apart (mtime +2 s)", "* later", "? suspect"]
    outcome = aefsync("repair", window, "--json", *pair).expect(1).summary
    assert (outcome["suspects"], outcome["metadata"], outcome["copied_files"]) == (1, 1, 1)
    assert (pair.a / "later").read_bytes() == b"longer", "of versions that count as equally old, the later one"
    os.unlink(pair.a / "suspect")
    aefsync("repair", window, *pair).expect(0)
    nothing_left(aefsync, pair, window)
    assert len(aefsync("diff", *pair).expect(1).lines) == 100


def test_a_window_that_is_none(aefsync: Program, pair: Pair) -> None:
    for text in ("5x", "soon", "-1s", "99999999999d"):
        assert b"--modify-window" in aefsync("diff", f"--modify-window={text}", *pair).expect(2).err


def nobodys(path: Path) -> None:
    """Give something away, if that can be done."""
    if IS_ROOT:
        os.chown(path, 1234, 5678, follow_symlinks=False)


@pytest.mark.parametrize("option", ["--owner", "--numeric-ids"])
def test_owners_follow(aefsync: Program, pair: Pair, option: str) -> None:
    for root in pair:
        tree(root, {"file": "1", "d/in": "2", "other": "3"})
        link(root / "link", b"file")
    for name in ("file", "d", "link"):
        nobodys(pair.a / name)
    tree(pair.a, {"new/file": "4"})
    nobodys(pair.a / "new" / "file")
    (pair.a / "file").chmod(0o4755)
    assert len(aefsync("diff", *pair).expect(1).lines) == 2, "owners do not count unless asked for"
    shown = aefsync("diff", option, *pair).expect(1).lines
    if IS_ROOT:
        text = {"--owner": "owner root 1234", "--numeric-ids": "owner 0 1234"}[option]
        assert [line.split(", group")[0] for line in aefsync("diff", option, pair.b, pair.a).lines] == [
            f"m d ({text}",
            f"m file (mode 644 755, {text}",
            f"m link ({text}",
            "> new/ (1 entry)",
        ]
    assert shown[-1] == "< new/ (1 entry)"
    inode = os.stat(pair.b / "file").st_ino
    aefsync("repair", option, "--setid", "--mirror", *pair).expect(0)
    assert mode(pair.b / "file") == 0o4755, "also after the owner changed"
    assert os.stat(pair.b / "file").st_ino == inode, "no content moves"
    assert judge(*pair) == []
    nothing_left(aefsync, pair, option, "--setid")


def test_special_bits_where_asked_for(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"su": "1", "both": "2", "d/": None})
    tree(pair.b, {"both": "2"})
    for name, bits in (("su", 0o6755), ("both", 0o2711), ("d", 0o3777)):
        (pair.a / name).chmod(bits)
    (pair.b / "both").chmod(0o711)
    assert aefsync("diff", *pair).expect(1).lines == ["< d/", "< su"]
    assert "m both (mode 2711 711)" in aefsync("diff", "--setid", *pair).expect(1).lines
    aefsync("repair", "--setid", "--mirror", *pair).expect(0)
    assert [mode(pair.b / name) for name in ("su", "both", "d")] == [0o6755, 0o2711, 0o3777]
    nothing_left(aefsync, pair, "--setid")


def test_json_tells_owners_where_they_count(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"f": "1"})
    tree(pair.b, {})
    plain, counted = (
        aefsync("diff", "--json", *options, *pair).expect(1).events[1]["entries"][0]
        for options in ((), ("--numeric-ids",))
    )
    assert "owner" not in plain
    own = os.stat(pair.a / "f")
    assert (counted["uid"], counted["gid"], counted["owner"]) == (own.st_uid, own.st_gid, str(own.st_uid))


def acl(*groups: int) -> bytes:
    """A POSIX ACL with these groups in it."""
    named = [(8, 5, group) for group in groups]
    rows = [(1, 6, -1), (4, 4, -1), *named, (16, 5, -1), (32, 0, -1)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *row) for row in rows)


def attributes(path: Path) -> dict[str, bytes]:
    return {name: os.getxattr(path, name) for name in os.listxattr(path) if not name.startswith("security.")}


def judged(pair: Pair) -> list[bytes]:
    """What rsync would still do, attributes and ACLs and owners considered."""
    options = ["-nrlptgoAXHc", "-O", "-i", "--delete", "--exclude=.aefsync"]
    done = subprocess.run(["rsync", *options, f"{pair.a}/", f"{pair.b}/"], capture_output=True, check=True)
    return done.stdout.splitlines()


def test_extended_attributes_follow(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, {"same": "1", "changed": "2", "readonly": "3", "d/in": "4"})
    for name in ("changed", "readonly", "d"):
        os.setxattr(pair.a / name, "user.a", b"\0" + name.encode())
    os.setxattr(pair.b / "changed", "user.gone", b"x")
    tree(pair.a, {"new/file": "5", "new/closed/file": "6"})
    for name in ("new/file", "new", "new/closed"):
        os.setxattr(pair.a / name, "user.b", b"y" * 100)
    (pair.a / "new/closed").chmod(0o500)
    if IS_ROOT:
        for name in ("d", "new"):
            os.setxattr(pair.a / name, "system.posix_acl_default", acl(7))
        os.setxattr(pair.a / "same", "system.posix_acl_access", acl(7, 8))
        os.chmod(pair.b / "same", mode(pair.a / "same"))
    for root in pair:
        (root / "readonly").chmod(0o444)
    assert [line[0] for line in aefsync("diff", *pair).expect(1).lines] == ["<"]
    shown = aefsync("diff", "-X", *pair).expect(1).lines
    assert shown[:2] == ["m changed (xattrs)", "m d (xattrs)"]
    inode = os.stat(pair.b / "changed").st_ino
    aefsync("repair", "-X", "--mirror", *pair).expect(0)
    assert os.stat(pair.b / "changed").st_ino == inode, "no content moves"
    for name in ("same", "changed", "readonly", "d", "new/file", "new", "new/closed"):
        assert attributes(pair.b / name) == attributes(pair.a / name), name
    assert (mode(pair.b / "readonly"), mode(pair.b / "new/closed")) == (0o444, 0o500)
    assert judged(pair) == []
    nothing_left(aefsync, pair, "-X")


def test_attributes_that_are_too_large_are_one_problem(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"f": "1"})
    tree(pair.b, {"f": "1", "g": "2"})
    for number in range(3):
        try:
            os.setxattr(pair.a / "f", f"user.{number}", b"x" * 30_000)
        except OSError:
            return  # this file system does not even store them
    for _ in range(2):
        done = aefsync("repair", "-X", "--mirror", *pair).expect(4)
        assert done.err.count(b"too large") == 1


def names(root: Path) -> set[frozenset[str]]:
    """The names of each file, as groups."""
    groups: dict[int, set[str]] = {}
    for path in root.rglob("*"):
        if path.is_file() and ".aefsync" not in path.parts:
            groups.setdefault(path.stat().st_ino, set()).add(str(path.relative_to(root)))
    return set(map(frozenset, groups.values()))


def test_hard_links_follow_where_they_are_asked_for(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"one": "1", "d/two": "2", "alone": "3"})
    tree(pair.b, {"one": "1", "copy": "1", "alone": "3"})
    for name, other in (("one", "copy"), ("one", "d/also one"), ("d/two", "two")):
        os.link(pair.a / name, pair.a / other)
    aefsync("repair", *pair).expect(0)
    assert all(len(group) == 1 for group in names(pair.b)), "never without being asked"
    assert aefsync("diff", *pair).expect(0).lines == []
    shown = aefsync("diff", "-H", *pair).expect(1).lines
    assert "m copy (hard link copy -)" in shown
    done = aefsync("repair", "-H", "--mirror", "-i", *pair).expect(0)
    assert "A>B link d/also one => copy" in done.lines
    assert names(pair.b) == names(pair.a)
    assert judged(pair) == []
    nothing_left(aefsync, pair, "-H")
    (pair.a / "copy").unlink()
    (pair.a / "two").write_text("edited under one name")
    os.link(pair.b / "alone", pair.b / "alone too")
    before = names(pair.b)
    done = aefsync("repair", "-H", "--mirror", "-i", *pair).expect(0)
    assert done.lines[:-1] == [">B delete alone too", ">B delete copy", "A>B copy d/two", "A>B link two => d/two"]
    assert names(pair.b) == names(pair.a)
    aefsync("undo", pair.b, "last").expect(0)
    assert names(pair.b) == before
