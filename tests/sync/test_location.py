"""What a user may write for a replica, where it leads, and what is refused with a hint."""

from __future__ import annotations

import pytest

from aefsync.errors import UsageError
from aefsync.sync.location import Location, parse
from aefsync.wire.login import Login

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
    "a b:c",
    ":x",
]

HOST = Login("host")
ELSEWHERE = {
    "host:path": (HOST, b"path"),
    "host:": (HOST, b"."),
    "host:.": (HOST, b"."),
    "host:/": (HOST, b"/"),
    "host:/srv/a b": (HOST, b"/srv/a b"),
    "host:~": (HOST, b"."),
    "host:~/x": (HOST, b"x"),
    "host:~//x": (HOST, b"x"),
    "host:a:b": (HOST, b"a:b"),
    "host:a\nb": (HOST, b"a\nb"),
    "host:$(id)`id`'\"": (HOST, b"$(id)`id`'\""),
    "host:caf\udce9": (HOST, b"caf\xe9"),
    "host:-rf": (HOST, b"-rf"),
    "me@host:x@y": (Login("host", "me"), b"x@y"),
    "me@corp@host:x": (Login("host", "me@corp"), b"x"),
    "10.0.0.1:x": (Login("10.0.0.1"), b"x"),
    "[::1]:x": (Login("::1"), b"x"),
    "me@[fe80::1%eth0]:/srv": (Login("fe80::1%eth0", "me"), b"/srv"),
    "ssh://host": (HOST, b"."),
    "ssh://host/": (HOST, b"/"),
    "ssh://host/srv/x": (HOST, b"/srv/x"),
    "ssh://host/~": (HOST, b"."),
    "ssh://host/~/x": (HOST, b"x"),
    "ssh://host/a%20b%ff": (HOST, b"/a b\xff"),
    "ssh://me@host:2222/x": (Login("host", "me", 2222), b"/x"),
    "ssh://[::1]:22/x": (Login("::1", None, 22), b"/x"),
}

REFUSED = {
    "": "empty",
    "a\0b": "NUL",
    "host:a\0b": "NUL",
    "ssh://host/a%00b": "NUL",
    "@laptops": "./@laptops",
    "@": "./@",
    "sftp://": "no host",
    "sftp://me:secret@host/x": "no host",
    "ssh://": "no host",
    "ssh://host:port/x": "no host",
    "ssh://me:secret@host/x": "no host",
    "ssh://host:0/x": "no port",
    "ssh://host:65536/x": "no port",
    "-oProxyCommand=id:x": "no name of a host",
    "ssh://-oProxyCommand=id/x": "no name of a host",
    "-l@host:x": "no name of a user",
    "h$(id):x": "no name of a host",
    "h`id`:x": "no name of a host",
    "h;id:x": "no name of a host",
    "u'@host:x": "no name of a user",
    "[]:x": "no name of a host",
    "host:~root/x": "home of another user",
    "ssh://host/~root/x": "home of another user",
}


@pytest.mark.parametrize("text", LOCAL)
def test_a_directory_of_this_machine(text: str) -> None:
    assert parse(text) == Location(text, text.encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("text", ELSEWHERE)
def test_a_directory_of_another_machine(text: str) -> None:
    login, path = ELSEWHERE[text]
    assert parse(text) == Location(text, path, login)


def test_sftp_is_asked_for_by_its_name_only() -> None:
    for text, path in {"sftp://me@host:22/x%20y": b"/x y", "sftp://me@host:22/~/x": b"x"}.items():
        assert parse(text) == Location(text, path, Login("host", "me", 22), agentless=True)
    assert not parse("ssh://host/x").is_served_here
    assert parse("sftp://host/x").is_served_here


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert REFUSED[text] in caught.value.message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", [text for text in REFUSED if REFUSED[text].startswith("./")])
def test_what_the_message_proposes_works(text: str) -> None:
    assert parse(REFUSED[text]).path == REFUSED[text].encode()
