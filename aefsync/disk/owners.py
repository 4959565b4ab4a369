"""Owners: names for the numbers of this machine, and numbers for the names of another."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable
from functools import cache

from aefsync.core.metadata import Owner


class OwnerNames:
    """Looks each number up once; with `numeric` none at all."""

    def __init__(self, *, numeric: bool) -> None:
        self._user = cache(_nameless if numeric else _user_of)
        self._group = cache(_nameless if numeric else _group_of)
        self.owner: Callable[[int, int], Owner] = cache(self._owner)
        """The owner with these numbers, always the same object."""

    def _owner(self, uid: int, gid: int) -> Owner:
        return Owner(uid, gid, self._user(uid), self._group(gid))


def _nameless(_: int) -> bytes:
    return b""


def _user_of(uid: int) -> bytes:
    try:
        return os.fsencode(pwd.getpwuid(uid).pw_name)
    except (KeyError, OverflowError):
        return b""


def _group_of(gid: int) -> bytes:
    try:
        return os.fsencode(grp.getgrgid(gid).gr_name)
    except (KeyError, OverflowError):
        return b""


def numbers_of(owner: Owner) -> tuple[int, int]:
    """User and group id here: by name, and where there is no such name, as they are elsewhere."""
    uid, gid = owner.uid, owner.gid
    if owner.user:
        try:
            uid = pwd.getpwnam(os.fsdecode(owner.user)).pw_uid
        except KeyError:
            pass
    if owner.group:
        try:
            gid = grp.getgrnam(os.fsdecode(owner.group)).gr_gid
        except KeyError:
            pass
    return uid, gid
