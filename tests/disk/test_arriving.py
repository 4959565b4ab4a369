"""Files hashed as they come piece by piece: what is told of them is what they are, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.digest import content_digest
from aefsync.core.path import RelPath
from aefsync.core.ports import Piece
from aefsync.disk.arriving import Arriving

A, B = RelPath(b"a"), RelPath(b"b")


def piece(path: RelPath, offset: int, data: bytes) -> Piece:
    return Piece(path, offset, len(data), data)


def test_pieces_in_order_are_hashed_though_another_file_comes_between() -> None:
    arriving = Arriving()
    for each in (piece(A, 0, b"ab"), piece(A, 2, b"c"), piece(B, 0, b"xyz")):
        arriving.wrote(each)
    assert arriving.content(A, 3) == content_digest(b"abc")
    assert arriving.content(B, 3) == content_digest(b"xyz")


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([piece(A, 0, b"ab")], id="too few"),
        pytest.param([piece(A, 0, b"abcd")], id="too many"),
        pytest.param([piece(A, 1, b"bc"), piece(A, 0, b"a")], id="out of order"),
        pytest.param([piece(A, 0, b"ab"), piece(A, 0, b"abc")], id="twice"),
        pytest.param([piece(A, 0, b"abc"), piece(B, 0, b"b"), piece(A, 0, b"xbc")], id="written over later"),
        pytest.param([piece(A, 0, b"ab"), piece(B, 0, b"b"), piece(A, 2, b"c")], id="taken up again"),
        pytest.param([], id="nothing"),
    ],
)
def test_nothing_is_said_of_what_came_otherwise(pieces: list[Piece]) -> None:
    arriving = Arriving()
    for each in pieces:
        arriving.wrote(each)
    assert arriving.content(A, 3) == b""


def test_what_is_forgotten_begins_anew() -> None:
    arriving = Arriving()
    for old in ([piece(A, 0, b"old")], [piece(A, 0, b"ol"), piece(A, 5, b"x")]):
        for each in old:
            arriving.wrote(each)
        arriving.forget(A)
        assert arriving.content(A, 3) == b""
        arriving.wrote(piece(A, 0, b"new"))
        assert arriving.content(A, 3) == content_digest(b"new")
        arriving.forget(A)


@given(
    st.lists(
        st.one_of(
            st.builds(piece, st.sampled_from((A, B)), st.integers(0, 6), st.binary(max_size=4)),
            st.sampled_from((A, B)),
        )
    )
)
def test_what_is_said_is_true(steps: list[Piece | RelPath]) -> None:
    arriving, files = Arriving(), {A: bytearray(), B: bytearray()}
    for step in steps:
        if isinstance(step, RelPath):
            arriving.forget(step)
            files[step].clear()
            continue
        arriving.wrote(step)
        file = files[step.path]
        file.extend(bytes(max(0, step.offset + step.length - len(file))))
        file[step.offset : step.offset + step.length] = step.data
    for path, file in files.items():
        assert arriving.content(path, len(file)) in (b"", content_digest(bytes(file)))
