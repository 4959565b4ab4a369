"""The options by which more of the metadata counts."""

from __future__ import annotations

from typing import Annotated

from aefsync.cli.options import option
from aefsync.core.metadata import SPECIAL, Namespaces
from aefsync.core.named_tuple import NamedTuple
from aefsync.sync.request import Request


class Counting(NamedTuple):
    """What counts beyond content, permission bits and times, and is set on receivers."""

    owner: Annotated[bool, option("--owner", says="Owner and group, by name where there is one.")] = False
    numeric_ids: Annotated[bool, option("--numeric-ids", says="Owner and group, by number.")] = False
    xattrs: Annotated[bool, option("-X", "--xattrs", says="Extended attributes; for root ACLs as well.")] = False
    hard_links: Annotated[bool, option("-H", "--hard-links", says="Which names are one file (hard links).")] = False
    setid: Annotated[bool, option("--setid", says="Set-user-id, set-group-id and sticky bits.")] = False


def counted(common: Request, counting: Counting) -> Request:
    """The request with these options."""
    aspects = common.aspects
    return common._replace(
        aspects=aspects._replace(
            mode_bits=aspects.mode_bits | (SPECIAL if counting.setid else 0),
            owner=counting.owner or counting.numeric_ids,
            numeric_ids=counting.numeric_ids,
            links=counting.hard_links,
            xattrs=Namespaces.ALL if counting.xattrs else Namespaces.NONE,
        )
    )
