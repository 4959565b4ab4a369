"""A session's half that remembers: versions of what a scan finds, tombstones, and what a run left, in the sidecar."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from aefsync.core.action import Act, Action, Applied
from aefsync.core.compare import Span
from aefsync.core.growth import Learned
from aefsync.core.members import Memory
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Scan, Scanned
from aefsync.core.problem import Problem
from aefsync.core.renamed import Rename
from aefsync.core.snapshot import Snapshot
from aefsync.core.tombstones import buried, history, snapshot_of, tombstones_at
from aefsync.core.tree import Answer, Question, answer
from aefsync.core.unsettled import LeftStanding
from aefsync.core.version import Dot, Tombstone
from aefsync.core.view import View
from aefsync.disk.absence import Absence
from aefsync.disk.any_writer import AnyWriter
from aefsync.disk.chronicle import Chronicle
from aefsync.disk.chronicling import Chronicling, Keep, Root
from aefsync.disk.confined import is_directory
from aefsync.disk.judging import Judge
from aefsync.disk.mount_changes import MountPoints
from aefsync.disk.pending import Intention, by_directory
from aefsync.disk.pending_growth import recorded
from aefsync.disk.reading import unread
from aefsync.disk.recognising import align
from aefsync.disk.scan import Scanner
from aefsync.disk.settling import Settling
from aefsync.disk.sidecar import Damaged, trouble
from aefsync.disk.standing import left_in, standing_of, with_memory
from aefsync.disk.summing import NOTHING, roots_of
from aefsync.disk.underway import Underway
from aefsync.errors import AefsyncError, RootError


class Remembering(Chronicling[Root, Keep]):
    """An open root with its chronicle, from the first scan on that asks for versions."""

    _clock_ns: Callable[[], int]
    _writer: AnyWriter[Any, Any] | None

    @abstractmethod
    def _look_again(self) -> frozenset[bytes]:
        """Make durable what was touched, and scan it anew; the directories that are not durable."""

    @abstractmethod
    def _absence(self, root: Root, scanner: Scanner) -> Absence:
        """What tells whether something is gone that a scan does not show."""

    def _begin(self) -> None:
        super()._begin()
        self._tombstones = buried(())
        self._versioned = NOTHING
        self._is_in_sight: Callable[[bytes, bytes], bool] = lambda directory, name: True
        self._underway = Underway()

    def _note_mounts(self, chronicle: Chronicle, mounts: MountPoints) -> None:
        """Remember the mount points below the root, where they can be told for certain."""

    @abstractmethod
    def _are_movable(self, root: Root, scanner: Scanner, renames: Sequence[Rename]) -> Sequence[bool]:
        """Whether each of these renames moves nothing but what the snapshot tells of."""

    def _take_in(self, root: Root, scanner: Scanner, request: Scan, troubles: Sequence[Problem]) -> bool:
        """Report what was in trouble before a scan, and judge what that found; whether the replica turned out to be
        restored.  Raises `RootError` where the root was not found."""
        for problem in troubles:
            scanner.report(b"", problem)
        scanner.index.flush()
        if not scanner.found_root:
            problems = scanner.problems.get(b"", [])
            raise RootError(problems[0].reason if problems else "vanished")
        self._taking.report_folded(scanner)
        restored = self._chronicle is not None and self._judge_scan(root, scanner, request)
        self._taken = None
        return restored

    def _judge_scan(self, root: Root, scanner: Scanner, request: Scan) -> bool:
        """Judge what a scan found, all trouble with which is reported; whether the replica turned out to be restored."""
        assert self._chronicle is not None
        try:
            return self._judge(self._chronicle, root, scanner, request)
        except Damaged as damaged:
            scanner.report(b"", self._begin_anew(damaged))
        return self._judge(self._chronicle, root, scanner, request)

    def _judge(self, chronicle: Chronicle, root: Root, scanner: Scanner, request: Scan) -> bool:
        absence, aspects = self._absence(root, scanner), request.aspects
        with chronicle.transaction():
            restored = chronicle.disprove(request.claims) or self._is_copy
            pending = self._pending(chronicle, root, scanner)
            intended = by_directory(each for each in pending if each.act is not Act.RECORD)
            judge = Judge(chronicle, scanner, absence, aspects.mode_bits, intended)
            judge.judge(lambda wanted: self._read(scanner, wanted))
            chronicle.forget(request.watermark)
            if scanner.narrowing.is_everything:
                self._note_mounts(chronicle, scanner.mounts)
            if pending and chronicle.writable and chronicle.sidecar is not None:
                chronicle.sidecar.clear_pending()
        self._underway.forget()
        self._is_in_sight = absence.is_in_sight
        self._tombstones = snapshot_of(chronicle.tombstone_rows(self._is_in_sight))
        return restored

    def _pending(self, chronicle: Chronicle, root: Root, scanner: Scanner) -> list[Intention]:
        """What an interrupted run was about to do; the records of what it renamed have moved along."""
        if chronicle.sidecar is None:
            return []
        pending = [each for body in chronicle.sidecar.pending() for each in recorded(body)]
        if chronicle.writable:
            # What stands at the old path of a directory by now may be a file.
            moved = [each for each in pending if each.source and not is_directory(root, each.source)]
            renamed = [each for each in moved if is_directory(root, each.path)]
            Settling(chronicle, scanner, self._taking.aspects).move(renamed)
        return pending

    def read_unread(self, skip: Sequence[Span], only: Sequence[Span] | None) -> Scanned:
        scanned = super().read_unread(skip, only)
        if self._scanner is not None:
            self._keep_what_is_known(self._scanner)
        return scanned

    def learn(self, learned: Sequence[Learned]) -> None:
        super().learn(learned)
        chronicle, scanner = self._chronicle, self._scanner
        if scanner is None or chronicle is None or not (chronicle.writable or self._is_unborn):
            return
        # Should this run end before it records anything, what becomes of these meanwhile is an edit of what others got.
        found = chronicle.deferred.intersection(prefix for prefix, *_ in learned) if learned else chronicle.deferred
        read = found - {prefix for prefix, _ in unread(scanner.pages, found)}
        if read:
            scanner.seal(read)
            with self._remembering() as own:
                Settling(own, scanner, self._taking.aspects).begin(read)

    def _keep_what_is_known(self, scanner: Scanner) -> None:
        """Write the records of what was found for the first time, and of what was read since it was recorded."""
        known = self._chronicle
        if known is not None and known.writable and (known.deferred or known.unsealed):
            with self._remembering() as chronicle:
                settling = Settling(chronicle, scanner, self._taking.aspects)
                settling.begin()
                settling.complete()

    @property
    def _snapshot(self) -> Snapshot:
        """With versions, where they are asked for."""
        if self._taken is None and self._chronicle is not None and self._scanner is not None:
            taken = self._taking.take(self._scanner)
            align(self._chronicle, self._scanner)
            dated = self._chronicle.dated(taken.blocks, self._scanner.pages)
            self._taken = Snapshot(dated, aspects=taken.aspects)
        return super()._snapshot

    def fingerprints(self, question: Question) -> Answer:
        if question.view is View.BURIED:
            self._check_open()
            return answer(self._tombstones, question, self._request.nonce)
        return super().fingerprints(question)

    def movable(self, renames: Sequence[Rename]) -> Sequence[bool]:
        self._check_open()
        if self._scanner is None or self._root is None or not self._snapshot.count:
            return [False] * len(renames)
        return self._are_movable(self._root, self._scanner, renames)

    def tombstones(self, spans: Sequence[Span]) -> Sequence[Tombstone]:
        self._check_open()
        return [tombstone for low, high in spans for tombstone in tombstones_at(self._tombstones, low, high)]

    def mint(self) -> Dot:
        with self._remembering() as chronicle:
            return chronicle.mint()

    def remember(self, memory: Memory) -> LeftStanding:
        def sees(path: RelPath) -> bool:
            return self._is_in_sight(path.prefix, path.name)

        with self._remembering() as chronicle, trouble():
            words = with_memory(chronicle.words, memory, sees)
            if not words.items() <= chronicle.words.items():
                chronicle.set_words(words)
            left = left_in(chronicle.words)
        if self._scanner is not None:
            self._keep_what_is_known(self._scanner)
        return left

    def apply(self, actions: Sequence[Action]) -> Applied:
        """Carry out actions; what they are about to place is pending before the first of them."""
        writer, scanner = self._writing(), self._scanner
        if scanner is None:
            raise AefsyncError("nothing was scanned yet")
        if self._chronicle is None:
            return writer.apply(actions, scanner)
        with self._remembering() as chronicle:
            Settling(chronicle, scanner, self._taking.aspects).begin()
            self._underway.intend(chronicle, actions, writer.content)
        applied = writer.apply([action for action in actions if action.act is not Act.RECORD], scanner)
        outcomes = iter(applied.done)
        done = tuple(action.act is Act.RECORD or next(outcomes) for action in actions)
        self._underway.did(done)
        return applied._replace(done=done)

    def record(self) -> Scanned:
        self._check_open()
        if self._request.access is Access.WRITE:
            # A root that cannot be written, and had not to be, needs no home.
            with contextlib.suppress(RootError):
                self._writing()
        self._taken = None  # what it was taken from is looked at again, which may need the memory
        failed = self._look_again()
        if self._scanner is not None:
            self._read(self._scanner, unread(self._scanner.pages))
            self._settle_records(self._scanner, failed)
        if self._writer is not None:
            self._writer.clear()
            self._writer.expire(self._clock_ns)
        return self._scanned(complete=True)

    def _settle_records(self, scanner: Scanner, failed: frozenset[bytes]) -> None:
        """Record what was done, but for what is in directories that are not durable (by their paths)."""
        if self._chronicle is None or not self._chronicle.writable:
            return
        with self._remembering() as chronicle:
            self._underway.settle(chronicle, Settling(chronicle, scanner, self._taking.aspects), failed)
            if not failed:
                chronicle.tidy()
            self._tombstones = snapshot_of(chronicle.tombstone_rows(self._is_in_sight))
        self._taken = None

    def _scanned(self, *, complete: bool = False) -> Scanned:
        chronicle = self._chronicle
        if chronicle is not None and self._scanner is not None:
            align(chronicle, self._scanner)
        self._versioned = NOTHING
        scanned = super()._scanned(complete=complete)
        if chronicle is None:
            return scanned
        past = history(self._versioned, self._tombstones) if scanned.root else b""
        is_known = chronicle.writable or self._is_unborn
        standing = standing_of(chronicle.words, self._id, is_brief=True) if is_known else None
        return scanned._replace(history=past, tombstones=self._tombstones.count, standing=standing)

    def _root_of(self, scanner: Scanner) -> bytes:
        """With the one that covers versions, which is taken in passing."""
        if self._chronicle is None:
            return super()._root_of(scanner)
        if not self._taking.aspects.is_plain:
            self._versioned = self._snapshot_root(View.VERSIONED)
            return super()._root_of(scanner)
        root, self._versioned = roots_of(scanner, lambda key, digests: digests, self._chronicle.versioned)
        return root
