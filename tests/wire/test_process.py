"""Streams over child processes: bytes, deadlines, standard error, and that nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aefsync.errors import AefsyncError, UnreachableError
from aefsync.wire import process
from aefsync.wire.process import Ending, ProcessStream

CAT = ["cat"]
LONG_S = 60.0

Open = Callable[..., ProcessStream]


class Told:
    """What a stream has told: lines of standard error, and how its process ended."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.endings: list[Ending] = []

    def explain(self, ending: Ending) -> AefsyncError:
        self.endings.append(ending)
        return UnreachableError("explained")


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def open_stream(told: Told) -> Iterator[Open]:
    streams: list[ProcessStream] = []

    def start(argv: list[str], first_s: float = LONG_S, silence_s: float = LONG_S) -> ProcessStream:
        made = ProcessStream(argv, told.explain, told.lines.append, first_s=first_s, silence_s=silence_s, apart=True)
        streams.append(made)
        return made

    before = set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set()
    yield start
    for stream in streams:
        stream.close()
        assert stream._process.returncode is not None
    assert not before or set(os.listdir("/proc/self/fd")) <= before


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def read_all(stream: ProcessStream) -> bytes:
    data = b""
    while more := stream.read(1 << 16):
        data += more
    return data


def test_bytes_pass_and_are_counted(open_stream: Open) -> None:
    stream = open_stream(CAT)
    stream.write(b"hello")
    assert stream.read(100) == b"hello"
    assert (stream.sent_bytes, stream.received_bytes) == (5, 5)


def test_more_than_the_pipes_hold_passes(open_stream: Open) -> None:
    stream = open_stream(CAT)
    data = bytes(range(256)) * 40_000
    writer = threading.Thread(target=stream.write, args=(data,))
    writer.start()
    received = bytearray()
    while len(received) < len(data):
        received += stream.read(1 << 20)
    writer.join()
    assert received == data


def test_a_process_that_leads_nowhere_ends_with_its_input(open_stream: Open, told: Told) -> None:
    stream = open_stream(CAT)
    stream.close()
    assert stream._process.returncode == 0
    stream.close()
    with pytest.raises(OSError, match="closed"):
        stream.read(1)
    with pytest.raises(OSError, match="closed"):
        stream.write(b"x")


@pytest.mark.parametrize("first", [True, False])
def test_silence_has_an_end(open_stream: Open, first: bool) -> None:
    stream = open_stream(CAT, first_s=0.01 if first else LONG_S, silence_s=LONG_S if first else 0.01)
    if not first:
        stream.write(b"x")
        stream.read(1)
    with pytest.raises(TimeoutError, match="no byte for"):
        stream.read(1)


def test_a_peer_that_takes_nothing_in_is_given_up(open_stream: Open) -> None:
    stream = open_stream(["sleep", "60"], first_s=0.05)
    with pytest.raises(TimeoutError, match="no byte for"):
        stream.write(bytes(8 << 20))


def test_closing_wakes_a_reader(open_stream: Open) -> None:
    stream = open_stream(CAT)
    errors: list[OSError] = []
    begun = threading.Event()

    def read() -> None:
        begun.set()
        try:
            stream.read(1)
        except OSError as error:
            errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    begun.wait()
    stream.close()
    reader.join()
    assert len(errors) == 1


def test_a_process_that_ignores_its_end_is_ended(open_stream: Open) -> None:
    stream = open_stream(["sleep", "60"], first_s=0.01)
    with pytest.raises(TimeoutError):
        stream.read(1)
    stream.close()
    assert stream._process.returncode in (-signal.SIGTERM, -signal.SIGKILL)


def test_a_process_whose_answer_nobody_waits_for_any_more_is_ended_at_once(
    open_stream: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_END_S", 10 * LONG_S)
    stream = open_stream(["sleep", str(LONG_S)])

    def read() -> None:
        with contextlib.suppress(OSError):
            stream.read(1)

    reader = threading.Thread(target=read)
    reader.start()
    while not stream._reading.locked():
        os.sched_yield()
    stream.close()
    reader.join()
    assert stream._process.returncode == -signal.SIGTERM


def test_a_signal_while_an_answer_is_waited_for_ends_the_process_at_once(
    open_stream: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_END_S", 10 * LONG_S)
    stream = open_stream(["sleep", str(LONG_S)])

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stream, "_wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stream.read(1)
    stream.close()
    assert stream._process.returncode == -signal.SIGTERM


def test_standard_error_explains_why_no_agent_answers(open_stream: Open, told: Told) -> None:
    stream = open_stream(shell("echo one >&2; echo two >&2; printf three; exit 7"))
    said = read_all(stream)
    assert stream.loss(said).message == "explained"
    assert told.endings == [Ending(7, b"three", ("one", "two"))]
    assert told.lines == []


def test_standard_error_of_an_agent_is_passed_on(open_stream: Open, told: Told) -> None:
    stream = open_stream(shell("echo before >&2; printf x; read line; printf 'af\\377ter\\r\\n\\nrest' >&2"))
    assert stream.read(1) == b"x"
    stream.met()
    stream.write(b"\n")
    assert read_all(stream) == b""
    stream.loss(None)
    assert told.lines == ["before", "af\udcffter", "rest"]
    assert told.endings == [Ending(0, None, ("before", "af\udcffter", "rest"))]


def test_endless_standard_error_is_bounded(open_stream: Open, told: Told) -> None:
    stream = open_stream(shell("yes | head -c 1000000 >&2; head -c 1000000 /dev/zero >&2"))
    assert read_all(stream) == b""
    stream.loss(b"")
    assert len(told.endings[0].lines) <= 200
    assert max(map(len, told.endings[0].lines)) <= 4096


def test_standard_error_that_somebody_keeps_open_is_left(tmp_path: Path, open_stream: Open, told: Told) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    stream = open_stream(shell(f"(read line <'{fifo}') >/dev/null & echo said >&2; exec cat"))
    stream.met()
    stream.close()
    assert told.lines == ["said"]
    assert stream._errors.has_ended
    with open(fifo, "w"):  # the one left behind ends
        pass
