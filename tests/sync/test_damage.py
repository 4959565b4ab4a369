"""What a replica keeps is damaged: nothing is lost, nothing deleted for it, nothing comes back, and it is said in one line.

The long form damages the sidecar and the index at hundreds of places.
"""

from __future__ import annotations

import errno
import os
import random
import sqlite3
from pathlib import Path

import pytest

from tests.support.stories import AGREED, STORIES
from tests.support.touches import Touch
from tests.support.trees import judge, survey, write
from tests.support.trials import calls, grounds, undisturbed

EDITED, NEW = b"edited since", b"new since"


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
            write(found.b / "new", NEW)
            (found.b / "both").unlink()
            found.known_bytes |= {EDITED, NEW}
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
            assert {EDITED, NEW} <= {row[-1] for row in after.values()}
        else:
            assert after == before
        assert judge(*found.roots) == []


class Delete:
    """Somebody clears out a replica's `.aefsync`, just before the touch of a number."""

    def __init__(self, home: Path, name: str, number: int) -> None:
        self._places = [home / f"{name}{end}" for end in ("", "-wal", "-shm", "-journal")]
        self._left = number

    def __call__(self, touch: Touch) -> object:
        self._left -= 1
        if not self._left:
            for place in self._places:
                place.unlink(missing_ok=True)
        return None


def read_only(touch: Touch) -> object:
    """A file system that was mounted so, or became so in trouble."""
    if touch.writes and touch.is_sql:
        raise sqlite3.OperationalError("attempt to write a readonly database")
    if touch.writes:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    return None


def clear_out(folder: Path, name: str, number: int) -> None:
    """Delete what a replica keeps while a run goes on."""
    with grounds(folder, STORIES["versions"]) as found:
        ended = found.run(Delete(found.roots[number % 2] / ".aefsync", name, number))
        assert not ended.trace, ended.trace
        assert "internal error" not in " ".join(ended.said), ended
        assert ended.code in (0, 1, 3, 4), ended
        found.check_whole()
        assert found.meet().code in (0, 1)
        found.check_mended(None)


def test_what_is_deleted_while_a_run_goes_on(tmp_path: Path) -> None:
    clear_out(tmp_path / "it", "sidecar.db", 700)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sidecar.db", "index.db"])
def test_what_is_deleted_at_any_moment(tmp_path: Path, name: str) -> None:
    ended, _ = undisturbed(tmp_path / "whole", STORIES["versions"])
    for number in calls(ended.touches)[::7]:
        clear_out(tmp_path / str(number), name, number)


def test_on_a_read_only_file_system_nothing_is_begun(tmp_path: Path) -> None:
    with grounds(tmp_path / "it", STORIES["versions"]) as found:
        before = [survey(root, exact=True) for root in found.roots]
        ended = found.run(read_only)
        assert (ended.code, ended.trace) == (3, "")
        assert "read-only file system" in ended.said[-1]
        assert [survey(root, exact=True) for root in found.roots] == before
        assert found.meet().code in (0, 1)


@pytest.mark.parametrize("number", [1, 153])
def test_damage(tmp_path: Path, number: int) -> None:
    damage(tmp_path, number)


@pytest.mark.slow
def test_damage_all_over(tmp_path: Path) -> None:
    for number in range(2, 400):
        damage(tmp_path, number)
