"""Compression where it pays, and nothing larger than it may be."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.wire.compression import LEAST, PROBE, Packer, unpack

NOISE = random.Random(1).randbytes(10 * PROBE)
TEXT = b"".join(b"line %d of many\n" % number for number in range(20_000))


@given(st.binary(max_size=300), st.integers(1, 300))
def test_what_was_packed_comes_out_again(block: bytes, times: int) -> None:
    payload = block * times
    packed = Packer().pack((payload[:100], payload[100:]))
    assert packed is None or (len(packed) < len(payload) and unpack(packed, len(payload)) == payload)


def test_text_pays_and_noise_does_not() -> None:
    packer = Packer()
    assert len(packer.pack((TEXT,)) or TEXT) < len(TEXT) / 4
    assert packer.pack((b"head", NOISE)) is None
    assert packer.pack((NOISE[:1000],)) is None
    assert packer.pack((bytes(LEAST - 2), b"x")) is None
    assert packer.pack((bytes(LEAST - 1), b"x")) is not None


def test_a_long_payload_is_judged_by_its_middle() -> None:
    # The rest is not even tried: it would cost more than it could gain.
    assert Packer().pack((b"head", bytes(4 * PROBE) + NOISE + bytes(4 * PROBE))) is None


def test_no_more_comes_out_than_may() -> None:
    packed = Packer().pack((bytes(1000),))
    assert packed is not None
    assert unpack(packed, 1000) == bytes(1000)
    with pytest.raises(ValueError, match="more than 999"):
        unpack(packed, 999)
    with pytest.raises(ValueError, match="damaged"):
        unpack(packed + b"x", 1000)
    with pytest.raises(ValueError, match="damaged"):
        unpack(packed[:-1], 1000)
    with pytest.raises(ValueError, match="damaged"):
        unpack(b"", 1000)
