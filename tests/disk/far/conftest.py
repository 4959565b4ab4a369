"""A root that is reached by SFTP only, and what goes on between it and a replica."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.wire.sftp.client import SftpFiles
from tests.disk.far.elsewhere import Distant, Elsewhere
from tests.support.sftpd import sftp_stream


@pytest.fixture
def distant() -> Iterator[Distant]:
    with sftp_stream() as stream:
        yield Distant(stream)


@pytest.fixture
def files(distant: Distant) -> SftpFiles:
    distant.client = SftpFiles(distant)
    return distant.client


@pytest.fixture
def elsewhere(files: SftpFiles, tmp_path: Path) -> Iterator[Elsewhere]:
    (tmp_path / "B").mkdir()
    elsewhere = Elsewhere(files, tmp_path / "B")
    yield elsewhere
    elsewhere.close()
