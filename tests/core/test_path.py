from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.path import END, MAX_PATH, PathError, RelPath, check_paths, is_reserved, is_within, subtree_range

NAMES = st.binary(min_size=1, max_size=6).filter(
    lambda name: name not in (b".", b"..") and not set(name) & {0, 0x2F} and not is_reserved(name)
)
PATHS = st.lists(NAMES, min_size=1, max_size=5).map(b"/".join).map(RelPath)


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"/",
        b"/etc/passwd",
        b".",
        b"..",
        b"a/../b",
        b"a/..",
        b"./a",
        b"a//b",
        b"a/",
        b"a\0b",
        b"x" * 256,
        b"a/" + b"x" * 256 + b"/b",
        b"a/" * (MAX_PATH // 2) + b"aa",
        b".aefsync",
        b"a/.aefsync/b",
        b".AEFsync",
        b".aefsync.",
        b".aefsync ",
        b".aefsync::$INDEX_ALLOCATION",
        b".aefsync .:stream",
        b"AEFSYN~1",
        ".aef\u200csync".encode(),
        ".aef\u017fync".encode(),
    ],
)
def test_refused(path: bytes) -> None:
    with pytest.raises(PathError):
        RelPath(path)
    with pytest.raises(PathError):
        check_paths([b"before", path, b"d/behind"])


@pytest.mark.parametrize(
    "path",
    [b"a", b"...", b"..a", b"a\nb", b"\xff\xfe", b"x" * 255, b".aefsyncignore", b"aefsync", b".aefsync-not", b"a/b"],
)
def test_accepted(path: bytes) -> None:
    assert RelPath(path) == path
    found = check_paths([b"before", path, b"d/behind"])
    assert found == [b"before", path, b"d/behind"]
    assert {type(each) for each in found} == {RelPath}


def test_key_with_a_slash_is_refused() -> None:
    with pytest.raises(PathError):
        RelPath.from_key(b"a/b")


@given(PATHS)
def test_key_round_trip(path: RelPath) -> None:
    assert RelPath.from_key(path.key) == path
    assert path.key < END


@given(PATHS, st.lists(PATHS, max_size=20))
def test_a_subtree_is_one_range_of_keys(path: RelPath, others: list[RelPath]) -> None:
    low, high = subtree_range(path.key)
    below = RelPath(path + b"/\x01")
    for other in [*others, path, below]:
        assert (low <= other.key < high) == (other == path or other.is_below(path))


def test_subtree_of_the_root_is_everything() -> None:
    low, high = subtree_range(b"")
    assert low <= RelPath(b"\xff" * 255 + b"/x").key < high


def test_plain_order_of_paths_would_split_a_subtree() -> None:
    paths = [RelPath(b"a"), RelPath(b"a/b"), RelPath(b"a-b"), RelPath(b"ab")]
    assert sorted(paths, key=lambda path: path.key) == paths
    assert sorted(paths) != paths


def test_parts() -> None:
    path = RelPath(b"a/b/c.txt")
    assert (path.name, path.parent, path.ancestors) == (b"c.txt", b"a/b", [b"a", b"a/b"])
    assert (RelPath(b"a").parent, RelPath(b"a").ancestors) == (b"", [])
    assert path.sibling(b"d") == b"a/b/d"
    assert RelPath(b"a").sibling(b"d") == b"d"
    assert path.is_below(b"")
    assert path.is_below(b"a")
    assert not path.is_below(b"a/b/c.txt")
    assert not RelPath(b"ab/c").is_below(b"a")


def test_a_sibling_is_checked() -> None:
    with pytest.raises(PathError):
        RelPath(b"a/b").sibling(b"../c")


def test_text_keeps_odd_bytes() -> None:
    assert str(RelPath(b"caf\xe9")) == "caf\udce9"


@pytest.mark.parametrize(
    ("path", "scope", "expected"),
    [
        (b"d/f", {b"d"}, True),
        (b"d", {b"d"}, True),
        (b"d/e/f", {b"d/e"}, True),
        (b"d", {b"d/e"}, False),
        (b"df", {b"d"}, False),
        (b"f", set(), False),
        (b"f", {b""}, True),
        (b"", {b"f"}, False),
    ],
)
def test_within(path: bytes, scope: set[bytes], expected: bool) -> None:
    assert is_within(path, scope) is expected
