"""Movable elsewhere: whether a directory can be renamed as a whole, as `disk/movable` has it."""

from __future__ import annotations

from collections.abc import Sequence

from aefsync.core.files import Lstat, Statfs, Volume, ask
from aefsync.core.path import RESERVED
from aefsync.core.renamed import Rename
from aefsync.disk.building import directory_path
from aefsync.disk.far.root import FarRoot
from aefsync.disk.movable import holds_what_is_known, moved_prefixes
from aefsync.disk.scan import Scanner


def are_movable(root: FarRoot, scanner: Scanner, renames: Sequence[Rename]) -> list[bool]:
    """Whether each of these renames may be done: never, where the far side does not tell file systems apart."""
    if not root.files.abilities.volumes:
        return [False] * len(renames)
    pairs = zip(renames, moved_prefixes(scanner, renames), strict=True)
    return [_is_movable(root, scanner, rename, prefixes) for rename, prefixes in pairs]


def _is_movable(root: FarRoot, scanner: Scanner, rename: Rename, prefixes: Sequence[bytes]) -> bool:
    if not prefixes or not all(holds_what_is_known(scanner, prefix) for prefix in prefixes):
        return False
    places = [root.at(directory_path(prefix)) for prefix in prefixes]
    homes = ask(root.files, *[Lstat(place + b"/" + RESERVED) for place in places])
    above = [root.at(path) for path in (*rename.new.ancestors, b"")]
    volumes = ask(root.files, *map(Statfs, (*places, *above)))
    numbers = {volume.number for volume in volumes if isinstance(volume, Volume)}
    return len(numbers) == 1 and all(isinstance(home, FileNotFoundError) for home in homes)
