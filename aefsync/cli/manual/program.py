"""# DESCRIPTION

aefsync makes two or more copies of a directory tree agree again, on local disks and over SSH.  It builds a hash tree
over each **replica** where it lies, compares the trees level by level, decides for each path that differs which version
wins, moves only what the receiver lacks, and puts each file in place, verified, in one step.  What is replaced or
deleted is kept.  `aefsync`(7) says how, for those who have to trust it.

    aefsync diff A B           say what differs; change nothing
    aefsync repair A B         make them agree
    aefsync watch A B          keep them so
    aefsync undo A B last      take the last run back

# LOCATIONS

Replicas are called A, B, C ... in the order given.

`PATH` :: A directory of this machine.  One that has a colon before any slash is written `./a:b`.

`[user@]host:path` :: One on a host, by way of `ssh`, relative to the home of the login unless it is absolute.  The
host needs aefsync on its PATH, or an agent that `aefsync deploy` puts there; there is no silent fall-back.

`ssh://[user@]host[:port]/path` :: The same; `ssh://host/~/path` is relative to the home.

`sftp://[user@]host[:port]/path` :: One on a host without aefsync.  What has to be read travels; what it remembers
is fetched, and sent back where it has changed.  It cannot be scrubbed.

`@name` :: All replicas of a set of the configuration.

# FILTERS

Patterns are those of `gitignore`(5); of several that match the last one counts.  They come from `.aefsyncignore` in the
root of each replica (all of these hold for all replicas), then the configuration, then the command line.  What is left
out is unmanaged: not compared, not copied, never deleted, also with `--mirror`.

# OUTPUT

The result goes to stdout and everything else to stderr; where there is nothing to say, nothing is printed.  Names are
printed escaped where they hold control characters or bytes that are no UTF-8; `diff -0` prints them raw.

With `--json` each line is an object whose `event` says what it is, and the last one is always the `summary`, with
`exit_code` and all `causes` of it.  `mtime_ns` is a text, since it is larger than what many programs can tell apart;
names that are no UTF-8 have `path_b64` as well.

# GUARDS

A run stops before it changes anything (exit code 5) where a root that was known is missing, empty or another one;
where it would delete more than `--max-delete`; where two large trees have hardly a path in common; where there is not
enough room; where the filters leave nothing.  The message names the option that allows it this once.

# ENVIRONMENT

`AEFSYNC_OPTION` :: Stands for the long option of that name: `AEFSYNC_CACHE_DIR` for `--cache-dir`.  Flags are `1` or
`0`.  Never from here, nor from the configuration: `--allow-*`, `--mirror`, `--no-trash`, `--path`,
`--accept-new-host-key`.

`NO_COLOR` :: No colours, unless `--color` says so.

`XDG_CACHE_HOME`, `XDG_STATE_HOME`, `XDG_CONFIG_HOME`, `HOME` :: Where the files below are.

`AEFSYNC_TRACEBACK` :: Where an internal error happened, for a report of it.

# FILES

`ROOT/.aefsync/` :: What a replica remembers, its trash and what is on its way; made by the first run that writes there.
It is never part of the tree.  See `aefsync-format`(5).

`ROOT/.aefsyncignore` :: Patterns of what is left out.

`$XDG_CONFIG_HOME/aefsync/config.toml` :: The configuration, described below.

`$XDG_CACHE_HOME/aefsync/` :: Indexes of roots that have no `.aefsync/`, lists of chunks, agents that were deployed.  It
may be deleted at any time.

`$XDG_STATE_HOME/aefsync/` :: Which root was last seen where, and where members are reached from here.

# CONFIGURATION

A file in TOML.  `[defaults]` and each set may hold any long option, without its dashes:

    [defaults]
    max-delete = "10%"
    exclude = ["*.tmp"]

    [sets.photos]
    replicas = ["~/photos", {name = "nas", location = "nas:photos"}]
    on-change = "/usr/local/bin/tell"

    [[sets.photos.rules]]
    glob = "*.xmp"
    conflicts = "newest"

`@photos` stands for the replicas of that set then; its options hold where it is named.  Rules say what becomes of
conflicts on some paths, the last one that fits a path wins; `--conflicts` on the command line means all paths.

What is on the command line wins, then the environment, the set, the defaults.  Filters add up.
"""

from __future__ import annotations

from collections.abc import Sequence

from aefsync.cli import exits
from aefsync.cli.catalogue import HELP, Listed, Option
from aefsync.cli.manual.commands import option_item, see_also
from aefsync.cli.manual.roff import body, escaped, head, marked

EXAMPLES = """\
# EXAMPLES

Two directories, for the first time and ever after:

    aefsync diff photos /mnt/disk/photos
    aefsync repair photos /mnt/disk/photos

Each night, from cron; `aefsync schedule` prints this line, and units for systemd:

    0 3 * * * aefsync repair -q photos nas:photos

A set of the configuration, repaired, and looked after by a monitoring system:

    aefsync repair @photos
    aefsync status @photos --max-age 26h
"""

_VERSION = Option(("-V", "--version"), "", "Say which version this is.")


def program_page(commands: Sequence[Listed], version: str) -> str:
    """aefsync(1)."""
    parts = [head("aefsync", 1, version)]
    parts.append('.SH "NAME"\naefsync \\- make replicas of a directory tree agree\n')
    parts.append('.SH "SYNOPSIS"\n.B aefsync\n\\fICOMMAND\\fR [\\fIOPTIONS\\fR] \\fIREPLICA\\fR ...\n')
    description, _, rest = (__doc__ or "").partition("# LOCATIONS")
    parts += [body(description), '.SH "COMMANDS"\n', *map(_command, commands)]
    parts.append('.SH "OPTIONS"\nThose of a command are on its page.\n')
    parts += [option_item(_VERSION), option_item(HELP), body(f"# LOCATIONS{rest}"), '.SH "EXIT STATUS"\n']
    parts.append(f"Those of \\fBdiff\\fR and \\fBstatus\\fR:\n{_exits('diff')}.PP\nThose of all others:\n{_exits('')}")
    pages = [f"aefsync-{each.name}(1)" for each in commands]
    parts += [body(EXAMPLES), see_also(*pages, "aefsync-format(5)", "aefsync(7)")]
    return "".join(parts)


def _command(listed: Listed) -> str:
    names = ", ".join(f"\\fB{escaped(name)}\\fR" for name in (listed.name, *listed.aliases))
    return f".TP\n{names} {escaped(listed.operands)}\n{marked(listed.says)}\n"


def _exits(command: str) -> str:
    return "".join(f".TP\n\\fB{codes}\\fR\n{marked(meaning)}\n" for codes, meaning in exits.table(command))
