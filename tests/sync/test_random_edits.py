"""Random edits on real trees of few names, and sessions by versions between some of the replicas: after one run they
agree, a second one does nothing, an undo takes the run back, and no content that anybody wrote is lost.

Few names make many clashes: files, links and directories at one path, renames to where something is by now, names of
one file (`-H`) that are taken apart.  `EDITS=400 pytest -m slow tests/sync/test_random_edits.py` tells so many stories;
the number of one that fails tells it again.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from aefsync.core.identity import Allowed
from aefsync.core.metadata import PLAIN
from aefsync.core.policy import Policies, parse_policy
from aefsync.core.silent import Silent
from aefsync.core.writing import Durability, Writing
from aefsync.sync.events import Acted, Event
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from aefsync.sync.undo import undo
from tests.support.edits import Editor, contents
from tests.support.tellers import end
from tests.support.trees import judge, one_file, survey
from tests.support.unread import reading
from tests.sync.joined import threads

POLICIES = ("keep-both", "keep-both", "newest", "skip")
TURNS = 3
FAST = Writing(Durability.NONE)
NUMBER = int(os.environ.get("EDITS", "100"))


def tell(folder: Path, number: int) -> None:
    """One story."""
    with reading(number) as is_unread:
        story(folder, number, large=is_unread)


def story(folder: Path, number: int, *, large: bool) -> None:
    chance = random.Random(number)
    links, policy = number % 3 == 0, POLICIES[number // 3 % len(POLICIES)]
    roots = [folder / name for name in "abc"[: chance.choice([2, 3])]]
    for root in roots:
        root.mkdir(parents=True)
    editor = Editor(chance, links=links)
    editor.ways += [editor.put_large] * (2 * large)

    def request(some: Sequence[Path]) -> RepairRequest:
        aspects = PLAIN._replace(links=links)
        common = Request(tuple(map(str, some)), allowed=Allowed(empty_root=True), aspects=aspects)
        return RepairRequest(common, max_delete="100%", policies=Policies(parse_policy(policy)), writing=FAST)

    def meet(some: Sequence[Path]) -> list[Event]:
        with threads():
            events = list(repair(request(some), Silent()))
        assert end(events).exit_code in (0, 1), events
        assert end(events).problems == 0, events
        if policy != "skip":
            assert judge(some[0], some[-1]) == []
            assert not links or one_file(some[0]) == one_file(some[-1])
        return events

    for _ in range(12):
        editor.edit(roots[0])
    meet(roots)
    for turn in range(TURNS):
        for _ in range(chance.randrange(1, 12)):
            editor.edit(chance.choice(roots))
        some = sorted(chance.sample(roots, 2)) if chance.random() < 0.3 else roots
        before, written = [survey(root) for root in some], contents(roots)
        events = meet(some)
        assert not [event for event in meet(some) if isinstance(event, Acted)], f"turn {turn}"
        if chance.random() < 0.3 and any(isinstance(event, Acted) for event in events) and policy != "skip":
            with threads():
                list(undo(request(some).common, end(events).run, Silent(), dry_run=False))
            assert [survey(root) for root in some] == before, f"turn {turn}"
            meet(some)
        assert written <= contents(roots) | contents(roots, below=".aefsync/trash"), f"turn {turn}"


@pytest.mark.parametrize("number", [0, 3, 6])
def test_a_few(tmp_path: Path, number: int) -> None:
    tell(tmp_path, number)


@pytest.mark.slow
def test_many(tmp_path: Path) -> None:
    for number in range(1000, 1000 + NUMBER):
        tell(tmp_path / str(number), number)
        shutil.rmtree(tmp_path / str(number))
