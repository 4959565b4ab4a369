"""What a deployed agent consists of: this package, and the packages that it needs, as they fit the far side's Python.

Where the far side is like this machine the installed packages are copied; else pip fetches the wheels that fit it.
"""

from __future__ import annotations

import importlib.metadata
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aefsync.errors import AefsyncError, IncompatibleError
from aefsync.wire.installing import facts

NEEDED = ("blake3", "msgspec", "pathspec", "pyfastcdc", "zstandard")
"""What an agent imports; with what these need in turn."""
LISTENING = ("watchdog",)
"""What it hears of changes by, on Linux alone, where nothing in it is compiled: it fits, wherever it comes from."""
_GLIBCS = range(17, 60)
"""Minor versions of glibc 2 that wheels may be built for."""

File = tuple[str, bytes]
Facts = Mapping[str, Any]


def archive(far: Facts) -> bytes:
    """A tar file of all that an agent needs on a machine like this; raises `AefsyncError`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=6) as tar:
        brought = installed(NEEDED) if fits(far, facts()) else fetched(far)
        listening = installed(LISTENING) if far["system"] == "Linux" else ()
        for name, data in (*own_files(), *brought, *listening):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def fits(far: Facts, here: Facts) -> bool:
    """Whether binary packages of this machine run on the other."""
    if any(far[name] != here[name] for name in ("python", "implementation", "system", "machine", "free_threaded")):
        return False
    kind, version = far["libc"]
    return bool(here["libc"][0] == kind and _numbers(here["libc"][1]) <= _numbers(version))


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def own_files() -> Iterator[File]:
    """This package itself."""
    top = Path(__file__).parents[1]
    for path in sorted(top.rglob("*.py")):
        yield f"{top.name}/{path.relative_to(top).as_posix()}", path.read_bytes()


def installed(names: Sequence[str]) -> Iterator[File]:
    """These packages, and those that they need, as they are installed here."""
    for name in _closure(names):
        for file in importlib.metadata.distribution(name).files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                yield file.as_posix(), Path(str(file.locate())).read_bytes()


def _closure(names: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    left = list(names)
    while left:
        name = left.pop()
        if name not in found:
            found[name] = None
            for line in importlib.metadata.requires(name) or ():
                requirement, _, condition = line.partition(";")
                if not condition.strip():
                    left.append("".join(_until_version(requirement)))
    return sorted(found)


def _until_version(requirement: str) -> Iterator[str]:
    for letter in requirement.strip():
        if letter in " <>=!~[(":
            return
        yield letter


def fetched(far: Facts) -> Iterator[File]:
    """The needed packages, as pip finds them for the far side."""
    with tempfile.TemporaryDirectory(prefix="aefsync-wheels-") as folder:
        argv = pip_arguments(far, folder)
        done = subprocess.run([sys.executable, *argv], capture_output=True, text=True, check=False)
        if done.returncode:
            words = [line for line in done.stderr.splitlines() if line.strip()] or ["pip failed"]
            raise AefsyncError(f"no packages were found that fit the far side: {words[-1]}", hint=" ".join(argv))
        for wheel in sorted(Path(folder).glob("*.whl")):
            with zipfile.ZipFile(wheel) as packed:
                yield from ((name, packed.read(name)) for name in packed.namelist() if not name.endswith("/"))


def pip_arguments(far: Facts, folder: str) -> list[str]:
    """How pip is told what the far side is like."""
    major, minor = far["python"]
    kind = {"cpython": "cp", "pypy": "pp"}.get(far["implementation"], "cp")
    abi = f"{kind}{major}{minor}" + ("t" if far["free_threaded"] else "")
    options = ["--only-binary=:all:", "--python-version", f"{major}.{minor}", "--implementation", kind]
    options += [word for each in (abi, f"abi{major}", "none") for word in ("--abi", each)]
    options += [word for tag in platform_tags(far) for word in ("--platform", tag)]
    return ["-m", "pip", "download", "--quiet", "--dest", folder, *options, *_wanted()]


def _wanted() -> Sequence[str]:
    """The very versions that are installed here."""
    return [f"{name}=={importlib.metadata.version(name)}" for name in NEEDED]


def platform_tags(far: Facts) -> list[str]:
    """The platforms whose wheels run there, newest first; raises `IncompatibleError` for one without wheels."""
    system, machine = far["system"], far["machine"]
    kind, version = far["libc"]
    if system == "Linux" and kind == "glibc":
        newest = _numbers(version)[1]
        tags = [f"manylinux_2_{minor}_{machine}" for minor in reversed(_GLIBCS) if minor <= newest]
        return [*tags, f"manylinux2014_{machine}"]
    if system == "Linux":
        return [f"musllinux_1_{minor}_{machine}" for minor in (2, 1)]
    if system == "Darwin":
        major = _numbers(far["macos"])[0]
        return [f"macosx_{each}_0_{arch}" for each in range(major, 10, -1) for arch in (machine, "universal2")]
    raise IncompatibleError(f"no packages are made for {system} on {machine}")
