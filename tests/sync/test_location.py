"""What a user may write for a replica, and what is refused with a hint."""

from __future__ import annotations

import pytest

from aefsync.errors import UsageError
from aefsync.sync.location import Location, parse

LOCAL = [
    "a",
    ".",
    "/",
    "/srv/data",
    "./a:b",
    "/a:b",
    "dir/a:b",
    "../x",
    " ",
    "-rf",
    "a@b",
    "./@set",
    "caf\udce9",
    "~",
    "a//b",
]

REFUSED = {
    "": "empty",
    "a\0b": "NUL",
    "@laptops": "./@laptops",
    "@": "./@",
    "host:path": "./host:path",
    "host:": "over SSH",
    "me@host:path": "over SSH",
    "me@[::1]:path": "over SSH",
    "[fe80::1]:/srv": "over SSH",
    "ssh://host/path": "over SSH",
    "sftp://me@host:22/path": "over SSH",
    "a:b": "./a:b",
}


@pytest.mark.parametrize("text", LOCAL)
def test_a_directory_of_this_machine(text: str) -> None:
    assert parse(text) == Location(text, text.encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_directory_of_this_machine_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert REFUSED[text] in caught.value.message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", [text for text in REFUSED if REFUSED[text].startswith("./")])
def test_what_the_message_proposes_works(text: str) -> None:
    assert parse(REFUSED[text]).path == REFUSED[text].encode()
