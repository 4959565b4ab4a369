"""The memory of roots: small, whole at any time, shared by runs at the same time, and nobody's obstacle."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from aefsync.core.identity import KnownRoot
from aefsync.sync import known
from aefsync.sync.known import KnownRoots

ROOT = KnownRoot("1" * 32, filled=True)


def test_what_was_seen_is_known(tmp_path: Path) -> None:
    roots = KnownRoots(str(tmp_path / "state" / "aefsync"))
    assert roots.load() == {}
    roots.remember({"/a": ROOT, "/caf\udce9": KnownRoot("", filled=False)})
    roots.remember({"/a": ROOT._replace(filled=False)})
    assert roots.load() == {"/caf\udce9": KnownRoot("", filled=False), "/a": ROOT._replace(filled=False)}
    assert sorted(os.listdir(tmp_path / "state" / "aefsync")) == ["roots.json", "roots.lock"]


def test_what_is_known_already_is_not_written_again(tmp_path: Path) -> None:
    roots = KnownRoots(str(tmp_path))
    roots.remember({"/a": ROOT})
    before = os.stat(tmp_path / "roots.json")
    roots.remember({"/a": ROOT})
    assert os.stat(tmp_path / "roots.json") == before


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "null", '{"roots":[1]}', '{"roots":{"/a":{}}}', '{"roots":{"/a":null}}', "\xff"]
)
def test_damage_is_forgotten(tmp_path: Path, text: str) -> None:
    (tmp_path / "roots.json").write_text(text, encoding="latin-1")
    roots = KnownRoots(str(tmp_path))
    assert roots.load() == {}
    roots.remember({"/a": ROOT})
    assert roots.load() == {"/a": ROOT}


def test_nowhere_to_remember(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for place in ("", str(tmp_path / "file" / "state")):
        roots = KnownRoots(place)
        roots.remember({"/a": ROOT})
        assert roots.load() == {}
    assert os.listdir(tmp_path) == ["file"]


def test_a_disk_that_is_full_leaves_what_was_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = KnownRoots(str(tmp_path))
    roots.remember({"/a": ROOT})

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dump", full)
    roots.remember({"/b": ROOT})
    assert roots.load() == {"/a": ROOT}
    assert sorted(os.listdir(tmp_path)) == ["roots.json", "roots.lock"]


def test_the_oldest_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "MOST", 3)
    roots = KnownRoots(str(tmp_path))
    for name in "abcd":
        roots.remember({f"/{name}": ROOT})
    roots.remember({"/b": ROOT._replace(filled=False)})
    roots.remember({"/e": ROOT})
    assert list(roots.load()) == ["/d", "/b", "/e"]


def test_runs_at_the_same_time_lose_nothing_of_each_other(tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=KnownRoots(str(tmp_path)).remember, args=({f"/{number}": ROOT},))
        for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(KnownRoots(str(tmp_path)).load()) == 20
