"""Voting: files of which no record survives are compared with those of all peers, and most of them decide (`core.rot`)."""

from __future__ import annotations

from collections.abc import Sequence

from aefsync.core.entry import UNKNOWN, Entry
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.problem import Problem
from aefsync.core.rot import Damage, Verdict, elected
from aefsync.core.verdict import VOTES, Why
from aefsync.errors import AefsyncError
from aefsync.sync.mending import Peers, held_by, is_same
from aefsync.sync.session import Session


class Poll(NamedTuple):
    """What others say of some files: those that they have outvoted, and those on which nobody agrees."""

    outvoted: tuple[Damage, ...] = ()
    disputed: tuple[Problem, ...] = ()


def may_be_polled(peers: Peers, number: int) -> bool:
    """Whether a replica has so many peers that most of them can be right."""
    return len(peers.of(number)) + 1 >= VOTES


def poll(session: Session, number: int, fresh: Sequence[Entry], peers: Peers) -> Poll:
    """Ask all peers of a replica that can be reached for these files of it."""
    paths = [each.path for each in fresh]
    ballots = [held for held in (_held(session, number, paths, peers)) if held]
    outvoted, disputed = [], []
    for own in fresh:
        content = elected(own, [held.get(own.path) for held in ballots])
        if content == UNKNOWN:
            disputed.append(Problem(own.path, Why.SUSPECT))
        elif content is not None and content != own.content:
            outvoted.append(Damage(own._replace(content=content), own.content, Verdict.ROT))
    return Poll(tuple(outvoted), tuple(disputed))


def _held(session: Session, number: int, paths: Sequence[RelPath], peers: Peers) -> list[dict[RelPath, Entry]]:
    """What each peer has at these paths; one that is reached in two ways has one voice, and this replica none of those."""
    heard, found = [session.opened[number]], []
    for peer in peers.of(number):
        try:
            there = peers.open(peer)
            if any(is_same(there.opened[0], each) for each in heard):
                continue
            heard.append(there.opened[0])
            found.append(held_by(there.replicas[0], paths))
        except AefsyncError:
            continue  # who asks for its copy tells of it, if one is needed
    return found
