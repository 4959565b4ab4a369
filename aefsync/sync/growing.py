"""Growing: what only one replica has is brought to all others by columns, many entries at a time (`core.growth`).

Replicas on this machine copy from root to root.  Otherwise the bytes of small files come by here, packed, the next
part on its way while the last one is written; everything else is left to the ordinary way.
"""

from __future__ import annotations

import itertools
import stat
from collections.abc import Iterator, Sequence

from aefsync.core.action import Act
from aefsync.core.entry import UNKNOWN, Entry
from aefsync.core.growth import Growth, Learned, file_sizes
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.one_sided import OneSided
from aefsync.core.path import RelPath
from aefsync.core.ports import Scanned
from aefsync.core.snapshot import CONTENT
from aefsync.core.verdict import Versions
from aefsync.core.writing import Durability
from aefsync.errors import ProtocolError, UnreachableError
from aefsync.sync.deadline import Deadline
from aefsync.sync.request import RepairRequest
from aefsync.sync.session import Session

PART = 4096
"""Entries in one request."""
PART_BYTES = 4 << 20
"""Bytes of files that one request brings."""

_ACTS = {stat.S_IFREG: Act.CREATE, stat.S_IFDIR: Act.MKDIR, stat.S_IFLNK: Act.LINK}


class Grown(NamedTuple):
    """What became of a growth: for each replica a byte an entry, 1 where it is in place there now (empty: of no concern
    to it), and the content digests that were found, 32 bytes an entry."""

    found: OneSided
    flags: tuple[bytes, ...]
    contents: bytes

    @property
    def is_whole(self) -> bool:
        """Whether every receiver has everything."""
        return not any(0 in flags for flags in self.flags)

    @property
    def literal_bytes(self) -> int:
        """Content that had to travel."""
        sizes = [size for block in self.found.growth.blocks for size in file_sizes(block)]
        return sum(sum(itertools.compress(sizes, flags)) for flags in self.flags)

    def acts(self) -> Iterator[tuple[Act, int]]:
        """What was done, and how often, over all receivers."""
        kinds = self.found.growth.kinds()
        for kind, act in _ACTS.items():
            yield act, sum(list(itertools.compress(kinds, flags)).count(kind) for flags in self.flags)

    def arrived(self) -> Iterator[tuple[Entry, tuple[int, ...]]]:
        """The entries, each with the receivers that have it now."""
        for number, entry in enumerate(self.found.growth.entries()):
            yield entry, tuple(n for n, flags in enumerate(self.flags) if flags and flags[number])

    def lacking(self) -> Iterator[tuple[RelPath, Versions]]:
        """What some receiver still lacks, as it stands everywhere now, with its content if anybody has found it."""
        # Nearly always, and then no object need be made for any entry.
        if self.is_whole:
            return
        for number, entry in enumerate(self.found.growth.entries()):
            arrived = [not flags or bool(flags[number]) for flags in self.flags]
            if all(arrived):
                continue
            content = self.contents[number * CONTENT : (number + 1) * CONTENT]
            known = entry if entry.is_read or content == UNKNOWN else entry._replace(content=content)
            yield entry.path, tuple(known if is_there else None for is_there in arrived)


def can_be_grown(session: Session, request: RepairRequest, scans: Sequence[Scanned], found: OneSided) -> bool:
    """Whether there is nothing that only the ordinary way can do: force each file to the disk, leave a replica alone,
    go on where a run was interrupted, or find the content on the receiver itself."""
    if request.writing.durability is Durability.FULL or any(opened.read_only for opened in session.opened):
        return False
    receivers = [number for number in range(len(scans)) if number != found.holder]
    if any(session.opened[n].unfinished and session.peer(n, found.holder) is None for n in receivers):
        return False
    return not any(scans[number].entries for number in receivers) or not found.growth.is_read


def bring(
    session: Session, number: int, found: OneSided, deadline: Deadline, contents: list[bytes]
) -> UnreachableError | ProtocolError | None:
    """Bring a growth to one receiver, as far as the time allows and the holder is there; why that gave no more, if it did
    not.

    Digests are added to `contents` as they are found, for whoever is left if the receiver is lost then.
    """
    replica = session.replicas[number]
    try:
        # Whatever came before the holder was lost stays.
        contents.extend(
            replica.grow_ahead(_loads(session, number, found, deadline), session.peer(number, found.holder))
        )
    except (UnreachableError, ProtocolError) as error:
        if replica.is_lost:
            raise
        return error
    return None


def _loads(
    session: Session, number: int, found: OneSided, deadline: Deadline
) -> Iterator[tuple[Growth, bytes | memoryview]]:
    """The parts of a growth, with the bytes of their small files where the receiver cannot copy them itself."""
    parts = itertools.takewhile(lambda _: not deadline.is_up(), found.growth.parts(PART, PART_BYTES))
    if session.peer(number, found.holder) is not None:
        yield from ((part, b"") for part in parts)
        return
    asked, sent = itertools.tee(parts)
    for part, gathered in zip(sent, session.replicas[found.holder].gather_ahead(asked), strict=True):
        yield part.with_contents(gathered.contents), gathered.data


def digests_of(found: OneSided, came: Sequence[Sequence[bytes]]) -> bytes:
    """The content digests of a growth that the receivers have found together, 32 bytes an entry."""
    size, contents = found.growth.length * CONTENT, b""
    for own in came:
        parts = b"".join(own).ljust(size, b"\0") if own else b""
        contents = _either(contents, parts) if contents else parts
    return contents or bytes(size)


def _either(contents: bytes, others: bytes) -> bytes:
    """Digests, and where there is none that of the others."""
    if contents == others or not others:
        return contents
    pairs = ((contents[i : i + CONTENT], others[i : i + CONTENT]) for i in range(0, len(contents), CONTENT))
    return b"".join([other if own == UNKNOWN else own for own, other in pairs])


def nothing_grown(found: OneSided, replicas: int) -> Grown:
    """A growth of which nobody has got anything."""
    return _grown_evenly(found, replicas, 0)


def all_grown(found: OneSided, replicas: int) -> Grown:
    """A growth that everybody has got."""
    return _grown_evenly(found, replicas, 1)


def _grown_evenly(found: OneSided, replicas: int, flag: int) -> Grown:
    flags = bytes([flag]) * found.growth.length
    return Grown(found, tuple(flags if n != found.holder else b"" for n in range(replicas)), found.growth.contents)


def news(found: OneSided, contents: bytes) -> list[Learned]:
    """What the holder has not read itself."""
    if found.growth.is_read:
        return []
    blocks = found.growth.with_contents(contents).blocks
    return [Learned(block.prefix, block.names, block.contents) for block in blocks if block.contents.strip(b"\0")]
