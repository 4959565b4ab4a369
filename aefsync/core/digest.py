"""BLAKE3 in the forms that replicas exchange; the package's one door to it.

Content digest: plain BLAKE3-256, so that `b3sum` shows the same.  Entry digest: 16 bytes over the key and everything
that must agree.  Node digest: keyed BLAKE3 over a slice of the entry digests; the key is a session's nonce, so that
nobody can prepare two trees that look equal, or fixed for the root digest that people see.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence

from blake3 import blake3

ENTRY_DIGEST = 16
NODE_DIGEST = 8
ROOT_DIGEST = 16
KEY_SIZE = 32
PUBLIC_KEY = b"aefsync root digest, version 1.."

META = 24
_ENTRY_DOMAIN = b"aefsync entry 1\0"
_LENGTH = struct.Struct("<Q")
_SHORT = [_LENGTH.pack(length) for length in range(64)]


def content_digest(data: bytes | memoryview) -> bytes:
    """BLAKE3-256 of a content held in memory."""
    return blake3(data).digest()


def content_digester() -> Callable[[bytes | memoryview], bytes]:
    """`content_digest`, cheaper where it is called again and again."""
    hasher = blake3()
    start_over, update, digest = hasher.reset, hasher.update, hasher.digest

    def taken(data: bytes | memoryview) -> bytes:
        start_over()
        update(data)
        return digest()

    return taken


def content_hasher(*, threads: bool = False) -> blake3:
    """An incremental content hasher; `threads` lets it use every core for large blocks."""
    return blake3(max_threads=blake3.AUTO if threads else 1)


def entry_digests(prefix: bytes, names: Iterable[bytes], metas: Iterable[bytes], contents: Iterable[bytes]) -> bytes:
    """The entry digests, 16 bytes each, of entries of one directory.

    `prefix` is the key of the directory with a closing NUL (empty for the root); `metas` holds the kind and metadata
    of each as the view sees it, `META` bytes long, `contents` 32 bytes each, and behind them what else counts.
    """
    size, head, taken = ENTRY_DIGEST, _ENTRY_DOMAIN + prefix, list[bytes]()
    # A hasher that starts over costs half of what a new one does.
    hasher = blake3()
    start_over, update, digest, add = hasher.reset, hasher.update, hasher.digest, taken.append
    for name, meta, content in zip(names, metas, contents, strict=True):
        start_over()
        update(head + name + b"\0" + meta + content)
        add(digest(size))
    return b"".join(taken)


def node_digest(slices: Iterable[bytes | memoryview], key: bytes, size: int = NODE_DIGEST) -> bytes:
    """Keyed digest of the concatenation of `slices`."""
    hasher = blake3(key=key)
    for part in slices:
        hasher.update(part)
    return hasher.digest(size)


def node_digests(slices: Iterable[Sequence[bytes | memoryview]], key: bytes, size: int = NODE_DIGEST) -> list[bytes]:
    """The same of several arrays at once, of each of which a slice comes at a time; of none where nothing comes."""
    hashers: list[blake3] = []
    for parts in slices:
        hashers = hashers or [blake3(key=key) for _ in parts]
        for hasher, part in zip(hashers, parts, strict=True):
            hasher.update(part)
    return [hasher.digest(size) for hasher in hashers]


def short_digests(digests: bytes | memoryview, key: bytes) -> bytes:
    """`NODE_DIGEST` keyed bytes for each of the entry digests of a leaf."""
    step = ENTRY_DIGEST
    cuts = range(0, len(digests), step)
    return b"".join([blake3(digests[i : i + step], key=key).digest(NODE_DIGEST) for i in cuts])


def framed_digest(parts: Iterable[bytes], size: int) -> bytes:
    """Digest of some byte strings, each framed by its length."""
    short, pack = _SHORT, _LENGTH.pack
    sized = ((len(part), part) for part in parts)
    framed = b"".join([piece for size, part in sized for piece in (short[size] if size < 64 else pack(size), part)])
    return blake3(framed).digest(size)
