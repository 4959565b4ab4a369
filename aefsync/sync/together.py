"""Do things at the same time, a thread each: on all replicas, or one while the next is prepared.

The work itself is done in the replicas' processes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")
Item = TypeVar("Item")


def together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """The results, in order; of several errors, that of the first replica is raised once all have ended.

    A signal, which only the main thread hears, waits for nobody: what is under way ends when its stream does.
    """
    results: dict[int, T] = {}
    errors: dict[int, BaseException] = {}

    def run(number: int) -> None:
        try:
            results[number] = calls[number]()
        except BaseException as error:  # noqa: BLE001 - it is raised again by whoever waits
            errors[number] = error

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(1, len(calls))]
    for thread in threads:
        thread.start()
    if calls:
        try:
            results[0] = calls[0]()
        except Exception as error:  # noqa: BLE001 - it is raised again below
            errors[0] = error
    for thread in threads:
        thread.join()
    if errors:
        raise errors[min(errors)]
    return [results[number] for number in range(len(calls))]


def one_ahead(items: Iterable[Item], work: Callable[[Item], T]) -> Iterator[T]:
    """The results of the work on each item, in order; it goes on while the next item is made and the last result used."""
    running: Begun[T] | None = None
    for item in items:
        results = [] if running is None else [running.result()]
        running = Begun(partial(work, item))
        yield from results
    if running is not None:
        yield running.result()


class Begun(Generic[T]):
    """A call under way in a thread of its own, a daemon as those above."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._results.append(self._call())
        except BaseException as error:  # noqa: BLE001 - it is raised again by whoever waits
            self._error = error

    def result(self) -> T:
        """What it returned, or raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._results[0]
