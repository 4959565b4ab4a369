from __future__ import annotations

import pytest

from aefsync.core.action import Act, Action
from aefsync.core.entry import UNKNOWN
from aefsync.core.path import RelPath
from aefsync.core.version import FOUND, Dot, Version
from aefsync.disk.pending import Intention, by_directory, intentions, pack_batch, unpack_batch
from aefsync.disk.vectors import Vectors
from tests.support.snapshots import directory, file

VERSION = Version((Dot(b"a" * 16, 1),), b"a" * 16)
A, B, D = RelPath(b"d/a"), RelPath(b"d/b"), RelPath(b"e")


def of(action: Action, content: bytes = b"") -> list[Intention]:
    """What an action intends, after a journey through the sidecar."""
    intended = list(intentions(action, content, Vectors().number))
    assert list(unpack_batch(pack_batch(intended))) == intended
    return intended


def test_a_file_to_be_placed() -> None:
    wanted = file(A, b"1")._replace(version=VERSION)
    (intended,) = of(Action(Act.CREATE, A, wanted, None))
    assert intended.record.entry(A) == wanted._replace(version=None)
    assert (intended.record.version, intended.is_tombstone, intended.is_departure) == (1, False, False)


def test_the_content_that_is_staged_counts() -> None:
    wanted = file(A, b"1")
    (intended,) = of(Action(Act.COPY, A, wanted._replace(content=UNKNOWN), wanted), wanted.content)
    assert intended.record.content == wanted.content


def test_a_deletion_leaves_a_tombstone_only_where_it_has_one() -> None:
    (buried,) = of(Action(Act.DELETE, A, None, file(A), tombstone=FOUND))
    assert (buried.is_tombstone, buried.is_departure) == (True, False)
    (gone,) = of(Action(Act.DELETE, A, None, file(A)))
    assert (gone.is_tombstone, gone.is_departure) == (False, True)


def test_a_move_leaves_its_source() -> None:
    there, left = of(Action(Act.MOVE, B, file(B, b"1"), file(A, b"1"), source=A))
    assert (there.path, there.source, left.path, left.is_departure) == (B, b"", A, True)
    there, left = of(Action(Act.MOVE, B, file(B), file(A), source=A, tombstone=VERSION))
    assert (left.path, left.is_tombstone) == (A, True)
    there, left = of(Action(Act.MOVE, B, file(B), file(A), source=A, displaced=file(B, b"2")))
    assert left.record.content == file(B, b"2").content
    there, _ = of(Action(Act.MOVE, D, directory(D), directory(RelPath(b"d")), source=RelPath(b"d")))
    assert there.source == b"d"


def test_several_for_one_path_are_in_order() -> None:
    first, last = of(Action(Act.DELETE, A, None, file(A))) + of(Action(Act.CREATE, A, file(A, b"2"), None))
    (other,) = of(Action(Act.MKDIR, D, directory(D), None))
    assert by_directory([first, other, last]) == {b"d\0": {b"a": [first, last]}, b"": {b"e": [other]}}


@pytest.mark.parametrize("end", [0, 3, 20, -1])
def test_what_is_cut_short_is_noticed(end: int) -> None:
    batch = pack_batch(of(Action(Act.MOVE, B, file(B), file(A), source=A)))
    with pytest.raises(ValueError):
        list(unpack_batch(batch[:end]))
