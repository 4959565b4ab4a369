"""What a person says of members: how they are called, that one leaves, that one is forgotten (the map: `members`)."""

from __future__ import annotations

import re

from aefsync.core.copies import Way
from aefsync.core.members import LONGEST_NAME, MOST_INCARNATIONS, Member, Members, State, merge_members

_LEAST_ID = 4
"""Digits of an id that are enough to name a member by it."""


def check_name(name: str) -> None:
    """Raise `ValueError` for what no member can be called: it is printed, typed, and told from ids and other words."""
    if not name or len(name) > LONGEST_NAME:
        raise ValueError(f"a name has 1 to {LONGEST_NAME} characters")
    if not name.isprintable() or name != name.strip() or name.startswith("-"):
        raise ValueError(f"{name!r}: a name has no blanks around it, no dash before it, and nothing unprintable in it")
    if name in tuple(Way) or re.fullmatch(f"[0-9a-f]{{{_LEAST_ID},32}}", name):
        raise ValueError(f"{name!r} is not only a name: it may be an id, or stands for something else")


def named(members: Members, name: str) -> Member:
    """The member of this name, or whose id begins so; raises `ValueError` where there is not exactly one."""
    found = [each for each in members if name == each.name and each.state is not State.FORGOTTEN]
    if not found and len(name) >= _LEAST_ID:
        found = [each for each in members if each.id.startswith(name)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(each.name or each.id[:8] for each in members if each.state is not State.FORGOTTEN)
    what = f"{len(found)} members are" if found else "no member is"
    raise ValueError(f"{what} called {name!r}; there are {known or 'none'}")


def with_name(members: Members, replica: str, name: str) -> Members:
    """The map once the replica of this id is called so, whether it was a member before or not; raises `ValueError` where
    another one is called that."""
    if any(each.name == name and each.id != replica and each.state is State.ACTIVE for each in members):
        raise ValueError(f"another member is called {name!r}")
    known = next((each for each in members if each.id == replica), Member(replica))
    # Of one incarnation the greater name wins, wherever it was given.
    known = _again(known) if name < known.name else known
    return _with(members, known._replace(name=name))


def without(members: Members, member: Member, state: State) -> Members:
    """The map once a member has left, or is forgotten."""
    return _with(members, member._replace(state=max(state, member.state)))


def joined(members: Members, replica: str, author: bytes) -> Members:
    """The map with the replica of this id in it, also where it had left; raises `ValueError` where it was forgotten: what
    it holds may be what all others have deleted since."""
    known = next((each for each in members if each.id == replica), Member(replica))._replace(author=author)
    if known.state is State.FORGOTTEN:
        raise ValueError(
            f"replica {replica[:8]} was forgotten: it can join only as a new one, as the next repair has it"
        )
    if known.state is State.LEFT:
        known = _again(known)._replace(state=State.ACTIVE)
    return _with(members, known)


def _again(member: Member) -> Member:
    """The member in its next incarnation; raises `ValueError` where somebody has left none."""
    if member.incarnation >= MOST_INCARNATIONS:
        raise ValueError(
            f"replica {member.id[:8]} cannot be told anything of itself any more: it can join only as a new one"
        )
    return member._replace(incarnation=member.incarnation + 1)


def _with(members: Members, member: Member) -> Members:
    return merge_members([tuple(each for each in members if each.id != member.id), (member,)])
