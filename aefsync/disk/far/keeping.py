"""A session's half that deals with the home of a root elsewhere: room, trash, past runs, and whatever is written."""

from __future__ import annotations

from collections.abc import Sequence

from aefsync.core.entry import kind_of
from aefsync.core.files import Statfs, Task, Volume, ask
from aefsync.core.finding import Finding
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Phase
from aefsync.core.space import Space
from aefsync.disk.far.examining import examine
from aefsync.disk.far.home import FarHome, make_home
from aefsync.disk.far.opening import FarOpened
from aefsync.disk.far.root import FarRoot
from aefsync.disk.far.writer import FarWriter
from aefsync.disk.history import History, as_it_is
from aefsync.disk.retelling import Retelling
from aefsync.disk.retention import trash_bytes
from aefsync.errors import AefsyncError


class FarKeeping(Retelling):
    """An open root elsewhere and its home, which is made when the session first writes."""

    def _begin(self) -> None:
        super()._begin()
        self._opened: FarOpened | None = None
        self._root: FarRoot | None = None
        self._home: FarHome | None = None
        self._history: History | None = None
        self._writer: FarWriter | None = None

    def space(self) -> Sequence[Space]:
        self._check_open()
        if self._root is None or not self._root.files.abilities.volumes:
            return []
        (volume,) = ask(self._root.files, Statfs(self._root.path))
        if not isinstance(volume, Volume):
            return []
        trash = trash_bytes(self._home) if self._home is not None else 0
        return [Space(b"", volume.free_bytes, volume.total_bytes, trash, volume.free_inodes)]

    def allocated(self, paths: Sequence[RelPath]) -> Sequence[int | None]:
        """Their sizes: what is sparse is not told."""
        self._check_open()
        root = self._root
        if root is None:
            return [None] * len(paths)
        return list(root.files.carry_out(_size(root, path) for path in paths))

    def examine(self) -> Sequence[Finding]:
        self._check_open()
        return list(examine(self._root, self._home))

    def _past(self) -> History:
        self._check_open()
        self._history = self._history or History(self._root, self._home, as_it_is)
        return self._history

    def _writing(self) -> FarWriter:
        """The writer; the root has a home from then on, and the lock on it is still ours."""
        self._check_open()
        if self._request.access is not Access.WRITE or self._root is None:
            raise AefsyncError("this replica was opened for reading")
        if self._home is None:
            self._home, self._history = make_home(self._root, self._request.run, self._new_identity()), None
        self._home.lease.check()
        if self._writer is None:
            parts = (self._root, self._home, self._request, self._taking.aspects)
            self._writer = FarWriter(*parts, lambda done: self.on_progress(Phase.COPY, done, 0))
        return self._writer


def _size(root: FarRoot, path: RelPath) -> Task[int | None]:
    try:
        seen = yield from root.look(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return 0
    return None if seen is None or kind_of(seen.st_mode) is None else seen.st_size
