"""Which names are to be one file, as a table."""

from __future__ import annotations

import pytest

from aefsync.core.action import Act
from aefsync.core.differences import Differences
from aefsync.core.entry import Entry
from aefsync.core.linked import links
from aefsync.core.metadata import PLAIN, Extra
from aefsync.core.plan import Plan, plan
from aefsync.core.reconcile import reconcile
from aefsync.core.verdict import Rules
from aefsync.core.view import View
from tests.support.snapshots import file, planted

LINKED = PLAIN._replace(links=True)
LWW = Rules(now_ns=10**6, aspects=LINKED)
MIRROR = LWW._replace(mirror=True)


def tree(text: str) -> list[Entry]:
    """Files as `names=content@mtime`, those with several names linked: `a,b=x@1 c=y@2`."""
    found = []
    for inode, word in enumerate(text.split()):
        names, _, rest = word.partition("=")
        data, _, mtime = rest.partition("@")
        first = names.split(",")[0].encode() if "," in names else b""
        for name in names.split(","):
            entry = file(name.encode(), data.encode(), int(mtime or 1), ctime_ns=inode + 1)
            found.append(entry._replace(inode=inode + 1, extra=Extra(leader=first)))
    return sorted(found, key=lambda entry: entry.path.key)


def plan_for(*texts: str, rules: Rules = LWW) -> Plan:
    trees = [tree(text) for text in texts]
    found = [each for each in planted(trees) if not View.FULL.same(each.entries, LINKED)]
    decisions = reconcile(Differences(found), rules, [()] * len(trees))
    return plan(list(decisions), len(trees), LINKED, links(decisions, LINKED))


def shown(made: Plan) -> list[list[str]]:
    """Each replica's actions, in words."""
    found = []
    for replica in made.actions:
        actions = [action for own in replica for action in own]
        leaders = (
            f" => {each.wanted.leader.decode()}" if each.wanted and each.act is Act.JOIN else "" for each in actions
        )
        found.append([f"{each.act} {each.path}{leader}" for each, leader in zip(actions, leaders, strict=True)])
    return found


@pytest.mark.parametrize(
    ("a", "b", "of_a", "of_b"),
    [
        ("a,b=x", "a,b=x", [], []),
        ("a,b=x", "", [], ["create a", "join b => a"]),
        ("a,b=x", "a=x", [], ["join b => a"]),
        ("a,b=x", "a=x b=x", [], ["join b => a"]),
        ("a=x b=x", "a,b=x", ["join b => a"], []),
        ("a,b,c=x", "b,c=x", [], ["create a", "join b => a", "join c => a"]),
        ("a,b=x@2", "a,b=y@1", [], ["copy a", "join b => a"]),
        ("a,b=x@2", "a,b=x@1", [], ["metadata a", "metadata b"]),
        # The leader gets another version: the others stay one file, and nothing is done where they are.
        ("a,b,c=x@2", "a=z@3 b=w@1 c=w@1", ["copy a"], ["copy b", "join c => b"]),
        # A name that was edited leaves.
        ("a,b=x@1", "a=x@1 b=y@2", ["copy b"], []),
        # What either side links is linked on both.
        ("a,b=x c=x", "a=x b,c=x", ["join c => a"], ["join b => a", "join c => a"]),
    ],
)
def test_last_write(a: str, b: str, of_a: list[str], of_b: list[str]) -> None:
    assert shown(plan_for(a, b)) == [of_a, of_b]
    assert shown(plan_for(b, a)) == [of_b, of_a]


@pytest.mark.parametrize(
    ("a", "b", "of_b"),
    [
        ("a=x b=x", "a,b=x", ["copy b"]),
        ("a=x b,c=x", "a,b,c=x", ["copy b", "join c => b"]),
        ("b,c=x", "a,b,c=x", ["delete a"]),
        ("a=y b,c=x", "a,b,c=x", ["copy a"]),
        ("a,b=x c,d=x", "a,c=x b,d=x", ["join b => a", "copy c", "join d => c"]),
        ("b=x", "a,b=x", ["delete a"]),
        ("a=x", "a,b=x", ["delete b"]),
    ],
)
def test_mirror(a: str, b: str, of_b: list[str]) -> None:
    assert shown(plan_for(a, b, rules=MIRROR)) == [[], of_b]


def test_a_link_moves_no_content_and_is_told_of_as_such() -> None:
    made = plan_for("a,b=content", "a=content")
    assert made.transfers == ()
    (step,) = made.steps
    assert (step.action, step.path, step.leader, step.size) == ("link", b"b", b"a", 0)
