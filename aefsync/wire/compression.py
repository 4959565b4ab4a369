"""zstd for frames, where it pays; the one door to zstandard."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

WORD = "zstd"
"""What a greeting says of a peer that takes compressed frames."""

LEAST = 256
"""Bytes below which nothing is gained."""
PROBE = 16 << 10
"""Bytes of a longer payload that are tried first."""
WORTH = 0.9
"""What is left must be less than this part."""
LEVEL = 1
MAX_WINDOW = 8 << 20


class Packer:
    """Compresses payloads; one thread at a time."""

    def __init__(self) -> None:
        self._compress = _zstandard().ZstdCompressor(level=LEVEL).compress

    def pack(self, parts: Sequence[bytes | memoryview]) -> bytes | None:
        """A payload that comes in parts, compressed; `None` where that does not pay: content is often compressed already."""
        longest = max(parts, key=len)
        if len(longest) > 2 * PROBE:
            middle = (len(longest) - PROBE) // 2
            if len(self._compress(longest[middle : middle + PROBE])) > WORTH * PROBE:
                return None
        payload = b"".join(parts)
        if len(payload) < LEAST:
            return None
        packed: bytes = self._compress(payload)
        return packed if len(packed) < WORTH * len(payload) else None


def unpack(packed: bytes | memoryview, limit: int) -> bytes:
    """The payload again; raises `ValueError` where it is none, or would be more than `limit` bytes.

    The size stands at the head and is looked at before anything is allocated; a frame that has more in it than it says
    is refused by the decoder.
    """
    zstandard = _zstandard()
    try:
        head = zstandard.get_frame_parameters(packed)
        if head.content_size > limit:
            raise ValueError(f"compressed frame of unknown size, or more than {limit} bytes")
        decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
        payload: bytes = decompressor.decompress(packed, max_output_size=head.content_size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(f"damaged compressed frame: {error}") from error
    return payload


@functools.cache
def _zstandard() -> Any:
    import zstandard

    return zstandard
