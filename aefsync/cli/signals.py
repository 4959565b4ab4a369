"""SIGTERM and SIGHUP as exceptions, so that a run ends as it does with Ctrl-C: state saved, children gone."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = ("SIGTERM", "SIGHUP")
TOGETHER_S = 1.0
_AGAIN_S = 0.01
WORDS = {130: "interrupted", 143: "terminated", 129: "hung up"}


class SignalledError(BaseException):
    """A signal asks the run to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def exit_code(error: KeyboardInterrupt | SignalledError) -> int:
    """The exit code of a run that a signal ended."""
    return error.exit_code if isinstance(error, SignalledError) else 130


def behind(error: BaseException) -> KeyboardInterrupt | SignalledError | None:
    """The signal that was ending the run already when this error came up on the way out.

    It may strike between any two steps, so that what is to be tidied up is there by half.
    """
    context = error.__context__
    while context is not None and not isinstance(context, KeyboardInterrupt | SignalledError):
        context = context.__context__
    return context


@contextmanager
def calling(name: str, call: Callable[[], None]) -> Iterator[None]:
    """Call something on a signal, in place of what it does otherwise, unless it is ignored."""
    number = getattr(signal, name, None)
    if number is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(number)
    if before is not signal.SIG_IGN:
        signal.signal(number, lambda number, frame: call())
    try:
        yield
    finally:
        signal.signal(number, before)


@contextmanager
def raising(clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Raise `SignalledError` in the main thread on these signals, unless they are ignored (nohup).

    A second signal is final, but not one that comes with the first: `timeout` and systemd send it to the process and
    to its group.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    first: list[float] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        if not first:
            first.append(clock())
            raise SignalledError(number)
        if clock() - first[0] > TOGETHER_S:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, handle)
    try:
        with _until_it_is_heard():
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _until_it_is_heard() -> Iterator[None]:
    """Raise once more what Python has dropped: what a signal raises in a finalizer or in a callback goes no further."""
    dropped: list[BaseException] = []
    others = sys.unraisablehook

    def drop(unraisable: sys.UnraisableHookArgs) -> None:
        if isinstance(unraisable.exc_value, KeyboardInterrupt | SignalledError):
            dropped.append(unraisable.exc_value)
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
        else:
            others(unraisable)

    def again(_number: int, _frame: FrameType | None) -> None:
        if dropped:
            raise dropped.pop()

    before = signal.signal(signal.SIGALRM, again)
    sys.unraisablehook = drop
    try:
        yield
    finally:
        sys.unraisablehook = others
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
