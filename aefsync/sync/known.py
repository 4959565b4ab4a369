"""The roots that runs from here have seen: `roots.json` in the state directory, location → what was there.

Small, replaced in one rename, and read again under a lock before it is written, so that concurrent runs lose nothing
of each other.  It may be deleted at any time: then the guards that need it have nothing to go by.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from aefsync.core.identity import KnownRoot

MOST = 4096
"""Locations remembered; those that were not seen for longest go first."""


class KnownRoots:
    """What is remembered below `directory` (empty: nothing is)."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._file = os.path.join(directory, "roots.json")

    def load(self) -> dict[str, KnownRoot]:
        """Everything that is known, by location; what cannot be understood is left out."""
        if not self._directory:
            return {}
        try:
            with open(self._file, "rb") as file:
                roots = json.load(file)["roots"]
            return {str(location): _parse(row) for location, row in roots.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}

    def remember(self, seen: Mapping[str, KnownRoot]) -> None:
        """Add what a run has seen.  Where that cannot be written, it is not."""
        if not self._directory:
            return
        with contextlib.suppress(OSError), self._locked():
            known = self.load()
            if any(known.get(location) != root for location, root in seen.items()):
                left = {location: root for location, root in known.items() if location not in seen}
                self._write(dict(list({**left, **seen}.items())[-MOST:]))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        fd = os.open(os.path.join(self._directory, "roots.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # A file system without locks is used without: at worst one of two runs is forgotten.
            with contextlib.suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _write(self, roots: Mapping[str, KnownRoot]) -> None:
        rows = {location: _row(root) for location, root in roots.items()}
        fresh = f"{self._file}.{os.urandom(4).hex()}"
        try:
            with open(fresh, "x", encoding="ascii") as file:
                json.dump({"version": 1, "roots": rows}, file, indent=1)
            os.replace(fresh, self._file)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(fresh)
            raise


def _row(root: KnownRoot) -> dict[str, Any]:
    mounts = None if root.mounts is None else list(map(os.fsdecode, root.mounts))
    return root._asdict() | {"mounts": mounts}


def _parse(row: Any) -> KnownRoot:
    mounts = row["mounts"]
    return KnownRoot(
        str(row["identity"]), bool(row["filled"]), None if mounts is None else tuple(map(os.fsencode, mounts))
    )
