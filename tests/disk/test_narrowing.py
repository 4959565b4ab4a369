"""Only some sub-trees: nothing beside them is looked at, and the digest is that of what was chosen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aefsync.core.path import RelPath
from aefsync.disk.building import Limits
from aefsync.disk.filter import Filter
from aefsync.disk.index import Index
from aefsync.disk.narrowing import EVERYTHING, Narrowing
from aefsync.disk.summing import sum_up
from tests.disk.ground import Ground, Opens, finish, later

FILES = (b"a/x", b"a/sub/1", b"a/sub/deep/2", b"a/sub-b", b"b/y", b"top")


@pytest.fixture
def furnished(ground: Ground) -> Ground:
    for name in FILES:
        ground.write(name, name)
    return ground


def narrowed(*paths: bytes) -> Limits:
    return Limits(Filter(()), narrowing=Narrowing([RelPath(path) for path in paths]))


CHOSEN = {
    "a directory": ((b"a/sub",), {b"a", b"a/sub", b"a/sub/1", b"a/sub/deep", b"a/sub/deep/2"}),
    "a file": ((b"a/x",), {b"a", b"a/x"}),
    "at the top": ((b"top",), {b"top"}),
    "two": ((b"b", b"a/sub/deep"), {b"a", b"a/sub", b"a/sub/deep", b"a/sub/deep/2", b"b", b"b/y"}),
    "one inside another": ((b"a", b"a/sub"), {b"a", b"a/x", b"a/sub", b"a/sub/1", b"a/sub/deep", b"a/sub/deep/2", b"a/sub-b"}),
    "missing": ((b"a/none/at/all",), {b"a"}),
    "below a file": ((b"top/x",), {b"top"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CHOSEN)
def test_what_is_seen(furnished: Ground, name: str) -> None:
    paths, expected = CHOSEN[name]
    assert set(furnished.look(limits=narrowed(*paths))) == expected


def test_what_is_covered() -> None:
    some = Narrowing([RelPath(b"a/sub"), RelPath(b"b")])
    covered = {path for path in (b"a", b"a/sub", b"a/sub/1", b"a/sub-b", b"b", b"b/y", b"c") if some.covers(path)}
    assert covered == {b"a/sub", b"a/sub/1", b"b", b"b/y"}
    assert EVERYTHING.covers(b"a")


def test_the_digest_is_that_of_the_chosen(furnished: Ground, other: Ground) -> None:
    for ground in (furnished, other):
        ground.write(b"a/sub/1", b"1", mtime_ns=10**18)
        ground.write(b"a/sub/deep/2", b"2", mtime_ns=10**18)
    os.chmod(other.place(b"a"), 0o700)
    scanners = [ground.scanner(limits=narrowed(b"a/sub")) for ground in (furnished, other)]
    for scanner in scanners:
        finish(scanner)
    one, two = (sum_up(scanner, complete=True).root for scanner in scanners)
    assert one == two != b""


def test_links_on_the_way_are_not_followed(furnished: Ground) -> None:
    furnished.path.joinpath("link").symlink_to("a")
    assert set(furnished.look(limits=narrowed(b"link/sub"))) == {b"link"}


def test_the_index_of_everything_else_stays(furnished: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index(str(tmp_path / "index.db"))
    furnished.look(index, clock_ns=later)
    furnished.write(b"a/sub/1", b"changed")
    furnished.look(index, narrowed(b"a/sub"), clock_ns=later)
    opens = Opens(monkeypatch)
    assert set(furnished.look(index, clock_ns=later)) >= set(FILES)
    assert opens.names == []
    index.close()
