"""Start a process of this program with a small entry point: the same modules as ours, none of the site start-up."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess


def spawn_entry(
    module: str, words: Sequence[str], descriptors: Sequence[int], *, before: Sequence[str] = (), asks: bool = False
) -> subprocess.Popen[bytes]:
    """Run `main()` of a module of this package, its `sys.argv[1:]` being `words`; it inherits `descriptors` only.

    Statements that are to come `before` the import may use `gc` and `sys`.  One that `asks` may read from the terminal.
    """
    import subprocess

    path = [os.path.abspath(entry) for entry in sys.path]
    # Neither the imports nor what a scan builds have cycles; looking for them costs a third of the time.
    steps = [
        "import gc, sys; gc.set_threshold(200_000, 20, 100)",
        f"sys.path[:] = {path!r}",
        *before,
        f"from {module} import main; main()",
    ]
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", "; ".join(steps), *words],
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        # Of its own group, so that Ctrl-C at a terminal leaves it to the process that started it when it ends.
        process_group=None if asks else 0,
    )
