"""Survey: snapshots of all replicas, content read where it has to be, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from aefsync.core.apart import Apart, fetching
from aefsync.core.compare import Difference, Selection, Span, select
from aefsync.core.entry import Kind
from aefsync.core.guards import nothing_left
from aefsync.core.metadata import PLAIN, Aspects
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.one_sided import OneSided, can_grow
from aefsync.core.path import RelPath, outermost, subtree_range
from aefsync.core.ports import Scan, Scanned
from aefsync.core.stores import coarsest, lacking
from aefsync.core.tree import KeyRange, Question
from aefsync.core.verdict import is_clash
from aefsync.core.view import View
from aefsync.errors import GuardError, UsageError
from aefsync.sync.events import Event, Filtered, Notice, Troubled
from aefsync.sync.past import Past
from aefsync.sync.request import Request
from aefsync.sync.session import Session

if TYPE_CHECKING:
    from aefsync.wire.remote import RemoteReplica


class Survey(NamedTuple):
    """What the replicas hold, and in which positions they may differ as `view` sees them, `aspects` counting.

    `above` are the directories on the way to the chosen sub-trees: not compared, but made where they are missing, and in
    the way of all below where they are something else.
    """

    view: View
    scans: tuple[Scanned, ...]
    selections: tuple[Selection, ...]
    aspects: Aspects = PLAIN
    above: frozenset[bytes] = frozenset()
    buried: tuple[Selection, ...] = ()
    """positions in which tombstones may differ, where versions count"""

    def differences(self, session: Session) -> Iterator[Difference]:
        """The paths on which replicas disagree, in key order."""
        found = self._apart(session).singly(self.selections, self.buried)
        return (each for each in found if each.path not in self.above or _concerns_below(each)) if self.above else found

    def found(self, session: Session) -> Iterator[Difference | OneSided]:
        """The same, what many entries are alike in together."""
        if self.above or not can_grow(self.aspects):
            return self.differences(session)
        return self._apart(session).grown(self.selections, self.buried, session.grow)

    def _apart(self, session: Session) -> Apart:
        fetch = fetching(session.grow, session.fetch) if can_grow(self.aspects) else session.fetch
        return Apart(len(self.scans), fetch, session.fetch_tombstones, self.view, self.aspects)

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
    aspects = coarsest(request.aspects, [opened.stores for opened in session.opened])
    return Scan(
        rules,
        request.one_file_system,
        request.checksum,
        paths=request.paths,
        any_mounts=request.allowed.new_root,
        list_filtered=request.list_filtered,
        aspects=aspects,
    )


def coarsened(session: Session, request: Request) -> Iterator[Event]:
    """One notice for each root that cannot store all that is to count."""
    for location, opened in zip(session.locations, session.opened, strict=True):
        lacks = lacking(opened.stores, request.aspects)
        if lacks:
            yield Notice(f"{location.text}: cannot store {', '.join(lacks)}: left out of the comparison")


def survey(session: Session, request: Request, view: View, past: Past | None = None) -> Survey:
    """Scan, read what must be read, compare; by versions with a `past`.

    Raises `GuardError` where the filters leave nothing, `UsageError` where a chosen sub-tree is nowhere.
    """
    eager = view.reads and not any(opened.empty for opened in session.opened)
    scan = scan_of(session, request)._replace(eager=eager)
    mounts = session.mounts or (None,) * len(session.replicas)

    def look(number: int, replica: RemoteReplica) -> Scanned:
        own = scan._replace(mounts=mounts[number])
        return replica.scan(own if past is None else past.scan_of(own, number))

    scans = session.each(look)
    for location, scanned in zip(session.locations, scans, strict=True):
        refusal = nothing_left(location.text, scanned.entries, scanned.excluded)
        if refusal is not None:
            raise GuardError(refusal.message)
    if view.reads and any(scanned.unread_files for scanned in scans):
        scans = _read(session, scans)
    if not request.hinted:
        _check_chosen(session, request.paths, scans)
    above = frozenset(parent for path in outermost(request.paths) for parent in path.ancestors)
    return compare(session, view, scans, scan.aspects, above)


def compare(
    session: Session,
    view: View,
    scans: Sequence[Scanned],
    aspects: Aspects = PLAIN,
    above: frozenset[bytes] = frozenset(),
) -> Survey:
    """Compare the snapshots that the replicas hold."""
    roots = {scanned.history if view is View.VERSIONED else scanned.root for scanned in scans}
    if len(roots) == 1 and roots != {b""}:
        return Survey(view, tuple(scans), (), aspects, above)
    found = tuple(select(session.ask, view, [scanned.entries for scanned in scans]))
    if view is not View.VERSIONED:
        return Survey(view, tuple(scans), found, aspects, above)
    buried = tuple(select(session.ask, View.BURIED, [scanned.tombstones for scanned in scans]))
    return Survey(view, tuple(scans), found, aspects, above, buried)


def agree(session: Session, found: Survey, scans: Sequence[Scanned]) -> bool:
    """Whether the replicas agree now: equal roots, or where those tell too little, or with more aspects of what is only on the
    way to what was chosen, no difference found."""
    if len({scanned.root for scanned in scans}) == 1:
        return True
    if not (found.aspects.is_approximate or found.above):
        return False
    return not any(compare(session, View.FULL, scans, found.aspects, found.above).differences(session))


def _concerns_below(difference: Difference) -> bool:
    """Whether a directory on the way to what was chosen has to be made, or bars the way where it is none."""
    present = [entry for entry in difference.entries if entry is not None]
    is_missing = len(present) < len(difference.entries) and all(entry.kind is Kind.DIRECTORY for entry in present)
    return is_missing or is_clash(difference.entries)


def _check_chosen(session: Session, paths: Sequence[RelPath], scans: Sequence[Scanned]) -> None:
    """Each chosen sub-tree is somewhere, or hidden by trouble that is reported."""
    if not paths or any(problem.subtree for scanned in scans for problem in scanned.problems):
        return
    chosen = outermost(paths)
    question = Question(View.QUICK, tuple(KeyRange(*subtree_range(path.key)) for path in chosen), 0)
    answers = session.ask([question] * len(scans))
    for number, path in enumerate(chosen):
        if not any(answer.counts[number] for answer in answers if answer is not None):
            roots = " or ".join(location.text for location in session.locations)
            raise UsageError(f"{path}: nothing there in {roots}, or it is filtered out")


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
        for path in scanned.filtered:
            yield Filtered(number, path.rstrip(b"/"), path.endswith(b"/"))
    for number, scanned in enumerate(survey.scans):
        for problem in scanned.problems:
            yield Troubled(number, problem)
