"""The copy of a sidecar elsewhere, in a private directory of this machine, which lasts as long as the process.

A copy is still that of what is there while sizes and mtimes are the same.  As these are told in whole seconds, that
proves nothing of a file that had just been written when it was copied, unless nobody else may write since.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Mapping

from aefsync.core.files import FarStat, Lstat, ask, raised
from aefsync.core.problem import reason_of
from aefsync.disk.far.home import FarHome
from aefsync.disk.far.lease import Lease
from aefsync.disk.far.root import BLOCK, block
from aefsync.disk.filesystem import REMOTE
from aefsync.disk.folder import Folder
from aefsync.disk.sidecar import Damaged
from aefsync.disk.sidecar_file import ALL, JOURNALS, NAME
from aefsync.errors import RootError

_FILES = ("", *JOURNALS)
_ATTEMPTS = 3


class Fetched:
    """The copy; `cache_dir` is this machine's."""

    def __init__(self) -> None:
        self.cache_dir = b""
        self._folder: Folder | None = None
        self._seen: Mapping[str, FarStat] = {}
        self._is_certain = False
        self._lease: Lease | None = None

    def place(self, suffix: str = "") -> str:
        """The path of the copy, or of what is beside it."""
        if self._folder is None:
            self._folder = Folder(os.fsdecode(self.cache_dir))
        return os.path.join(self._folder.path, NAME + suffix)

    def fetch(self, home: FarHome, clock_ns: Callable[[], int]) -> Mapping[str, FarStat]:
        """Have a copy of the sidecar of a home, and of what was left beside it; what there is, by what its name ends with.

        `clock_ns` is the far side's clock.  Raises `Damaged` where that can be no sidecar, `RootError` where it cannot be
        read.
        """
        try:
            for _ in range(_ATTEMPTS):
                now_ns, seen = clock_ns(), _look(home)
                if seen == self._seen and (self._is_certain or self._is_ours(home)):
                    return seen
                self.forget()
                if all(self._copy(home, suffix, each) for suffix, each in seen.items()) and _look(home) == seen:
                    self._note(home, seen, now_ns)
                    return seen
        except OSError as error:
            raise RootError(f".aefsync/{NAME}: {reason_of(error)}") from None
        raise RootError(f".aefsync/{NAME}: is being changed by another run")

    def is_now_there(self, home: FarHome) -> None:
        """What is here has been put there, by who may write."""
        self._note(home, _look(home), 0)

    def _note(self, home: FarHome, seen: Mapping[str, FarStat], now_ns: int) -> None:
        latest = max((each.st_mtime_ns for each in seen.values()), default=now_ns)
        self._seen, self._is_certain = seen, latest + REMOTE.step_ns < now_ns
        self._lease = home.lease if home.lease.is_held else None

    def _is_ours(self, home: FarHome) -> bool:
        return self._lease is home.lease and home.lease.is_held

    def _copy(self, home: FarHome, suffix: str, seen: FarStat) -> bool:
        """Copy one file; whether it was the same to the end."""
        place, offsets = home.at((NAME + suffix).encode()), range(0, seen.st_size, BLOCK)
        with open(self.place(suffix), "wb") as file:
            for got in home.files.carry_out(block(place, offset) for offset in offsets):
                if raised(got).seen != seen:
                    return False
                file.write(got.data)
            return file.tell() == seen.st_size

    def forget(self) -> None:
        """Have no copy any more."""
        self._seen, self._is_certain, self._lease = {}, False, None
        for suffix in ALL if self._folder is not None else ():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.place(suffix))

    def close(self) -> None:
        if self._folder is not None:
            self._folder.close()
            self._folder = None


def _look(home: FarHome) -> dict[str, FarStat]:
    """The sidecar, and what of a transaction stands beside it; nothing where there is no sidecar."""
    found = zip(_FILES, ask(home.files, *(Lstat(home.at((NAME + each).encode())) for each in _FILES)), strict=True)
    seen = {suffix: raised(each) for suffix, each in found if not isinstance(each, FileNotFoundError)}
    if "" not in seen:
        return {}
    if not all(stat.S_ISREG(each.st_mode) for each in seen.values()):
        raise Damaged("is no regular file")
    if not seen[""].st_size:
        raise Damaged("is empty")
    return {suffix: each for suffix, each in seen.items() if each.st_size}
