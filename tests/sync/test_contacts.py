"""Where members are reached from here: kept by replica, and damage is no obstacle."""

from __future__ import annotations

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
