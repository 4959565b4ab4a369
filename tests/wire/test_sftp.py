"""SFTP against OpenSSH's own server: what each operation does, what goes on at the same time, and bad servers."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from aefsync.core.files import (
    Abilities,
    Create,
    FarStat,
    Got,
    List,
    Lstat,
    Mkdir,
    Op,
    Read,
    Readlink,
    Remove,
    Rename,
    Replace,
    Resolve,
    Rmdir,
    SetLinkTime,
    SetStat,
    Statfs,
    Symlink,
    Sync,
    Task,
    Truncate,
    Write,
    ask,
    raised,
    together,
    told,
)
from aefsync.errors import AefsyncError, IncompatibleError, ProtocolError, UnreachableError
from aefsync.wire.sftp.client import SftpFiles
from aefsync.wire.sftp.operations import Offer, perform
from aefsync.wire.sftp.packets import Ended, Handle
from aefsync.wire.stream import Copying
from tests.disk.far.elsewhere import Distant
from tests.support.sftpd import serve, sftp_stream

SECOND = 1_000_000_000


@pytest.fixture
def files() -> Iterator[SftpFiles]:
    with sftp_stream() as stream:
        yield SftpFiles(stream)


@pytest.fixture
def top(tmp_path: Path) -> bytes:
    """A directory with a file, a directory and a link of odd names."""
    top = os.fsencode(tmp_path)
    Path(tmp_path, "file").write_bytes(b"content")
    os.utime(top + b"/file", ns=(5, 77 * SECOND + 5))
    os.mkdir(top + b"/d\xff")
    os.symlink(b"to\xfe", top + b"/link\n")
    return top


def mode_of(path: bytes) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def test_what_is_looked_at(files: SftpFiles, top: bytes) -> None:
    seen = told(files, Lstat(top + b"/file"))
    assert seen == FarStat(os.lstat(top + b"/file").st_mode, 7, 77 * SECOND)
    assert told(files, Readlink(top + b"/link\n")) == b"to\xfe"
    assert told(files, Resolve(top + b"/d\xff/..")) == os.path.realpath(top)
    listed = dict(told(files, List(top)))
    assert listed == {name: told(files, Lstat(top + b"/" + name)) for name in (b"file", b"d\xff", b"link\n")}
    volume = told(files, Statfs(top))
    there = os.statvfs(top)
    assert volume[:4] == (there.f_fsid, volume.free_bytes, there.f_blocks * there.f_frsize, False)
    assert (volume.free_inodes is None) == (not there.f_files)
    assert told(files, Read(top + b"/file", 2, 100)) == Got(b"ntent", seen)


def test_what_is_changed(files: SftpFiles, top: bytes) -> None:
    new = top + b"/new\xfd"
    for op in (
        Create(new, b"made"),
        Write(new, 4, b"!"),
        Write(top + b"/w", 2, b"x"),
        SetStat(new, 0o604, 33),
        Mkdir(top + b"/m", 0o750),
        SetStat(top + b"/m", mode=0o711),
        Symlink(b"some\xffwhere", top + b"/l"),
        SetLinkTime(top + b"/l", 44),
        Rename(top + b"/file", top + b"/m/moved"),
        Truncate(top + b"/m/moved", 3),
        Replace(top + b"/w", top + b"/m/moved"),
        Rmdir(top + b"/d\xff"),
        Remove(top + b"/link\n"),
        Sync(new),
        Sync(top),
    ):
        assert told(files, op) is None, op
    assert Path(os.fsdecode(new)).read_bytes() == b"made!"
    assert (mode_of(new), os.lstat(new).st_mtime_ns, mode_of(top + b"/m")) == (0o604, 33 * SECOND, 0o711)
    assert (os.readlink(top + b"/l"), os.lstat(top + b"/l").st_mtime_ns) == (b"some\xffwhere", 44 * SECOND)
    assert Path(os.fsdecode(top + b"/m/moved")).read_bytes() == b"\0\0x"
    assert sorted(os.listdir(top)) == [b"l", b"m", b"new\xfd"]


REFUSED: dict[str, Callable[[bytes], Op]] = {
    "nothing there": lambda top: Lstat(top + b"/no"),
    "list of nothing": lambda top: List(top + b"/no"),
    "list of a file": lambda top: List(top + b"/file"),
    "list of a link to a directory": lambda top: List(top + b"/dl"),
    "create over a file": lambda top: Create(top + b"/file", b""),
    "create over a link": lambda top: Create(top + b"/link\n", b""),
    "rename over a file": lambda top: Rename(top + b"/d\xff", top + b"/file"),
    "rename of a file over a link": lambda top: Rename(top + b"/file", top + b"/link\n"),
    "mkdir over a file": lambda top: Mkdir(top + b"/file", 0o700),
    "read of a directory": lambda top: Read(top + b"/d\xff", 0, 1),
    "read of a link": lambda top: Read(top + b"/fl", 0, 1),
    "read of a fifo": lambda top: Read(top + b"/fifo", 0, 1),
    "rmdir of what is not empty": Rmdir,
    "a long name": lambda top: Mkdir(top + b"/" + b"x" * 256, 0o700),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_a_value(files: SftpFiles, top: bytes, name: str) -> None:
    os.symlink(b"d\xff", top + b"/dl")
    os.symlink(b"file", top + b"/fl")
    os.mkfifo(top + b"/fifo")
    before = sorted(os.listdir(top))
    (outcome,) = ask(files, REFUSED[name](top))
    assert isinstance(outcome, OSError)
    assert outcome.strerror
    assert sorted(os.listdir(top)) == before
    assert told(files, Lstat(top)).st_mode == os.lstat(top).st_mode


@pytest.mark.parametrize("size", [0, 1, (128 << 10) - 1, 128 << 10, (128 << 10) + 1, 5 << 20])
def test_content_of_any_size(files: SftpFiles, top: bytes, size: int) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    assert told(files, Create(top + b"/f", data)) is None
    assert Path(os.fsdecode(top + b"/f")).read_bytes() == data
    assert told(files, Read(top + b"/f", 0, size)).data == data
    assert told(files, Read(top + b"/f", size // 2, size)).data == data[size // 2 :]


def test_results_come_in_the_order_of_the_tasks(files: SftpFiles, top: bytes) -> None:
    def task(number: int) -> Task[int]:
        for _ in range(number % 7):
            yield [Lstat(top)]
        yield []
        return number

    assert list(files.carry_out(task(number) for number in range(300))) == list(range(300))


def test_tasks_may_be_carried_out_while_others_are(files: SftpFiles, top: bytes) -> None:
    outer = files.carry_out(together([Lstat(top)]) for _ in range(200))
    assert [told(files, Readlink(top + b"/link\n")) for _ in outer] == [b"to\xfe"] * 200


def test_what_a_task_raises_is_raised(files: SftpFiles, top: bytes) -> None:
    def task() -> Task[None]:
        (outcome,) = yield [Lstat(top + b"/no")]
        raised(outcome)

    with pytest.raises(FileNotFoundError):
        list(files.carry_out([task()]))
    assert told(files, Lstat(top))


def test_many_directories_are_listed_in_few_round_trips(tmp_path: Path) -> None:
    for number in range(120):
        (tmp_path / f"d{number}").mkdir()
    for number in range(1200):
        (tmp_path / "d0" / f"{number}").touch()
    places = [os.fsencode(tmp_path / f"d{number}") for number in range(120)]
    with sftp_stream() as stream:
        distant = Distant(stream)
        files = distant.client = SftpFiles(distant)
        before = distant.round_trips
        listed = [raised(found) for (found,) in files.carry_out(together([List(place)]) for place in places)]
        assert distant.round_trips - before < 10
    assert [len(each) for each in listed] == [1200] + [0] * 119


def test_what_a_server_does_not_offer_is_known() -> None:
    with sftp_stream(["-P", "fsync,statvfs"]) as stream:
        assert SftpFiles(stream).abilities == Abilities(sync=False, volumes=False)


def answers_of(op: Op, *answers: Sequence[Any]) -> Any:
    """What becomes of an operation that is given these answers."""
    exchange = perform(op, Offer(Abilities(), has_limits=False))
    next(exchange)
    try:
        for each in answers:
            exchange.send(list(each))
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it asks for more")


def test_a_server_that_reads_less_than_it_was_asked_for() -> None:
    seen = FarStat(stat.S_IFREG, 6, 0)
    steps = [[seen], [Handle(b"h")], [b"ab", seen], [b"cd", seen], [b"ef", seen], []]
    assert answers_of(Read(b"/f", 0, 6), *steps) == Got(b"abcdef", seen)
    steps = [[seen], [Handle(b"h")], [b"ab", seen], [Ended(), seen], []]
    assert answers_of(Read(b"/f", 0, 6), *steps) == Got(b"ab", seen)


HELLO = struct.pack(">IBI", 5, 2, 3)


class Scripted(Copying):
    """A stream on which these bytes come."""

    sent_bytes = received_bytes = 0

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int) -> bytes:
        data, self._data = self._data[:size], self._data[size:]
        return data

    def write(self, *parts: bytes | memoryview) -> None: ...

    def met(self) -> None: ...

    def loss(self, said: bytes | None) -> AefsyncError:
        return UnreachableError("gone")

    def close(self) -> None: ...


class Closed(Scripted):
    """One that had closed before anything could be asked."""

    def write(self, *parts: bytes | memoryview) -> None:
        raise BrokenPipeError


@pytest.mark.parametrize(("said", "error"), [(b"", UnreachableError), (b"sorry\n", IncompatibleError)])
def test_what_a_server_said_that_has_closed_already_is_read(said: bytes, error: type[AefsyncError]) -> None:
    with pytest.raises(error):
        SftpFiles(Closed(said))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", UnreachableError),
        (b"Welcome to this machine\n", IncompatibleError),
        (struct.pack(">IBI", 5, 101, 3), IncompatibleError),
        (struct.pack(">IBI", 5, 2, 6), ProtocolError),
        (HELLO, UnreachableError),
        (HELLO + b"\xff" * 8, ProtocolError),
        (HELLO + struct.pack(">I", 0), UnreachableError),
        (HELLO + struct.pack(">IB", 1, 101) + b"x" * 9, ProtocolError),
        (HELLO + struct.pack(">IBI", 5, 101, 99), ProtocolError),
        (HELLO + struct.pack(">IBII", 9, 105, 1, 1), ProtocolError),
        (HELLO + struct.pack(">IBI", 5, 77, 1), ProtocolError),
    ],
)
def test_a_server_that_says_something_else(said: bytes, error: type[AefsyncError]) -> None:
    with pytest.raises(error):
        told(SftpFiles(Scripted(said)), Lstat(b"/"))


def test_a_server_that_is_gone(top: bytes) -> None:
    stream, process = serve()
    files = SftpFiles(stream)
    process.kill()
    process.wait()
    for _ in range(2):
        with pytest.raises(UnreachableError):
            told(files, Lstat(top))
    files.close()
