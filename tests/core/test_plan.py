from __future__ import annotations

import pytest

from aefsync.core.action import Act, Action, StageFile
from aefsync.core.differences import Differences
from aefsync.core.entry import Entry
from aefsync.core.load import Load, load_of
from aefsync.core.metadata import PLAIN
from aefsync.core.plan import Plan, plan
from aefsync.core.reconcile import reconcile
from aefsync.core.step import Altered, Pass, Place, Step, Transfer
from aefsync.core.verdict import Rules
from aefsync.core.view import View
from tests.support.snapshots import directory, file, link, planted, unread

LWW = Rules(now_ns=10**6)
MIRROR = Rules(now_ns=10**6, mirror=True)


def plan_for(*trees: list[Entry], rules: Rules = LWW) -> Plan:
    found = [each for each in planted(trees) if not View.FULL.same(each.entries)]
    return plan(list(reconcile(Differences(found), rules, [()] * len(trees))), len(trees))


def actions(plan: Plan, replica: int) -> list[Action]:
    """All that a replica has to do, pass by pass."""
    return [action for own in plan.actions[replica] for action in own]


def put(*actions: Action) -> tuple[tuple[Action, ...], ...]:
    """A replica's passes that are empty but for this."""
    return ((), (), actions, ())


def shown(plan: Plan) -> list[list[str]]:
    """Each replica's actions, in words."""
    return [list(map(_shown, actions(plan, replica))) for replica in range(len(plan.actions))]


def _shown(action: Action) -> str:
    source = f"{action.source} -> " if action.source else ""
    mode = f" {action.wanted.mode:04o}" if action.wanted and action.act in (Act.MKDIR, Act.METADATA) else ""
    return f"{action.act} {source}{action.path}{mode}"


def words(plan: Plan) -> list[tuple[str, str, tuple[int, ...], str]]:
    return [(step.action, str(step.path), step.receivers, step.reason) for step in plan.steps]


NEW, OLD = file(b"a", b"new", 2), file(b"a", b"older", 1)
UNUSED = "a.conflict-19700101T000000Z-"


def test_nothing_to_do() -> None:
    empty = plan_for([NEW], [NEW])
    assert empty == Plan((put(), put()), (), (), ())
    assert load_of(empty) == Load(((0, 0, 0, 0),) * 2, (0, 0))


def test_what_stands_is_left_alone() -> None:
    assert shown(plan_for([file(b"a", b"x", 1)], [file(b"a", b"y", 1)])) == [[], []]


def test_copy_and_create() -> None:
    assert plan_for([OLD], [NEW], []) == Plan(
        (put(Action(Act.COPY, NEW.path, NEW, OLD)), put(), put(Action(Act.CREATE, NEW.path, NEW, None))),
        (),
        (Transfer(1, 0, StageFile(NEW, NEW.path), replaces=True), Transfer(1, 2, StageFile(NEW, NEW.path))),
        (
            Step("copy", NEW.path, 1, (0,), (Place(Pass.PUT, 0),), 3, "newer", altered=Altered(OLD, NEW, PLAIN)),
            Step("create", NEW.path, 1, (2,), (Place(Pass.PUT, 0),), 3, "missing"),
        ),
    )


@pytest.mark.parametrize(
    ("old", "new", "action", "reason"),
    [
        (file(b"a", b"x", 1), file(b"a", b"x", 2), "metadata a 0644", "newer"),
        (file(b"a", b"x", 1), file(b"a", b"x", 1, 0o755), "metadata a 0755", "mode"),
        (link(b"a", b"t", 1), link(b"a", b"t", 2), "metadata a 0000", "newer"),
        (link(b"a", b"t", 1), link(b"a", b"u", 2), "link a", "newer"),
        (file(b"a", b"x", 1), link(b"a", b"u", 2), "link a", "newer"),
        (link(b"a", b"t", 1), file(b"a", b"x", 2), "copy a", "newer"),
        (directory(b"a", 0o700), directory(b"a", 0o755), "metadata a 0755", "mode"),
    ],
)
def test_replacing(old: Entry, new: Entry, action: str, reason: str) -> None:
    made = plan_for([old], [new])
    assert shown(made) == [[action], []]
    assert actions(made, 0)[0].found == old
    assert actions(made, 0)[0].wanted == new
    assert words(made) == [(action.split(maxsplit=1)[0], "a", (0,), reason)]
    assert [step.altered for step in made.steps] == [Altered(old, new, PLAIN)]
    assert len(made.transfers) == (action == "copy a")
    assert load_of(made).deletes == (0, 0)


def test_parents_before_children() -> None:
    tree = [directory(b"d"), directory(b"d/e"), file(b"d/e/x"), file(b"d-"), link(b"d/l")]
    assert shown(plan_for(tree, [])) == [
        [],
        ["mkdir d 0755", "mkdir d/e 0755", "create d/e/x", "link d/l", "create d-"],
    ]


def test_permissions_that_must_go_come_last_and_children_first() -> None:
    closed = [directory(b"d", 0o555, 2), directory(b"d/e", 0o555, 2), directory(b"d/n", 0o500), file(b"d/n/x")]
    made = plan_for(closed, [directory(b"d", 0o755), directory(b"d/e", 0o755)])
    assert shown(made)[1] == [
        "metadata d 0755",
        "metadata d/e 0755",
        "mkdir d/n 0500",
        "create d/n/x",
        "metadata d/n 0500",
        "metadata d/e 0555",
        "metadata d 0555",
    ]
    found = [action.found for action in actions(made, 1) if action.act is Act.METADATA]
    assert found == [directory(b"d", 0o755), directory(b"d/e", 0o755), None, None, None]
    assert words(made)[2] == ("mkdir", "d/n", (1,), "missing")
    assert len(made.steps) == 4
    assert load_of(made).actions == ((0, 0, 0, 0), (0, 0, 4, 3))


def test_permissions_that_leave_room_for_work_come_at_once() -> None:
    made = plan_for([directory(b"d", 0o755, 2)], [directory(b"d", 0o700), file(b"d/x")])
    assert shown(made)[1] == ["metadata d 0755"]


def test_a_conflict_copy_is_a_rename_where_the_file_is() -> None:
    clashing, inner = file(b"a", b"x"), file(b"a/in", b"w")
    made = plan_for([clashing], [directory(b"a"), inner])
    copy = actions(made, 0)[0].path
    assert str(copy).startswith(UNUSED)
    assert shown(made) == [[f"move a -> {copy}", "mkdir a 0755", "create a/in"], [f"create {copy}"]]
    assert actions(made, 0)[0] == Action(Act.MOVE, copy, clashing._replace(path=copy), clashing, clashing.path)
    assert made.transfers == (Transfer(1, 0, StageFile(inner, inner.path)),)
    assert made.early == (Transfer(0, 1, StageFile(clashing, copy)),)
    assert made.steps == (
        Step("mkdir", clashing.path, 1, (0,), (Place(Pass.PUT, 0),), 0, "conflict", is_directory=True),
        Step("create", inner.path, 1, (0,), (Place(Pass.PUT, 1),), 1, "missing"),
        Step(
            "conflict_copy",
            copy,
            0,
            (0, 1),
            (Place(Pass.MOVE, 0), Place(Pass.PUT, 0)),
            1,
            "conflict",
            old=clashing.path,
        ),
    )


def test_a_clashing_file_with_older_metadata_is_made_anew() -> None:
    made = plan_for([file(b"a", b"x", 1)], [directory(b"a")], [file(b"a", b"x", 2)])
    copy = actions(made, 2)[0].path
    assert shown(made) == [
        ["delete a", "mkdir a 0755", f"create {copy}"],
        [f"create {copy}"],
        [f"move a -> {copy}", "mkdir a 0755"],
    ]
    assert words(made) == [("mkdir", "a", (0, 2), "conflict"), ("conflict_copy", str(copy), (0, 1, 2), "conflict")]


def test_a_clashing_file_whose_copy_is_there_goes_to_the_trash() -> None:
    clashing = file(b"a", b"x")
    copy = actions(plan_for([clashing], [directory(b"a")]), 0)[0].path
    made = plan_for([clashing, clashing._replace(path=copy)], [directory(b"a")])
    assert shown(made) == [["delete a", "mkdir a 0755"], [f"create {copy}"]]
    assert words(made)[0] == ("delete", "a", (0,), "conflict")


def test_directories_that_clash_get_their_mode() -> None:
    made = plan_for([directory(b"a", 0o700, 2)], [directory(b"a", 0o755)], [file(b"a")], [])
    assert shown(made)[1] == ["metadata a 0700", shown(made)[0][0]]
    assert shown(made)[3] == ["mkdir a 0700", shown(made)[0][0]]


def test_a_mirror_deletes_children_first() -> None:
    tree = [directory(b"d"), directory(b"d/e"), file(b"d/e/x"), file(b"d/y"), file(b"d-")]
    made = plan_for([], tree, tree, rules=MIRROR)
    deletes = ["delete d-", "delete d/y", "delete d/e/x", "delete d/e", "delete d"]
    assert shown(made) == [[], deletes, deletes]
    assert load_of(made).deletes == (0, 5, 5)
    assert words(made)[0] == ("delete", "d", (1, 2), "mirror")
    assert made.steps[0].origin is None
    for step in made.steps:
        for replica, place in zip(step.receivers, step.places, strict=True):
            assert made.actions[replica][place.step][place.number].path == step.path


def test_a_mirror_puts_a_file_in_place_of_a_directory() -> None:
    made = plan_for([file(b"d")], [directory(b"d"), file(b"d/x")], [link(b"d")], [], rules=MIRROR)
    assert shown(made) == [[], ["delete d/x", "delete d", "create d"], ["copy d"], ["create d"]]
    assert {reason for *_, reason in words(made)} == {"mirror"}


def test_a_mirror_puts_a_directory_in_place_of_a_file() -> None:
    made = plan_for([directory(b"d"), file(b"d/x")], [file(b"d", b"y")], rules=MIRROR)
    assert shown(made) == [[], ["delete d", "mkdir d 0755", "create d/x"]]


def test_files_that_were_not_read_are_copied_as_they_are() -> None:
    new, old = unread(file(b"a", b"xx", 2)), unread(file(b"a", b"x", 1))
    made = plan_for([new], [old])
    assert shown(made) == [[], ["copy a"]]
    assert made.transfers == (Transfer(0, 1, StageFile(new, new.path), replaces=True),)


def test_positions_lead_from_steps_to_actions() -> None:
    ours = [directory(b"a"), file(b"a/1"), directory(b"m", 0o500, 5), file(b"x", b"new", 9), link(b"z")]
    theirs = [file(b"a", b"f"), directory(b"m"), file(b"x", b"old!", 3)]
    made = plan_for(ours, theirs)
    for step in made.steps:
        for replica, place in zip(step.receivers, step.places, strict=True):
            action = made.actions[replica][place.step][place.number]
            assert action.path == step.path
            assert step.action in (action.act.value, "conflict_copy")
    assert len(made.steps) == 6
