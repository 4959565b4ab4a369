"""The roots that runs from here have seen: `roots.json` in the state directory, location → what was there.

It may be deleted at any time: then the guards that need it have nothing to go by.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from aefsync.core.identity import KnownRoot
from aefsync.sync.state_file import StateFile

MOST = 4096
"""Locations remembered; those that were not seen for longest go first."""


class KnownRoots:
    """What is remembered below `directory` (empty: nothing is)."""

    def __init__(self, directory: str) -> None:
        self._file = StateFile(directory, "roots")

    def load(self) -> dict[str, KnownRoot]:
        """Everything that is known, by location; what cannot be understood is left out."""
        return _understood(self._file.read())

    def remember(self, seen: Mapping[str, KnownRoot]) -> None:
        """Add what a run has seen.  Where that cannot be written, it is not."""

        def add(content: Any) -> Any:
            known = _understood(content)
            if all(known.get(location) == root for location, root in seen.items()):
                return None
            left = {location: root for location, root in known.items() if location not in seen}
            kept = list({**left, **seen}.items())[-MOST:]
            return {"version": 1, "roots": {location: _row(root) for location, root in kept}}

        with contextlib.suppress(OSError):
            self._file.change(add)


def _understood(content: Any) -> dict[str, KnownRoot]:
    try:
        return {str(location): _parse(row) for location, row in content["roots"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _row(root: KnownRoot) -> dict[str, Any]:
    mounts = None if root.mounts is None else list(map(os.fsdecode, root.mounts))
    return root._asdict() | {"mounts": mounts}


def _parse(row: Any) -> KnownRoot:
    mounts = row["mounts"]
    known = None if mounts is None else tuple(map(os.fsencode, mounts))
    return KnownRoot(str(row["identity"]), bool(row["filled"]), known, str(row.get("renewed", "")))
