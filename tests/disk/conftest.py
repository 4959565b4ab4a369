"""Grounds that are closed again with the test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.disk.index import Index
from tests.disk.ground import Ground, Site
from tests.disk.rememberer import Rememberer
from tests.support.rot import quiet


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(tmp_path / "root")
    yield ground
    ground.close()


@pytest.fixture
def quietly(tmp_path: Path) -> Iterator[Ground]:
    """A ground on which files can rot."""
    with quiet(tmp_path) as folder:
        ground = Ground(folder / "root")
        yield ground
        ground.close()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(os.fspath(tmp_path / "index.db"))
    yield index
    index.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Ground]:
    other = Ground(tmp_path / "other")
    yield other
    other.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "site")
    yield site
    site.close()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Rememberer]:
    root = Rememberer(tmp_path / "root")
    yield root
    root.close()
