"""Merging: conflicts handed to a command of the user, which makes one content of two.

The command runs where the run is coordinated, on copies of both versions; what it makes becomes an edit of the replica
whose version is the winner of the built-in order, placed there like any file, and is then surveyed and spread like any
edit.  A conflict that the command does not settle is kept as both.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from aefsync.core.action import Act, Action, StageFile
from aefsync.core.differences import Differences
from aefsync.core.digest import content_hasher
from aefsync.core.entry import Entry, Kind
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.policy import PolicyKind
from aefsync.core.ports import Access, Piece
from aefsync.core.problem import reason_of
from aefsync.core.settling import Conflict, settle
from aefsync.core.verdict import Rules, at
from aefsync.core.version import Version, minted
from aefsync.sync.events import Acted, Event, Notice
from aefsync.sync.past import Past
from aefsync.sync.session import Session

_PIECE = 1 << 20
_PLAIN_SUFFIX = re.compile(r"\.[A-Za-z0-9_+-]{1,16}")


class Merge(NamedTuple):
    """Two versions of a file, and the command that is to make one of them; `version` follows both."""

    path: RelPath
    winner: int
    loser: int
    entries: tuple[Entry, Entry]
    command: str
    version: Version


def merges(differences: Differences, rules: Rules) -> list[Merge]:
    """The conflicts that a command is to settle: two contents of a file."""
    policies = rules.policies
    if policies is None or all(policy.kind is not PolicyKind.MERGE for policy in policies.all):
        return []
    found = []
    for difference in differences:
        policy = policies.of(difference.path)
        verdict = settle(*difference, rules) if policy.kind is PolicyKind.MERGE else None
        if isinstance(verdict, Conflict) and verdict.version is not None and len(verdict.losers) == 1:
            pair = (verdict.winner, verdict.losers[0][0])
            winner, loser = (at(difference.entries, i) for i in pair)
            if winner.kind is loser.kind is Kind.FILE:
                found.append(Merge(difference.path, *pair, (winner, loser), policy.argument, verdict.version))
    return found


def merge_all(session: Session, wanted: Sequence[Merge], past: Past) -> Iterator[Event]:
    """Run the commands, and put in place what they make."""
    dot = past.mint()
    placed: set[int] = set()
    for each in wanted:
        if session.requests[each.winner].access is Access.READ or session.opened[each.winner].read_only:
            yield _kept(each, "its replica is read-only")
            continue
        with tempfile.TemporaryDirectory(prefix="aefsync-merge-") as folder:
            made = _run(session, each, Path(folder))
            if isinstance(made, str):
                yield _kept(each, made)
                continue
            version = each.version if dot is None else Version(minted(each.version.vector, dot), dot.author)
            trouble = _place(session, each, made, version)
            if trouble:
                yield _kept(each, trouble)
                continue
            placed.add(each.winner)
            yield Acted("merge", each.path, None, (each.winner,), made.stat().st_size, "merged")
    for number in placed:
        session.call(number, lambda _, replica: replica.record())


def _kept(merge: Merge, reason: str) -> Notice:
    return Notice(f"{os.fsdecode(bytes(merge.path))}: not merged, both versions are kept: {reason}", warning=True)


def _run(session: Session, merge: Merge, folder: Path) -> Path | str:
    """What the command makes of both versions, or why it makes nothing."""
    names = {word: folder / f"{word}{_suffix(merge.path.name)}" for word in ("a", "b", "base", "out")}
    for word, number, entry in zip("ab", (merge.winner, merge.loser), merge.entries, strict=True):
        if not _fetch(session, number, entry, names[word]):
            return "a version changed meanwhile"
    names["base"].touch()
    try:
        done = subprocess.run(words_of(merge.command, names), stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    except OSError as error:
        return reason_of(error)
    if done.returncode:
        return f"the command ended with {done.returncode}"
    return names["out"] if names["out"].is_file() else "the command made no output"


def _suffix(name: bytes) -> str:
    """The end of a name, by which tools tell what a file is; nothing that means anything in a shell, should the command be
    one, comes by it.

    >>> _suffix(b"a.txt"), _suffix(b"a.txt;id")
    ('.txt', '')
    """
    suffix = os.path.splitext(os.fsdecode(name))[1]
    return suffix if _PLAIN_SUFFIX.fullmatch(suffix) else ""


def words_of(command: str, names: dict[str, Path]) -> list[str]:
    """The command, file names filled in; they follow in order where it names none.

    >>> words_of("diff3 -m {a} {base} {b}", {"a": Path("x"), "b": Path("y"), "base": Path("z")})
    ['diff3', '-m', 'x', 'z', 'y']
    """
    words = shlex.split(command)
    if not any(f"{{{word}}}" in each for each in words for word in names):
        return [*words, *map(str, names.values())]
    for word, place in names.items():
        words = [each.replace(f"{{{word}}}", str(place)) for each in words]
    return words


def _fetch(session: Session, number: int, entry: Entry, place: Path) -> bool:
    """Bring a version here; whether it is what was compared."""
    hasher = content_hasher()
    with open(place, "xb") as file:
        for offset in range(0, entry.size, _PIECE):
            asked = Piece(entry.path, offset, min(_PIECE, entry.size - offset))
            (piece,) = session.replicas[number].read([asked])
            hasher.update(piece.data)
            file.write(piece.data)
    return hasher.digest() == entry.content


def _place(session: Session, merge: Merge, made: Path, version: Version) -> str:
    """Put what was made in the place of the winner; what went wrong, if anything did."""
    replica, found = session.replicas[merge.winner], merge.entries[0]
    hasher = content_hasher()
    with open(made, "rb") as file:
        offset = 0
        while data := file.read(_PIECE):
            hasher.update(data)
            replica.write([Piece(merge.path, offset, len(data), data)])
            offset += len(data)
    content = hasher.digest()
    wanted = found._replace(size=offset, mtime_ns=time.time_ns(), content=content, version=version)
    staged = replica.stage([StageFile(wanted, merge.path)], None)
    if not staged.contents[0]:
        return staged.reason
    applied = replica.apply([Action(Act.COPY, merge.path, wanted, found)])
    return "" if applied.done[0] else next((problem.reason for problem in applied.problems), "not placed")
