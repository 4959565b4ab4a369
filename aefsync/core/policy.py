"""Policies: what the user wants to become of conflicts, for all paths and by rules for some.

    keep-both         the winner of the built-in order stays, the other one is kept beside it (the default)
    newest            the winner stays, the other one goes to the trash
    skip              both are left as they are
    prefer:REPLICA    what that replica has: its label (A, B, ...), the name a set gives it, or its location
    merge:CMD         what a command makes of both

Rules have globs like those of ignore files: one without a slash in it stands for a name at any depth, any other one for
a path below the root; either way for all that is below it, too.  The last rule that fits a path wins.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from typing import NamedTuple

from aefsync.core.path import RelPath


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
    """Some globs, which fit what any of them does."""

    patterns: tuple[re.Pattern[str], ...] = ()

    def fits(self, path: RelPath) -> bool:
        text = bytes(path).decode("utf-8", "surrogateescape")
        return any(pattern.fullmatch(text) for pattern in self.patterns)


def parse_globs(globs: Iterable[str]) -> Globs:
    """Globs as users write them; raises `ValueError`.

    >>> parse_globs(["*.iso", "vm/**"]).fits(RelPath(b"vm/disk"))
    True
    """
    return Globs(tuple(re.compile(_expression(glob), re.DOTALL) for glob in globs))


class Rule(NamedTuple):
    """What holds for the paths that a pattern fits: a policy (`None`: another rule says), and whether suspects are edits
    there (`core.rot`)."""

    pattern: re.Pattern[str]
    policy: Policy | None
    suspects_are_edits: bool = False

    def fits(self, path: RelPath) -> bool:
        return self.pattern.fullmatch(bytes(path).decode("utf-8", "surrogateescape")) is not None


def parse_rule(glob: str, conflicts: str | None, suspect: str | None = None) -> Rule:
    """A rule as users write it; raises `ValueError` for a bad glob or policy.

    >>> parse_rule("*.md", "newest").fits(RelPath(b"docs/a.md"))
    True
    """
    if suspect not in (None, "edit"):
        raise ValueError(f"{suspect!r}: what a suspect can be taken for is an edit")
    policy = None if conflicts is None else parse_policy(conflicts)
    return Rule(re.compile(_expression(glob), re.DOTALL), policy, suspect is not None)


def edits_of(rules: Iterable[Rule]) -> Globs:
    """Where suspects are edits."""
    return Globs(tuple(rule.pattern for rule in rules if rule.suspects_are_edits))


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


_PARTS = re.compile(
    r"(?P<deep>(?:(?<=/)|\A)\*\*(?:/|\Z))|(?P<any>\*+)|(?P<one>\?)|\[(?P<members>[!^]?\]?[^\]]*)\]|\\(?P<escaped>.)|(?P<plain>.)",
    re.DOTALL,
)
"""`**` as a whole component, `*`, `?`, a class, an escaped character, any other."""


def _expression(glob: str) -> str:
    """A regular expression for the paths a glob stands for."""
    body = glob.strip("/")
    if not body:
        raise ValueError(f"{glob!r} is no glob")
    start = "" if "/" in body or glob.startswith("/") else "(?:.*/)?"
    end = "/.*" if glob.endswith("/") else "(?:/.*)?"
    return start + "".join(_translated(glob, part) for part in _PARTS.finditer(body)) + end


def _translated(glob: str, part: re.Match[str]) -> str:
    match part.lastgroup, part[0]:
        case "deep", "**":
            return ".*"
        case "deep", _:
            return "(?:.*/)?"
        case "any", _:
            return "[^/]*"
        case "one", _:
            return "[^/]"
        case "members", _:
            return _class(glob, part["members"])
        case "plain", "[":
            raise ValueError(f"{glob!r}: [ is not closed")
        case "plain", "\\":
            raise ValueError(f"{glob!r}: \\ at its end")
    return re.escape(part[0][-1])


def _class(glob: str, members: str) -> str:
    """A class of characters, none of which is the slash."""
    negated = members[:1] in ("!", "^")
    inside = (members[1:] if negated else members).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    # Doubled signs would be set operations one day, which Python warns of already.
    inside = re.sub(r"([&~|]|(?<=-)-)", r"\\\1", inside)
    try:
        re.compile(f"[{inside}]")
    except re.error:
        raise ValueError(f"{glob!r}: [{members}] is no class of characters") from None
    return f"(?!/)[{'^' if negated else ''}{inside}]"
