"""Start a process of this program with a small entry point: the same modules as ours, none of the site start-up."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence


def spawn_entry(
    module: str, words: Sequence[str], descriptors: Sequence[int], *, asks: bool = False
) -> subprocess.Popen[bytes]:
    """Run `main()` of a module of this package, its `sys.argv[1:]` being `words`; it inherits `descriptors` only.

    One that `asks` may read from the terminal.
    """
    path = [os.path.abspath(entry) for entry in sys.path]
    # Neither the imports nor what a scan builds have cycles; looking for them costs a third of the time.
    code = (
        f"import gc, sys; gc.set_threshold(200_000, 20, 100); sys.path[:] = {path!r}; from {module} import main; main()"
    )
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code, *words],
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        # Of its own group, so that Ctrl-C at a terminal leaves it to the process that started it when it ends.
        process_group=None if asks else 0,
    )
