"""A session's half that remembers: versions of what a scan finds, tombstones, and what a run left, in the sidecar."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from aefsync.core.action import Act, Action, Applied
from aefsync.core.compare import Span
from aefsync.core.graves import buried, graves_at, history
from aefsync.core.growth import Growth
from aefsync.core.members import Memory, Standing, told
from aefsync.core.path import RESERVED
from aefsync.core.ports import Access, Scan, Scanned
from aefsync.core.problem import Problem
from aefsync.core.snapshot import Snapshot
from aefsync.core.tree import Answer, Question, answer
from aefsync.core.version import Dot, Grave
from aefsync.core.view import View
from aefsync.disk.absence import Absence
from aefsync.disk.chronicle import Chronicle
from aefsync.disk.confined import ConfinedRoot, exists
from aefsync.disk.filesystem import place_of
from aefsync.disk.home import Home, identity_in
from aefsync.disk.judging import Judge
from aefsync.disk.keeping import Keeping
from aefsync.disk.opening import OpenRoot
from aefsync.disk.pending import Intention, by_directory
from aefsync.disk.pending_growth import recorded
from aefsync.disk.recognising import align
from aefsync.disk.scan import Scanner
from aefsync.disk.settling import Settling
from aefsync.disk.sidecar import Damaged, Sidecar, trouble
from aefsync.disk.sidecar_file import NAME, has_sidecar, open_for_reading, open_for_writing, set_aside, words_of
from aefsync.disk.standing import ID, PLACE, Words, standing_of, with_memory
from aefsync.disk.summing import NOTHING, roots_of
from aefsync.disk.underway import Underway
from aefsync.disk.writer import Writer
from aefsync.errors import AefsyncError, RootError


class Remembering(Keeping):
    """An open root with its chronicle, from the first scan on that asks for versions."""

    def __init__(self) -> None:
        super().__init__()
        self._random: Callable[[int], bytes] = os.urandom

    def _begin(self) -> None:
        super()._begin()
        self._chronicle: Chronicle | None = None
        self._graves = buried(())
        self._versioned = NOTHING
        self._is_in_sight: Callable[[bytes, bytes], bool] = lambda directory, name: True
        self._is_copy = False
        self._id = ""
        self._is_unborn = False
        """whether there is no sidecar yet: it is made when anything is first written in the root"""
        self._underway = Underway()

    def _look_whether_copied(self) -> None:
        """Give a root a new id that was copied, or restored from a backup of files, together with what it remembers; and one
        that lost its id the one that it had."""
        if self._home is None or self._root is None or self._request.access is not Access.WRITE:
            return
        words: Words = {}
        with contextlib.suppress(AefsyncError, Damaged):
            words = self._words(self._home)
        identity, place, known = self._home.identity, place_of(self._root.fd), words.get(ID, b"")
        is_elsewhere = words.get(PLACE, place) != place
        if not identity or (is_elsewhere and known == identity.encode()):
            self._home.identify((not is_elsewhere and identity_in(known)) or self._random(16).hex())
            self._is_copy = bool(identity)

    def _open_chronicle(self, request: Scan) -> list[Problem]:
        """Begin to remember, where that is asked for; trouble with what was remembered."""
        self._close_chronicle()
        if not request.versions:
            return []
        try:
            self._chronicle = self._new_chronicle()
        except Damaged as damaged:
            return [self._begin_anew(damaged)]
        return []

    def _new_chronicle(self) -> Chronicle:
        writes = self._root is not None and self._request.access is Access.WRITE
        sidecar = None
        if self._home is not None and has_sidecar(self._home):
            sidecar = self._open_sidecar(self._home) if writes else open_for_reading(self._home)
        chronicle = Chronicle(sidecar, writable=writes, random=self._random)
        self._is_unborn = writes and sidecar is None
        if writes and self._root is not None:
            self._id = (self._home.identity if self._home is not None else "") or self._random(16).hex()
            chronicle.settle_in(self._id, place_of(self._root.fd))
        return chronicle

    def _open_sidecar(self, home: Home) -> Sidecar:
        self._writing()
        return open_for_writing(home, self._file_system, self._request.writing.durability)

    def _on_home(self, opened: OpenRoot, home: Home) -> None:
        """The root is known by what the coordinator has been told already."""
        super()._on_home(opened, home)
        if self._is_unborn:
            home.identify(self._id)

    def _begin_anew(self, damaged: Damaged) -> Problem:
        """Go on without what was remembered, as a replica that joins; it is set aside."""
        chronicle, self._chronicle = self._chronicle, None
        if chronicle is not None and chronicle.sidecar is not None:
            chronicle.sidecar.close()
        reason = f"is damaged ({damaged}): this replica joins as a new one"
        if self._request.access is Access.WRITE and self._home is not None:
            reason += f", and what it remembered is set aside as {set_aside(self._home, self._request.run)}"
            self._chronicle = self._new_chronicle()
        else:
            self._chronicle = Chronicle(None, writable=False, random=self._random)
        return Problem(RESERVED + b"/" + NAME.encode(), reason)

    def _judge_scan(self, root: ConfinedRoot, scanner: Scanner, request: Scan) -> bool:
        """Judge what a scan found, all trouble with which is reported; whether the replica turned out to be restored."""
        assert self._chronicle is not None
        try:
            return self._judge(self._chronicle, root, scanner, request)
        except Damaged as damaged:
            scanner.report(b"", self._begin_anew(damaged))
        return self._judge(self._chronicle, root, scanner, request)

    def _judge(self, chronicle: Chronicle, root: ConfinedRoot, scanner: Scanner, request: Scan) -> bool:
        absence, aspects = Absence(root, scanner), request.aspects
        with chronicle.transaction():
            restored = chronicle.disprove(request.claims) or self._is_copy
            pending = self._pending(chronicle, root, scanner)
            intended = by_directory(each for each in pending if each.act is not Act.RECORD)
            judge = Judge(chronicle, scanner, absence, aspects.mode_bits, intended)
            judge.judge(lambda wanted: self._read(scanner, wanted))
            chronicle.forget(request.watermark)
            if pending and chronicle.writable and chronicle.sidecar is not None:
                chronicle.sidecar.clear_pending()
        self._underway.forget()
        self._is_in_sight = absence.is_in_sight
        self._graves = buried(chronicle.tombstones(self._is_in_sight))
        return restored

    def _pending(self, chronicle: Chronicle, root: ConfinedRoot, scanner: Scanner) -> list[Intention]:
        """What an interrupted run was about to do; the records of what it renamed have moved along."""
        if chronicle.sidecar is None:
            return []
        pending = [each for body in chronicle.sidecar.pending() for each in recorded(body)]
        if chronicle.writable:
            renamed = [e for e in pending if e.source and exists(root, e.path) and not exists(root, e.source)]
            Settling(chronicle, scanner, self._taking.aspects).move(renamed)
        return pending

    def read_unread(self, skip: Sequence[Span], only: Sequence[Span] | None) -> Scanned:
        scanned = super().read_unread(skip, only)
        if self._scanner is not None:
            self._keep_what_is_known(self._scanner)
        return scanned

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
            return answer(self._graves, question, self._request.nonce)
        return super().fingerprints(question)

    def graves(self, spans: Sequence[Span]) -> Sequence[Grave]:
        self._check_open()
        return [grave for low, high in spans for grave in graves_at(self._graves, low, high)]

    def mint(self) -> Dot:
        with self._remembering() as chronicle:
            return chronicle.mint()

    def remember(self, memory: Memory) -> None:
        with self._remembering() as chronicle, trouble():
            chronicle.set_words(with_memory(chronicle.words, memory))
        if self._scanner is not None:
            self._keep_what_is_known(self._scanner)

    @contextlib.contextmanager
    def _remembering(self) -> Iterator[Chronicle]:
        """The chronicle, to be written."""
        self._writing()
        if self._chronicle is None:
            raise AefsyncError("this session remembers nothing")
        if self._is_unborn and self._home is not None:
            self._is_unborn = False
            self._home.identify(self._id)
            self._chronicle.enter(self._open_sidecar(self._home))
        try:
            with self._chronicle.transaction():
                yield self._chronicle
        except Damaged as damaged:
            raise RootError(self._begin_anew(damaged).reason) from None

    def _apply(self, writer: Writer, actions: Sequence[Action], scanner: Scanner) -> Applied:
        """Carry out actions; what they are about to place is pending before the first of them."""
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

    def _plant(self, writer: Writer, scanner: Scanner) -> bytes:
        """Put in place what has grown, which is pending before the first of it."""
        if self._chronicle is None:
            return writer.plant(scanner)
        flags = writer.plant(scanner, partial(self._intend, scanner))
        self._underway.planted(flags)
        return flags

    def _intend(self, scanner: Scanner, growth: Growth, flags: bytes) -> None:
        with self._remembering() as chronicle:
            Settling(chronicle, scanner, self._taking.aspects).begin()
            self._underway.intend_growth(chronicle, growth, flags)

    def _settle_records(self, scanner: Scanner, failed: frozenset[bytes]) -> None:
        """Record what was done, but for what is in directories that are not durable (by their paths)."""
        if self._chronicle is None or not self._chronicle.writable:
            return
        with self._remembering() as chronicle:
            self._underway.settle(chronicle, Settling(chronicle, scanner, self._taking.aspects), failed)
            if not failed:
                chronicle.tidy()
            self._graves = buried(chronicle.tombstones(self._is_in_sight))
        self._taken = None

    def _scanned(self, *, complete: bool = False) -> Scanned:
        chronicle = self._chronicle
        if chronicle is not None and complete and self._scanner is not None:
            align(chronicle, self._scanner)
        self._versioned = NOTHING
        scanned = super()._scanned(complete=complete)
        if chronicle is None:
            return scanned
        past = history(self._versioned, self._graves) if scanned.root else b""
        is_known = chronicle.writable or self._is_unborn
        standing = standing_of(chronicle.words, self._id, is_brief=True) if is_known else None
        return scanned._replace(history=past, graves=self._graves.count, standing=standing)

    def _root_of(self, scanner: Scanner) -> bytes:
        """With the one that covers versions, which is taken in passing."""
        if self._chronicle is None:
            return super()._root_of(scanner)
        if not self._taking.aspects.is_plain:
            self._versioned = self._snapshot_root(View.VERSIONED)
            return super()._root_of(scanner)
        root, self._versioned = roots_of(scanner, lambda key, digests: digests, self._chronicle.versioned)
        return root

    def _said(self) -> tuple[Standing | None, str]:
        """What the sidecar says (`None` where there is none), or why it cannot be read."""
        home = self._home
        try:
            with trouble():
                known = home.identity if home is not None else ""
                standing = standing_of(self._words(home), known) if home is not None and known else None
            return standing and told(standing, self._request.known), ""
        except Damaged as damaged:
            return None, f".aefsync/{NAME} is damaged ({damaged})"
        except AefsyncError as error:
            return None, error.message

    def _words(self, home: Home) -> Words:
        """What the sidecar says of the replica; raises where it cannot be read."""
        return words_of(home) if self._chronicle is None else self._chronicle.words

    def _close_chronicle(self) -> None:
        chronicle, self._chronicle = self._chronicle, None
        if chronicle is not None and chronicle.sidecar is not None:
            chronicle.sidecar.close()
