"""# DESCRIPTION

What aefsync keeps in a replica and beside it, and what two of its processes say to each other, for whoever has to look
into it by hand, or to write a program that does.  Numbers are little endian unless something else is said; digests are
BLAKE3.  Most of this page is taken from the source, where `words like these` are names of its modules.

What is a cache may be deleted at any time, and what is damaged is noticed by a checksum and made anew.  What is no
cache is the sidecar, the id, the journals and the trash.

# PATHS AND DIGESTS

{core.path}

{core.digest}

{core.tree}

# THE DIRECTORY .aefsync

`id` :: What the root is known by: 32 hex digits.

`sidecar.db` :: Versions, tombstones and members.  Not a cache.

`index.db` :: What the last scan saw.  A cache.

`lock`, `lease` :: Who writes now.

`runs/RUN` :: The journal of a run.  Not a cache.

`trash/RUN/replaced/PATH`, `trash/RUN/deleted/PATH` :: What a run replaced or deleted.

`quarantine/RUN/rot/PATH`, `quarantine/RUN/returned/PATH` :: What was damaged, and what only a member had that was away for
long.  Nothing ages there.

`stores` :: What was found by trying that this file system can store, where its kind does not tell.  A cache.

`scrub.db` :: What scrubs have verified.  A cache.

`tmp/RUN/` :: Files on their way.  Empty after a run that came to its end.

`intents/RUN`, `modes/RUN`, `settings/RUN`, `annexes` :: See below.

RUN is the time of the run in UTC, and four hex digits of a second: `20261122T101112Z-1f3a`.

# SIDECAR

{disk.sidecar}

## From afar

{disk.far.sidecar}

## Records

{disk.records}

## Versions

{disk.vectors}

{core.version}

## Members

{core.members}

# INDEX

{disk.index}

## Pages

{disk.page}

# JOURNALS

{disk.journal}

# TRASH

{disk.trash}

{disk.retention}

# INTENTS

{disk.intents}

# MODES

{disk.modes}

# SETTINGS

{disk.half_set}

# ANNEXES

{disk.annexes}

# LEASES

{disk.far.lease}

# LISTS OF CHUNKS

{disk.chunk_lists}

{core.recipe}

# STATE

{sync.known}

{sync.contacts}

{sync.state_file}

# ON THE WIRE

{wire.codec}

## Messages

{wire.messages}

{wire.packing}

# FORMATS OF OTHER VERSIONS

A sidecar of a newer version stops the run before anything is changed; an index of another version is made anew.  Two
sides whose protocols do not fit say so in one line, with which of them to upgrade (exit code 8).
"""

from __future__ import annotations

from aefsync.cli.manual.commands import see_also
from aefsync.cli.manual.quoting import quoted
from aefsync.cli.manual.roff import body, head


def formats_page(version: str) -> str:
    """aefsync-format(5)."""
    name = '.SH "NAME"\naefsync\\-format \\- what aefsync keeps in replicas, and speaks to its agents\n'
    others = see_also("aefsync(1)", "aefsync(7)", "b3sum(1)", "sqlite3(1)")
    return head("aefsync-format", 5, version) + name + body(quoted(__doc__ or "")) + others
