"""Scans that leave contents unread.  Those of small trees are read along with the listing, needed or not, and most stories
would never come to where nobody has read a file yet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

_READ = (None, 2, 0)
"""How few files a scan reads at once; `None`: as many as ever."""


@contextlib.contextmanager
def reading(number: int) -> Iterator[bool]:
    """While a story is told: in one of three all is read as ever, in one nothing that need not be, in one only where it
    is no more than two files.  Yields whether anything is left unread."""
    few = _READ[number // 2 % len(_READ)]
    with pytest.MonkeyPatch.context() as patch:
        if few is not None:
            patch.setattr("aefsync.disk.listing._EAGER", 0)
            patch.setattr("aefsync.disk.replica.FEW_FILES", few)
        yield few is not None
