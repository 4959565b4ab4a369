from __future__ import annotations

import os

import pytest

from aefsync.disk.building import Limits
from aefsync.disk.filter import Filter
from aefsync.errors import UsageError
from tests.disk.ground import Ground


@pytest.mark.parametrize(
    ("rules", "path", "directory", "excluded"),
    [
        ((), b"a", False, False),
        (("*.o",), b"a.o", False, True),
        (("*.o",), b"deep/down/a.o", False, True),
        (("*.o", "!keep.o"), b"keep.o", False, False),
        (("!keep.o", "*.o"), b"keep.o", False, True),
        (("/build",), b"build", True, True),
        (("/build",), b"sub/build", True, False),
        (("build/",), b"build", True, True),
        (("build/",), b"build", False, False),
        (("doc/**/x",), b"doc/a/b/x", False, True),
        (("caf\udce9*",), b"caf\xe9.txt", False, True),
        (("*",), b"new\nline", False, True),
        (("\\#a",), b"#a", False, True),
    ],
)
def test_rules(rules: tuple[str, ...], path: bytes, directory: bool, excluded: bool) -> None:
    assert Filter(rules).excludes(path, is_directory=directory) is excluded


def test_the_digest_tells_rules_apart() -> None:
    digests = [Filter(rules).digest for rules in ((), ("a",), ("b",), ("a", "b"), ("b", "a"), ("ab",), ("a", "", "b"))]
    assert digests[0] == b""
    assert len(set(digests)) == len(digests)
    assert Filter(("a", "b")).digest == Filter(["a", "b"]).digest


@pytest.mark.parametrize("rule", ["!", "/"])
def test_a_bad_pattern_is_a_usage_error(rule: str) -> None:
    try:
        Filter(("a", rule))
    except UsageError as error:
        assert repr(rule) in error.message


def test_a_scan_leaves_out_what_is_filtered_and_all_below(ground: Ground) -> None:
    for path in (b"a.o", b"a.c", b"build/x/y", b"sub/b.o", b"sub/build"):
        ground.write(path, path)
    os.mkdir(ground.place(b"gone.o"))
    limits = Limits(Filter(("*.o", "/build/")))
    assert set(ground.look(limits=limits)) == {b"a.c", b"sub", b"sub/build"}
    scanner = ground.scanner(limits=limits)
    for path, unmanaged in ((b"a.o", True), (b"build/x/y", True), (b"build", True), (b"sub/build", False)):
        assert scanner.is_unmanaged(path) is unmanaged


def test_other_rules_do_not_take_over_each_others_pages(ground: Ground) -> None:
    from aefsync.disk.index import Index
    from tests.disk.ground import later

    index = Index(os.fspath(ground.path.parent / "index.db"))
    for path in (b"a.o", b"a.c", b"sub/b.o", b"sub/b.c"):
        ground.write(path, path)
    everything = {b"a.o", b"a.c", b"sub", b"sub/b.o", b"sub/b.c"}
    for _ in range(2):
        assert set(ground.look(index, clock_ns=later)) == everything
        assert set(ground.look(index, Limits(Filter(("*.o",))), clock_ns=later)) == {b"a.c", b"sub", b"sub/b.c"}
        assert set(ground.look(index, Limits(Filter(("*",))), clock_ns=later)) == set()
    index.close()
