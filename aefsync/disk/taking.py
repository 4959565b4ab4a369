"""Taking: the snapshot put together from what a scan found, as the metadata that counts in the session asks for it."""

from __future__ import annotations

from collections.abc import Sequence

from aefsync.core.entry import Entry
from aefsync.core.metadata import PLAIN, Aspects
from aefsync.core.path import RelPath
from aefsync.core.problem import FOLDED, Problem
from aefsync.core.snapshot import Block, Snapshot
from aefsync.core.stores import Folding, collisions
from aefsync.disk.blocks import assemble
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.extras import Extras
from aefsync.disk.linking import linked
from aefsync.disk.reading import materialised
from aefsync.disk.scan import Scanner


class Taking:
    """How snapshots of one root are taken."""

    def __init__(self, root: ConfinedRoot | None = None, aspects: Aspects = PLAIN) -> None:
        self.aspects = aspects
        self._root = root
        self._extras = Extras(root, aspects) if root is not None and aspects.alone.has_extras else None

    def take(self, scanner: Scanner | None) -> Snapshot:
        """The snapshot as it is now; without a scanner, that of nothing."""
        if scanner is None:
            return Snapshot([], aspects=self.aspects)
        pages = materialised(scanner)
        blocks: Sequence[Block] = assemble(pages)
        if self._extras is not None:
            blocks = self._extras.complete(blocks, pages)
        if self._root is not None and self.aspects.links:
            blocks = linked(self._root, list(blocks), scanner.report)
        return Snapshot(blocks, aspects=self.aspects)

    def complete(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """The first of the entries, as many as travel in one message, with what is read only where it is asked for."""
        return entries if self._extras is None else self._extras.with_attributes(entries)

    def report_folded(self, scanner: Scanner) -> None:
        """Report names of one directory that are one name on some replica: nothing is done about them, nor below."""
        folding = Folding(self.aspects.folding)
        if not folding:
            return
        scanner.materialise()
        names: dict[bytes, list[bytes]] = {}
        for block in assemble(scanner.pages):
            names.setdefault(block.prefix, []).extend(block.name_list())
        for prefix, own in names.items():
            for path in collisions((RelPath.from_key(prefix + name) for name in own), folding):
                scanner.report(prefix, Problem(path, FOLDED, subtree=True))
