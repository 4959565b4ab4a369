"""Policies: what the user wants to become of conflicts, for all paths and by rules for some.

    keep-both         the winner of the built-in order stays, the other one is kept beside it (the default)
    newest            the winner stays, the other one goes to the trash
    skip              both are left as they are
    prefer:REPLICA    what that replica has: its label (A, B, ...), the name a set gives it, or its location
    merge:CMD         what a command makes of both

Rules have globs, which mean what they mean in ignore files (`patterns`): one without a slash in it stands for a name at
any depth, any other one for a path below the root; either way for all that is below it, too.  The last rule that fits a
path wins.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.patterns import Patterns, parse_glob


class PolicyKind(enum.StrEnum):
    """The ways of dealing with a conflict, named as users write them."""

    KEEP_BOTH = "keep-both"
    NEWEST = "newest"
    SKIP = "skip"
    PREFER = "prefer"
    MERGE = "merge"


WITH_ARGUMENT = {PolicyKind.PREFER: "REPLICA", PolicyKind.MERGE: "CMD"}
"""What follows the colon of those that have one."""


class Policy(NamedTuple):
    """What becomes of a conflict; `argument` is the replica to prefer, or the command that merges."""

    kind: PolicyKind = PolicyKind.KEEP_BOTH
    argument: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.argument}" if self.argument else str(self.kind)


def parse_policy(text: str) -> Policy:
    """Read a policy as users write it; raises `ValueError` for anything else."""
    word, colon, argument = text.strip().partition(":")
    try:
        kind = PolicyKind(word)
    except ValueError:
        known = ", ".join(f"{each}:{WITH_ARGUMENT[each]}" if each in WITH_ARGUMENT else each for each in PolicyKind)
        raise ValueError(f"{text!r} is no policy for conflicts; there are {known}") from None
    argument = argument.strip()
    if kind not in WITH_ARGUMENT and colon:
        raise ValueError(f"{text!r}: nothing follows {kind}")
    if kind in WITH_ARGUMENT and not argument:
        raise ValueError(f"{text!r}: it is {kind}:{WITH_ARGUMENT[kind]}")
    return Policy(kind, argument)


class Globs(NamedTuple):
    """Some globs, which fit what any of them does; each stands for the path that is written like it, too."""

    patterns: tuple[Patterns, ...] = ()

    def fits(self, path: RelPath) -> bool:
        return any(each.fit(path) or each.is_written(path) for each in self.patterns)


def parse_globs(globs: Iterable[str]) -> Globs:
    """Globs as users write them; raises `ValueError`.

    >>> parse_globs(["*.iso", "vm/**"]).fits(RelPath(b"vm/disk"))
    True
    """
    return Globs(tuple(map(parse_glob, globs)))


class Rule(NamedTuple):
    """What holds for the paths that a glob fits: a policy (`None`: another rule says), and whether suspects are edits
    there (`core.rot`)."""

    glob: Patterns
    policy: Policy | None
    suspects_are_edits: bool = False

    def fits(self, path: RelPath) -> bool:
        return self.glob.fit(path)


def parse_rule(glob: str, conflicts: str | None, suspect: str | None = None) -> Rule:
    """A rule as users write it; raises `ValueError` for a bad glob or policy.

    >>> parse_rule("*.md", "newest").fits(RelPath(b"docs/a.md"))
    True
    """
    if suspect not in (None, "edit"):
        raise ValueError(f"{suspect!r}: what a suspect can be taken for is an edit")
    policy = None if conflicts is None else parse_policy(conflicts)
    return Rule(parse_glob(glob), policy, suspect is not None)


def edits_of(rules: Iterable[Rule]) -> Globs:
    """Where suspects are edits."""
    return Globs(tuple(rule.glob for rule in rules if rule.suspects_are_edits))


class Policies(NamedTuple):
    """What holds for each path."""

    default: Policy = Policy()
    rules: tuple[Rule, ...] = ()

    def of(self, path: RelPath) -> Policy:
        """The policy for a path: that of the last rule which fits it, or the default."""
        return next((rule.policy for rule in reversed(self.rules) if rule.policy and rule.fits(path)), self.default)

    @property
    def all(self) -> Iterable[Policy]:
        """Every policy that may come up."""
        return (self.default, *(rule.policy for rule in self.rules if rule.policy))
