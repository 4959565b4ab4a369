"""Admission: whether the roots of a session are those that the user means, judged before any of them is written.

Each is compared with what was at its location at the last run; copies of a root, made with its `.aefsync`, are told
apart by a new id, and so is a replica that its group has forgotten.  What was admitted is remembered when the run has come
to its end.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from aefsync.core.identity import Allowed, KnownRoot, copies, unexpected
from aefsync.core.members import State, merge_members
from aefsync.core.ports import Access, Opened, Scanned
from aefsync.errors import GuardError
from aefsync.sync.events import Notice
from aefsync.sync.known import KnownRoots
from aefsync.sync.location import Location


class Admission:
    """The judgement on one session's roots.

    `notices` says what was found out, `known` what was known of each root, `renewed` the new ids that are due.  `joins`:
    whoever takes part in the session takes part in the group.
    """

    def __init__(self, roots: KnownRoots, allowed: Allowed, *, joins: bool = False) -> None:
        self.notices: list[Notice] = []
        self.known: list[KnownRoot | None] = []
        self.renewed: dict[int, str] = {}
        self._roots = roots
        self._allowed = allowed
        self._joins = joins

    def judge(self, locations: Sequence[Location], opened: Sequence[Opened], access: Sequence[Access]) -> None:
        """Look at the roots as they were found; raises `GuardError`."""
        everything = self._roots.load()
        keys = list(map(key_of, locations, opened))
        known_before = map(everything.get, keys)
        self.known = [root and root.found(each.identity) for root, each in zip(known_before, opened, strict=True)]
        for location, known, each in zip(locations, self.known, opened, strict=True):
            refusal = unexpected(location.text, known, each, self._allowed)
            if refusal is not None:
                raise GuardError(refusal.message)
        expected = [known.identity if known is not None else "" for known in self.known]
        fixed = [number for number, each in enumerate(access) if each is Access.READ]
        texts = {number: locations[original].text for number, original in self._copies(opened, expected, fixed).items()}
        for number, each in enumerate(opened):
            if each.identity not in ("", expected[number]) and number not in {*texts, *fixed}:
                others = (key for key, root in everything.items() if root.identity == each.identity)
                original = next((key for key in others if key not in keys and _is_another(key, each)), None)
                if original is not None:
                    texts[number] = original
        for number, original in texts.items():
            self.renewed[number] = os.urandom(16).hex()
            self.notices.append(Notice(f"{locations[number].text}: a copy of {original}, now a replica of its own"))
        for number in self._forgotten(opened) if self._joins else ():
            if number not in texts:
                # What it is known by stands for what all others have let go of.
                self.renewed |= {} if number in fixed else {number: os.urandom(16).hex()}
                text = "was forgotten by its group: it joins as a new replica"
                self.notices.append(Notice(f"{locations[number].text}: {text}", warning=True))
        # Before they are given them: a run that ends then must not find somebody else in the next one.
        due = ((keys[number], self.known[number], identity) for number, identity in self.renewed.items())
        if giving := {key: root._replace(renewed=identity) for key, root, identity in due if root is not None}:
            self._roots.remember(giving)

    @staticmethod
    def _copies(opened: Sequence[Opened], expected: Sequence[str], fixed: Sequence[int]) -> dict[int, int]:
        return copies([each.identity for each in opened], expected, fixed)

    @staticmethod
    def _forgotten(opened: Sequence[Opened]) -> list[int]:
        """The replicas that any of them has forgotten."""
        members = merge_members(each.standing.members for each in opened if each.standing is not None)
        ids = {each.id for each in members if each.state is State.FORGOTTEN}
        return [number for number, each in enumerate(opened) if each.identity in ids]

    def mounts(self, number: int) -> tuple[bytes, ...] | None:
        """The mount points that are expected below a root; `None`: whatever there is."""
        known = self.known[number]
        return None if known is None or self._allowed.new_root else known.mounts

    def remember(
        self,
        locations: Sequence[Location],
        opened: Sequence[Opened],
        scans: Sequence[Scanned],
        *,
        is_whole: bool = False,
    ) -> None:
        """Keep what the roots of a run are known by, now that it has come to its end.  `is_whole`: the scans show all that
        is there, so that a root without entries is empty, whatever it was before."""
        seen = {}
        for number, (location, each, scanned) in enumerate(zip(locations, opened, scans, strict=True)):
            # What changed without being allowed to is expected as it was until it is so again.
            mounts = self.mounts(number)
            filled = scanned.entries > 0 or not (each.empty or is_whole)
            known = KnownRoot(each.identity, filled, scanned.mounts if mounts is None else mounts)
            seen[key_of(location, each)] = known
        self._roots.remember(seen)


def key_of(location: Location, opened: Opened) -> str:
    """What a root is remembered by: its path, links resolved, and how its host is reached."""
    path, login = key_of_path(opened.root), location.login
    if login is None:
        return path
    user = f"{login.user}@" if login.user else ""
    port = f":{login.port}" if login.port else ""
    return f"ssh://{user}{login.host}{port}{path}"


def key_of_path(root: bytes) -> str:
    """What a root of this machine is remembered by."""
    return os.fsdecode(root)


def _is_another(key: str, opened: Opened) -> bool:
    """Whether what is remembered by `key` is a root of this machine with the same id, and not this one reached by another
    way; nobody is called up to find out."""
    from aefsync.disk.opening import host, identity_at  # hardly ever asked for

    path = os.fsencode(key)
    is_here = opened.root == path and opened.host == host()
    return os.path.isabs(key) and not is_here and identity_at(path) == opened.identity
