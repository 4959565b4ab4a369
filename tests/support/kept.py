"""What an agent has to leave as it was that lets nothing be changed, or nothing be destroyed."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path

Found = dict[str, tuple[object, ...]]
_KEPT = ("trash/", "quarantine/")


@contextlib.contextmanager
def kept(root: Path, *, read_only: bool) -> Iterator[None]:
    """While the context lasts, nothing at all changes below a root, or at least no content is lost."""
    before = _everything(root)
    yield
    after = _everything(root)
    if read_only:
        assert after == before, "not a byte"
    assert _trashed(before).items() <= _trashed(after).items()
    assert _contents(before) <= _contents(after)


def _everything(root: Path) -> Found:
    """What is below a root, `.aefsync` and all: stats and contents, by path."""
    found: Found = {}
    for place in root.rglob("*"):
        seen = place.lstat()
        data = place.read_bytes() if stat.S_ISREG(seen.st_mode) else b""
        found[str(place.relative_to(root))] = (seen.st_mode, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino, data)
    return found


def _trashed(found: Found) -> dict[str, object]:
    """The files in the trash and in quarantine, and what they hold."""
    rows = {path.removeprefix(".aefsync/"): row for path, row in found.items() if path.startswith(".aefsync/")}
    return {path: row[-1] for path, row in rows.items() if path.startswith(_KEPT) and row[-1] and path[-6:] != ".bytes"}


def _contents(found: Found) -> set[object]:
    """What files hold that users wrote, at paths and in what is kept."""
    return {row[-1] for path, row in found.items() if not path.startswith(".aefsync")} | {
        *_trashed(found).values(),
        b"",
    }
