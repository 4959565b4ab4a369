"""When a scheduled run is due, said in the ways of cron and of systemd; and words, quoted in theirs.

Neither is a shell: cron hands a line to one but takes `%` for itself first, systemd splits words by rules of its own
(systemd.service(5), systemd.syntax(7)).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from aefsync.cli.units import duration_s
from aefsync.core.named_tuple import NamedTuple
from aefsync.errors import UsageError

SPREAD_MIN = 15
"""Runs of several machines that are due at one time are spread over so many minutes."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


class Job(NamedTuple):
    """Words to be run in a directory; at a time of the day (minutes after midnight), or else every so many seconds."""

    words: tuple[str, ...]
    directory: str
    at_min: int | None
    every_s: int = _DAY

    @property
    def spoken(self) -> str:
        """When it is due."""
        if self.at_min is not None:
            return f"daily at {self.at_min // 60:02}:{self.at_min % 60:02}"
        parts = ((self.every_s // _DAY, "d"), (self.every_s % _DAY // _HOUR, "h"), (self.every_s % _HOUR // 60, "m"))
        return "every " + " ".join(f"{number}{unit}" for number, unit in parts if number)


def job_of(words: Sequence[str], directory: str, at: str | None, every: str | None) -> Job:
    """A job by its options; raises `UsageError`."""
    if at is not None and every is not None:
        raise UsageError("--at and --every exclude each other")
    if any("\n" in word or "\r" in word for word in (*words, directory)):
        raise UsageError("what is scheduled has to fit on a line: there is a line break in it")
    if every is not None:
        every_s = duration_s(every, "--every")
        if every_s < _MINUTE or every_s % _MINUTE:
            raise UsageError(f"--every: {every} is not a number of whole minutes")
        return Job(tuple(words), directory, None, every_s)
    found = _TIME.fullmatch(at or "03:00")
    if found is None:
        raise UsageError(f"--at: {at!r} is no time of the day", hint="write it like 03:00")
    return Job(tuple(words), directory, int(found[1]) * 60 + int(found[2]))


def crontab_line(job: Job, delay_min: int = 0) -> str | None:
    """The line for `crontab -e`, so many minutes later than asked for (less than `SPREAD_MIN`: each machine has a delay of
    its own); `None` where cron has no words for that."""
    fields = _cron_fields(job, delay_min)
    command = f"cd {shlex.quote(job.directory)} && {shlex.join(job.words)}".replace("%", r"\%")
    return None if fields is None else f"{fields} {command}"


def _cron_fields(job: Job, delay_min: int) -> str | None:
    if job.at_min is not None:
        hour, minute = divmod((job.at_min + delay_min) % (_DAY // _MINUTE), 60)
        return f"{minute} {hour} * * *"
    minutes, hours = job.every_s // _MINUTE, job.every_s // _HOUR
    if minutes < 60:
        return f"{delay_min % minutes}-59/{minutes} * * * *" if 60 % minutes == 0 else None
    if job.every_s % _HOUR == 0 and 24 % hours == 0:
        return f"{delay_min} */{hours} * * *" if hours < 24 else f"{delay_min} 0 * * *"
    return None


def service_unit(job: Job) -> str:
    """What is run: once at a time, whatever the timer says."""
    return f"""\
[Unit]
Description={_plain("aefsync: " + shlex.join(job.words[1:]))}

[Service]
Type=oneshot
WorkingDirectory={_plain(job.directory)}
ExecStart={" ".join(map(quoted, job.words))}
Nice=10
"""


def timer_unit(job: Job) -> str:
    """When it is run: not at the same moment on all machines, and later where the machine was off."""
    if job.at_min is not None:
        clock = f"{job.at_min // 60:02}:{job.at_min % 60:02}"
        when = f"OnCalendar=*-*-* {clock}:00\nRandomizedDelaySec={SPREAD_MIN}min\nPersistent=true"
    else:
        delay_s = min(SPREAD_MIN * _MINUTE, job.every_s // 10)
        when = f"OnActiveSec={delay_s}\nOnUnitActiveSec={job.every_s}\nRandomizedDelaySec={delay_s}"
    return f"""\
[Unit]
Description=aefsync {job.spoken}

[Timer]
{when}

[Install]
WantedBy=timers.target
"""


def quoted(word: str) -> str:
    """A word of a command as systemd takes it apart: neither a variable nor a specifier, whatever is in it."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    text = "".join(_escaped(char) for char in text)
    return text if re.fullmatch(r"[\w@%+=:,./-]+", text, re.ASCII) else f'"{text}"'


def _escaped(char: str) -> str:
    """Control characters, and bytes that are no UTF-8, by their numbers."""
    if char < " " or char == "\x7f" or "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) & 0xFF:02x}"
    return char


def _plain(text: str) -> str:
    """A value that is no list of words."""
    return text.replace("\\", "\\\\").replace("%", "%%").encode("utf-8", "backslashreplace").decode()
