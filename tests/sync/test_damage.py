"""What a replica keeps is damaged: nothing is lost, nothing deleted for it, nothing comes back, and it is said in one line.

The long form damages the sidecar and the index at hundreds of places.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.support.stories import AGREED
from tests.support.trees import judge, survey, write
from tests.support.trials import grounds

EDITED = b"edited since"


def flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def wipe(data: bytearray, chance: random.Random) -> None:
    """A sector that was never written."""
    at = chance.randrange(0, len(data), 512)
    data[at : at + 512] = bytes(len(data[at : at + 512]))


def cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


HOW = (flip, flip, wipe, cut)


def damage(folder: Path, number: int) -> None:
    """Damage one of the files of a replica that agrees with another one; every third time both are edited besides."""
    chance = random.Random(number)
    with grounds(folder / str(number), AGREED) as found:
        before = survey(found.a)
        place = found.roots[number % 2] / ".aefsync" / ("sidecar.db" if number % 4 else "index.db")
        data = bytearray(place.read_bytes())
        HOW[number // 4 % len(HOW)](data, chance)
        place.write_bytes(data)
        edited = number % 3 == 0
        if edited:
            write(found.b / "d/f1", EDITED)
            (found.b / "both").unlink()
            found.known_bytes.add(EDITED)
        ended = found.meet()
        assert not ended.trace, ended.trace
        assert "internal error" not in " ".join(ended.said), ended
        assert ended.code in (0, 1, 4), ended
        found.check_whole()
        assert found.meet().code in (0, 1)
        found.check_mended(None)
        after = survey(found.a)
        if edited:
            assert before.keys() - after.keys() <= {b"both"}
            assert EDITED in [row[-1] for row in after.values()]
        else:
            assert after == before
        assert judge(*found.roots) == []


def test_damage(tmp_path: Path) -> None:
    damage(tmp_path, 1)


@pytest.mark.slow
def test_damage_all_over(tmp_path: Path) -> None:
    for number in range(2, 400):
        damage(tmp_path, number)
