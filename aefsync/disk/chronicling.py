"""A session's half that has a chronicle: the sidecar behind it is opened, made when anything is first written, set aside
where it is damaged, and its words are told.

Where it is kept depends on where the root is: `remembering_here` and `far/remembering` tell.
"""

from __future__ import annotations

import contextlib
import os
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from aefsync.core.members import Standing, told
from aefsync.core.path import RESERVED
from aefsync.core.ports import Access, Scan
from aefsync.core.problem import Problem
from aefsync.disk.chronicle import Chronicle
from aefsync.disk.home import identity_in
from aefsync.disk.readable import Readable
from aefsync.disk.retelling import Retelling
from aefsync.disk.sidecar import Damaged, Sidecar, trouble
from aefsync.disk.sidecar_file import NAME
from aefsync.disk.standing import ID, PLACE, Words, mounts_in, standing_of
from aefsync.errors import AefsyncError, RootError


class Known(Protocol):
    """A home, which tells what its root is known by."""

    @property
    def identity(self) -> str: ...

    def identify(self, identity: str) -> None: ...


Root = TypeVar("Root", bound=Readable)
Keep = TypeVar("Keep", bound=Known)


class Chronicling(Retelling, Generic[Root, Keep]):
    """An open root, with its chronicle from the first scan on that asks for versions."""

    _root: Root | None
    _home: Keep | None

    def __init__(self) -> None:
        super().__init__()
        self._random: Callable[[int], bytes] = os.urandom

    @abstractmethod
    def _whereabouts(self, root: Root) -> bytes:
        """Where a root is, as far as nothing but copying it changes that; empty where that cannot be told."""

    @abstractmethod
    def _has_sidecar(self, home: Keep) -> bool: ...

    @abstractmethod
    def _open_for_writing(self, home: Keep) -> Sidecar:
        """The sidecar, made where there is none; raises as `sidecar.connect`."""

    @abstractmethod
    def _open_for_reading(self, home: Keep) -> Sidecar | None:
        """The sidecar as it is now, nothing being created or changed; `None` where there is none."""

    @abstractmethod
    def _set_aside(self, home: Keep) -> str:
        """Rename a damaged sidecar, with what belongs to it; its new name."""

    def _begin(self) -> None:
        super()._begin()
        self._chronicle: Chronicle | None = None
        self._is_copy = False
        self._mounts: tuple[bytes, ...] | None = None
        """the mount points below the root as the sidecar knew them when the root was opened (`None`: it did not)"""
        self._id = ""
        self._is_unborn = False
        """whether there is no sidecar yet: it is made when anything is first written in the root"""

    def _look_whether_copied(self) -> None:
        """Give a root a new id that was copied, or restored from a backup of files, together with what it remembers; and one
        that lost its id the one that it had."""
        if self._home is None or self._root is None or self._request.access is not Access.WRITE:
            return
        words: Words = {}
        with contextlib.suppress(AefsyncError, Damaged):
            words = self._words(self._home)
        identity, place, known = self._home.identity, self._whereabouts(self._root), words.get(ID, b"")
        is_elsewhere = bool(place) and words.get(PLACE, place) != place
        if not identity or (is_elsewhere and known == identity.encode()):
            self._home.identify((not is_elsewhere and identity_in(known)) or self._random(16).hex())
            self._is_copy = bool(identity)

    def _open_chronicle(self, request: Scan) -> list[Problem]:
        """Begin to remember, where that is asked for; trouble with what was remembered."""
        self._close_chronicle()
        if not request.versions:
            return []
        try:
            self._chronicle = self._new_chronicle()
        except Damaged as damaged:
            return [self._begin_anew(damaged)]
        return []

    def _new_chronicle(self) -> Chronicle:
        writes = self._root is not None and self._request.access is Access.WRITE
        sidecar = None
        if self._home is not None and self._has_sidecar(self._home):
            sidecar = self._open_sidecar(self._home) if writes else self._open_for_reading(self._home)
        with contextlib.ExitStack() as unless_known:
            if sidecar is not None:
                unless_known.callback(sidecar.close)
            chronicle = Chronicle(sidecar, writable=writes, random=self._random)
            self._is_unborn = writes and sidecar is None
            if writes and self._root is not None:
                self._id = (self._home.identity if self._home is not None else "") or self._random(16).hex()
                chronicle.settle_in(self._id, self._whereabouts(self._root))
            unless_known.pop_all()
        return chronicle

    def _open_sidecar(self, home: Keep) -> Sidecar:
        self._writing()
        return self._open_for_writing(home)

    def _new_identity(self) -> str:
        """What the coordinator has been told already, if it has been told anything."""
        return self._id if self._is_unborn else self._random(16).hex()

    def _begin_anew(self, damaged: Damaged) -> Problem:
        """Go on without what was remembered, as a replica that joins; it is set aside."""
        chronicle, self._chronicle = self._chronicle, None
        if chronicle is not None and chronicle.sidecar is not None:
            chronicle.sidecar.close()
        reason = f"is damaged ({damaged}): this replica joins as a new one"
        if self._request.access is Access.WRITE and self._home is not None:
            reason += f", and what it remembered is set aside as {self._set_aside(self._home)}"
            self._chronicle = self._new_chronicle()
        else:
            self._chronicle = Chronicle(None, writable=False, random=self._random)
        return Problem(RESERVED + b"/" + NAME.encode(), reason)

    @contextlib.contextmanager
    def _remembering(self) -> Iterator[Chronicle]:
        """The chronicle, to be written."""
        self._writing()
        if self._chronicle is None:
            raise AefsyncError("this session remembers nothing")
        if self._is_unborn and self._home is not None:
            self._is_unborn = False
            if self._home.identity != self._id:
                self._home.identify(self._id)
            self._chronicle.enter(self._open_sidecar(self._home))
        try:
            with self._chronicle.transaction():
                yield self._chronicle
        except Damaged as damaged:
            raise RootError(self._begin_anew(damaged).reason) from None

    def _said(self) -> tuple[Standing | None, str]:
        """What the sidecar says (`None` where there is none), or why it cannot be read."""
        home = self._home
        try:
            with trouble():
                known = home.identity if home is not None else ""
                words = self._words(home) if home is not None and known else {}
                self._mounts, standing = mounts_in(words), standing_of(words, known)
            return standing and told(standing, self._request.known), ""
        except Damaged as damaged:
            return None, f".aefsync/{NAME} is damaged ({damaged})"
        except AefsyncError as error:
            return None, error.message

    def _words(self, home: Keep) -> Words:
        """What the sidecar says of the replica; raises where it cannot be read."""
        if self._chronicle is not None:
            return self._chronicle.words
        sidecar = self._open_for_reading(home)
        if sidecar is None:
            return {}
        with contextlib.closing(sidecar):
            return sidecar.words()

    def _close_chronicle(self) -> None:
        chronicle, self._chronicle = self._chronicle, None
        if chronicle is not None and chronicle.sidecar is not None:
            if chronicle.writable:
                chronicle.sidecar.shrink()
            chronicle.sidecar.close()
