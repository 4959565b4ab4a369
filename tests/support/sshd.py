"""A real OpenSSH server on loopback with throwaway keys, and a far side that can be told what it is like.

Its only user is whoever runs the tests.  A forced command stands for the login: it takes the home, the PATH and the
shell from `far`, and then runs what was asked for by that shell, as sshd itself would do.
"""

from __future__ import annotations

import getpass
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.support import sftpd

REPO = Path(__file__).parents[2]
PATIENCE_S = 60.0

_WRAPPER = """\
#!/bin/sh
. {folder}/far
cd "$HOME" || exit 9
[ -z "$BANNER" ] || printf '%s\\n' "$BANNER"
[ -z "$FORCED" ] || exec "$SHELL" -c "$FORCED"
exec "$SHELL" -c "$SSH_ORIGINAL_COMMAND"
"""

_SERVER = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
ForceCommand {folder}/login
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
MaxStartups 100
MaxSessions 50
LogLevel ERROR
Subsystem sftp {sftp}
"""

_PATIENT = "PerSourcePenalties no\n"
"""From 9.8 on: else who fails to log in, as some tests must, is refused for a while; an older one knows no such option."""

_CLIENT = """\
Host box stranger
    HostName 127.0.0.1
    Port {port}
    User {user}
    HostKeyAlias box
Host box 127.0.0.1
    IdentityFile {folder}/user_key
Host stranger
    IdentityFile {folder}/other_key
Host *
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile none
"""


class Sshd:
    """A running server; in the client configuration that `ssh` uses it is called `box`, and
    `stranger` for who has no key that it knows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = getpass.getuser()
        self.port = _free_port()
        self.key = folder / "user_key"
        self.known_hosts = folder / "known_hosts"
        self._make_keys()
        self._write("login", _WRAPPER.format(folder=shlex.quote(str(folder))), 0o755)
        self._program = _program()
        more = _PATIENT if _version(self._program) >= (9, 8) else ""
        self._write("sshd_config", _SERVER.format(folder=folder, port=self.port, sftp=sftpd.program()) + more)
        self._write("ssh_config", _CLIENT.format(folder=folder, port=self.port, user=self.user))
        self._write("bin/aefsync", f'#!/bin/sh\nPYTHONPATH={REPO} exec {sys.executable} -m aefsync "$@"\n', 0o755)
        self._process = self._start()

    @property
    def ssh(self) -> str:
        """The ssh program with its configuration, for `--ssh`."""
        return f"ssh -F {self.folder}/ssh_config"

    def far(self, home: Path, *, shell: str = "/bin/sh", banner: str = "", forced: str = "", path: str = "") -> None:
        """What the far side is like from now on; `path` is searched for programs in place of ours."""
        path = path or f"{self.folder}/bin:{os.environ['PATH']}"
        values = {"HOME": str(home), "SHELL": shell, "BANNER": banner, "FORCED": forced, "PATH": path}
        caches = {"XDG_CACHE_HOME": f"{home}/cache", "XDG_STATE_HOME": f"{home}/state"}
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in {**values, **caches}.items()]
        self._write("far", "".join(lines))

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE_S)

    def _write(self, name: str, text: str, mode: int = 0o600) -> None:
        place = self.folder / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)
        place.chmod(mode)

    def _make_keys(self) -> None:
        for name in ("host_key", "user_key", "other_key"):
            make_key(self.folder / name)
        shutil.copy(self.folder / "user_key.pub", self.folder / "authorized_keys")
        key = (self.folder / "host_key.pub").read_text()
        self._write("known_hosts", f"box {key}[127.0.0.1]:{self.port} {key}")

    def _start(self) -> subprocess.Popen[bytes]:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        log = self.folder / "log"
        process = subprocess.Popen(
            [self._program, "-D", "-f", str(self.folder / "sshd_config"), "-E", str(log)], stdin=subprocess.DEVNULL
        )
        end = time.monotonic() + PATIENCE_S
        while not _listens(self.port):
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.01)
        return process


def _program() -> str:
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    assert program is not None, "openssh-server is needed (tests/run installs it)"
    return program


def _version(program: str) -> tuple[int, int]:
    """That of OpenSSH; an old one says it as well, among what options there are."""
    said = subprocess.run([program, "-V"], capture_output=True, text=True, check=False)
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", said.stdout + said.stderr)
    assert found is not None, said
    return int(found[1]), int(found[2])


def make_key(place: Path, passphrase: str = "") -> None:
    """A key pair at `place` and `place`.pub."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(place)], check=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
