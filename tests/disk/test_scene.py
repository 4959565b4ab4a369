"""Files with several names: what this run does under one of them is no edit of the others."""

from __future__ import annotations

import os

from aefsync.core.action import Act, Action, Applied
from aefsync.core.metadata import PLAIN
from aefsync.core.path import RelPath
from tests.disk.ground import Site, pass_the_step

NAMES = (b"one", b"three", b"two")


def several(site: Site) -> None:
    """One file with these names, and then nothing for a while."""
    site.write(b"one", b"old")
    for name in NAMES[1:]:
        os.link(site.place(b"one"), site.place(name))
    pass_the_step()


def test_all_names_of_a_file_are_replaced_and_deleted(site: Site) -> None:
    several(site)
    found = {name: site.entry(name) for name in NAMES}
    actions = [Action(Act.COPY, RelPath(name), site.staged(name, b"new " + name), found[name]) for name in NAMES[:2]]
    actions += [Action(Act.DELETE, RelPath(b"two"), None, found[b"two"])]
    assert site.applier.apply(actions) == Applied((True,) * 3, (), ())
    assert {name: site.read(name) for name in site.names()} == {b"one": b"new one", b"three": b"new three"}


def test_their_times_are_set_and_they_are_moved(site: Site) -> None:
    several(site)
    found = {name: site.entry(name) for name in NAMES}
    late = {name: entry._replace(mtime_ns=10**18, mode=0o600) for name, entry in found.items()}
    actions = [Action(Act.METADATA, RelPath(name), late[name], found[name]) for name in NAMES[:2]]
    site.applier._scene.aspects = PLAIN._replace(links=True)
    assert site.applier.apply(actions).problems == ()
    assert {site.mode(name) for name in NAMES} == {0o600}
    found = {name: site.entry(name) for name in NAMES}
    moves = [
        Action(Act.MOVE, RelPath(b"to " + name), found[name]._replace(path=RelPath(b"to " + name)), found[name],
               RelPath(name))
        for name in NAMES
    ]  # fmt: skip
    assert site.applier.apply(moves) == Applied((True,) * 3, (), ())


def test_what_is_set_under_one_name_is_not_set_under_the_others(site: Site) -> None:
    several(site)
    found = site.entry(b"three")
    wanted = found._replace(mtime_ns=10**18, mode=0o600)
    assert site.applier.apply([Action(Act.METADATA, found.path, wanted, found)]) == Applied((True,), (), ())
    assert {name: (site.mode(name), site.read(name)) for name in NAMES} == {
        b"one": (0o644, b"old"),
        b"three": (0o600, b"old"),
        b"two": (0o644, b"old"),
    }
    assert os.stat(site.place(b"three")).st_mtime_ns == 10**18
    assert site.read(b".aefsync/trash/run/replaced/three") == b"old"


def test_an_edit_in_between_is_still_seen(site: Site) -> None:
    several(site)
    found = {name: site.entry(name) for name in NAMES}
    first, second = (Action(Act.COPY, RelPath(name), site.staged(name, b"new"), found[name]) for name in NAMES[:2])
    assert site.applier.apply([first]).problems == ()
    os.chmod(site.place(b"two"), 0o600)
    applied = site.applier.apply([second])
    assert [problem.reason for problem in applied.problems] == ["changed since the scan"]
    assert site.read(b"three") == b"old"
