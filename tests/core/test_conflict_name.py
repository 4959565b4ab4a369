from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.conflict_name import conflict_name, original_name
from aefsync.core.digest import framed_digest
from aefsync.core.path import RelPath
from tests.core.test_path import NAMES

C = bytes(range(32))
SECOND = 10**9
TAIL = re.compile(rb"\.conflict-[-\d]\d{7,}T\d{6}Z-[0-9a-f]{8}")


def stamp(mtime_ns: int) -> bytes:
    return conflict_name(b"a", b"", mtime_ns, C).split(b"-", 1)[1].rsplit(b"-", 1)[0]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        (b"a.txt", b"a#.txt"),
        (b"a", b"a#"),
        (b"a.tar.gz", b"a.tar#.gz"),
        (b".bashrc", b".bashrc#"),
        (b".config.json", b".config#.json"),
        (b"..a", b"..a#"),
        (b"a.", b"a#."),
        (b"a..b", b"a.#.b"),
        (b"caf\xe9.txt", b"caf\xe9#.txt"),
        (b"new\nline.txt", b"new\nline#.txt"),
        (b"a." + b"x" * 40, b"a." + b"x" * 40 + b"#"),
        ("日本.語".encode(), "日本#.語".encode()),
    ],
)
def test_shape(name: bytes, shape: bytes) -> None:
    assert TAIL.sub(b"#", conflict_name(name, b"", 0, C)) == shape


@pytest.mark.parametrize(
    ("mtime_ns", "text"),
    [
        (1795342272 * SECOND + 999_999_999, b"20261122T101112Z"),
        (0, b"19700101T000000Z"),
        (-1, b"19691231T235959Z"),
        (951_782_400 * SECOND, b"20000229T000000Z"),
        (-(2**63), b"16770921T001243Z"),
        (2**63 - 1, b"22620411T234716Z"),
        (253_402_300_800 * SECOND, b"100000101T000000Z"),
        (-62_167_219_200 * SECOND, b"00000101T000000Z"),
        (-62_167_219_201 * SECOND, b"-0011231T235959Z"),
    ],
)
def test_the_mtime_in_utc(mtime_ns: int, text: bytes) -> None:
    assert stamp(mtime_ns) == text


def test_the_tag_is_of_author_content_and_name() -> None:
    tag = framed_digest([b"author", C, b"a.txt"], 4).hex().encode()
    assert conflict_name(b"a.txt", b"author", 0, C) == b"a.conflict-19700101T000000Z-" + tag + b".txt"
    names = {
        conflict_name(b"a.txt", b"", 0, C),
        conflict_name(b"a.txt", b"x", 0, C),
        conflict_name(b"a.txt", b"", 0, bytes(32)),
    }
    assert len(names) == 3


@pytest.mark.parametrize(
    "name", ["語".encode() * 85, "🙂".encode() * 63 + b".txt", b"x" * 255, b"\xfa" * 255, b"\x80" * 255]
)
def test_a_long_name_is_cut(name: bytes) -> None:
    copy = conflict_name(name, b"", 0, C)
    assert 252 <= len(copy) <= 255
    assert name.startswith(copy[: copy.index(b".conflict-")])
    if name[:1] not in (b"\xfa", b"\x80"):
        assert copy.decode().endswith(".txt" if name.endswith(b".txt") else copy.decode()[-8:])


def test_names_that_are_cut_alike_still_differ() -> None:
    assert conflict_name(b"x" * 254 + b"1", b"", 0, C) != conflict_name(b"x" * 254 + b"2", b"", 0, C)


def test_a_copy_of_a_copy_is_another_copy_of_the_original() -> None:
    copy = conflict_name(b"a.txt", b"", 0, C)
    assert conflict_name(copy, b"", 5 * SECOND, C) == conflict_name(b"a.txt", b"", 5 * SECOND, C)


@pytest.mark.parametrize(
    "name",
    [
        b"a.txt",
        b"a.conflict.txt",
        b"a.conflict-20261122T101112Z-1f3a.txt",
        b"a.conflict-20261122-1f3a5b7c.txt",
        b".conflict-20261122T101112Z-1f3a5b7c.txt",
        b"a.conflict-20261122T101112Z-1F3A5B7C",
        b"a.conflict-20261122T101112Z-1f3a5b7c.tar.gz",
    ],
)
def test_what_is_no_conflict_copy(name: bytes) -> None:
    assert original_name(name) == name


def test_a_nested_name_is_stripped_to_the_bottom() -> None:
    one = b".conflict-20261122T101112Z-1f3a5b7c"
    assert original_name(b"a" + one + one + b".txt") == b"a.txt"


@given(st.one_of(NAMES, st.binary(min_size=200, max_size=255)), st.binary(max_size=4), st.integers(), st.binary())
def test_always_a_good_name(name: bytes, author: bytes, mtime_ns: int, content: bytes) -> None:
    if set(name) & {0, 0x2F} or abs(mtime_ns) > 2**80:
        return
    copy = conflict_name(name, author, mtime_ns, content)
    assert RelPath(copy).name == copy
    assert conflict_name(copy, author, mtime_ns, content)[:4] == copy[:4]
    if len(name) < 150:
        assert original_name(copy) == original_name(name)
