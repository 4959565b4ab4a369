"""Runs on the far side, sent there as text: says what that machine is like, then takes an agent in and puts it in place.

Only the standard library is used, and nothing of this package.  What comes on standard input is a length in decimal,
a newline, and a tar file; what goes to standard output are two lines, each behind `MARK`.
"""

from __future__ import annotations

import io
import json
import os
import platform
import shlex
import shutil
import sys
import sysconfig
import tarfile
from typing import BinaryIO

MARK = "aefsync-deploy "
LAUNCHER = "agent"


def facts() -> dict[str, object]:
    """What decides which binary packages fit this machine."""
    return {
        "python": list(sys.version_info[:2]),
        "implementation": sys.implementation.name,
        "system": platform.system(),
        "machine": platform.machine(),
        "libc": list(platform.libc_ver()),
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "macos": platform.mac_ver()[0],
    }


def agents_place(environ: dict[str, str]) -> str:
    """Where deployed agents live: beside what else may be deleted at any time."""
    cache = environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(cache, "aefsync", "agents")


def install(archive: bytes, version: str, place: str) -> str:
    """Unpack into a directory of its own, put it in the place of what is there, and remove other versions."""
    os.makedirs(place, mode=0o700, exist_ok=True)
    fresh = os.path.join(place, f".new-{os.getpid()}")
    library = os.path.join(fresh, "lib")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        if hasattr(tarfile, "data_filter"):  # since Python 3.11.4
            tar.extractall(library, filter="data")
        else:
            tar.extractall(library)  # noqa: S202  what is unpacked was made by whoever runs this here
    final = os.path.join(place, version)
    _write_launcher(os.path.join(fresh, LAUNCHER), os.path.join(final, "lib"))
    stale = os.path.join(place, f".old-{os.getpid()}")
    if os.path.isdir(final):
        os.rename(final, stale)
    os.rename(fresh, final)
    for name in os.listdir(place):
        if name != version:
            shutil.rmtree(os.path.join(place, name), ignore_errors=True)
    return final


def _write_launcher(path: str, library: str) -> None:
    code = f"import sys; sys.path.insert(0, {library!r}); from aefsync.sync.agent import Pin, serve_stdio; "
    words = [sys.executable, "-I", "-c", code + "serve_stdio(Pin())"]
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\nexec {shlex.join(words)}\n")
    os.chmod(path, 0o700)


def main(version: str, source: BinaryIO, sink: BinaryIO) -> None:
    """The dialogue: facts, then the archive, then where it is."""
    sink.write(f"{MARK}{json.dumps(facts())}\n".encode())
    sink.flush()
    size = int(source.readline() or b"0")
    archive = source.read(size)
    if size and len(archive) == size:
        place = install(archive, version, agents_place(dict(os.environ)))
        sink.write(f"{MARK}{json.dumps(place)}\n".encode())
        sink.flush()
