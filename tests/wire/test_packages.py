"""Which packages a deployed agent takes along, for every kind of machine."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from aefsync.errors import AefsyncError, IncompatibleError
from aefsync.wire import packages
from aefsync.wire.installing import facts
from aefsync.wire.packages import NEEDED, fits, installed, own_files, pip_arguments, platform_tags

DEBIAN: dict[str, Any] = {
    "python": [3, 11],
    "implementation": "cpython",
    "system": "Linux",
    "machine": "x86_64",
    "libc": ["glibc", "2.36"],
    "free_threaded": False,
    "macos": "",
}

OTHERS: dict[str, tuple[dict[str, Any], bool]] = {
    "the same": ({}, True),
    "a newer glibc": ({"libc": ["glibc", "2.41"]}, True),
    "an older glibc": ({"libc": ["glibc", "2.31"]}, False),
    "musl": ({"libc": ["", ""]}, False),
    "another Python": ({"python": [3, 12]}, False),
    "PyPy": ({"implementation": "pypy"}, False),
    "another processor": ({"machine": "aarch64"}, False),
    "another system": ({"system": "Darwin", "libc": ["", ""]}, False),
    "no GIL": ({"free_threaded": True}, False),
}


@pytest.mark.parametrize("name", OTHERS)
def test_where_our_own_packages_fit(name: str) -> None:
    changes, fit = OTHERS[name]
    assert fits({**DEBIAN, **changes}, DEBIAN) is fit


PLATFORMS: dict[str, tuple[dict[str, Any], str, str]] = {
    "Debian 12": ({}, "manylinux_2_36_x86_64", "manylinux2014_x86_64"),
    "Alpine on ARM": ({"libc": ["", ""], "machine": "aarch64"}, "musllinux_1_2_aarch64", "musllinux_1_1_aarch64"),
    "a Mac": (
        {"system": "Darwin", "machine": "arm64", "libc": ["", ""], "macos": "14.5"},
        "macosx_14_0_arm64",
        "macosx_11_0_universal2",
    ),
}


@pytest.mark.parametrize("name", PLATFORMS)
def test_platforms_as_pip_names_them(name: str) -> None:
    changes, first, last = PLATFORMS[name]
    tags = platform_tags({**DEBIAN, **changes})
    assert (tags[0], tags[-1]) == (first, last)
    assert "manylinux_2_37_x86_64" not in tags


def test_a_platform_without_packages_is_refused() -> None:
    with pytest.raises(IncompatibleError, match="no packages are made for Plan9"):
        platform_tags({**DEBIAN, "system": "Plan9"})


def test_pip_is_told_of_the_far_side() -> None:
    argv = pip_arguments({**DEBIAN, "python": [3, 13], "free_threaded": True}, "/tmp/x")
    pairs = list(itertools.pairwise(argv))
    assert ("--python-version", "3.13") in pairs
    assert [value for option, value in pairs if option == "--abi"] == ["cp313t", "abi3", "none"]
    assert ("--dest", "/tmp/x") in pairs
    assert {word.partition("==")[0] for word in argv if "==" in word} == set(NEEDED)


def test_what_is_installed_here_is_whole() -> None:
    names = [name for name, _ in installed(NEEDED)]
    tops = {name.partition("/")[0] for name in names}
    assert tops >= {"blake3", "msgspec", "pathspec", "zstandard", "typing_extensions.py"}
    assert not [name for name in names if name.startswith(("/", "..")) or name.endswith(".pyc")]
    assert {"aefsync/__init__.py", "aefsync/sync/agent.py"} <= {name for name, _ in own_files()}


def test_where_pip_finds_nothing_its_own_words_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(argv: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(argv, 1, "", "ERROR: No matching distribution found for blake3\n\n")

    monkeypatch.setattr(packages.subprocess, "run", fail)
    with pytest.raises(AefsyncError, match="No matching distribution found for blake3"):
        packages.archive({**facts(), "python": [3, 99]})


IMPORT_ALL = """
import importlib, pathlib, sys
top = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(top))
for floor in ("core", "disk", "wire/messages"):
    for path in sorted(top.glob(f"aefsync/{floor}/**/*.py")):
        importlib.import_module(".".join(path.relative_to(top).with_suffix("").parts).removesuffix(".__init__"))
import aefsync.sync.agent
"""


def test_an_agent_has_all_that_it_imports(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(packages.archive(facts()))) as packed:
        packed.extractall(tmp_path, filter="data")
    isolated = [sys.executable, "-I", "-S", "-c", IMPORT_ALL, str(tmp_path)]
    done = subprocess.run(isolated, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("system", ["Linux", "Darwin"])
def test_what_hears_of_changes_goes_along_where_it_is_used(monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    """As it is installed here: no wheel of it is made for musl, and on Linux it is pure Python."""
    monkeypatch.setattr(packages, "fetched", lambda far: iter(()))
    data = packages.archive({**DEBIAN, "system": system, "libc": ["", ""]})
    with tarfile.open(fileobj=io.BytesIO(data)) as packed:
        has_it = "watchdog/observers/inotify_c.py" in packed.getnames()
    assert has_it is (system == "Linux")
