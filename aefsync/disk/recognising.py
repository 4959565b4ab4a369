"""Recognising: which directories are as they were recorded, told by their seals, without a look at anything in them."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from aefsync.core.named_tuple import NamedTuple
from aefsync.disk.building import directory_path
from aefsync.disk.chronicle import Chronicle, Numbered, seal_of
from aefsync.disk.key_order import keys_of
from aefsync.disk.page import Brief, Page, PageKey
from aefsync.disk.pages import Pages
from aefsync.disk.scan import Scanner
from aefsync.disk.sidecar import Head
from aefsync.disk.vectors import FIRST, packed, unpacked

Found = Mapping[PageKey, Page | Brief]


class Recognised(NamedTuple):
    """The directories that are not known: those to be looked into, with their pages of records, those that are not
    there, and those that nothing is recorded of."""

    changed: dict[bytes, list[Head]]
    absent: list[bytes]
    new: set[bytes]


def recognise(chronicle: Chronicle, scanner: Scanner, doubtful: Collection[bytes]) -> Recognised:
    """Compare what a scan found with the seals; a directory that is `doubtful` is never known by its seal."""
    found: Found = {**scanner.briefs, **scanner.pages.known}
    new = {directory for (directory, _), each in found.items() if each.length}
    changed: dict[bytes, list[Head]] = {}
    absent: list[bytes] = []
    for own in _directories(chronicle.sidecar.heads() if chronicle.sidecar is not None else ()):
        directory = own[0].directory
        new.discard(directory)
        if (directory, 0) not in found:
            absent.append(directory)
        elif directory in doubtful or not is_known(chronicle, found, own):
            changed[directory] = own
    return Recognised(changed, absent, new)


def _directories(heads: Iterable[Head]) -> Iterator[list[Head]]:
    """The pages of records of each directory."""
    own: list[Head] = []
    for head in heads:
        if head.first:
            own.append(head)
        else:
            if own:
                yield own
            own = [head]
    if own:
        yield own


def is_known(chronicle: Chronicle, found: Found, heads: Sequence[Head]) -> bool:
    """Whether a directory is as its records have it; if so, the versions of its entries are those that were recorded."""
    if not heads or not heads[0].seal:
        return False
    directory, seal = heads[0].directory, heads[0].seal
    pages = [found[key] for key in keys_of(found, directory)]
    if any(page.is_flagged for page in pages):
        return False
    if seal != seal_of(pages, [head.versions for head in heads]):
        return False
    if len(pages) == len(heads) == 1:
        chronicle.pages[directory, 0] = Numbered(heads[0].versions, None, pages[0].digests)
        return True
    numbers, low = array("I"), 0
    for head in heads:
        numbers += unpacked(head.versions, head.length)
    for number, page in enumerate(pages):
        chronicle.pages[directory, number] = Numbered(packed(numbers[low : low + page.length]), None, page.digests)
        low += page.length
    return True


def align(chronicle: Chronicle, scanner: Scanner) -> None:
    """Give versions to their entries again where some of these have vanished since they were judged, or others have come.

    That what vanished is gone was not judged: it is unexamined, lest it be taken for what only the others have.
    """
    moved = {key[0] for key in chronicle.pages if not _is_in_place(chronicle, scanner, key)}
    scanner.materialise(moved)
    for directory in moved:
        known = dict(_named(chronicle, scanner.pages, directory))
        for key in keys_of(chronicle.pages, directory):
            del chronicle.pages[key]
        for key in keys_of(scanner.pages, directory):
            page = scanner.pages[key]
            numbers = array("I", [known.pop(name, FIRST) for name in page.name_list()])
            chronicle.pages[key] = Numbered(packed(numbers), page.names)
        scanner.unexamined.update(directory_path(directory + name + b"\0") for name in known)


def _is_in_place(chronicle: Chronicle, scanner: Scanner, key: PageKey) -> bool:
    """Whether a page is still the one that its versions belong to."""
    numbered = chronicle.pages[key]
    found = scanner.pages.known.get(key) or scanner.briefs.get(key)
    if found is None or numbered.fits(found):
        return found is not None
    if key not in scanner.pages or numbered.names is None:
        return False
    if scanner.pages.names(numbered.names) != scanner.pages[key].names:
        return False
    # It was put away: from now on it need not be read to be known again.
    chronicle.pages[key] = numbered._replace(digests=found.digests)
    return True


def _named(chronicle: Chronicle, pages: Pages, directory: bytes) -> Iterator[tuple[bytes, int]]:
    """The versions of what was shown of a directory, by name."""
    numbered = [chronicle.pages[key] for key in keys_of(chronicle.pages, directory)]
    if any(each.names is None for each in numbered):
        assert chronicle.sidecar is not None
        for head in chronicle.sidecar.heads_of(directory):
            yield from ((name, each.version) for name, each in chronicle.sidecar.records(directory, head.first).each())
    for each in numbered:
        if each.names:
            names = pages.names(each.names).split(b"\0")
            yield from zip(names, unpacked(each.versions, len(names)), strict=True)
