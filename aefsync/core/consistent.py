"""What a replica says of its snapshot must fit together, or a comparison that believes it might never come to an end.

A snapshot does not change while it is asked about: the parts of a range have as many entries as the range, and what is
fetched comes in the order of its keys, across all batches.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from operator import lt

from aefsync.core.labels import label
from aefsync.errors import ProtocolError


def check_parts(counts: Sequence[int], parts: Sequence[int]) -> None:
    """Raise `ProtocolError` where a replica (by its place) counts other than so many entries in all parts of a range."""
    for replica, (whole, found) in enumerate(zip(counts, parts, strict=True)):
        if whole != found:
            raise ProtocolError(f"replica {label(replica)} counts {found} entries where it counted {whole}")


def check_order(replica: int, keys: Sequence[bytes], before: bytes) -> None:
    """Raise `ProtocolError` where a replica gives an entry behind one that it should come before: of these keys, or the one
    `before` them."""
    if keys and not (keys[0] > before and all(map(lt, keys, itertools.islice(keys, 1, None)))):
        raise ProtocolError(f"replica {label(replica)} gives its entries out of order")
