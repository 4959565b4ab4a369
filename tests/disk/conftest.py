"""Grounds that are closed again with the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disk.ground import Ground, Site
from tests.disk.rememberer import Rememberer


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(tmp_path / "root")
    yield ground
    ground.close()


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
