"""Accepting: files that are rot, or suspect, are taken for what they are; what they should be is forgotten."""

from __future__ import annotations

from aefsync.core.digest import content_digest
from aefsync.core.entry import Entry
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.problem import Problem, reason_of
from aefsync.core.version import Dot, Version, explicit, minted
from aefsync.core.view import STAT
from aefsync.disk.building import directory_path
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.hashing import Seen
from aefsync.disk.rereading import Moved, open_anew, reread
from aefsync.disk.scan import Scanner
from aefsync.disk.sidecar import Sidecar
from aefsync.disk.verified import Verified
from aefsync.disk.verifying import Verifying, rows_of


class Edit(NamedTuple):
    """A file that counts as edited: as it was remembered, and as it is."""

    before: Entry
    found: Entry

    def version(self, known: Version, dot: Dot) -> Version:
        """Its version from now on, the one that it had being `known`."""
        return Version(minted(explicit(known, self.before), dot), dot.author)


def accept(
    root: ConfinedRoot, scanner: Scanner, sidecar: Sidecar | None, verified: Verified, path: RelPath
) -> Edit | Problem:
    """Have index and pages say what is in a file."""
    prefix = path.prefix
    scanner.materialise({prefix})
    for key, page, here in scanner.pages.holding(prefix, {path.name}):
        for row in rows_of(key[1], page):
            if row.position in here:
                seen = Seen._make(STAT.unpack(row.shown.stat)[1:])
                try:
                    with root.directory(directory_path(prefix)) as directory:
                        opened = open_anew(directory, path.name, row.size)
                    content = reread(opened, seen, content_digest, lambda size: None)
                except Moved:
                    return Problem(path, "changed since the scan")
                except OSError as error:
                    return Problem(path, reason_of(error))
                record = Verifying(prefix, scanner.index, sidecar, verified).record(row) or row.shown
                scanner.replace(key, page.with_contents({row.position: content}).sealed(prefix))
                verified.clear(path)
                return Edit(record.entry(path), row.shown.entry(path)._replace(content=content))
    return Problem(path, "vanished")
