"""A session's half that deals with the snapshot: what a scan found, completed, compared, and told."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from aefsync.core.compare import BATCH, Span
from aefsync.core.digest import PUBLIC_KEY, ROOT_DIGEST
from aefsync.core.entry import Entry
from aefsync.core.growth import Learned
from aefsync.core.path import RelPath
from aefsync.core.ports import Open, Phase, Scanned
from aefsync.core.snapshot import Snapshot
from aefsync.core.tree import Answer, Question, answer, range_digest
from aefsync.core.view import View
from aefsync.disk.reading import materialised, read_pages, unread, within
from aefsync.disk.recording import learn
from aefsync.disk.scan import Scanner
from aefsync.disk.sight import Wanted
from aefsync.disk.summing import plain_root, sum_up
from aefsync.disk.taking import Taking
from aefsync.errors import AefsyncError


class Surveyed:
    """What is known of a root, wherever that is; there is no scanner before the first scan, nor where it is missing."""

    def __init__(self) -> None:
        self.on_progress: Callable[[Phase, int, int], None] = lambda phase, done, total: None
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        """Be as before the first hello."""
        self._request: Open
        self._has_begun = False
        self._taking = Taking()
        self._scanner: Scanner | None = None
        self._taken: Snapshot | None = None

    def _scanning(self, done: int, total: int) -> None:
        self.on_progress(Phase.SCAN, done, total)

    def _reading(self, done: int, total: int) -> None:
        self.on_progress(Phase.READ, done, total)

    @property
    def _snapshot(self) -> Snapshot:
        """The snapshot, put together when it is first asked for: where nothing differs nobody asks."""
        if self._taken is None:
            self._taken = self._taking.take(self._scanner)
        return self._taken

    def read_unread(self, skip: Sequence[Span], only: Sequence[Span] | None) -> Scanned:
        self._check_open()
        if self._scanner is None:
            return self._scanned(complete=True)
        pages = materialised(self._scanner) if skip or only is not None else self._scanner.pages
        wanted = unread(pages)
        if only is not None:
            wanted = within(wanted, pages, only, inside=True)
        elif skip:
            wanted = within(wanted, pages, skip, inside=False)
        if not wanted:
            return self._scanned()
        self._taken = None  # it says of these files that they are unread, and would stand beside what is read now
        self._read(self._scanner, wanted)
        return self._scanned(complete=True)

    def _read(self, scanner: Scanner, wanted: Wanted) -> None:
        total = sum(scanner.pages[key].bytes_of(positions) for key, positions in wanted.items())
        read_pages(scanner, wanted, lambda done: self._reading(done, total))
        scanner.seal()
        scanner.index.flush()
        self._taken = None

    def fingerprints(self, question: Question) -> Answer:
        self._check_open()
        return answer(self._snapshot, question, self._request.nonce)

    def search(self, part: bytes, start: int) -> Sequence[Entry]:
        self._check_open()
        return list(itertools.islice(self._snapshot.named(part), start, start + BATCH))

    def learn(self, learned: Sequence[Learned]) -> None:
        self._check_open()
        if self._scanner is not None:
            learn(self._scanner, learned)

    def _find(self, path: RelPath) -> Entry | None:
        return self._snapshot.find(path) if self._scanner is not None else None

    def _scanned(self, *, complete: bool = False) -> Scanned:
        return sum_up(self._scanner, self._root_of, complete=complete)

    def _root_of(self, scanner: Scanner) -> bytes:
        """The root digest of what counts in the session."""
        # The scanner keeps entry digests of what counts by default; of anything else they are taken for the session.
        return plain_root(scanner) if self._taking.aspects.is_plain else self._snapshot_root(View.FULL)

    def _snapshot_root(self, view: View) -> bytes:
        return range_digest(self._snapshot, view, 0, self._snapshot.count, PUBLIC_KEY, ROOT_DIGEST)

    def _check_open(self) -> None:
        if self._closed:
            raise AefsyncError("the session is closed")
        if not self._has_begun:
            raise AefsyncError("the session has not begun")
