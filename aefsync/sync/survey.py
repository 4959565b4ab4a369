"""Survey: snapshots of all replicas, content read where it has to be, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from aefsync.core.compare import Difference, Selection, Span, differences, select
from aefsync.core.guards import nothing_left
from aefsync.core.metadata import PLAIN, Aspects
from aefsync.core.ports import Scan, Scanned
from aefsync.core.view import View
from aefsync.errors import GuardError
from aefsync.sync.events import Event, Notice, Troubled
from aefsync.sync.request import Request
from aefsync.sync.session import Session


class Survey(NamedTuple):
    """What the replicas hold, and in which positions they may differ as `view` sees them, `aspects` counting."""

    view: View
    scans: tuple[Scanned, ...]
    selections: tuple[Selection, ...]
    aspects: Aspects = PLAIN

    def differences(self, session: Session) -> Iterator[Difference]:
        """The paths on which replicas disagree, in key order."""
        return differences(session.fetch, self.view, self.selections, self.aspects)

    @property
    def unknown(self) -> tuple[frozenset[bytes], ...]:
        """For each replica, the paths at and below which nothing is known."""
        return tuple(
            frozenset(scan.unexamined) | {problem.path for problem in scan.problems if problem.subtree}
            for scan in self.scans
        )

    @property
    def roots(self) -> tuple[bytes, ...]:
        return tuple(scan.root for scan in self.scans)

    @property
    def entries(self) -> tuple[int, ...]:
        return tuple(scan.entries for scan in self.scans)


def scan_of(session: Session, request: Request) -> Scan:
    """How all replicas are scanned: the union of their ignore files, then the rules of the command line."""
    ignored = [rule for opened in session.opened for rule in opened.ignore_rules]
    rules = (*dict.fromkeys(ignored), *request.rules)
    return Scan(rules, request.one_file_system, request.checksum, aspects=request.aspects)


def survey(session: Session, request: Request, view: View) -> Survey:
    """Scan, read what must be read, compare.  Raises `GuardError` where the filters leave nothing."""
    eager = view.reads and not any(opened.empty for opened in session.opened)
    scan = scan_of(session, request)._replace(eager=eager)
    mounts = session.mounts or (None,) * len(session.replicas)
    scans = session.each(lambda number, replica: replica.scan(scan._replace(mounts=mounts[number])))
    for location, scanned in zip(session.locations, scans, strict=True):
        refusal = nothing_left(location.text, scanned.entries, scanned.excluded)
        if refusal is not None:
            raise GuardError(refusal.message)
    if view.reads and any(scanned.unread_files for scanned in scans):
        scans = _read(session, scans)
    return compare(session, view, scans, scan.aspects)


def compare(session: Session, view: View, scans: Sequence[Scanned], aspects: Aspects = PLAIN) -> Survey:
    """Compare the snapshots that the replicas hold."""
    roots = {scanned.root for scanned in scans}
    if len(roots) == 1 and roots != {b""}:
        return Survey(view, tuple(scans), (), aspects)
    counts = [scanned.entries for scanned in scans]
    return Survey(view, tuple(scans), tuple(select(session.ask, view, counts)), aspects)


def agree(session: Session, scans: Sequence[Scanned], aspects: Aspects) -> bool:
    """Whether the replicas agree: equal roots, or where those tell too little, no difference found."""
    if len({scanned.root for scanned in scans}) == 1:
        return True
    return aspects.is_approximate and not any(compare(session, View.FULL, scans, aspects).differences(session))


def _read(session: Session, scans: Sequence[Scanned]) -> list[Scanned]:
    """Have every file read whose content must be compared: those that differ in kind or size differ anyway."""
    if len(scans) == 1:
        return session.each(lambda _, replica: replica.read_unread((), None))
    counts = [scanned.entries for scanned in scans]
    shapes = select(session.ask, View.SHAPE, counts, exact=True)
    skip: list[list[Span]] = [[span for each in shapes for span in each.spans[i]] for i in range(len(scans))]
    return session.each(lambda number, replica: replica.read_unread(skip[number], None))


def observations(survey: Survey) -> Iterator[Event]:
    """What the scan itself has to say: problems, and what is never replicated."""
    special = sum(scanned.special for scanned in survey.scans)
    if special:
        what = "device, FIFO or socket" if special == 1 else "devices, FIFOs and sockets"
        yield Notice(f"{special} {what} skipped")
    for number, scanned in enumerate(survey.scans):
        for problem in scanned.problems:
            yield Troubled(number, problem)
