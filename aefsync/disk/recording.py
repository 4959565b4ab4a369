"""After the actions: what was touched made durable and looked at again, its contents known without reading."""

from __future__ import annotations

import os
from collections.abc import Iterable

from aefsync.core.entry import UNKNOWN, Entry
from aefsync.core.path import RelPath
from aefsync.core.view import STAT
from aefsync.disk import syscalls
from aefsync.disk.building import directory_path
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.page import Page
from aefsync.disk.scan import Scanner
from aefsync.disk.staging import FEW

Placed = dict[RelPath, Entry]
"""What a run put at each path, content included."""


def make_directories_durable(root: ConfinedRoot, prefixes: Iterable[bytes]) -> None:
    """Make the renames in these directories durable."""
    directories = list(prefixes)
    if len(directories) > FEW:
        syscalls.syncfs(root.fd)
        return
    for prefix in directories:
        try:
            fd = root.open_directory(directory_path(prefix))
        except OSError:
            continue
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def complete_placed(scanner: Scanner, prefixes: Iterable[bytes], placed: Placed) -> None:
    """Fill in the contents of files that were placed and that still show the stat they were given."""
    for prefix in prefixes:
        page = scanner.pages[prefix]
        names = page.name_list()
        directory = directory_path(prefix)
        found = {}
        for index in page.unread():
            entry = placed.get(RelPath(directory + b"/" + names[index] if directory else names[index]))
            if entry is not None and entry.content != UNKNOWN and _shows(page, index, entry):
                found[index] = entry.content
        if found:
            scanner.replace(prefix, page.with_contents(found))


def _shows(page: Page, index: int, entry: Entry) -> bool:
    _, size, mtime_ns, _, _ = STAT.unpack_from(page.stats, index * STAT.size)
    return bool(size == entry.size and mtime_ns == entry.mtime_ns)
