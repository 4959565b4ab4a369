from __future__ import annotations

import grp
import os
import pwd

from aefsync.core.metadata import Owner
from aefsync.disk.owners import OwnerNames, numbers_of

NOBODY_HAS = 3_999_999_999


def test_numbers_get_their_names() -> None:
    names = OwnerNames(numeric=False)
    root = names.owner(0, 0)
    assert root == Owner(0, 0, os.fsencode(pwd.getpwuid(0).pw_name), os.fsencode(grp.getgrgid(0).gr_name))
    assert names.owner(0, 0) is root
    assert names.owner(NOBODY_HAS, NOBODY_HAS) == Owner(NOBODY_HAS, NOBODY_HAS)
    assert OwnerNames(numeric=True).owner(0, 0) == Owner(0, 0)


def test_names_get_the_numbers_that_they_have_here() -> None:
    root = OwnerNames(numeric=False).owner(0, 0)
    assert numbers_of(root._replace(uid=5, gid=6)) == (0, 0)
    assert numbers_of(Owner(5, 6, b"no such user", b"no such group")) == (5, 6)
    assert numbers_of(Owner(5, 6)) == (5, 6)
    assert numbers_of(Owner(5, 6, b"\xff", b"\xff")) == (5, 6)
