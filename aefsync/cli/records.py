"""`--json` of commands that no run is part of: what they say is not an event of the engine."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence

from aefsync.cli.playing import binary
from aefsync.cli.writer import Writer


def tell(command: str, locations: Sequence[str], records: Iterable[Mapping[str, object]]) -> None:
    """Write the records between a start and the summary of a command that did its job."""
    from aefsync.cli.json_lines import encoded, framed

    out = Writer(binary(sys.stdout))
    for line in framed(command, locations, records):
        out.raw(encoded(line))
    out.flush()
