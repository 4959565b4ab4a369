"""`aefsync schedule`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from aefsync.cli import environment
from aefsync.cli.command import given
from aefsync.cli.counting import Counting
from aefsync.cli.escape import escape_text
from aefsync.cli.hooking import Hooking, hooks_of
from aefsync.cli.options import Allowing, Comparing, Output
from aefsync.cli.reaching import Reaching
from aefsync.cli.records import tell
from aefsync.cli.repairing import Repairing, asked
from aefsync.cli.reporting import Reporting, reporting_on
from aefsync.cli.resolving import Resolving
from aefsync.cli.safety import Safety
from aefsync.cli.timetable import SPREAD_MIN, Job, crontab_line, job_of, service_unit, timer_unit
from aefsync.cli.user_units import UserUnits
from aefsync.core.digest import framed_digest
from aefsync.core.named_tuple import NamedTuple
from aefsync.errors import UsageError
from aefsync.sync.location import parse


class Scheduling(NamedTuple):
    """When, and what becomes of it; never from the environment."""

    at: Annotated[str | None, typer.Option("--at", help="Daily at this time (default: 03:00).", metavar="HH:MM")] = None
    every: Annotated[str | None, typer.Option("--every", help="As often as this.", metavar="DURATION")] = None
    install: Annotated[bool, typer.Option("--install", help="Put it into systemd, for this user.")] = False
    list_: Annotated[bool, typer.Option("--list", help="Say what is installed.")] = False
    remove: Annotated[
        bool, typer.Option("--remove", "--uninstall", help="Take away what was installed for these replicas.")
    ] = False


_VALUED, _FLAGS = ("--at", "--every"), ("--install", "--list", "--remove", "--uninstall")
_Locations = Annotated[list[str] | None, typer.Argument(metavar="A B [C...]", hidden=True)]


def schedule(
    ctx: typer.Context,
    scheduling: Scheduling,
    repairing: Repairing,
    resolving: Resolving,
    safety: Safety,
    hooking: Hooking,
    allowing: Allowing,
    counting: Counting,
    comparing: Comparing,
    reaching: Reaching,
    reporting: Reporting,
    output: Output,
    locations: _Locations = None,
) -> int:
    """Have repair run regularly, by cron or systemd.

    Prints what these need for it. All options of repair are handed on to it. With --install the units are put in place
    and started, for this user; runs that are due while the machine is off are caught up on (--at), and no two run at
    the same time.
    """
    if scheduling.install + scheduling.list_ + scheduling.remove > 1:
        raise UsageError("--install, --list and --remove exclude each other")
    if scheduling.list_:
        _list(output)
        return 0
    wanted = reporting_on(
        asked(ctx, locations or [], repairing, resolving, safety, allowing, counting, comparing, reaching).request,
        reporting,
    )
    hooks_of(hooking)
    environment.colors_on(output.color, sys.stdout, os.environ)
    name = _name(wanted.common.locations)
    if scheduling.remove:
        UserUnits(os.environ).remove(name)
        if output.json:
            tell("schedule", wanted.common.locations, ())
        return 0
    words = (*_program(), "repair", *_handed_on(given(ctx)))
    job = job_of(words, os.getcwd(), scheduling.at, scheduling.every)
    if scheduling.install:
        UserUnits(os.environ).install(name, job)
    if output.json:
        tell("schedule", wanted.common.locations, [_record(name, job, is_installed=scheduling.install)])
    elif scheduling.install:
        _say(_installed(name, job))
    else:
        _say(_printed(name, job, has_log=bool(reporting.log_file)))
    return 0


def _installed(name: str, job: Job) -> Iterator[str]:
    yield f"aefsync-{name}.timer runs it {job.spoken}; journalctl --user -u aefsync-{name} tells what it did"
    if not UserUnits(os.environ).lingers:
        yield "it runs while you are logged in; loginctl enable-linger has it run at all times"


def _list(output: Output) -> None:
    found = UserUnits(os.environ).installed()
    if output.json:
        tell("schedule", (), ({"event": "scheduled", **each._asdict()} for each in found))
    else:
        _say(f"{each.name}  {each.when:<16}  aefsync {each.what}" for each in found)


def _record(name: str, job: Job, *, is_installed: bool) -> dict[str, object]:
    units = {"service": service_unit(job), "timer": timer_unit(job)}
    line = crontab_line(job, _delay_min(name))
    return {"event": "schedule", "name": name, "when": job.spoken, "crontab": line, **units, "installed": is_installed}


def _delay_min(name: str) -> int:
    """Not all machines begin at once, nor all jobs of one."""
    return int.from_bytes(framed_digest([name.encode(), os.fsencode(os.uname().nodename)], 4)) % SPREAD_MIN


def _printed(name: str, job: Job, *, has_log: bool) -> Iterator[str]:
    log = "" if has_log else "; what it says is mailed to you, or kept with --log-file FILE"
    yield f"# crontab -e{log}"
    if job.at_min is not None:
        yield "# (a few minutes later than asked for, others on each machine, so that not all begin at once)"
    yield crontab_line(job, _delay_min(name)) or f"# cron has no words for {job.spoken!r}"
    for kind, text in (("service", service_unit(job)), ("timer", timer_unit(job))):
        yield ""
        yield f"# ~/.config/systemd/user/aefsync-{name}.{kind}"
        yield text.rstrip("\n")


def _handed_on(words: Sequence[str]) -> Iterator[str]:
    """The command line without what is meant for us."""
    rest = iter(words)
    for word in rest:
        if word == "--":
            yield word
            yield from rest
        elif word in _VALUED:
            next(rest)
        elif word not in _FLAGS and not word.startswith(tuple(f"{each}=" for each in _VALUED)):
            yield word


def _program() -> tuple[str, ...]:
    """How this program is called by those who have another PATH, or none."""
    found = shutil.which("aefsync")
    return (found,) if found else (sys.executable, "-m", "aefsync")


def _name(locations: Sequence[str]) -> str:
    """The same for the same replicas, wherever one stands."""
    places = [text if parse(text).login is not None else os.path.abspath(text) for text in locations]
    return framed_digest(map(os.fsencode, places), 4).hex()


def _say(lines: Iterator[str] | list[str]) -> None:
    for line in lines:
        sys.stdout.write("\n".join(escape_text(each) for each in line.split("\n")) + "\n")
