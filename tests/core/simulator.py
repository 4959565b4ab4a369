"""Carries plans out on trees in memory, strictly: whatever a real replica would refuse is a failed assertion here."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from aefsync.core.action import Act, Action
from aefsync.core.compare import Difference
from aefsync.core.differences import Differences
from aefsync.core.entry import Entry, Kind
from aefsync.core.path import RelPath
from aefsync.core.plan import Plan, plan
from aefsync.core.reconcile import needs_content, reconcile
from aefsync.core.step import Pass
from aefsync.core.verdict import Decision, Rules
from aefsync.core.view import View
from tests.support.snapshots import planted, unread

_numbers = itertools.count(1000)


@dataclass
class Tree:
    """One replica: what is there, and what its trash holds."""

    entries: dict[RelPath, Entry]
    trash: list[Entry] = field(default_factory=list)

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Tree:
        """A tree with an inode of its own for each entry."""
        return cls({entry.path: entry._replace(inode=next(_numbers)) for entry in entries})

    def children(self, path: RelPath) -> list[RelPath]:
        return [each for each in self.entries if each.is_below(path)]

    def discard(self, path: RelPath) -> None:
        assert not self.children(path), f"{path} is not empty"
        self.trash.append(self.entries.pop(path))

    def place(self, wanted: Entry) -> None:
        parent = wanted.path.parent
        assert not parent or self.entries[RelPath(parent)].kind is Kind.DIRECTORY
        self.entries[wanted.path] = wanted._replace(ctime_ns=next(_numbers), inode=next(_numbers))


def survey(trees: Sequence[Tree], rules: Rules, hidden: Sequence[Collection[bytes]] = ()) -> list[Difference]:
    """What the engine knows of the trees: it reads what has the same shape everywhere, and then what it must."""
    known = [
        {path: entry for path, entry in tree.entries.items() if not _is_below(path, hidden[i] if hidden else ())}
        for i, tree in enumerate(trees)
    ]
    columns = planted([column.values() for column in known])
    masked = [each if View.SHAPE.same(each.entries) else _masked(each) for each in columns]
    wanted = {(each.replica, each.path) for each in needs_content(Differences(_differing(masked)), rules)}
    final = [
        Difference(
            path,
            tuple(known[i].get(path) if (i, path) in wanted else entry for i, entry in enumerate(entries)),
        )
        for path, entries, _ in masked
    ]
    return _differing(final)


def _masked(difference: Difference) -> Difference:
    return Difference(difference.path, tuple(entry and unread(entry) for entry in difference.entries))


def _differing(columns: Iterable[Difference]) -> list[Difference]:
    return [each for each in columns if not View.FULL.same(each.entries)]


def _is_below(path: RelPath, directories: Iterable[bytes]) -> bool:
    return any(path.is_below(each) for each in directories)


def decide(
    trees: Sequence[Tree], rules: Rules, hidden: Sequence[Collection[bytes]] = (), block: int = 2
) -> tuple[list[Decision], list[Plan]]:
    """One run's decisions, and the plans of its windows."""
    decisions = reconcile(Differences(survey(trees, rules, hidden), block), rules, hidden)
    return list(decisions), [plan(decisions.window(number), len(trees)) for number in range(decisions.windows)]


def actions_of(todo: Sequence[Plan]) -> list[list[Action]]:
    """All that each replica has to do."""
    columns = zip(*(window.actions for window in todo), strict=True)
    return [[action for passes in own for actions in passes for action in actions] for own in columns]


def carry_out(todo: Sequence[Plan], trees: Sequence[Tree], stop_after: int | None = None) -> None:
    """Pass by pass and window by window, stage what is needed, then let each replica do its actions (at most so many
    in all, if the run is cut short)."""
    staged: dict[tuple[int, RelPath], Entry] = {}
    left = [stop_after] * len(trees)
    for step in Pass:
        for window in reversed(todo) if step.backwards else todo:
            transfers = {Pass.MOVE: window.early, Pass.PUT: window.transfers}.get(step, ())
            for origin, receiver, file, _ in transfers:
                there = trees[origin].entries[file.source.path]
                assert there.stat_key == file.source.stat_key
                staged[receiver, file.path] = there
            for number, (tree, actions) in enumerate(zip(trees, window.of(step), strict=True)):
                for action in actions[: left[number]]:
                    _perform(tree, action, staged.get((number, action.path)))
                if left[number] is not None:
                    left[number] = max(0, left[number] - len(actions))


def _perform(tree: Tree, action: Action, staged: Entry | None) -> None:
    act, path, wanted, found, source, *_ = action
    if found is not None:
        assert tree.entries[source or path].stat_key == found.stat_key
    elif act in (Act.CREATE, Act.MKDIR, Act.LINK):
        there = tree.entries.get(path)
        if there is not None and wanted is not None:
            assert there.kind is wanted.kind and there.content == wanted.content, f"{path} is there already"
            return
    if act is Act.DELETE:
        tree.discard(path)
        return
    assert wanted is not None
    assert wanted.path == path
    if act is Act.MOVE:
        assert source is not None
        if path in tree.entries:  # there already, with the same content
            assert tree.entries[path].same_content(tree.entries[source])
            tree.discard(source)
            return
        tree.place(tree.entries.pop(source)._replace(path=path))
    elif act is Act.METADATA:
        there = tree.entries[path]
        assert there.kind is wanted.kind
        tree.place(there._replace(mode=wanted.mode, mtime_ns=wanted.mtime_ns))
    else:
        if found is not None:
            assert act in (Act.COPY, Act.LINK)
            assert found.kind is not Kind.DIRECTORY
            tree.discard(path)
        if wanted.kind is Kind.FILE:
            assert staged is not None, f"{path} was not staged"
            wanted = wanted._replace(content=staged.content, size=staged.size)
        tree.place(wanted)
