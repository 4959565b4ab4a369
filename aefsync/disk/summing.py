"""Sum a scan up, as a replica tells the coordinator of it."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence

from aefsync.core.digest import ENTRY_DIGEST, PUBLIC_KEY, ROOT_DIGEST, node_digest, node_digests
from aefsync.core.entry import KIND_BITS
from aefsync.core.path import PathError, check_name
from aefsync.core.ports import Scanned
from aefsync.core.problem import Problem
from aefsync.disk.building import KINDS, directory_path
from aefsync.disk.key_order import runs
from aefsync.disk.page import Brief, Page, PageKey, left_out
from aefsync.disk.scan import Scanner

NOTHING = node_digest((), PUBLIC_KEY, ROOT_DIGEST)
"""The root digest of nothing."""


def sum_up(scanner: Scanner | None, root: Callable[[Scanner], bytes] | None = None, *, complete: bool) -> Scanned:
    """What was found; the root digest only where nothing is left to be read, or all that will be read was (`complete`).

    It is what `root` says, or else taken of what counts by default.  Without a scanner: a root that is missing and counts
    as empty.
    """
    if scanner is None:
        return Scanned(NOTHING, 0, 0, 0, 0, 0, ())
    counts = _Counts()
    for _, page in scanner.pages.unsettled():
        counts.add(page)
    # First: to take it may meet with trouble.
    digest = b"" if counts.unread_files and not complete else (root or plain_root)(scanner)
    problems = {problem for found in scanner.problems.values() for problem in found}
    changed = scanner.mounts.changed.items()
    problems |= {Problem(path, reason, subtree=True) for path, reason in changed if path not in scanner.unexamined}
    return Scanned(
        root=digest,
        entries=scanner.entries,
        unread_files=counts.unread_files,
        unread_bytes=counts.unread_bytes,
        excluded=counts.excluded,
        special=counts.special,
        problems=tuple(sorted(problems)),
        unexamined=tuple(sorted(scanner.unexamined)),
        mounts=tuple(sorted(scanner.mounts.found)),
        filtered=tuple(sorted(_filtered(scanner.pages.unsettled()))) if scanner.lists_filtered else (),
    )


def plain_root(scanner: Scanner) -> bytes:
    """The root digest of what a scan found, of what counts by default; every page must be sealed."""
    return roots_of(scanner, lambda key, digests: digests)[0]


def roots_of(scanner: Scanner, *views: Callable[[PageKey, bytes], bytes]) -> list[bytes]:
    """Root digests of all that is compared, taken of the entry digests of pages as each of some views sees them."""
    slices = _slices(scanner, views)
    return node_digests(slices, PUBLIC_KEY, ROOT_DIGEST) or [NOTHING] * len(views)


def _slices(scanner: Scanner, views: Sequence[Callable[[PageKey, bytes], bytes]]) -> Iterator[list[memoryview]]:
    """The entry digests in key order."""
    everything: dict[PageKey, Page | Brief] = {**scanner.briefs, **scanner.pages.known}
    narrowing, last, size = scanner.narrowing, None, ENTRY_DIGEST
    taken: list[memoryview] = []
    for key, low, high in runs(everything):
        if key != last:
            digests = everything[key].digests
            last, taken = key, [memoryview(view(key, digests)) for view in views]
        if narrowing.names(key[0]) is None:
            yield [each[low * size : high * size] for each in taken]
        else:
            chosen = narrowing.chosen(key[0], scanner.pages[key].name_list(), low, high)
            yield from ([each[index * size : (index + 1) * size] for each in taken] for index in chosen)


def _filtered(pages: Iterable[tuple[PageKey, Page]]) -> Iterator[bytes]:
    """The paths that filters leave out, directories with a closing slash."""
    for (prefix, _), page in pages:
        for name, mode in left_out(page):
            with contextlib.suppress(PathError):
                check_name(name)
                if mode & KIND_BITS in KINDS:
                    yield directory_path(prefix + name + b"\0") + (b"/" if stat.S_ISDIR(mode) else b"")


class _Counts:
    """How many files of some pages are not read, and how many bytes they have; how many entries filters leave out, and how
    many are of a kind that is never replicated."""

    def __init__(self) -> None:
        self.unread_files = self.unread_bytes = self.excluded = self.special = 0

    def add(self, page: Page) -> None:
        positions = page.unread()
        self.unread_files += len(positions)
        self.unread_bytes += page.bytes_of(positions)
        for _, mode in left_out(page):
            if mode & KIND_BITS in KINDS:
                self.excluded += 1
            else:
                self.special += 1
