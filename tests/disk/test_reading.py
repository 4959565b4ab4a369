from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.pairing import joined
from aefsync.disk.page import PageKey
from aefsync.disk.reading import within
from tests.disk.test_key_order import known, page, paged

PAGES = known(
    {
        (b"", 0): page([b"a", b"d", b"f", b"g", b"z"], (1,)),
        **paged(b"d\0", [b"%d" % number for number in range(7)], 3),
    }
)
ORDER: list[tuple[PageKey, int]] = [
    *(((b"", 0), position) for position in (0, 1)),
    *(((b"d\0", number // 3), number % 3) for number in range(7)),
    *(((b"", 0), position) for position in (2, 3, 4)),
]
"""Where each position of the snapshot is."""


@given(st.sets(st.sampled_from(range(len(ORDER)))), st.sets(st.sampled_from(ORDER)), st.booleans())
def test_what_is_wanted_inside_spans_or_outside_of_them(
    chosen: set[int], wanted: set[tuple[PageKey, int]], inside: bool
) -> None:
    asked = {
        key: array("H", sorted(position for page, position in wanted if page == key))
        for key in {key for key, _ in wanted}
    }
    spans = joined((position, position + 1) for position in sorted(chosen))
    found = within(asked, PAGES, spans, inside=inside)
    told = {(key, position) for key, positions in found.items() for position in positions}
    assert told == {each for number, each in enumerate(ORDER) if (number in chosen) == inside} & wanted
    assert all(positions.tolist() == sorted(positions) for positions in found.values())
