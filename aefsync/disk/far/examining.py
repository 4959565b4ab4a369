"""Examine a root elsewhere, changing nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator

from aefsync.core.files import Statfs, Volume, ask
from aefsync.core.finding import Finding, State
from aefsync.core.space import size_text
from aefsync.disk.far.home import FarHome
from aefsync.disk.far.root import FarRoot

FINE, NOTE, TROUBLE = State.FINE, State.NOTE, State.TROUBLE


def examine(root: FarRoot | None, home: FarHome | None) -> Iterator[Finding]:
    """What is found, as far as SFTP tells of it."""
    if root is None:
        yield Finding("root", NOTE, "no such directory yet", "repair makes it, if what it is to be in is there")
        return
    yield Finding("root", FINE, os.fsdecode(root.path))
    lacking = [
        text
        for text, offered in (
            ("fsync: nothing there is made durable", root.files.abilities.sync),
            ("lsetstat: symlinks are left alone", root.files.abilities.link_times),
            ("statvfs: room is not known, and no directory is renamed as a whole", root.files.abilities.volumes),
            (
                "posix-rename: files of others cannot be replaced, and no versions are kept",
                root.files.abilities.replace,
            ),
        )
        if not offered
    ]
    yield Finding(
        "server", NOTE if lacking else FINE, f"lacks {'; '.join(lacking)}" if lacking else "offers all that is used"
    )
    (volume,) = ask(root.files, Statfs(root.path)) if root.files.abilities.volumes else (None,)
    if isinstance(volume, Volume):
        free = f"{size_text(volume.free_bytes)} free of {size_text(volume.total_bytes)}"
        yield Finding("space", FINE, free)
        if volume.read_only:
            yield Finding("writing", TROUBLE, "read-only file system", "mount it writable, or compare only")
    holder = home.lease.holder if home is not None else ""
    if holder:
        yield Finding("lock", NOTE, f"another run is at work on this root ({holder})")
    yield Finding(".aefsync", FINE, "there" if home is not None else "made by the first repair")
