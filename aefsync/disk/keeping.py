"""A session's half that deals with the home of its root: room, trash, past runs, and whatever is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aefsync.core.entry import Entry
from aefsync.core.finding import Finding
from aefsync.core.metadata import Aspects
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Phase
from aefsync.core.space import Space
from aefsync.disk.assembly import Assembly, unfinished
from aefsync.disk.chunk_lists import ChunkLists
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.extras import Extras
from aefsync.disk.filesystem import LOCAL
from aefsync.disk.history import History
from aefsync.disk.home import Home
from aefsync.disk.opening import OpenRoot, make_home
from aefsync.disk.retelling import Retelling
from aefsync.disk.room import allocated, space_of
from aefsync.disk.writer import Writer
from aefsync.errors import AefsyncError


class Keeping(Retelling):
    """An open root and its home, which is made when the session first writes."""

    def _begin(self) -> None:
        super()._begin()
        self._opened: OpenRoot | None = None
        self._root: ConfinedRoot | None = None
        self._file_system = LOCAL
        self._home: Home | None = None
        self._assembly: Assembly | None = None
        self._writer: Writer | None = None
        self._history: History | None = None

    @property
    def _may_try(self) -> bool:
        """Whether to find out what the file system can do by making files that go away again."""
        return True

    def _on_home(self, opened: OpenRoot, home: Home) -> None:
        """Hear that the root has a home from now on."""

    def space(self) -> Sequence[Space]:
        self._check_open()
        return space_of(self._root, self._home) if self._root is not None else []

    def allocated(self, paths: Sequence[RelPath]) -> Sequence[int | None]:
        self._check_open()
        return allocated(self._root, paths) if self._root is not None else [None] * len(paths)

    def examine(self) -> Sequence[Finding]:
        from aefsync.disk.examining import examine  # hardly ever asked for

        self._check_open()
        return list(examine(self._request.root, tries=self._may_try))

    def _past(self) -> History:
        self._check_open()
        self._history = self._history or History(self._root, self._home, self._completing)
        return self._history

    def _completing(self, aspects: Aspects) -> Callable[[Entry], Entry]:
        assert self._root is not None
        return Extras(self._root, aspects).look

    def _writing(self) -> Writer:
        """The writer; the root has a home from then on."""
        self._check_open()
        if self._request.access is not Access.WRITE or self._opened is None or self._root is None:
            raise AefsyncError("this replica was opened for reading")
        if self._home is None:
            self._home, self._history = make_home(self._opened, self._request.run, self._new_identity()), None
            self._on_home(self._opened, self._home)
        if self._writer is None:
            assembly = self._assembling(self._root)
            self._writer = Writer(
                self._root, self._home, self._request, self._file_system, self._taking.aspects, assembly, self._copied
            )
        return self._writer

    def _copied(self, done: int) -> None:
        self.on_progress(Phase.COPY, done, 0)

    @property
    def _lists(self) -> ChunkLists:
        return ChunkLists(self._request.cache_dir)

    def _assembling(self, root: ConfinedRoot) -> Assembly:
        if self._assembly is None:
            leftovers = unfinished(self._home) if self._home is not None else ()
            self._assembly = Assembly(root, leftovers, self._lists, self._find, self._reading)
        return self._assembly
