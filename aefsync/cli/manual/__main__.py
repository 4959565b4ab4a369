"""Write what is made from the command tree anew: `python -m aefsync.cli.manual [CHECKOUT]`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from aefsync import __version__
from aefsync.cli.catalogue import catalogue
from aefsync.cli.completions import bash, fish, zsh
from aefsync.cli.manual.commands import command_page
from aefsync.cli.manual.formats import formats_page
from aefsync.cli.manual.how import how_page
from aefsync.cli.manual.program import program_page


def generated() -> Iterator[tuple[str, str]]:
    """Files of the checkout, by their paths, and what is to be in them."""
    commands = catalogue()
    yield "man/aefsync.1", program_page(commands, __version__)
    for each in commands:
        yield f"man/aefsync-{each.name}.1", command_page(each, __version__)
    yield "man/aefsync-format.5", formats_page(__version__)
    yield "man/aefsync.7", how_page(__version__)
    yield "completions/aefsync.bash", bash.script(commands)
    yield "completions/_aefsync", zsh.script(commands)
    yield "completions/aefsync.fish", fish.script(commands)


def main() -> None:
    """Write them."""
    for name, text in generated():
        path = Path(*sys.argv[1:2]) / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
