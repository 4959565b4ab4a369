from __future__ import annotations

import os

import pytest

from aefsync.core.metadata import Namespaces
from aefsync.disk import xattrs
from aefsync.disk.xattrs import digest_of, namespaces_of, place_in, read_attributes, set_attributes
from tests.disk.ground import Ground


def test_attributes_are_set_and_no_others_left(ground: Ground) -> None:
    ground.write(b"f")
    place = place_in(ground.root.fd, b"f")
    wanted = ((b"user.a", b"1"), (b"user.b", b"\0\xff"))
    set_attributes(place, ((b"user.b", b"old"), (b"user.c", b"gone")), Namespaces.USER)
    set_attributes(place, wanted, Namespaces.USER)
    assert read_attributes(place, Namespaces.USER) == wanted
    set_attributes(place, (), Namespaces.USER)
    assert read_attributes(place, Namespaces.USER) == ()


def test_what_does_not_count_is_not_touched(ground: Ground) -> None:
    ground.write(b"f")
    place = place_in(ground.root.fd, b"f")
    os.setxattr(place, "user.kept", b"1")
    set_attributes(place, ((b"trusted.x", b"1"),), Namespaces.USER)
    assert read_attributes(place, Namespaces.ALL) == ()


def test_a_symlink_is_not_followed(ground: Ground) -> None:
    ground.write(b"f")
    os.setxattr(ground.place(b"f"), "user.a", b"1")
    os.symlink(b"f", ground.place(b"l"))
    assert read_attributes(place_in(ground.root.fd, b"l"), Namespaces.ALL) == ()


def test_digests() -> None:
    assert digest_of(()) == b""
    assert len(digest_of(((b"user.a", b""),))) == 16
    assert digest_of(((b"user.a", b"b"),)) != digest_of(((b"user.ab", b""),))


@pytest.mark.parametrize("number", [95, 1])
def test_a_file_system_without_any(ground: Ground, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refused(*_: object, **__: object) -> bytes:
        raise OSError(number, "refused")

    monkeypatch.setattr(xattrs.os, "getxattr", refused)
    monkeypatch.setattr(xattrs.os, "listxattr", refused)
    assert namespaces_of(ground.root.fd) is Namespaces.NONE
    assert read_attributes(place_in(ground.root.fd, b"."), Namespaces.ALL) == ()
    monkeypatch.delattr(xattrs.os, "getxattr")
    assert namespaces_of(ground.root.fd) is Namespaces.NONE
