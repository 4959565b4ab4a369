"""`runs`: what each run did to a replica, as far as it remembers."""

from __future__ import annotations

import time
from collections.abc import Iterator

from aefsync.core.ports import Access, Missing, Monitor
from aefsync.sync.child import Nursery
from aefsync.sync.concluding import concluded
from aefsync.sync.events import Event, Ran, Started
from aefsync.sync.request import Request
from aefsync.sync.session import Terms, open_session


def runs(common: Request, monitor: Monitor, nursery: Nursery | None = None) -> Iterator[Event]:
    """The runs that left a journal or trash, newest first."""
    begun = time.monotonic()
    yield Started("runs", common.locations, common.names)
    terms = [Terms(Access.READ, Missing.REFUSE)]
    with open_session(common._replace(cache_dir=""), terms, monitor, nursery=nursery) as session:
        for record in session.call(0, lambda _, replica: replica.runs()):
            yield Ran(0, record)
        yield concluded(session, begun)
