"""`RemoteReplica`: the `Replica` port over a stream to an agent; nothing it says is handed on before it was checked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from aefsync.core.action import Action, Applied, Staged, StageFile
from aefsync.core.compare import Span, batches
from aefsync.core.entry import Entry
from aefsync.core.path import RelPath
from aefsync.core.ports import Learned, Open, Opened, Phase, Piece, Scan, Scanned, TrashItem
from aefsync.core.recipe import Recipe, Run
from aefsync.core.tree import Answer, Question
from aefsync.errors import AefsyncError, IncompatibleError, ProtocolError, UnreachableError
from aefsync.wire import checks
from aefsync.wire.codec import NEED_DATA, Connection, Role, State
from aefsync.wire.dialogue import Call, Failed, Message, Method, Progress, Reply, error_of
from aefsync.wire.messages.rows import MAX_READ
from aefsync.wire.stream import READ_SIZE, Stream

OnProgress = Callable[[Phase, int, int], None]


def _ignore(*_: object) -> None:
    """Hear of progress and say nothing."""


class RemoteReplica:
    """A replica served by an agent; one call at a time, whichever thread makes it.

    `label` names the replica in errors.  After an error of the connection every call raises `UnreachableError`.
    """

    def __init__(self, stream: Stream, monitor: OnProgress | None = None, *, label: str = "replica") -> None:
        self.on_progress: OnProgress = monitor or _ignore
        self.label = label
        self.round_trips = 0
        self._stream = stream
        self._connection = Connection(Role.CLIENT)
        self._lost = False
        self._met = False
        self._earlier_sent = self._earlier_received = 0
        self._one_call = threading.Lock()

    @property
    def sent_bytes(self) -> int:
        return self._earlier_sent + self._stream.sent_bytes

    @property
    def received_bytes(self) -> int:
        return self._earlier_received + self._stream.received_bytes

    @property
    def peer_version(self) -> str | None:
        """The version of the agent's program, once it has greeted."""
        return self._connection.peer_version

    def hello(self, request: Open) -> Opened:
        opened: Opened = self._call(Method.HELLO, request)
        return opened

    def scan(self, request: Scan) -> Scanned:
        return self._scanned(Method.SCAN, request)

    def read_unread(self, skip: Sequence[Span], only: Sequence[Span] | None) -> Scanned:
        return self._scanned(Method.READ_UNREAD, skip, only)

    def record(self) -> Scanned:
        return self._scanned(Method.RECORD)

    def fingerprints(self, question: Question) -> Answer:
        answer: Answer = self._call(Method.FINGERPRINTS, question)
        self._check(checks.check_answer, question, answer)
        return answer

    def entries(self, spans: Sequence[Span]) -> Sequence[Entry]:
        found: list[Entry] = []
        for batch in batches(spans):
            entries: Sequence[Entry] = self._call(Method.ENTRIES, batch)
            self._check(checks.check_entries, batch, entries)
            found += entries
        return found

    def read(self, pieces: Sequence[Piece]) -> Sequence[Piece]:
        found: list[Piece] = []
        for portion in _portions(pieces):
            given: Sequence[Piece] = self._call(Method.READ, portion)
            self._check(checks.check_pieces, portion, given)
            found += given
        return found

    def recipes(self, runs: Sequence[Run], level: int) -> Sequence[Recipe]:
        found: Sequence[Recipe] = self._call(Method.RECIPES, runs, level)
        self._check(checks.check_recipes, runs, found)
        return found

    def match(self, seeds: Sequence[RelPath], recipes: Sequence[Recipe], level: int) -> Sequence[Sequence[Span]]:
        lacking: Sequence[Sequence[Span]] = self._call(Method.MATCH, seeds, recipes, level)
        self._check(checks.check_lacking, recipes, lacking)
        return lacking

    def write(self, pieces: Sequence[Piece]) -> None:
        for portion in _portions(pieces):
            self._call(Method.WRITE, portion)

    def stage(self, files: Sequence[StageFile], peer: int | None) -> Staged:
        staged: Staged = self._call(Method.STAGE, files, peer)
        self._check(checks.check_staged, len(files), staged)
        return staged

    def learn(self, learned: Sequence[Learned]) -> None:
        self._call(Method.LEARN, learned)

    def apply(self, actions: Sequence[Action]) -> Applied:
        return self._applied(len(actions), Method.APPLY, actions)

    def trash(self) -> Sequence[TrashItem]:
        items: Sequence[TrashItem] = self._call(Method.TRASH)
        return items

    def restore(self, items: Sequence[TrashItem], to: bytes = b"") -> Applied:
        return self._applied(len(items), Method.RESTORE, items, to)

    def purge(self, runs: Sequence[str]) -> Applied:
        return self._applied(len(runs), Method.PURGE, tuple(runs))

    def restart(self, stream: Stream) -> None:
        """Begin anew over another stream: the peer knows nothing of what was said before."""
        self.end()
        self._earlier_sent, self._earlier_received = self.sent_bytes, self.received_bytes
        self._stream = stream
        self._connection = Connection(Role.CLIENT)
        self._lost = self._met = False

    def close(self) -> None:
        """End the session; a peer that is lost or never opened is only let go.  May be called again."""
        try:
            if self._connection.peer_version is not None and self._connection.state is State.IDLE and not self._lost:
                self._call(Method.CLOSE)
        except (UnreachableError, ProtocolError):
            pass
        finally:
            self.end()

    def end(self) -> None:
        """Let go of the peer without a word; it ends with its stream."""
        self._lost = True
        self._stream.close()

    def _scanned(self, method: Method, *arguments: Any) -> Scanned:
        scanned: Scanned = self._call(method, *arguments)
        self._check(checks.check_scanned, scanned)
        return scanned

    def _applied(self, number: int, method: Method, *arguments: Any) -> Applied:
        applied: Applied = self._call(method, *arguments)
        self._check(checks.check_done, number, applied.done)
        return applied

    def _check(self, check: Callable[..., None], *values: Any) -> None:
        try:
            check(*values)
        except ProtocolError as error:
            raise self._given_up(error) from None

    def _call(self, method: Method, *arguments: Any) -> Any:
        with self._one_call:
            return self._exchange(method, *arguments)

    def _exchange(self, method: Method, *arguments: Any) -> Any:
        if self._lost:
            raise UnreachableError(f"{self.label}: the connection is closed")
        data = self._connection.send(Call(method, arguments))
        self.round_trips += 1
        try:
            self._stream.write(data)
            end = self._await_end()
        except (ProtocolError, IncompatibleError) as error:
            raise self._given_up(error) from None
        except EOFError:
            raise self._given_up(self._stream.loss(self._connection.said)) from None
        except OSError as error:
            raise self._given_up(self._broken(error)) from error
        except BaseException:
            self.end()  # interrupted: what the peer answers now would be taken for the answer to the next call
            raise
        if isinstance(end, Failed):
            raise error_of(end)
        return end.value

    def _await_end(self) -> Reply | Failed:
        while True:
            message = self._next_message()
            if isinstance(message, Reply | Failed):
                return message
            assert isinstance(message, Progress)
            self.on_progress(*message)

    def _next_message(self) -> Message:
        while (event := self._connection.next_event()) is NEED_DATA:
            data = self._stream.read(READ_SIZE)
            if not data:
                raise EOFError
            self._connection.receive_data(data)
        if self._connection.peer_version is not None and not self._met:
            self._met = True
            self._stream.met()
        return event

    def _given_up(self, error: AefsyncError) -> AefsyncError:
        """The same error with the replica's label; the connection is of no more use."""
        self.end()
        error.message = f"{self.label}: {error.message}"
        error.args = (error.message,)
        return error

    def _broken(self, error: OSError) -> AefsyncError:
        """What it means that the stream failed."""
        if isinstance(error, BrokenPipeError | ConnectionResetError):
            return self._stream.loss(self._connection.said)
        return UnreachableError(f"connection lost: {error.strerror or error}", transient=True)


def _portions(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """The pieces in groups of at most `MAX_READ` bytes, which no single piece may exceed."""
    group: list[Piece] = []
    room = MAX_READ
    for piece in pieces:
        if group and piece.length > room:
            yield group
            group, room = [], MAX_READ
        group.append(piece)
        room -= piece.length
    if group:
        yield group
