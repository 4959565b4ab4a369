"""One replica, opened to be read: its entries and digests, as `diff` would see them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Unpack

from aefsync.api.asking import Location, Options, Path, check, request
from aefsync.core.digest import PUBLIC_KEY
from aefsync.core.entry import Entry
from aefsync.core.past import RunRecord
from aefsync.core.ports import Access, Missing, Monitor, Scanned
from aefsync.core.problem import Problem
from aefsync.core.silent import Silent
from aefsync.core.view import View
from aefsync.sync.digest import digests, entries_below, parse_path
from aefsync.sync.session import Session, Terms, open_session
from aefsync.sync.survey import scan_of


@contextmanager
def open_replica(
    location: Location, *, contents: bool = True, monitor: Monitor | None = None, **options: Unpack[Options]
) -> Iterator[OpenReplica]:
    """Open a replica and look at everything in it; nothing is changed or created there.

    Without `contents` no file is read, and only the digests of those are known that the index knows.  Raises
    `AefsyncError`.
    """
    check([location], options, Options, 1)
    common = request([location], options)
    with open_session(common, [Terms(Access.READ, Missing.REFUSE)], monitor or Silent(), nonce=PUBLIC_KEY) as session:
        replica = session.replicas[0]
        scanned = replica.scan(scan_of(session, common))
        yield OpenReplica(session, replica.read_unread((), None) if contents and scanned.unread_files else scanned)


class OpenReplica:
    """What a replica held when it was opened.

    `root` is its directory on the machine that holds it, `identity` what it is known by (32 hex digits; empty: by
    nothing yet), `count` the number of its entries, `problems` those paths that nothing could be said of.
    """

    def __init__(self, session: Session, scanned: Scanned) -> None:
        self.root = session.opened[0].root
        self.identity = session.opened[0].identity
        self.count = scanned.entries
        self.problems: tuple[Problem, ...] = scanned.problems
        self._session = session

    def entries(self, path: Path = "") -> Iterator[Entry]:
        """The entries at and below a path, in key order (`RelPath`); nothing, where it is not there."""
        return entries_below(self._session, parse_path(os.fsencode(path)))

    def digest(self, path: Path = "") -> bytes:
        """The 16 bytes that are equal where two replicas agree below a path; raises `UsageError` where it is not there."""
        return digests(self._session, View.FULL, parse_path(os.fsencode(path)), 0)[0].digest

    def runs(self) -> tuple[RunRecord, ...]:
        """What runs did here, newest first."""
        return tuple(self._session.replicas[0].runs())
