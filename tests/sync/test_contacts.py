"""Where members are reached from here: kept by replica, and damage is no obstacle."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aefsync.errors import AefsyncError
from aefsync.sync.contacts import Contacts


def test_locations_are_kept_for_each_replica(tmp_path: Path) -> None:
    contacts = Contacts(str(tmp_path / "state"))
    assert contacts.of("a") == {}
    contacts.note("a", "b", "nas:photos")
    contacts.note("a", "c", "/caf\udce9")
    contacts.note("x", "b", "/elsewhere")
    contacts.note("a", "b", "/mnt/b")
    assert contacts.of("a") == {"b": "/mnt/b", "c": "/caf\udce9"}
    contacts.note("a", "b", "")
    assert Contacts(str(tmp_path / "state")).of("a") == {"c": "/caf\udce9"}
    assert contacts.of("x") == {"b": "/elsewhere"}


@pytest.mark.parametrize("text", ["", "[]", '{"locations":[1]}', '{"locations":{"a":1}}'])
def test_damage_is_forgotten(tmp_path: Path, text: str) -> None:
    (tmp_path / "members.json").write_text(text)
    contacts = Contacts(str(tmp_path))
    assert contacts.of("a") == {}
    contacts.note("a", "b", "/b")
    assert contacts.of("a") == {"b": "/b"}


def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    with pytest.raises(AefsyncError, match="no place to keep"):
        Contacts("").note("a", "b", "/b")
    Contacts("").note("a", "b", "")
    (tmp_path / "file").write_text("x")
    with pytest.raises(AefsyncError, match="cannot be kept: File exists"):
        Contacts(str(tmp_path / "file")).note("a", "b", "/b")


def test_sessions_show_where_members_are(tmp_path: Path) -> None:
    contacts = Contacts(str(tmp_path / "state"))
    contacts.learn({"a": "/a", "b": "nas:b", "c": "/c"})
    assert contacts.of("a") == {"b": "nas:b", "c": "/c"}
    assert contacts.of("b") == {"a": "/a", "c": "/c"}
    before = os.stat(tmp_path / "state" / "members.json")
    contacts.learn({"b": "nas:b", "a": "/a"})
    assert os.stat(tmp_path / "state" / "members.json") == before
    contacts.learn({"a": "/moved", "d": "/c"})
    assert contacts.of("a") == {"b": "nas:b", "d": "/c"}
    assert contacts.of("d") == {"a": "/moved"}


def test_what_the_user_says_stands_above_what_sessions_show(tmp_path: Path) -> None:
    contacts = Contacts(str(tmp_path))
    contacts.note("a", "b", "nas:b")
    contacts.note("a", "c", "")
    contacts.learn({"a": "/a", "b": "/mnt/b", "c": "/c"})
    assert contacts.of("a") == {"b": "nas:b"}
    assert contacts.of("c") == {"a": "/a", "b": "/mnt/b"}
    contacts.note("a", "c", "/c")
    assert contacts.of("a") == {"b": "nas:b", "c": "/c"}


def test_nowhere_to_learn(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for place in ("", str(tmp_path / "file")):
        Contacts(place).learn({"a": "/a", "b": "/b"})
        assert Contacts(place).of("a") == {}
