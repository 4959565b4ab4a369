from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.space import Needed, Share, Space, inodes_left, not_enough_space, parse_share, size_text

GB = 10**9


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("1%", Share(100, is_percentage=True)),
        ("0%", Share(0, is_percentage=True)),
        ("0.5%", Share(50, is_percentage=True)),
        ("12.34 %", Share(1234, is_percentage=True)),
        ("100%", Share(10_000, is_percentage=True)),
        ("0", Share(0, is_percentage=False)),
        ("5000", Share(5000, is_percentage=False)),
        ("500M", Share(500 * 10**6, is_percentage=False)),
        ("10GB", Share(10 * GB, is_percentage=False)),
        ("10GiB", Share(10 << 30, is_percentage=False)),
        ("3ki", Share(3 << 10, is_percentage=False)),
    ],
)
def test_shares_are_read(text: str, share: Share) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize("text", ["", "101%", "-1%", "1.234%", "%", "5X", "1.5G", "lots", "5 i"])
def test_other_words_are_no_share(text: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        parse_share(text)


def test_a_share_of_something() -> None:
    assert Share(150, is_percentage=True).of(1000) == 15
    assert Share(150, is_percentage=False).of(1000) == 150
    assert (str(Share(150, is_percentage=True)), str(Share(150, is_percentage=False))) == ("1.5 %", "150 B")


@given(st.integers(0, 10_000), st.integers(0, 1 << 60))
def test_a_percentage_is_never_more_than_the_whole(amount: int, total: int) -> None:
    assert 0 <= Share(amount, is_percentage=True).of(total) <= total


ONE = Share(100, is_percentage=True)


@pytest.mark.parametrize(
    ("needed", "free", "total", "refused"),
    [
        (0, 0, 100 * GB, False),  # nothing is brought: a full disk may stay full
        (1, GB, 100 * GB, True),
        (1, GB + 1, 100 * GB, False),
        (50 * GB, 60 * GB, 100 * GB, False),
        (60 * GB, 60 * GB, 100 * GB, True),
        (50 * GB, 0, 0, False),  # a file system that does not say
    ],
)
def test_room(needed: int, free: int, total: int, refused: bool) -> None:
    assert (not_enough_space("/b", Needed(needed, 1), Space(b"", free, total, 0), ONE) is not None) == refused


def test_what_statvfs_says_of_inodes() -> None:
    endless = (1 << 64) - 1
    said = [(10, 3), (10, 0), (0, 0), (endless, endless)]
    assert [inodes_left(total, free) for total, free in said] == [3, 0, None, None]


@pytest.mark.parametrize(("files", "inodes", "refused"), [(0, 0, False), (5, 5, False), (6, 5, True), (6, None, False)])
def test_room_for_files_whatever_their_size(files: int, inodes: int | None, refused: bool) -> None:
    space = Space(b"", 10 * GB, 10 * GB, 0, inodes)
    assert (not_enough_space("/b", Needed(0, files), space, ONE) is not None) == refused


def test_what_the_refusal_says() -> None:
    tight = not_enough_space("/b", Needed(99 * GB, 1), Space(b"", int(99.5 * GB), 100 * GB, 3 * GB), ONE)
    assert tight is not None
    assert tight.message == (
        "/b: expected room for 99.0 GB with 1 % of 100.0 GB left free, but 99.5 GB are free "
        "(its trash holds 3.0 GB: aefsync trash /b purge --older-than 1d); to allow it: --min-free 0%"
    )
    hopeless = not_enough_space("/b", Needed(2 * GB, 1), Space(b"", GB, 100 * GB, 0), Share(0, is_percentage=False))
    assert hopeless is not None
    assert hopeless.message == "/b: expected room for 2.0 GB with 0 B of 100.0 GB left free, but 1.0 GB are free"
    crowded = not_enough_space("/b", Needed(1, 12_000), Space(b"", GB, GB, 0, 9_999), ONE)
    assert crowded is not None
    assert crowded.message == "/b: expected room for 12,000 files, but there are inodes for 9,999 more"


def test_sizes_as_text() -> None:
    assert [size_text(size) for size in (999, 1000, 10**15)] == ["999 B", "1.0 kB", "1000.0 TB"]
