"""Transfer: bring the bytes of files to the staging of those who lack them, before they are put in place.

Replicas on this machine copy directly from root to root; otherwise the bytes pass through the coordinator.  Either
way the receiver hashes what it gets, and what it finds is told to the origin too, so that nobody reads a file twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from aefsync.core.action import Staged, StageFile
from aefsync.core.path import RelPath
from aefsync.core.plan import Transfer
from aefsync.core.ports import Learned, Piece
from aefsync.core.problem import Problem
from aefsync.sync.session import Session

FILES = 4096
BYTES = 64 << 20
"""What one request brings at most, unless a single file is larger."""
PATHS = 4 << 20
"""Bytes of paths in one request."""
PIECE = 1 << 20


class Transferred(NamedTuple):
    """What of some transfers failed, by receiver, and whose trouble it was."""

    failed: tuple[frozenset[RelPath], ...]
    problems: tuple[tuple[int, Problem], ...]
    literal_bytes: int


def transfer(session: Session, transfers: Sequence[Transfer]) -> Transferred:
    """Carry out all transfers, the receivers at the same time."""

    def receive(receiver: int, _: object) -> list[tuple[int, list[StageFile], Staged]]:
        wanted = [each for each in transfers if each.receiver == receiver]
        done = []
        for origin in sorted({each.origin for each in wanted}):
            for batch in batches(each.file for each in wanted if each.origin == origin):
                staged = _stage(session, origin, receiver, batch)
                _teach(session, origin, batch, staged)
                done.append((origin, batch, staged))
        return done

    results = session.each(receive)
    failed = [frozenset(path for _, batch, staged in own for path in _failed(batch, staged)) for own in results]
    problems = [(origin, problem) for own in results for origin, _, staged in own for problem in staged.problems]
    literal = sum(staged.literal_bytes for own in results for _, _, staged in own)
    return Transferred(tuple(failed), tuple(dict.fromkeys(problems)), literal)


def _failed(batch: Sequence[StageFile], staged: Staged) -> Iterator[RelPath]:
    return (file.path for file, content in zip(batch, staged.contents, strict=True) if not content)


def batches(files: Iterable[StageFile]) -> Iterator[list[StageFile]]:
    """Files in requests of bounded number and size."""
    batch: list[StageFile] = []
    size = paths = 0
    for file in files:
        size += file.source.size
        paths += len(file.path) + len(file.source.path)
        if batch and (len(batch) == FILES or size > BYTES or paths > PATHS):
            yield batch
            batch, size, paths = [], file.source.size, len(file.path) + len(file.source.path)
        batch.append(file)
    if batch:
        yield batch


def _stage(session: Session, origin: int, receiver: int, batch: list[StageFile]) -> Staged:
    peer = session.peer(receiver, origin)
    if peer is not None:
        return session.replicas[receiver].stage(batch, peer)
    requests = list(_pieces(batch))
    answers = session.replicas[origin].read_ahead([[piece for piece, _ in request] for request in requests])
    for request, read in zip(requests, answers, strict=True):
        sent = [Piece(path, got.offset, len(got.data), got.data) for got, (_, path) in zip(read, request, strict=True)]
        session.replicas[receiver].write_ahead([piece for piece in sent if piece.data])
    return session.replicas[receiver].stage(batch, None)


def _pieces(batch: list[StageFile]) -> Iterator[list[tuple[Piece, RelPath]]]:
    """Requests for the bytes of a batch, each with the path that a piece is meant for."""
    request: list[tuple[Piece, RelPath]] = []
    size = 0
    for file in batch:
        for offset in range(0, file.source.size, PIECE):
            length = min(PIECE, file.source.size - offset)
            if size + length > PIECE * 4:
                yield request
                request, size = [], 0
            request.append((Piece(file.source.path, offset, length), file.path))
            size += length
    if request:
        yield request


def _teach(session: Session, origin: int, batch: list[StageFile], staged: Staged) -> None:
    news = [
        Learned(file.source.path, content)
        for file, content in zip(batch, staged.contents, strict=True)
        if content and not file.source.is_read
    ]
    if news:
        session.replicas[origin].learn(news)
