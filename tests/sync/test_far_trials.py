"""Runs with a root that is reached by SFTP, killed or failing at one of the operations over there: nothing is lost, half done
or left, and the next run does the rest.

The long form has every story meet with that at every operation; the short one at one of them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from aefsync.core.files import List, Lstat, Op, Read, Readlink, Resolve, Statfs
from aefsync.core.silent import Silent
from aefsync.disk.far.replica import FarReplica
from aefsync.sync.repair import repair
from aefsync.sync.request import Request
from aefsync.wire.serve import serve
from aefsync.wire.sftp.client import SftpFiles
from aefsync.wire.stream import SocketStream
from tests.disk.far.elsewhere import Watched
from tests.support import sftpd
from tests.support.stories import STORIES
from tests.support.trials import KILLED, Ended, Grounds, Outcome, Story, calls, ended_by, in_a_child, tidied
from tests.sync.joined import threads

NAMES = ("versions", "one preferred", "changed places", "first contact", "last write wins", "mirror")
LOOKS = (List, Lstat, Read, Readlink, Resolve, Statfs)
WAYS = (errno.EIO, errno.EACCES, errno.ENOSPC)
"""What a server tells of is little: it failed, or it was not allowed; the third is what a disk over there would say."""
Met = Callable[[Op], OSError | None]


class Agentless:
    """In place of the process that serves a root by SFTP: a thread of this one, with a server of its own."""

    def __init__(self, met: Met) -> None:
        self.socket, there = socket.socketpair()
        stream, self._server = sftpd.serve()
        files = Watched(SftpFiles(stream), met, lambda _: None)
        files.close = stream.close  # type: ignore[method-assign]
        self._thread = threading.Thread(target=serve, args=(FarReplica(lambda: files, b"box"), SocketStream(there)))
        self._thread.start()

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self._thread.join()
        self._server.wait()


def unheard(op: Op) -> OSError | None:
    """Nothing happens."""
    return None


class FarGrounds(Grounds):
    """Grounds of which B is reached by SFTP."""

    @property
    def common(self) -> Request:
        return super().common._replace(locations=(str(self.a), f"sftp://box{self.b}"))

    def meet(self) -> Ended:
        return self.told(unheard)

    def told(self, met: Met) -> Ended:
        """A repair, each operation over there being told to `met`."""
        return in_a_child(partial(_run, self, met))


def _run(grounds: FarGrounds, met: Met) -> Ended:
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("aefsync.sync.connecting.Agentless", lambda login, link: Agentless(met))
        stack.enter_context(threads())
        return ended_by(lambda: repair(grounds.request, Silent()))


class Trouble:
    """Has the process end before an operation, by number, or the operation fail; counted are all, or those that change
    something."""

    def __init__(self, number: int, way: int | None) -> None:
        self.left = number
        self._way = way

    def __call__(self, op: Op) -> OSError | None:
        self.left -= self._way is not None or not isinstance(op, LOOKS)
        if self.left or (self._way is None and isinstance(op, LOOKS)):
            return None
        if self._way is None:
            os._exit(KILLED)
        return OSError(self._way, os.strerror(self._way))


class Count:
    """Counts operations over there, in a file: what counts is in another process."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __call__(self, op: Op) -> None:
        with self.place.open("ab") as file:
            file.write(b"look\n" if isinstance(op, LOOKS) else b"change\n")

    @property
    def numbers(self) -> tuple[int, int]:
        """How many there were, and how many that change something."""
        kinds = self.place.read_text().splitlines()
        return len(kinds), kinds.count("change")


@contextlib.contextmanager
def grounds(folder: Path, story: Story) -> Iterator[FarGrounds]:
    yield FarGrounds(folder, story)
    tidied(folder)


def undisturbed(folder: Path, story: Story) -> tuple[tuple[int, int], Outcome]:
    """The operations of a run that nothing disturbs, and what then stands in both trees."""
    with grounds(folder, story) as found:
        count = Count(folder / "count")
        assert found.told(count).code in (0, 1)
        found.check_whole()
        return count.numbers, found.outcome()


def tell(folder: Path, story: Story, number: int, way: int | None, expected: Outcome | None) -> None:
    with grounds(folder, story) as found:
        ended = found.told(Trouble(number, way))
        assert not ended.trace, ended.trace
        assert "internal error" not in " ".join(ended.said), ended
        assert ended.code in ((KILLED, 0, 1) if way is None else (0, 1, 3, 4, 6, 7)), ended
        found.check_whole()
        found.check_mended(expected)


@pytest.mark.parametrize("name", ["versions"])
def test_a_kill_and_a_fault(tmp_path: Path, name: str) -> None:
    (touches, changes), expected = undisturbed(tmp_path / "whole", STORIES[name])
    tell(tmp_path / "killed", STORIES[name], changes // 2, None, expected)
    tell(tmp_path / "failed", STORIES[name], touches // 2, errno.EIO, None)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_kill(tmp_path: Path, name: str) -> None:
    (_, changes), expected = undisturbed(tmp_path / "whole", STORIES[name])
    for number in calls(changes):
        tell(tmp_path / str(number), STORIES[name], number, None, expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_fault(tmp_path: Path, name: str) -> None:
    (touches, _), _ = undisturbed(tmp_path / "whole", STORIES[name])
    for number in calls(touches):
        tell(tmp_path / str(number), STORIES[name], number, WAYS[number % len(WAYS)], None)
