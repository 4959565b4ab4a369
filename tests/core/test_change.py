"""Changes: what actions come to, and that the inverse of the inverse is the change itself."""

from __future__ import annotations

import pytest
from hypothesis import given

from aefsync.core.action import Act, Action
from aefsync.core.change import Change, Did, change_of
from aefsync.core.entry import UNKNOWN, Entry, Kind
from aefsync.core.path import RelPath
from tests.support.values import actions, changes

PATH, OLD = RelPath(b"x"), RelPath(b"old")


def file(path: RelPath = PATH, content: bytes = b"1" * 32) -> Entry:
    return Entry(path, Kind.FILE, 0o644, 3, 1, 0, 0, content)


@pytest.mark.parametrize(
    ("action", "change"),
    [
        (Action(Act.CREATE, PATH, file(), None), Change(Did.CREATED, PATH, None, file())),
        (Action(Act.MKDIR, PATH, file(), None), Change(Did.CREATED, PATH, None, file())),
        (Action(Act.LINK, PATH, file(), None), Change(Did.CREATED, PATH, None, file())),
        (Action(Act.LINK, PATH, file(), file()), Change(Did.REPLACED, PATH, file(), file())),
        (Action(Act.COPY, PATH, file(), file()), Change(Did.REPLACED, PATH, file(), file())),
        (Action(Act.METADATA, PATH, file(), file()), Change(Did.METADATA, PATH, file(), file())),
        (Action(Act.METADATA, PATH, file(), None), None),
        (Action(Act.MOVE, PATH, file(), file(OLD), OLD), Change(Did.MOVED, PATH, file(OLD), file(), OLD)),
        (Action(Act.DELETE, PATH, None, file()), Change(Did.DELETED, PATH, file(), None)),
    ],
)
def test_what_an_action_changes(action: Action, change: Change | None) -> None:
    assert change_of(action) == change


def test_what_was_staged_is_known() -> None:
    unread = Action(Act.CREATE, PATH, file(content=UNKNOWN), None)
    assert change_of(unread, b"2" * 32) == Change(Did.CREATED, PATH, None, file(content=b"2" * 32))
    assert change_of(unread) == Change(Did.CREATED, PATH, None, file(content=UNKNOWN))


@given(changes())
def test_taking_back_what_was_taken_back(change: Change) -> None:
    assert change.inverse.inverse == change


@given(actions())
def test_an_undone_action_ends_where_it_began(action: Action) -> None:
    change = change_of(action)
    if change is not None:
        assert (change.inverse.after, change.inverse.before) == (change.before, change.after)
