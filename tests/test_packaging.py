"""What is built: whole, and put where the platform looks for it."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

import aefsync

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(not os.environ.get("CI"), reason="elsewhere the checkout is tested")
def test_what_ci_tests_is_the_wheel() -> None:
    assert not (ROOT / "aefsync").exists()
    assert Path(aefsync.__file__).is_relative_to(sys.prefix)
    installed = {Path(str(file)).name for file in importlib.metadata.files("aefsync") or ()}
    assert {"py.typed", "__main__.py"} <= installed
    places = {str(path.relative_to(sys.prefix)) for path in Path(sys.prefix, "share").rglob("*") if path.is_file()}
    assert {f"share/man/man{path.suffix[1:]}/{path.name}" for path in (ROOT / "man").iterdir()} <= places
    assert "share/zsh/site-functions/_aefsync" in places
    assert "share/bash-completion/completions/aefsync" in places
    assert "share/fish/vendor_completions.d/aefsync.fish" in places
    done = subprocess.run([Path(sys.prefix) / "bin/aefsync", "--version"], capture_output=True, check=True)
    assert done.stdout.decode() == f"aefsync {importlib.metadata.version('aefsync')}\n"
