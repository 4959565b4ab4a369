"""The last line of `status`: what shows each thing that waits for a person."""

from __future__ import annotations

from aefsync.cli.sentences import Tally, quoted
from aefsync.cli.units import count_text
from aefsync.sync.events import Started, Summary


def advised(started: Started, summary: Summary, _: Tally) -> str:
    """Where to look next; empty where all is well.

    A conflict that was left standing stands between replicas, so those have to be named that it stands between.
    """
    roots = " ".join(map(quoted, started.locations))
    together = roots if len(started.locations) > 1 else f"{roots} OTHER"
    commands = {
        "different": f"{count_text(summary.differences, 'difference')}: aefsync diff {roots}",
        "conflicts": f"conflict copies: aefsync conflicts {roots} list",
        "left standing": f"left standing: aefsync repair -n {together}",
        "rot": f"damaged files: aefsync scrub {roots}",
        "suspects": f"suspects: aefsync scrub -n {roots}",
        "unreadable history": "unreadable history: the next repair sets it aside and begins anew",
    }
    return "; ".join(words for cause, words in commands.items() if cause in summary.causes)
