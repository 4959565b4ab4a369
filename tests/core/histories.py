"""Replicas with a past, in memory: what a user does to them, and sessions by version vectors, whole or cut short."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from aefsync.core.action import Act, Action
from aefsync.core.compare import Difference
from aefsync.core.differences import Differences
from aefsync.core.entry import Entry, Kind
from aefsync.core.members import Member, Members, after_session, merge_members, watermark
from aefsync.core.minting import Record, judge, settle
from aefsync.core.path import RelPath
from aefsync.core.plan import plan
from aefsync.core.policy import Policies
from aefsync.core.reconcile import Decisions, reconcile
from aefsync.core.step import Pass
from aefsync.core.verdict import Rules, Stand
from aefsync.core.version import Dot, Vector, Version, is_covered, merge
from tests.core.simulator import Tree, _perform

RULES = Rules(now_ns=1 << 62, policies=Policies())
_numbers = itertools.count(1)


@dataclass
class Host:
    """One replica: its tree, and its sidecar."""

    name: str
    tree: Tree = field(default_factory=lambda: Tree({}))
    records: dict[RelPath, Record] | None = None
    pending: dict[RelPath, Record] = field(default_factory=dict)
    counter: int = 0
    members: Members = ()
    minted_now: bool = False

    @property
    def id(self) -> str:
        return self.name.encode().hex().rjust(32, "0")

    @property
    def author(self) -> bytes:
        return bytes.fromhex(self.id)

    def contents(self) -> dict[RelPath, tuple[Kind, bytes, int, int]]:
        """What a user sees."""
        return {
            path: (e.kind, e.content, e.mode, 0 if e.kind is Kind.DIRECTORY else e.mtime_ns)
            for path, e in self.tree.entries.items()
        }

    def scan(self) -> None:
        """Judge what is there by what is remembered."""
        first, known = self.records is None, self.records or {}
        fresh: dict[RelPath, Record] = {}
        dot = Dot(self.author, self.counter + 1)
        for path in {*self.tree.entries, *known, *self.pending}:
            found, record = self.tree.entries.get(path), known.get(path)
            if path in self.pending:
                record = settle(found, record, self.pending[path])
            judged = judge(found, record, dot, first=first)
            if judged is not None:
                fresh[path] = judged
            if judged is not None and dot in judged.version.vector:
                self.counter = dot.counter
        self.records, self.pending = fresh, {}

    def entry(self, path: RelPath) -> Entry | None:
        """What stands at a path, with its version."""
        found = self.tree.entries.get(path)
        return found and found._replace(version=self.known[path].version)

    def tombstone(self, path: RelPath) -> Version | None:
        record = self.known.get(path)
        return record.version if record is not None and record.entry is None else None

    @property
    def known(self) -> dict[RelPath, Record]:
        assert self.records is not None
        return self.records

    @property
    def seen(self) -> Vector:
        row = next((each.seen for each in self.members if each.id == self.id), ())
        return merge([row, (Dot(self.author, self.counter),)]) if self.counter else row


class Cut(Exception):
    """The session ended in the middle."""


def differences(
    hosts: Sequence[Host], chosen: RelPath | None = None, above: Collection[RelPath] = ()
) -> list[Difference]:
    """What differs, as `compare.histories` finds it; of the directories above what was chosen only those to be made."""
    low = least_seen(hosts)
    found = []
    for path in sorted({path for host in hosts for path in host.known}, key=lambda path: path.key):
        entries = tuple(host.entry(path) for host in hosts)
        tombstones = tuple(host.tombstone(path) for host in hosts)
        tombstones = tuple(None if each is None or is_covered(each.vector, low) else each for each in tombstones)
        tombstones = tombstones if any(tombstones) else ()
        looks = {e and (e.kind, e.content, e.mode, e.kind is Kind.DIRECTORY or e.mtime_ns, e.version) for e in entries}
        if (len(looks) > 1 or len(set(tombstones)) > 1) and (
            chosen is None or path == chosen or path.is_below(chosen) or _is_to_be_made(path, above, entries)
        ):
            found.append(Difference(path, entries, tombstones))
    return found


def _is_to_be_made(path: RelPath, above: Collection[RelPath], entries: Sequence[Entry | None]) -> bool:
    present = [each for each in entries if each is not None]
    return path in above and len(present) < len(entries) and all(each.kind is Kind.DIRECTORY for each in present)


def least_seen(hosts: Sequence[Host]) -> Vector:
    """The watermark of a session."""
    if any(not host.members for host in hosts):
        return ()
    return watermark(merge_members([host.members for host in hosts]))


def meet(
    hosts: Sequence[Host],
    rules: Rules = RULES,
    *,
    cut_after: int | None = None,
    chosen: RelPath | None = None,
) -> Decisions:
    """One session of these replicas; what was decided.  It may end after so many actions, or concern one sub-tree only."""
    for host in hosts:
        host.scan()
    low = least_seen(hosts)
    above = set(chosen.ancestors) if chosen is not None else set()
    rules = rules._replace(above=above)
    here = [host.tree.entries[each].kind for host in hosts for each in above if each in host.tree.entries]
    if set(here) - {Kind.DIRECTORY}:
        return reconcile(Differences(), rules, [()] * len(hosts))  # there is no way to what was chosen
    found = Differences(differences(hosts, chosen, above), 3)
    decisions = reconcile(found, rules, [()] * len(hosts))
    done: list[list[Action]] = [[] for _ in hosts]
    try:
        _carry_out(decisions, hosts, done, cut_after)
    except Cut:
        return decisions
    for host, own in zip(hosts, done, strict=True):
        for action in own:
            _record(host, action)
        host.pending = {}
    members = merge_members([*(host.members for host in hosts), *((Member(host.id),) for host in hosts)])
    if chosen is None and not any(isinstance(each.verdict, Stand) for each in decisions):
        members = after_session(members, {host.id: _seen(host, members) for host in hosts}, now_s=0)
    for host in hosts:
        host.members = members
        for path in [path for path, each in host.known.items() if each.entry is None]:
            if is_covered(host.known[path].version.vector, low):
                del host.known[path]
    return decisions


def _seen(host: Host, members: Members) -> Vector:
    row = next(each.seen for each in members if each.id == host.id)
    return merge([row, host.seen])


def _carry_out(decisions: Decisions, hosts: Sequence[Host], done: list[list[Action]], cut_after: int | None) -> None:
    left = itertools.count(cut_after, -1) if cut_after is not None else itertools.repeat(1)
    windows = [plan(decisions.window(number), len(hosts)) for number in range(decisions.windows)]
    for window in windows:
        for host, own in zip(hosts, window.actions, strict=True):
            meant = ((action.path, _meant(action)) for actions in own for action in actions)
            host.pending |= {path: record for path, record in meant if record is not None}
    staged: dict[tuple[int, RelPath], Entry] = {}
    for step in Pass:
        for window in reversed(windows) if step.backwards else windows:
            for origin, receiver, file, _ in {Pass.MOVE: window.early, Pass.PUT: window.transfers}.get(step, ()):
                staged[receiver, file.path] = hosts[origin].tree.entries[file.source.path]
            for number, (host, actions) in enumerate(zip(hosts, window.of(step), strict=True)):
                for action in actions:
                    if next(left) <= 0:
                        raise Cut
                    if action.act is not Act.RECORD:
                        _perform(host.tree, action, staged.get((number, action.path)))
                    done[number].append(action)


def _meant(action: Action, *, done: bool = False) -> Record | None:
    if action.act is Act.RECORD and not done:
        # Nothing on the disk would tell whether it came to that, and the others did their part.
        return None
    if action.wanted is None:
        # Without a tombstone something else is to take its place.
        return action.tombstone and Record(action.tombstone, None)
    assert action.wanted.version is not None
    return Record(action.wanted.version, action.wanted)


def _record(host: Host, action: Action) -> None:
    record = _meant(action, done=True)
    if record is not None:
        host.known[action.path] = record._replace(entry=record.entry and host.tree.entries[action.path])


def restore(host: Host, backup: Host) -> None:
    """Put an older state of a replica in its place."""
    host.tree, host.records, host.counter = Tree(dict(backup.tree.entries)), dict(backup.known), backup.counter
    host.members, host.pending = backup.members, {}
