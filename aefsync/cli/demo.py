"""`aefsync demo`: two diverged replicas from real files, compared, repaired and compared again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Annotated, TextIO

from aefsync.cli.options import option
from aefsync.errors import AefsyncError

_PACKAGES = ("json", "email", "html", "logging", "wsgiref")
_HOUR_S = 3600

Json = Annotated[bool, option("--json", says="JSON Lines from the commands; what is run is said on stderr.")]


def demo(*, json: Json = False) -> int:
    """Show what aefsync does, in a temporary directory.

    Two copies of a part of Python's library drift apart, are compared, repaired, and compared again.
    """
    told, options = (sys.stderr, ["--json"]) if json else (sys.stdout, [])
    with tempfile.TemporaryDirectory(prefix="aefsync-demo-") as name:
        place = Path(name)
        make_replicas(place)
        _say(told, f"Two copies of a part of Python's library have drifted apart, in {place}:")
        for words in (["diff", "A", "B"], ["repair", "-i", "A", "B"], ["diff", "-v", "A", "B"]):
            code = _run(place, told, [*words, *options])
    if code:
        raise AefsyncError("after the repair the replicas of the demo still differ")
    return 0


def make_replicas(place: Path) -> None:
    """Fill `place` with A and B: equal first, then changed on both sides."""
    library = Path(sysconfig.get_path("stdlib"))
    there = [name for name in _PACKAGES if (library / name).is_dir()]
    if not there:
        library, there = Path(__file__).parents[1], ["core", "sync"]
    one, other = place / "A", place / "B"
    for name in there:
        shutil.copytree(library / name, one / name, ignore=shutil.ignore_patterns("__pycache__"))
    _age(one)
    shutil.copytree(one, other, symlinks=True)
    files = sorted(path.relative_to(one) for path in one.rglob("*.py"))
    _edit(one / files[0], b"# edited on A\n")
    _edit(other / files[len(files) // 2], b"# edited on B, later\n")
    (one / files[1]).unlink()
    (other / files[2]).chmod(0o755)
    (other / "notes").mkdir()
    (other / "notes" / "new on B.txt").write_text("B has what A has not\n", encoding="utf-8")
    (other / "notes" / "latest.txt").symlink_to("new on B.txt")


def _age(root: Path) -> None:
    """Files of the past, writable, so that the edits are the newest thing."""
    past = time.time() - 24 * _HOUR_S
    for path in root.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (past, past))


def _edit(path: Path, addition: bytes) -> None:
    path.write_bytes(path.read_bytes() + addition)


def _run(place: Path, told: TextIO, words: list[str]) -> int:
    """Say a command and run it, as a user would."""
    _say(told, f"\n$ aefsync {' '.join(words)}")
    package = str(Path(__file__).parents[2])
    path = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
    environ = os.environ | {"PYTHONPATH": path, "AEFSYNC_CACHE_DIR": str(place / "cache")}
    return subprocess.run([sys.executable, "-m", "aefsync", *words], cwd=place, env=environ, check=False).returncode


def _say(told: TextIO, text: str) -> None:
    told.write(f"{text}\n")
    told.flush()
