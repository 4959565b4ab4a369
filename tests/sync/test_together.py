"""Calls at the same time: their results in order, and one error of several."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from aefsync.sync.together import one_ahead, together


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


def test_an_interrupt_waits_for_nobody() -> None:
    is_over, ended = threading.Event(), []
    try:
        with pytest.raises(Interrupt):
            together([lambda: fail(Interrupt()), lambda: ended.append(is_over.wait(20))])
        assert not ended
    finally:
        is_over.set()


# one ahead


def test_results_come_in_order() -> None:
    assert list(one_ahead(range(5), lambda number: number * 2)) == [0, 2, 4, 6, 8]
    assert list(one_ahead([], fail)) == []


def test_the_next_item_is_made_and_the_last_result_used_while_work_goes_on() -> None:
    told: list[str] = []
    made, used = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 0
        made.set()
        yield 1

    def work(number: int) -> int:
        assert (made, used)[number].wait(60)
        return number

    for number in one_ahead(items(), work):
        told.append(f"used {number}")
        used.set()
    assert told == ["used 0", "used 1"]


def test_an_error_ends_it() -> None:
    worked: list[int] = []

    def work(number: int) -> int:
        worked.append(number)
        if number == 1:
            raise Interrupt
        return number

    results = one_ahead(range(5), work)
    assert next(results) == 0
    with pytest.raises(Interrupt):
        list(results)
    assert worked == [0, 1]
