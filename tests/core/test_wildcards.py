from __future__ import annotations

import contextlib
import re
import signal
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from aefsync.core.patterns import parse_patterns
from aefsync.core.wildcards import bounded

pieces = st.sampled_from(["a", "b", ".", "*", "*", "?", "[ab]", "[a-]", r"\*", "/", "/", "**", "/**/", "!"])
lines = st.lists(pieces, min_size=1, max_size=9).map("".join).filter(lambda line: line.strip("!/"))
names = st.text("ab.*-", min_size=1, max_size=6)
paths = st.lists(names, min_size=1, max_size=6).map("/".join)


def found(regex: re.Pattern[str], path: str) -> tuple[bool, bool]:
    """Whether it fits, and whether a directory above was what it stands for."""
    match = regex.search(path)
    return match is not None, bool(match and match.groupdict().get("ps_d"))


@given(lines, st.lists(paths | paths.map(lambda path: path + "/"), min_size=1, max_size=20))
def test_lines_mean_what_they_meant(line: str, some: list[str]) -> None:
    plain, _ = GitIgnoreSpecPattern.pattern_to_regex(line)
    if plain is not None:
        ours = re.compile(bounded(plain), re.DOTALL)
        assert [found(ours, path) for path in some] == [found(re.compile(plain), path) for path in some]


@contextlib.contextmanager
def within(seconds: int) -> Iterator[None]:
    """Have what takes more of this process's time end with an exception."""

    def late(number: int, frame: object) -> None:
        raise TimeoutError("it goes on for ever")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


NAME, DEEP = b"a" * 255, b"/".join([b"a"] * 2000)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("*a" * 20 + "*b", NAME),
        ("*" * 200 + "b", NAME),
        ("*?" * 30 + "b", NAME),
        ("*[a-z]" * 30 + "*b", NAME),
        ("[a-z]*" * 30 + "b", NAME),
        ("a/**/" * 20 + "b", DEEP),
        ("**/a/" + "a/**/" * 20 + "b", DEEP),
        ("a/**/" + "*a" * 20 + "*b/**/c", b"a/" + b"/".join([NAME] * 15)),
        ("*a" * 2000 + "b", NAME),
    ],
)
def test_no_line_takes_for_ever(line: str, path: bytes) -> None:
    """Tried one after the other, the places at which their wildcards might end are more than 10 ** 12."""
    with within(20):
        assert not parse_patterns([line]).fit(path)


@pytest.mark.parametrize(
    ("line", "path", "fits"),
    [
        ("a[!b]c", b"a/c", False),
        ("a[+-9]c", b"a/c", False),
        ("a[!b]c", b"axc", True),
        ("a*[!b]*c", b"a/x/c", False),
        ("[[:x]]", b"[]", True),
        ("[a&&b~~]", b"&", True),
        ("build", b"with\na line/build", True),
        ("a/**/b", b"a/with\na line/b", True),
        ("build", b"build\n", False),
        ("a?b", b"a\nb", True),
    ],
)
def test_what_is_as_in_git_and_not_as_in_pathspec(line: str, path: bytes, *, fits: bool) -> None:
    assert parse_patterns([line]).fit(path) is fits


def test_a_line_that_no_path_can_need_is_refused() -> None:
    with pytest.raises(ValueError, match=r"bad pattern 'aaaaaaaaaaaaaaaaaaaa'…: of more than 4096 characters"):
        parse_patterns(["a" * 4097])


@pytest.mark.parametrize("regex", [".", "/", "(?P<ps_d>/)", "^(x)[^/]*a[^/]*", "^a{2}|[^/]*", "^(?:.+/)?[", ""])
def test_what_pathspec_does_not_write_stays(regex: str) -> None:
    assert bounded(regex) == regex
