"""What policies for conflicts name, checked before anything begins: replicas that they prefer, commands that merge."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence

from aefsync.core.policy import Policies, Policy, PolicyKind
from aefsync.errors import UsageError


def preferred(policies: Policies, called: Sequence[Sequence[str]], known: str) -> tuple[tuple[str, int], ...]:
    """The replicas that policies prefer, by what these call them; raises `UsageError`, also for a command that is none.

    `called` are the ways of calling replicas, each a word for every replica in order; `known` lists them for people.
    """
    found: dict[str, int] = {}
    for policy in policies.all:
        if policy.kind is PolicyKind.MERGE:
            _check_command(policy)
        elif policy.kind is PolicyKind.PREFER:
            words = next((each for each in called if policy.argument in each), None)
            if words is None:
                raise UsageError(f"{policy}: there is no such replica; there are {known}")
            found[policy.argument] = words.index(policy.argument)
    return tuple(found.items())


def waiting(policies: Policies, gone: Collection[str]) -> Policies:
    """The policies where the word of some replicas is waited for: conflicts that it would settle are left standing."""

    def waits(policy: Policy | None) -> bool:
        return policy is not None and policy.kind is PolicyKind.PREFER and policy.argument in gone

    skip = Policy(PolicyKind.SKIP)
    return policies._replace(
        default=skip if waits(policies.default) else policies.default,
        rules=tuple(rule._replace(policy=skip) if waits(rule.policy) else rule for rule in policies.rules),
    )


def _check_command(policy: Policy) -> None:
    try:
        is_empty = not shlex.split(policy.argument)
    except ValueError as error:
        raise UsageError(f"{policy}: {str(error).lower()}") from None
    if is_empty:
        raise UsageError(f"{policy}: no command")
