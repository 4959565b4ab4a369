"""What a shell asks for that completes a word: sets, hosts, paths there.  Static words it knows (`completions/`).

    aefsync _complete replicas WORD     sets of the configuration, hosts of the ssh configuration, directories on a host
    aefsync _complete hosts WORD        hosts only

One candidate a line, each a whole word.  It answers within a moment or not at all, never asks anybody anything, and
opens no connection: a host is only looked at over one that is open already (ControlMaster).  So little is imported
here that most of its time is that of Python itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

from aefsync.sync import places

_PATIENCE_S = 1.0
_MOST_BYTES = 1 << 20
_DEEPEST = 3
"""Files that include each other."""
_OF_THE_MACHINE = "/etc/ssh"
_NAMELY = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")

Look = Callable[[str, str], Sequence[str]]
"""The names in a directory of a host, those of directories with a slash at the end."""


def main(words: Sequence[str]) -> None:
    """Print the candidates for the last of these words, the first being what is wanted."""
    wanted, word = [*words, "", ""][:2]
    found = candidates(wanted, word, os.environ, look)
    lines = [line for line in dict.fromkeys(found) if line.startswith(word) and line.isprintable()]
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def candidates(wanted: str, word: str, environ: Mapping[str, str], see: Look) -> Iterator[str]:
    """The candidates for a word, and others."""
    scheme = next((each for each in ("ssh://", "sftp://") if word.startswith(each)), "")
    user, at, _ = word.removeprefix(scheme).rpartition("@")
    login = f"{scheme}{user}{at}"
    if wanted == "hosts":
        yield from (f"{login}{host}" for host in hosts(environ))
    elif word.startswith("@"):
        yield from (f"@{name}" for name in sets(environ))
    elif scheme:
        yield from (f"{login}{host}/" for host in hosts(environ))
    elif ":" in word:
        yield from _there(word, see)
    else:
        yield from (f"{login}{host}:" for host in hosts(environ))
        yield from (f"@{name}" for name in ([] if word else sets(environ)))


def sets(environ: Mapping[str, str]) -> list[str]:
    """The names of the sets in the configuration."""
    file = environ.get("AEFSYNC_CONFIG", places.config_file(environ))
    if not file or not os.path.isfile(file):
        return []
    import tomllib

    try:
        found = tomllib.loads(_text(file)).get("sets")
    except tomllib.TOMLDecodeError:
        return []
    return list(found) if isinstance(found, dict) else []


def hosts(environ: Mapping[str, str]) -> Iterator[str]:
    """The names of hosts in the user's ssh configuration, and in that of the machine."""
    home = environ.get("HOME", "")
    folders = (os.path.join(home, ".ssh"), _OF_THE_MACHINE) if home else (_OF_THE_MACHINE,)
    for folder, name in zip(folders, ("config", "ssh_config")[-len(folders) :], strict=True):
        yield from _hosts(os.path.join(folder, name), folder, home, _DEEPEST)


def _hosts(file: str, folder: str, home: str, deep: int) -> Iterator[str]:
    for line in _text(file).splitlines():
        key, *values = line.replace("=", " ", 1).split()[:100] or [""]
        if key.lower() == "host":
            # `.host` is systemd's word for this machine, in the configuration of each one that has it.
            yield from (name for name in values if _NAMELY.issuperset(name) and name[0] not in "-.")
        elif key.lower() == "include" and deep > 1:
            import glob

            for value in values:
                own = os.path.join(home, value[2:]) if value.startswith("~/") else os.path.join(folder, value)
                for included in sorted(glob.glob(own)):
                    yield from _hosts(included, folder, home, deep - 1)


def _text(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as stream:
            return stream.read(_MOST_BYTES)
    except OSError:
        return ""


def _there(word: str, see: Look) -> Iterator[str]:
    """Directories on a host that a word may go on to."""
    login, _, path = word.partition(":")
    user, _, host = login.rpartition("@")
    if not host or not _NAMELY.issuperset(user + host) or login.startswith("-"):
        return
    folder = path[: path.rfind("/") + 1]
    names = see(login, folder)
    yield from (f"{login}:{folder}{name}" for name in names if name.endswith("/") and name not in ("./", "../"))


def look(login: str, folder: str) -> Sequence[str]:
    """The names in a directory of a host, if there is a connection to it already."""
    import shlex
    import subprocess

    # Where the connection goes away just now, no other one is made.
    ssh = ("ssh", "-oBatchMode=yes", "-oControlMaster=no", "-oProxyCommand=false")

    def said(*words: str) -> bytes:
        done = subprocess.run(
            [*ssh, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE_S, check=True
        )
        return done.stdout

    try:
        said("-Ocheck", login)
        found = said(login, f"exec ls -1ap -- {shlex.quote(folder or '.')}")
    except (OSError, subprocess.SubprocessError):
        return []
    return found.decode("utf-8", "replace").split("\n")
