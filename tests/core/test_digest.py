from __future__ import annotations

from aefsync.core import digest
from aefsync.core.digest import ENTRY_DIGEST, META, NODE_DIGEST, PUBLIC_KEY

ROW = bytes(range(META))
CONTENT = bytes(range(32))


def entry_digest(prefix: bytes = b"", name: bytes = b"a", row: bytes = ROW) -> bytes:
    return digest.entry_digests(prefix, [name], [row], [CONTENT])


def test_content_digest_is_plain_blake3() -> None:
    assert digest.content_digest(b"").hex() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


def test_content_hasher_agrees_with_the_digest_of_the_whole() -> None:
    for threads in (False, True):
        hasher = digest.content_hasher(threads=threads)
        hasher.update(b"ab")
        hasher.update(b"c")
        assert hasher.digest() == digest.content_digest(b"abc")


def test_entry_digest_depends_on_everything_in_it() -> None:
    digests = {
        entry_digest(),
        entry_digest(b"d\0"),
        entry_digest(name=b"b"),
        entry_digest(row=bytes(META)),
        digest.entry_digests(b"", [b"a"], [ROW], [bytes(32)]),
    }
    assert len(digests) == 5
    assert {len(each) for each in digests} == {ENTRY_DIGEST}


def test_entry_digest_is_of_the_whole_key() -> None:
    assert entry_digest(b"a\0b\0", b"c") != entry_digest(b"a\0", b"b-c")
    assert entry_digest(b"a\0", b"b") != entry_digest(b"", b"ab")


def test_entry_digest_is_the_same_for_ever() -> None:
    assert entry_digest().hex() == "f1d19e16cc75ba68cc8244a3153bfc66"


def test_node_digest_is_keyed_and_does_not_see_where_slices_end() -> None:
    whole = digest.node_digest([b"abc"], PUBLIC_KEY)
    assert digest.node_digest([b"a", memoryview(b"bc")], PUBLIC_KEY) == whole
    assert digest.node_digest([b"abc"], bytes(32)) != whole
    assert len(digest.node_digest([b"abc"], PUBLIC_KEY, 16)) == 16


def test_short_digests_are_one_for_each_entry() -> None:
    entries = bytes(range(ENTRY_DIGEST * 3))
    short = digest.short_digests(entries, PUBLIC_KEY)
    assert len(short) == 3 * NODE_DIGEST
    assert digest.short_digests(entries[ENTRY_DIGEST:], PUBLIC_KEY) == short[NODE_DIGEST:]
    assert digest.short_digests(entries, bytes(32)) != short


def test_framed_digest_sees_where_parts_end() -> None:
    assert digest.framed_digest([b"a", b"bc"], 8) != digest.framed_digest([b"ab", b"c"], 8)
