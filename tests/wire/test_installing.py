"""The part of `deploy` that runs on the far side."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from aefsync.wire.installing import MARK, install, main


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


AGENT = {
    "aefsync/__init__.py": b"",
    "aefsync/sync/__init__.py": b"",
    "aefsync/sync/agent.py": b"Pin = tuple\ndef serve_stdio(pin): print('served')\n",
}


def talk(version: str, sent: bytes) -> list[object]:
    """What is said in answer, parsed."""
    sink = io.BytesIO()
    main(version, io.BytesIO(sent), sink)
    return [json.loads(line.removeprefix(MARK)) for line in sink.getvalue().decode().splitlines()]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "it's a cache"))
    return tmp_path / "it's a cache" / "aefsync"


def test_an_agent_is_put_in_place_and_runs(cache: Path) -> None:
    archive = packed(AGENT)
    said = talk("1.0", b"%d\n" % len(archive) + archive)
    assert said[1] == str(cache / "agents" / "1.0")
    assert isinstance(said[0], dict)
    assert said[0]["implementation"]
    assert subprocess.check_output(["sh", cache / "agents" / "1.0" / "agent"]) == b"served\n"


def test_another_version_and_leftovers_give_way_and_nothing_else(cache: Path) -> None:
    (cache / "index").mkdir(parents=True)
    for version in ("0.9", "1.0", "1.0"):
        install(packed(AGENT), version, str(cache / "agents"))
        (cache / "agents" / ".new-1").mkdir()
    install(packed(AGENT), "1.0", str(cache / "agents"))
    assert [path.name for path in (cache / "agents").iterdir()] == ["1.0"]
    assert (cache / "index").is_dir()


@pytest.mark.parametrize("sent", [b"", b"0\n", b"1000\ncut off"])
def test_what_does_not_arrive_whole_is_not_installed(cache: Path, sent: bytes) -> None:
    assert len(talk("1.0", sent)) == 1
    assert not cache.exists()


@pytest.mark.parametrize("name", ["../out", "a/../../../out"])
def test_nothing_is_unpacked_elsewhere(cache: Path, name: str) -> None:
    if not hasattr(tarfile, "data_filter"):
        return  # a Python that cannot tell takes what its owner sends
    with pytest.raises(tarfile.TarError):
        install(packed({name: b"x"}), "1.0", str(cache / "agents"))
    assert not list(cache.parent.rglob("out"))
