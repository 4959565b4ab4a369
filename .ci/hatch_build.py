"""Adds the manual and the completions to the wheel, each where the platform looks for it below the prefix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMPLETIONS = {
    "_aefsync": "zsh/site-functions/_aefsync",
    "aefsync.bash": "bash-completion/completions/aefsync",
    "aefsync.fish": "fish/vendor_completions.d/aefsync.fish",
}


class Shared(BuildHookInterface[Any]):
    """The hook of the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        build_data["shared_data"].update(shared(Path(self.root)))


def shared(root: Path) -> dict[str, str]:
    """Files of a checkout, and where they are installed."""
    places = {f"man/{page.name}": f"share/man/man{page.suffix[1:]}/{page.name}" for page in (root / "man").iterdir()}
    return places | {f"completions/{name}": f"share/{place}" for name, place in COMPLETIONS.items()}
