"""The user's systemd units that are ours: put in place, listed, taken away."""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
from collections.abc import Iterator, Mapping

from aefsync.cli.timetable import Job, service_unit, timer_unit
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.problem import reason_of
from aefsync.errors import AefsyncError

_PREFIX = "aefsync-"
_LINGERING = "/var/lib/systemd/linger"


class Installed(NamedTuple):
    """A unit that was found, with its own descriptions of when and what it runs."""

    name: str
    when: str
    what: str


class UserUnits:
    """The units in the directory where systemd looks for those of a user."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        base = environ.get("XDG_CONFIG_HOME", "")
        if not os.path.isabs(base):
            base = os.path.join(environ.get("HOME", ""), ".config")
        if not os.path.isabs(base):
            raise AefsyncError("there is no home to keep units in: HOME is not set")
        self.directory = os.path.join(base, "systemd", "user")

    @property
    def lingers(self) -> bool:
        """Whether the user's units run while the user is not logged in (`loginctl enable-linger`)."""
        with contextlib.suppress(OSError, KeyError):
            return os.path.exists(os.path.join(_LINGERING, pwd.getpwuid(os.getuid()).pw_name))
        return False

    def install(self, name: str, job: Job) -> None:
        """Put a job in place, instead of an earlier one of that name, and start its timer."""
        try:
            _systemctl("daemon-reload")  # whoever has no systemd of their own should not find units that never run
        except AefsyncError as error:
            error.hint = "no systemd serves this login: without --install there is a line for crontab -e"
            raise
        try:
            os.makedirs(self.directory, exist_ok=True)
            for kind, text in (("service", service_unit(job)), ("timer", timer_unit(job))):
                place = self._place(name, kind)
                with open(f"{place}.new", "w", encoding="utf-8") as file:
                    file.write(text)
                os.replace(f"{place}.new", place)
        except OSError as error:
            raise AefsyncError(f"{self.directory}: {reason_of(error)}") from None
        _systemctl("daemon-reload")
        _systemctl("enable", f"{_PREFIX}{name}.timer")
        # Started anew, so that a timer that is running already follows its new times.
        _systemctl("restart", f"{_PREFIX}{name}.timer")

    def remove(self, name: str) -> None:
        """Stop a timer and take its units away."""
        if not os.path.exists(self._place(name, "timer")):
            raise AefsyncError("nothing is scheduled for these replicas")
        _systemctl("disable", "--now", f"{_PREFIX}{name}.timer")
        for kind in ("timer", "service"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._place(name, kind))
        _systemctl("daemon-reload")

    def installed(self) -> Iterator[Installed]:
        """What is in place, by name."""
        with contextlib.suppress(FileNotFoundError):
            for file in sorted(os.listdir(self.directory)):
                name, dot, kind = file.removeprefix(_PREFIX).rpartition(".")
                if file.startswith(_PREFIX) and dot and kind == "timer":
                    when = self._description(name, "timer").removeprefix("aefsync ")
                    yield Installed(name, when, self._description(name, "service").removeprefix("aefsync: "))

    def _place(self, name: str, kind: str) -> str:
        return os.path.join(self.directory, f"{_PREFIX}{name}.{kind}")

    def _description(self, name: str, kind: str) -> str:
        with contextlib.suppress(OSError), open(self._place(name, kind), encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("Description="):
                    text = line.removeprefix("Description=").rstrip("\n")
                    return text.replace("%%", "%").replace("\\\\", "\\")
        return ""


def _systemctl(*words: str) -> None:
    try:
        done = subprocess.run(["systemctl", "--user", *words], capture_output=True, check=False)
    except OSError as error:
        raise AefsyncError(f"systemctl: {reason_of(error)}") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = said[0] if said else f"exit code {done.returncode}"
        raise AefsyncError(f"systemctl --user {' '.join(words)}: {reason}")
