"""When members were last tried: kept by replica, and whatever is wrong with the file is no obstacle."""

from __future__ import annotations

from pathlib import Path

import pytest

from aefsync.sync.attempts import Attempts


def test_the_last_attempt_is_kept_for_each_replica(tmp_path: Path) -> None:
    attempts = Attempts(str(tmp_path / "state"))
    assert attempts.of("a") == {}
    for own, member, now_s in (("a", "b", 1.0), ("a", "c", 2.0), ("x", "b", 3.0), ("a", "b", 4.5)):
        attempts.note(own, member, now_s)
    assert Attempts(str(tmp_path / "state")).of("a") == {"b": 4.5, "c": 2.0}
    assert attempts.of("x") == {"b": 3.0}


@pytest.mark.parametrize("text", ["", "[]", '{"tried":[1]}', '{"tried":{"a":1}}', '{"tried":{"a":{"b":"soon"}}}'])
def test_damage_is_forgotten(tmp_path: Path, text: str) -> None:
    (tmp_path / "gossip.json").write_text(text)
    attempts = Attempts(str(tmp_path))
    assert attempts.of("a") == {}
    attempts.note("a", "b", 1.0)
    assert attempts.of("a") == {"b": 1.0}


def test_nowhere_to_keep_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for place in ("", str(tmp_path / "file")):
        Attempts(place).note("a", "b", 1.0)
        assert Attempts(place).of("a") == {}
