from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

from aefsync.core.stores import SECOND_NS, Folding, Stores
from aefsync.disk import storing, syscalls
from aefsync.disk.probing import Abilities
from aefsync.disk.storing import stores_of
from tests.disk.ground import Ground, Site

UNKNOWN, VFAT, EXT4 = 0x1234, 0x4D44, 0xEF53


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes every file system one of that kind."""
    return lambda magic: monkeypatch.setattr(syscalls, "file_system_magic", lambda fd: magic)


def test_a_usual_file_system_stores_everything(site: Site) -> None:
    found = stores_of(site.root.fd, site.home, tries=True)
    assert found._replace(owners=True) == Stores()
    assert found.owners == (os.geteuid() == 0)
    assert stores_of(site.root.fd, None, tries=False) == Stores()


def test_trying_finds_the_same_and_leaves_nothing(site: Site, kind: Any) -> None:
    kind(UNKNOWN)
    before = site.contents(b".aefsync")
    assert stores_of(site.root.fd, site.home, tries=True)._replace(owners=True) == Stores()
    assert site.contents(b".aefsync") == before
    assert os.listdir(site.place(b".aefsync/tmp")) == [b"run"]


def test_by_kind(ground: Ground, kind: Any) -> None:
    kind(VFAT)
    found = stores_of(ground.root.fd, None, tries=False)
    assert (found.mode_bits, found.step_ns, found.symlinks, found.folding) == (0, 2 * SECOND_NS, False, Folding.CASE)
    kind(UNKNOWN)
    assert stores_of(ground.root.fd, None, tries=False) == Stores()
    assert stores_of(-1, None, tries=True) == Stores()


def test_an_old_ext_is_known_by_the_time_of_its_root(
    ground: Ground, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind(EXT4)
    with monkeypatch.context() as patch:
        patch.setattr(storing.os, "fstat", lambda fd: SimpleNamespace(st_ctime_ns=5 * SECOND_NS))
        found = stores_of(ground.root.fd, None, tries=False)
    assert found.step_ns == SECOND_NS


def test_trying_on_a_poor_file_system(site: Site, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kind(UNKNOWN)
    utime = os.utime

    def clamped(place: Any, *, ns: tuple[int, int]) -> None:
        stored = min(max(ns[1], 0), 4 * 10**18)
        utime(place, ns=(stored, stored))

    def refused(*_: Any) -> None:
        raise PermissionError

    poor = Abilities(2 * SECOND_NS, folds_case=True, folds_forms=False, cannot=("permission bits", "symbolic links"))
    probes = [poor, poor]
    monkeypatch.setattr(storing, "probe", lambda scratch: probes.pop())
    monkeypatch.setattr(storing.os, "utime", clamped)
    monkeypatch.setattr(storing.os, "fchown", refused)
    expected = Stores(0, 2 * SECOND_NS, 0, 4 * 10**18, owners=False, symlinks=False, folding=Folding.CASE)
    assert stores_of(site.root.fd, site.home, tries=False) == Stores()
    assert stores_of(site.root.fd, site.home, tries=True) == expected
    assert stores_of(site.root.fd, site.home, tries=False) == expected, "as it was found"
    with site.home.directory(b"tmp") as fd:
        assert stores_of(fd, None, tries=True) == expected, "where there is no home yet"
        assert os.listdir(fd) == ["run"]
    site.home.put(b"stores", b"0 0 spoilt")
    assert stores_of(site.root.fd, site.home, tries=False) == Stores()


def test_what_cannot_be_tried_is_judged(site: Site, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kind(VFAT)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(type(site.home), "make_directories", full)
    assert stores_of(site.root.fd, site.home, tries=True).step_ns == 2 * SECOND_NS
