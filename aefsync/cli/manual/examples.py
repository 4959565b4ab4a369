"""What the command tree does not know of a command: how it is used, and what else there is to be read."""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "diff": (
        ("aefsync diff photos /mnt/disk/photos", "What differs between a directory and its copy on a disk."),
        ("aefsync diff --quick -0 photos nas:photos | tr '\\0' '\\n'", "The same of a host, by size and time only."),
        ("aefsync diff --brief a b || echo different", "As a condition in a script; trouble is exit code 2."),
    ),
    "repair": (
        ("aefsync repair -n photos nas:photos", "What would be done."),
        ("aefsync repair photos nas:photos", "Doing it; the other way round would come to the same."),
        ("aefsync repair --mirror site www:/srv/www", "Make a host like this directory, extras go to its trash."),
        ("aefsync repair --resolve lww a b c", "Three replicas, newest mtime wins, nothing is remembered."),
        ("aefsync repair --conflicts 'merge:my-merge {base} {a} {b} {out}' a b", "Conflicts go to a command first."),
    ),
    "watch": (("aefsync watch ~/notes laptop:notes", "Keep notes in step while it runs; Ctrl-C ends it."),),
    "gossip": (
        ("aefsync gossip photos", "One round with one member, such as from cron."),
        ("aefsync gossip photos --every 5m", "One after the other, each on its own host: news reach all."),
    ),
    "schedule": (
        ("aefsync schedule @photos --at 03:00", "What cron and systemd need for a repair each night."),
        ("aefsync schedule --install @photos --every 15m", "Have systemd do it for this user."),
    ),
    "scrub": (
        ("aefsync scrub photos --peer nas:photos", "Read everything anew, and repair from nas what has rotted."),
        ("aefsync scrub photos --time-limit 2h --bwlimit 50M", "A part of it each night, oldest first."),
        ("aefsync scrub photos --accept vm/disk.img", "What changed there was meant to."),
    ),
    "digest": (
        ("aefsync digest photos; ssh nas aefsync digest photos", "Equal digests, equal trees."),
        ("aefsync digest --tree 1 photos", "One for each thing at the top as well."),
    ),
    "trash": (
        ("aefsync trash photos list --since 2d", "What was replaced or deleted in the last two days."),
        ("aefsync trash photos restore 2024/snow.jpg", "Put it back; what is there now takes its place."),
        ("aefsync trash photos purge --older-than 30d", "Delete what has been there for a month, for good."),
    ),
    "status": (("aefsync status @photos --max-age 26h || mail -s photos root", "For a monitoring system."),),
    "init": (("aefsync init --name desk photos", "Begin a history, and say how this replica is called."),),
    "members": (
        ("aefsync members photos", "Who takes part, and who has been away."),
        ("aefsync members photos forget old-laptop", "One that will not come back is waited for no more."),
    ),
    "conflicts": (
        ("aefsync conflicts photos", "All conflict copies."),
        ("aefsync conflicts photos resolve --all --take newest", "The newest version of each stays."),
    ),
    "runs": (("aefsync runs photos", "What each run did there, newest first."),),
    "undo": (("aefsync undo -n photos nas:photos last", "What it would take to undo the last run."),),
    "demo": (("aefsync demo", "Two replicas that differ, compared and repaired."),),
    "deploy": (("aefsync deploy me@nas", "Put an agent on a host that has Python 3.11."),),
    "doctor": (
        ("aefsync doctor nas:photos", "Why it does not work, and what to do."),
        ("aefsync doctor /mnt/disk", "What a disk can store, and how many watches are left."),
    ),
    "agent": (
        (
            'command="aefsync agent --root /srv/p",restrict ssh-ed25519 AAAA...',
            "A line of authorized_keys: a key for one directory.",
        ),
    ),
}
"""For each command, lines of a shell and what they are for."""

RELATED: Mapping[str, str] = {
    "diff": "repair digest",
    "repair": "diff watch conflicts undo trash schedule",
    "watch": "repair schedule status",
    "gossip": "members repair watch",
    "schedule": "repair watch",
    "scrub": "repair status trash",
    "digest": "diff",
    "trash": "undo runs scrub",
    "status": "members conflicts scrub",
    "init": "repair members",
    "members": "gossip status init",
    "conflicts": "repair undo",
    "runs": "undo trash",
    "undo": "runs trash",
    "demo": "diff repair",
    "deploy": "doctor agent",
    "doctor": "deploy",
    "agent": "deploy doctor",
}
"""The commands whose pages are to be seen as well."""
