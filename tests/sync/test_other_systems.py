"""Where there are none of the calls that Linux alone has: what macOS and the BSDs offer is enough."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, NoReturn

import pytest

from aefsync.core.metadata import PLAIN
from aefsync.core.policy import Policies
from aefsync.core.silent import Silent
from aefsync.core.writing import Durability, Writing
from aefsync.disk import metadata, mounts, movable, moving, syscalls
from aefsync.sync.events import Acted, Grew
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from tests.support.tellers import end
from tests.support.trees import odd_tree, survey, without_specials
from tests.sync.joined import threads
from tests.sync.test_random_edits import tell

_OF_LINUX = (
    *("copy_file_range", "posix_fadvise", "sched_getaffinity"),
    *("getxattr", "listxattr", "setxattr", "removexattr"),
)


def _missing(*_: Any, **__: Any) -> NoReturn:
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _OF_LINUX:
        monkeypatch.delattr(os, name)
    monkeypatch.setattr(syscalls, "_LINUX", False)
    monkeypatch.setattr(syscalls, "_function", _missing)
    for module in (metadata, moving):
        monkeypatch.setattr(module, "_O_PATH", 0)
    monkeypatch.setattr(metadata, "_FLAGS", os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    monkeypatch.setattr(mounts, "_mounted", lambda table: [])
    monkeypatch.setattr(mounts, "_place_of", lambda fd: b"")
    monkeypatch.setattr(movable, "open", _missing, raising=False)


@pytest.mark.parametrize("number", [0, 2])
def test_random_edits(tmp_path: Path, number: int) -> None:
    tell(tmp_path, number)


@pytest.mark.parametrize("durability", Durability)
def test_a_tree_with_every_odd_name_and_kind(tmp_path: Path, durability: Durability) -> None:
    a, b = odd_tree(tmp_path / "a"), tmp_path / "b"
    common = Request((str(a), str(b)), aspects=PLAIN._replace(xattrs=True))
    acted = []
    for _ in range(2):
        with threads():
            events = list(repair(RepairRequest(common, policies=Policies(), writing=Writing(durability)), Silent()))
        acted.append(any(isinstance(event, Acted | Grew) for event in events))
        assert (end(events).exit_code, end(events).equal) == (0, True)
        assert without_specials(survey(a)) == without_specials(survey(b))
    assert acted == [True, False]
