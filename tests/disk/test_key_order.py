from __future__ import annotations

import stat

from hypothesis import strategies as st

from aefsync.core.digest import ENTRY_DIGEST
from aefsync.core.snapshot import CONTENT
from aefsync.core.view import STAT
from aefsync.disk.blocks import assemble
from aefsync.disk.key_order import pages_of, runs
from aefsync.disk.page import Page, PageKey
from aefsync.disk.pages import Pages

NAMES = st.lists(st.binary(min_size=1, max_size=3).filter(lambda name: not set(name) & {0, 47}), unique=True)


def page(names: list[bytes], directories: tuple[int, ...] = ()) -> Page:
    kinds = [stat.S_IFDIR if index in directories else stat.S_IFREG for index in range(len(names))]
    stats = b"".join(STAT.pack(kind, 0, 0, 0, 1) for kind in kinds)
    count, joined = len(names), b"\0".join(names)
    taken = bytes([1]) * ENTRY_DIGEST * count
    return Page(joined, stats, bytes(CONTENT * count), bytes(count), taken, directories, joined, stats, b"")


def known(pages: dict[PageKey, Page]) -> Pages:
    found = Pages()
    found.update(pages)
    return found


def paged(prefix: bytes, names: list[bytes], size: int) -> dict[PageKey, Page]:
    names = sorted(names)
    return {(prefix, low // size): page(names[low : low + size]) for low in range(0, max(1, len(names)), size)}


def test_a_page_with_others_in_its_midst_is_cut_and_one_without_shares_its_columns() -> None:
    whole, cut = page([b"a", b"bb", b"c"]), page([b"a", b"bb", b"c", b"dd"], (1, 2))
    blocks = assemble(known({(b"", 0): cut, (b"bb\0", 0): whole, (b"c\0", 0): whole}))
    assert [block.names for block in blocks] == [b"a\0bb", b"a\0bb\0c", b"c", b"a\0bb\0c", b"dd"]
    assert [block.prefix for block in blocks] == [b"", b"bb\0", b"", b"c\0", b""]
    assert all(block.names is whole.names for block in blocks if block.length == 3)
    assert all(block.stats is whole.stats for block in blocks if block.length == 3)
    assert [(block.prefix, block.length, len(block.stats)) for block in blocks][::2] == [
        (b"", 2, 2 * STAT.size),
        (b"", 1, STAT.size),
        (b"", 1, STAT.size),
    ]


def test_what_lies_below_a_directory_follows_it() -> None:
    pages = {
        (b"", 0): page([b"a", b"d"], (1,)),
        (b"", 1): page([b"e", b"f"]),
        (b"d\0", 0): page([b"x"]),
        (b"d\0", 1): page([b"y"]),
    }
    order = [((b"", 0), 0, 2), ((b"d\0", 0), 0, 1), ((b"d\0", 1), 0, 1), ((b"", 1), 0, 2)]
    assert list(runs(pages)) == order
    assert [block.names for block in assemble(known(pages))] == [b"a\0d", b"x", b"y", b"e\0f"]
    assert [block.names for block in assemble(known(pages))[1:3]] == [b"x", b"y"]
    assert [key for key, _ in pages_of(pages, b"d\0")] == [(b"d\0", 0), (b"d\0", 1)]
