"""Calls at the same time: their results in order, and one error of several."""

from __future__ import annotations

import threading

import pytest

from aefsync.sync.together import together


class Interrupt(BaseException):
    """What is no `Exception`."""


def fail(error: BaseException) -> None:
    raise error


def test_of_nothing_comes_nothing() -> None:
    assert together([]) == []


def test_results_are_in_the_order_of_the_calls() -> None:
    first_may_end = threading.Event()

    def first() -> str:
        first_may_end.wait()
        return "first"

    def second() -> str:
        first_may_end.set()
        return "second"

    assert together([first, second, lambda: "third"]) == ["first", "second", "third"]


def test_all_run_at_the_same_time() -> None:
    meeting = threading.Barrier(3)
    assert sorted(together([meeting.wait] * 3)) == [0, 1, 2]


def test_the_first_call_runs_in_the_calling_thread() -> None:
    here = threading.get_ident()
    assert [each == here for each in together([threading.get_ident] * 2)] == [True, False]


def test_of_several_errors_that_of_the_first_call_is_raised() -> None:
    last_has_failed = threading.Event()

    def first() -> None:
        last_has_failed.wait()
        raise ValueError("first")

    def last() -> None:
        last_has_failed.set()
        raise KeyError("last")

    with pytest.raises(ValueError, match="first"):
        together([first, lambda: None, last])


def test_an_error_waits_for_the_other_calls() -> None:
    done = []
    with pytest.raises(ValueError, match="mine"):
        together([lambda: fail(ValueError("mine")), lambda: done.append(1)])
    assert done == [1]


@pytest.mark.parametrize("number", [0, 1])
def test_an_interrupt_is_raised_too(number: int) -> None:
    calls = [lambda: None, lambda: None]
    calls[number] = lambda: fail(Interrupt())
    with pytest.raises(Interrupt):
        together(calls)
