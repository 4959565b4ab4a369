"""Versions of growths from a peer: whatever does not fit together is refused."""

from __future__ import annotations

import msgspec
import pytest

from aefsync.core.version_table import VersionTable
from aefsync.wire.messages.growth import GrowthRow
from aefsync.wire.messages.versions import Versions
from tests.core.test_version_table import BARE, ONE, OTHER

ROW = GrowthRow.of(VersionTable((ONE, OTHER), b"\0\0\1\0\0\0").put_into(BARE))


def test_versions_are_written_once_each() -> None:
    assert ROW.versions == Versions.of([ONE, OTHER])
    assert [entry.version for entry in ROW.growth().entries()] == [ONE, OTHER, ONE]
    assert GrowthRow.of(BARE).versions is None


@pytest.mark.parametrize(
    "changed",
    [
        {"numbers": b"\0\0\1\0"},
        {"numbers": b"\0\0\1\0\2\0"},
        {"numbers": b"\0\0\1\0\0"},
        {"versions": None},
        {"versions": Versions((), (), ())},
        {"versions": Versions((), ((0,),), (0, 1, 1))},
    ],
    ids=["too few", "one not told", "half of one", "numbers of none", "an empty table", "an entry of none"],
)
def test_what_does_not_fit_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="version"):
        msgspec.structs.replace(ROW, **changed).growth()
