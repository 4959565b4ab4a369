"""Transfer: bring the bytes of files to the staging of those who lack them, before they are put in place.

Replicas on this machine copy directly from root to root; otherwise the bytes pass through the coordinator, but for those
that the receiver turns out to have (`delta`).  Either way the receiver hashes what it gets, and what it finds is told to the origin too, so that nobody reads a file twice.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from aefsync.core.action import Staged, StageFile
from aefsync.core.growth import Learned
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.ports import Piece
from aefsync.core.problem import ALTERED, Problem
from aefsync.core.recipe import Run
from aefsync.core.rot import Scrub
from aefsync.core.step import Transfer
from aefsync.errors import UnreachableError
from aefsync.sync.deadline import Deadline
from aefsync.sync.delta import Lacking, Seeded, lacking, whole
from aefsync.sync.session import Session

if TYPE_CHECKING:
    from aefsync.wire.remote import RemoteReplica

FILES = 4096
BYTES = 64 << 20
"""What one request brings at most, unless a single file is larger."""
WEIGHT = 4 << 20
"""Bytes of paths, and of what else has any length, in one request."""
PIECE = 1 << 20


class Transferred(NamedTuple):
    """What of some transfers failed, by receiver, and whose trouble it was."""

    failed: tuple[frozenset[RelPath], ...]
    problems: tuple[tuple[int, Problem], ...]
    literal_bytes: int = 0
    reused_bytes: int = 0


def transfer(session: Session, transfers: Sequence[Transfer], deadline: Deadline) -> Transferred:
    """Carry out all transfers, the receivers at the same time; what the time does not allow for counts as failed."""

    def receive(receiver: int, _: object) -> list[tuple[int, list[StageFile], Staged]]:
        wanted = [each for each in transfers if each.receiver == receiver]
        unread = {each.file.path for each in wanted if not each.file.source.is_read}
        done = []
        for origin in sorted({each.origin for each in wanted}):
            own = [each for each in wanted if each.origin == origin]
            left = len(own)
            for batch, staged in _bring(session, origin, receiver, own) if not deadline.is_up() else ():
                _teach(session, origin, batch, staged, unread)
                _cast_doubt(session, origin, staged)
                left -= len(batch)
                done.append((origin, batch, staged))
                if left and deadline.is_up():
                    break
        return done

    results = session.each(receive)
    asked = [{each.file.path for each in transfers if each.receiver == number} for number in range(len(results))]
    failed = [
        own.difference(*(_arrived(batch, staged) for _, batch, staged in results[i])) for i, own in enumerate(asked)
    ]
    staged = [(origin, staged) for own in results for origin, _, staged in own]
    problems = [(origin, problem) for origin, each in staged for problem in each.problems]
    problems += [(i, problem) for i, own in enumerate(results) for _, _, each in own for problem in each.own_problems]
    return Transferred(
        tuple(map(frozenset, failed)),
        tuple(dict.fromkeys(problems)),
        sum(each.literal_bytes for _, each in staged),
        sum(each.reused_bytes for _, each in staged),
    )


def _arrived(batch: Sequence[StageFile], staged: Staged) -> Iterator[RelPath]:
    return (file.path for file, content in zip(batch, staged.contents, strict=True) if content)


def batches(files: Iterable[StageFile]) -> Iterator[list[StageFile]]:
    """Files in requests of bounded number and size."""
    batch: list[StageFile] = []
    size = weight = 0
    for file in files:
        size += file.source.size
        own = len(file.path) + file.source.weight
        weight += own
        if batch and (len(batch) == FILES or size > BYTES or weight > WEIGHT):
            yield batch
            batch, size, weight = [], file.source.size, own
        batch.append(file)
    if batch:
        yield batch


def _bring(
    session: Session, origin: int, receiver: int, transfers: Sequence[Transfer]
) -> Iterator[tuple[list[StageFile], Staged]]:
    """Bring files from one replica to another, batch by batch."""
    peer = session.peer(receiver, origin)
    if peer is not None:
        for batch in batches(each.file for each in transfers):
            yield batch, session.replicas[receiver].stage(batch, peer)
        return
    for batch, staged in _reuse(session, receiver, transfers):
        yield batch, staged
        here = {file.path for file in batch}
        transfers = [each for each in transfers if each.file.path not in here]
    missing = _missing(session, origin, receiver, transfers)
    yield from send(session.replicas[origin], session.replicas[receiver], missing)


def send(origin: RemoteReplica, receiver: RemoteReplica, missing: Lacking) -> Iterator[tuple[list[StageFile], Staged]]:
    """Bring what is lacking of files through the coordinator, batch by batch, and have them completed.

    A file that was put together from parts and is not what it should be travels again, as a whole.
    """
    brought: Counter[RelPath] = Counter()
    for run in missing.runs:
        brought[run.path] += run.length
    in_parts = {file.path for file in missing.files if brought[file.path] < file.source.size}
    again: list[StageFile] = []
    for batch, staged in _send(origin, receiver, missing):
        refused = {problem.path for problem in staged.problems}
        kept = [file.path not in in_parts or bytes(file.source.path) not in refused for file in batch]
        doubted = [file for file, is_kept in zip(batch, kept, strict=True) if not is_kept]
        again += doubted
        yield _without(batch, staged, doubted, kept) if doubted else (batch, staged)
    if again:
        yield from _send(origin, receiver, Lacking(tuple(map(whole, again)), tuple(again)))


def _without(
    batch: list[StageFile], staged: Staged, doubted: Iterable[StageFile], kept: Sequence[bool]
) -> tuple[list[StageFile], Staged]:
    """A batch and what came of it, as if only those files had been among them that are kept."""
    sources = {bytes(file.source.path) for file in doubted}
    problems = tuple(problem for problem in staged.problems if problem.path not in sources)
    contents = tuple(itertools.compress(staged.contents, kept))
    return list(itertools.compress(batch, kept)), staged._replace(contents=contents, problems=problems)


def _send(origin: RemoteReplica, receiver: RemoteReplica, missing: Lacking) -> Iterator[tuple[list[StageFile], Staged]]:
    runs: dict[RelPath, list[Run]] = {}
    for run in missing.runs:
        runs.setdefault(run.path, []).append(run)
    for batch in batches(missing.files):
        requests, asked = itertools.tee(_requests(batch, runs))
        answers = origin.read_ahead([piece for piece, _ in request] for request in asked)
        try:
            for request, read in zip(requests, answers, strict=True):
                pairs = zip(read, request, strict=True)
                sent = [Piece(path, got.offset, len(got.data), got.data) for got, (_, path) in pairs]
                receiver.write_ahead([piece for piece in sent if piece.data])
        except UnreachableError:
            receiver.settle()  # what is on its way there is not lost with the origin
            raise
        yield batch, receiver.stage(batch, None)


def _reuse(session: Session, receiver: int, transfers: Sequence[Transfer]) -> Iterator[tuple[list[StageFile], Staged]]:
    """New files whose content the receiver has under another path: copied there, and no byte travels."""
    for batch in batches(each.file for each in transfers if each.file.source.is_read and not each.replaces):
        found = session.replicas[receiver].reuse(batch)
        files = [file for file, content in zip(batch, found.contents, strict=True) if content]
        yield files, found._replace(contents=tuple(filter(None, found.contents)))


def _missing(session: Session, origin: int, receiver: int, transfers: Sequence[Transfer]) -> Lacking:
    """What the receiver lacks: found out by chunks where it may hold parts, and both sides cut files alike."""
    there, here = session.opened[origin], session.opened[receiver]
    alike = bool(there.chunker) and there.chunker == here.chunker
    seeded = [each for each in transfers if alike and (each.replaces or here.unfinished)]
    plain = tuple(each.file for each in transfers if not (alike and (each.replaces or here.unfinished)))
    found = lacking(
        session.replicas[origin],
        session.replicas[receiver],
        [Seeded(each.file, (each.file.path,) if each.replaces else ()) for each in seeded],
    )
    return Lacking((*found.runs, *map(whole, plain)), (*found.files, *plain))


def _requests(batch: list[StageFile], runs: Mapping[RelPath, Sequence[Run]]) -> Iterator[list[tuple[Piece, RelPath]]]:
    """Requests for the bytes of a batch, each with the path that a piece is meant for."""
    request: list[tuple[Piece, RelPath]] = []
    size = 0
    for file in batch:
        for _, begin, length in runs.get(file.path, ()):
            for offset in range(begin, begin + length, PIECE):
                part = min(PIECE, begin + length - offset)
                if size + part > PIECE * 4:
                    yield request
                    request, size = [], 0
                request.append((Piece(file.source.path, offset, part), file.path))
                size += part
    if request:
        yield request


def _teach(session: Session, origin: int, batch: list[StageFile], staged: Staged, unread: Collection[RelPath]) -> None:
    """Tell the origin what its files turned out to hold, in key order: a batch has first those that travel in parts."""
    pairs = zip(batch, staged.contents, strict=True)
    found = {file.source.path: content for file, content in pairs if content and file.path in unread}
    ordered = sorted(found.items(), key=lambda each: each[0].key)
    grouped = itertools.groupby(ordered, key=lambda each: each[0].prefix)
    news = [_learned(prefix, list(group)) for prefix, group in grouped]
    if news:
        session.replicas[origin].learn(news)


def _cast_doubt(session: Session, origin: int, staged: Staged) -> None:
    """Have the origin look at those of its files that do not hold what it says."""
    doubted = tuple(RelPath(each.path) for each in staged.problems if each.reason == ALTERED)
    if doubted and not session.locations[origin].agentless:
        session.replicas[origin].scrub(Scrub(files=0, suspected=doubted))


def _learned(prefix: bytes, found: Sequence[tuple[RelPath, bytes]]) -> Learned:
    return Learned(prefix, b"\0".join(path.name for path, _ in found), b"".join(content for _, content in found))
