"""`aefsync doctor`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from aefsync.cli.options import Output, option
from aefsync.cli.playing import play
from aefsync.sync import places

Place = Annotated[str, typer.Argument(metavar="LOCATION", hidden=True)]
StateDir = Annotated[
    str | None, option("--state-dir", says="Where known roots are remembered ('': nowhere).", metavar="DIR")
]


def doctor(*, location: Place, state_dir: StateDir = None, output: Output) -> int:
    """Say step by step what works at a location, what does not, and the remedy.

    Nothing that is written stays. Ends with 3 where no run could do anything, with 4 where some of it would fail.
    """
    from aefsync.sync.doctor import doctor as engine

    remembered = places.state_dir(os.environ) if state_dir is None else state_dir
    return play(output, lambda _: engine(location, remembered))
