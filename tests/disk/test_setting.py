"""What of metadata is set on receivers, and what stays as it is there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.action import Act, Action, Applied
from aefsync.core.entry import Entry
from aefsync.core.metadata import PERMISSIONS, PLAIN, SPECIAL, Aspects
from tests.disk.ground import Site, wanted_directory, wanted_link

OLD_NS = 10**18
NO_PERMS = PLAIN._replace(mode_bits=0)
NO_TIMES = PLAIN._replace(times=False)
SETID = PLAIN._replace(mode_bits=PERMISSIONS | SPECIAL)


@contextlib.contextmanager
def site_under(folder: Path, aspects: Aspects) -> Iterator[Site]:
    site = Site(folder / "root", aspects=aspects)
    umask = os.umask(0o027)
    try:
        yield site
    finally:
        os.umask(umask)
        site.close()


def apply(site: Site, act: Act, wanted: Entry, found: Entry | None = None) -> Applied:
    return site.applier.apply([Action(act, wanted.path, wanted, found)])


DONE = Applied((True,), (), ())


@pytest.mark.parametrize(
    ("aspects", "asked", "made"),
    [
        (PLAIN, 0o666, 0o666),
        (PLAIN, 0o4755, 0o755),
        (NO_PERMS, 0o755, 0o750),
        (NO_PERMS, 0o6600, 0o600),
        (SETID, 0o6755, 0o6755),
        (PLAIN._replace(mode_bits=0o200), 0o755, 0o750),
        (PLAIN._replace(mode_bits=0o200), 0o555, 0o550),
    ],
)
def test_a_new_file(tmp_path: Path, aspects: Aspects, asked: int, made: int) -> None:
    with site_under(tmp_path, aspects) as site:
        assert apply(site, Act.CREATE, site.staged(b"f", b"new", mode=asked)) == DONE
        assert site.mode(b"f") == made


@pytest.mark.parametrize(
    ("aspects", "was", "asked", "becomes"),
    [
        (PLAIN, 0o644, 0o755, 0o755),
        (PLAIN, 0o4711, 0o755, 0o755),
        (NO_PERMS, 0o604, 0o755, 0o604),
        (NO_PERMS, 0o6755, 0o644, 0o755),
        (SETID, 0o755, 0o4755, 0o4755),
    ],
)
def test_a_replaced_file_keeps_what_does_not_count(
    tmp_path: Path, aspects: Aspects, was: int, asked: int, becomes: int
) -> None:
    with site_under(tmp_path, aspects) as site:
        site.write(b"f", b"old", mode=was)
        wanted = site.staged(b"f", b"newer", mode=asked)
        assert apply(site, Act.COPY, wanted, site.entry(b"f")) == DONE
        assert site.read(b"f") == b"newer"
        assert site.mode(b"f") == becomes


@pytest.mark.parametrize(
    ("aspects", "was", "asked", "becomes"),
    [
        (PLAIN, 0o600, 0o755, 0o755),
        (PLAIN, 0o2750, 0o700, 0o2700),
        (NO_PERMS, 0o604, 0o755, 0o604),
        (SETID, 0o4755, 0o1755, 0o1755),
    ],
)
@pytest.mark.parametrize("path", [b"f", b"d"])
def test_what_is_in_place_keeps_what_does_not_count(
    tmp_path: Path, path: bytes, aspects: Aspects, was: int, asked: int, becomes: int
) -> None:
    with site_under(tmp_path, aspects) as site:
        os.mkdir(site.place(b"d"))
        site.write(b"f", b"same")
        os.chmod(site.place(path), was)
        found = site.entry(path)
        assert apply(site, Act.METADATA, found._replace(mode=asked), found) == DONE
        assert site.mode(path) == becomes


@pytest.mark.parametrize(("aspects", "kept"), [(PLAIN, True), (NO_PERMS, True), (NO_TIMES, False)])
def test_times(tmp_path: Path, aspects: Aspects, kept: bool) -> None:
    with site_under(tmp_path, aspects) as site:
        site.write(b"there", b"", mtime_ns=OLD_NS - 5)
        there = site.entry(b"there")
        assert apply(site, Act.CREATE, site.staged(b"new", b"1", mtime_ns=OLD_NS)) == DONE
        assert apply(site, Act.LINK, wanted_link(b"link", b"t", OLD_NS)) == DONE
        assert apply(site, Act.METADATA, there._replace(mtime_ns=OLD_NS, mode=0o600), there) == DONE
        found = [os.lstat(site.place(path)).st_mtime_ns for path in (b"new", b"link", b"there")]
        assert [each == OLD_NS for each in found] == [kept] * 3
        assert kept or found[2] == OLD_NS - 5


@pytest.mark.parametrize(("aspects", "made"), [(PLAIN, 0o777), (NO_PERMS, 0o750), (SETID, 0o3777)])
def test_a_new_directory(tmp_path: Path, aspects: Aspects, made: int) -> None:
    with site_under(tmp_path, aspects) as site:
        assert apply(site, Act.MKDIR, wanted_directory(b"d", 0o3777)) == DONE
        assert site.mode(b"d") == made
