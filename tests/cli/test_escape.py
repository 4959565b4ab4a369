"""Nothing raw reaches a terminal, and no two names print alike."""

from __future__ import annotations

import json
import re
import unicodedata
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.cli.escape import escape, escape_json, escape_text
from aefsync.core.path import PathError, RelPath
from aefsync.sync.events import Conflicted, Notice, Started
from tests.cli.scripted import DIFF, acted, human, json_bytes, only_a, only_b, summary, troubled

UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

odd = st.sampled_from(
    [b"\x1b[31m", b"\n", b"\r", b"\x07", b"\xff", b"\xc2\x9b", "\u202e".encode(), "\u2066".encode(), b"[bold]", b"\\"]
)
pieces = st.one_of(odd, st.text(min_size=1, max_size=5).map(lambda text: text.encode("utf-8", "replace")), st.binary())


@st.composite
def paths(draw: st.DrawFn) -> RelPath:
    name = b"".join(draw(st.lists(pieces, min_size=1, max_size=4))).replace(b"\0", b"_")[:200].strip(b"/") or b"x"
    try:
        return RelPath(re.sub(b"/+", b"/", name))
    except PathError:
        return RelPath(b"x")


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        (b"plain name.txt", "plain name.txt"),
        ("größe 日本".encode(), "größe 日本"),
        (b"a\x1b[2Jb", r"a\x1b[2Jb"),
        (b"a\nb\tc\r", r"a\nb\tc\r"),
        (b"a\\b", r"a\\b"),
        (b"a\xffb", r"a\xffb"),
        (b"\xed\xa0\x80", r"\xed\xa0\x80"),
        ("a\u0085b\u202ec".encode(), r"a\u0085b\u202ec"),
        (b"[red]x[/red]", "[red]x[/red]"),
        (b"\x7f", r"\x7f"),
    ],
)
def test_names(name: bytes, printed: str) -> None:
    assert escape(name) == printed


def test_messages_keep_their_backslashes() -> None:
    assert escape_text("a\\b\x1b \udcff") == r"a\b\x1b \xff"


@given(st.binary(), st.binary())
def test_two_names_never_print_alike(one: bytes, other: bytes) -> None:
    assert (escape(one) == escape(other)) == (one == other)


@given(st.text())
def test_json_keeps_its_value(text: str) -> None:
    line = escape_json(json.dumps(text, ensure_ascii=False))
    assert json.loads(line) == text


@given(st.lists(paths(), min_size=1, max_size=4), st.text(max_size=20))
def test_nothing_raw_reaches_the_terminal(names: list[RelPath], reason: str) -> None:
    events = [
        DIFF,
        *(event for name in names for event in (only_a(name), only_b(name), troubled(1, name, reason))),
        *(acted("move", name, 0, 1, old=name) for name in names),
        *(Conflicted(name, "keep-both", 0, name, reason) for name in names),
        Notice(reason, warning=True),
        summary(1),
    ]
    printed = human(events, itemize=True, verbose=1)
    for stream in (printed.out.decode(), printed.err):
        assert not UNSAFE.search(stream.replace("\n", ""))
        assert not any(unicodedata.category(character) == "Cc" for character in stream if character != "\n")


@given(paths(), st.text(max_size=20))
def test_json_is_valid_and_the_path_recoverable(name: RelPath, reason: str) -> None:
    location = name.decode("utf-8", "surrogateescape")
    events = [Started("diff", (location, "b")), only_a(name), troubled(0, name, reason), summary()]
    data = json_bytes(events)
    assert not UNSAFE.search(data.decode().replace("\n", ""))
    for line in map(json.loads, data.decode().splitlines()):
        if "path" in line:
            found = b64decode(line["path_b64"]) if "path_b64" in line else line["path"].encode()
            assert found == name
    start = json.loads(data.splitlines()[0])["replicas"][0]
    given_location = b64decode(start["location_b64"]) if "location_b64" in start else start["location"].encode()
    assert given_location == name
