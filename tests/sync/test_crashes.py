"""Runs that are killed at a call which changes something: the next one converges, and nothing is lost, half done or left.

The long form kills every story at every such call, and in the midst of each write; the short one at a few of them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.stories import STORIES
from tests.support.touches import Touch
from tests.support.trials import KILLED, Outcome, Story, calls, grounds, undisturbed


class Kill:
    """Ends the process before a change (`halfway`: in the midst of what it writes), by number."""

    def __init__(self, number: int, *, halfway: bool) -> None:
        self._left = number
        self._is_halfway = halfway

    def __call__(self, touch: Touch) -> None:
        self._left -= touch.writes
        if touch.writes and not self._left:
            if self._is_halfway:
                touch.halve()
            os._exit(KILLED)


def kill(folder: Path, story: Story, number: int, expected: Outcome | None, *, halfway: bool = False) -> None:
    """Tell a story whose run is killed."""
    with grounds(folder / str(number), story) as found:
        # Threads take turns as they like: near the end it may have been over before.
        assert found.run(Kill(number, halfway=halfway)).code in (KILLED, 0, 1)
        found.check_whole()
        if story.goes_on:
            assert found.run().code in (0, 1)
            found.check_whole()
        found.check_mended(expected)


SAMPLE = [("versions, without exchange", 0.55), ("growth", 0.93)]


@pytest.mark.parametrize(("name", "part"), SAMPLE)
def test_a_kill(tmp_path: Path, name: str, part: float) -> None:
    ended, expected = undisturbed(tmp_path / "whole", STORIES[name])
    kill(tmp_path, STORIES[name], int(ended.writes * part), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", STORIES)
def test_every_kill(tmp_path: Path, name: str) -> None:
    ended, expected = undisturbed(tmp_path / "whole", STORIES[name])
    for number in calls(ended.writes):
        kill(tmp_path, STORIES[name], number, expected)
        kill(tmp_path, STORIES[name], number, expected, halfway=True)
