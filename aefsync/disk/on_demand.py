"""On demand: a sequence of things that are made, or read, when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, overload

_T = TypeVar("_T")


class OnDemand(Sequence[_T]):
    """So many, each made by its number when it is asked for: all of them together would fill memory."""

    def __init__(self, count: int, make: Callable[[int], _T]) -> None:
        self._count = count
        self._make = make
        self._last: tuple[int, _T] | None = None
        """the one that was asked for last, and often is again"""

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[_T]:
        return map(self._make, range(self._count))

    @overload
    def __getitem__(self, number: int) -> _T: ...

    @overload
    def __getitem__(self, number: slice) -> list[_T]: ...

    def __getitem__(self, number: int | slice) -> _T | list[_T]:
        if isinstance(number, slice):
            return [self._make(each) for each in range(*number.indices(self._count))]
        if self._last is None or self._last[0] != number:
            self._last = number, self._make(range(self._count)[number])
        return self._last[1]
