"""`aefsync doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from aefsync.cli.options import Output, StateDir, state_place
from aefsync.cli.playing import play
from aefsync.cli.reaching import Reaching, link

Place = Annotated[str, typer.Argument(metavar="LOCATION|HOST", hidden=True)]


def doctor(*, location: Place, state_dir: StateDir = None, output: Output, reaching: Reaching) -> int:
    """Say what works at a location, what does not, and the remedy.

    Step by step, of a host: the way there, the login, its shell, Python and aefsync; of a root there also what one here
    is asked for. Nothing that is written stays. Ends with 3, 7 or 8 where no run could do anything, with 4 where some
    of it would fail.
    """
    from aefsync.sync.doctor import doctor as engine

    remembered, reached = state_place(state_dir), link(reaching)
    return play(output, lambda monitor: engine(location, remembered, reached, monitor))
