"""Files with several names in whole runs: what a run does to one of them makes no trouble with the others.

Each change of one name moves the ctime that all share, of which the plan of the run knows nothing yet.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aefsync.core.identity import Allowed
from aefsync.core.metadata import PLAIN
from aefsync.core.policy import Policies
from aefsync.core.silent import Silent
from aefsync.core.writing import Writing
from aefsync.sync.events import Summary, Troubled
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from aefsync.sync.session import Session
from tests.support.trees import SECOND, judge, one_file, tree
from tests.sync.joined import threads


def another_name(a: Path, b: Path) -> None:
    """A file gets another name where it is deleted by the old one on the other side."""
    for root in (a, b):
        (root / "two").unlink()
    run(a, b)
    os.link(a / "one", a / "two")
    (b / "one").unlink()


def one_of_them_in_the_way(a: Path, b: Path) -> None:
    """A file that was edited has to make room for a directory, by one of its names."""
    (a / "two").write_text("edited")
    (b / "one").unlink()
    tree(b, {"one/inside": "x"})


def one_of_them_in_conflict(a: Path, b: Path) -> None:
    """A file that was edited is replaced on the other side, by one of its names."""
    (a / "two").write_text("edited")
    (b / "one").unlink()
    tree(b, {"one": "a file of its own, and later"}, mtime_ns=(a / "two").stat().st_mtime_ns + SECOND)


def one_deleted_the_other_replaced(_: Path, b: Path) -> None:
    for name in ("one", "two"):
        (b / name).unlink()
    (b / "two").write_text("replaced")


def another_name_in_conflict(a: Path, b: Path) -> None:
    """A file gets another name where there is a file of its own on the other side, which is older."""
    tree(a, {"three": "a file of its own"})
    (b / "one").write_text("edited, and later")
    os.link(b / "one", b / "three")


def all_at_once(a: Path, b: Path) -> None:
    """What becomes another name of a file is in conflict; of that file one name is deleted and another one made."""
    for root in (a, b):
        tree(root, {"three": "a file of its own"})
    run(a, b)
    (a / "three").unlink()
    os.link(a / "one", a / "three")
    tree(b, {"three": "edited, and later"}, mtime_ns=(a / "one").stat().st_mtime_ns + SECOND)
    (b / "two").unlink()
    os.link(b / "one", b / "plus")
    (b / "another").unlink()


CONFLICTS = [one_of_them_in_the_way, one_of_them_in_conflict, another_name_in_conflict, all_at_once]
STORIES = [another_name, one_deleted_the_other_replaced, *CONFLICTS]


def run(a: Path, b: Path, *, links: bool = False, keeps_trash: bool = True) -> tuple[int, list[str]]:
    """The exit code of a repair, and what it had trouble with."""
    common = Request((str(a), str(b)), allowed=Allowed(empty_root=True), aspects=PLAIN._replace(links=links))
    asked = RepairRequest(common, max_delete="100%", writing=Writing(keeps_trash=keeps_trash), policies=Policies())
    with threads():
        events = list(repair(asked, Silent()))
    assert isinstance(events[-1], Summary)
    return events[-1].exit_code, [event.problem.reason for event in events if isinstance(event, Troubled)]


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("keeps_trash", [True, False])
@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("direct", [True, False])
def test_one_run_is_enough(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    story: Callable[[Path, Path], None],
    direct: bool,
    links: bool,
    keeps_trash: bool,
) -> None:
    roots = [tree(tmp_path / name, {"one": "old", "another": "x"}) for name in "ab"]
    for root in roots:
        os.link(root / "one", root / "two")
    if not direct:
        monkeypatch.setattr(Session, "peer", lambda *_: None)
    assert run(*roots) == (0, [])
    story(*roots)
    assert run(*roots, links=links, keeps_trash=keeps_trash) == (int(story in CONFLICTS), [])
    assert judge(*roots) == []
    assert not links or one_file(roots[0]) == one_file(roots[1])
    put_away = [path for root in roots for path in (root / ".aefsync" / "trash").rglob("*") if path.is_file()]
    assert put_away or not keeps_trash
    assert run(*roots, links=links) == (0, [])
