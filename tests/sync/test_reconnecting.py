"""How often, and how soon, a connection is tried again."""

from __future__ import annotations

import pytest

from aefsync.errors import AefsyncError, RootError, UnreachableError
from aefsync.sync.reconnecting import FIRST_S, LONGEST_S, Patience, persistently


class Trying:
    """Fails with these errors, one after the other, then succeeds."""

    def __init__(self, *errors: AefsyncError) -> None:
        self.errors = list(errors)
        self.attempts: list[int] = []
        self.pauses: list[float] = []

    def __call__(self, number: int) -> str:
        self.attempts.append(number)
        if self.errors:
            raise self.errors.pop(0)
        return "there"

    def run(self, retries: int, chance: float = 1.0) -> str:
        return persistently(self, Patience(retries, sleep=self.pauses.append, chance=lambda: chance))


def lost() -> UnreachableError:
    return UnreachableError("lost", transient=True)


def test_what_works_is_not_tried_again() -> None:
    trying = Trying()
    assert trying.run(3) == "there"
    assert (trying.attempts, trying.pauses) == ([0], [])


def test_the_pauses_grow_up_to_a_limit_and_are_spread() -> None:
    trying = Trying(*(lost() for _ in range(12)))
    assert trying.run(12) == "there"
    assert trying.pauses[:3] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert max(trying.pauses) == trying.pauses[-1] == LONGEST_S
    spread = Trying(lost())
    spread.run(1, chance=0.0)
    assert spread.pauses == [FIRST_S / 2]


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_in_the_end_the_error_stands(retries: int) -> None:
    trying = Trying(*(lost() for _ in range(9)))
    with pytest.raises(UnreachableError, match="^lost$") as caught:
        trying.run(retries)
    assert not caught.value.transient
    assert trying.attempts == list(range(retries + 1))


@pytest.mark.parametrize("error", [UnreachableError("login refused"), RootError("no such directory")])
def test_what_will_not_pass_is_not_tried_again(error: AefsyncError) -> None:
    trying = Trying(error)
    with pytest.raises(type(error)):
        trying.run(3)
    assert trying.attempts == [0]
