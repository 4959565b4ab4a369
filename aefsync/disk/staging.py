"""Staging: files complete and verified in `.aefsync/tmp/RUN/`, on the root's own file system, but not yet in place.

A file is copied directly from another replica's root on this machine, or written piece by piece; either way its
bytes are hashed as they pass, and it counts as staged only when they are what the plan was made for.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Sequence
from functools import partial

from aefsync.core.action import Staged, StageFile
from aefsync.core.digest import content_digest
from aefsync.core.entry import Entry
from aefsync.core.growth import SMALL
from aefsync.core.metadata import PLAIN, Aspects
from aefsync.core.path import RelPath
from aefsync.core.ports import Piece
from aefsync.core.problem import Problem, reason_of
from aefsync.disk.arriving import Arriving
from aefsync.disk.beds import Beds
from aefsync.disk.cloning import clone
from aefsync.disk.confined import ConfinedRoot, split
from aefsync.disk.directories import OpenDirectories
from aefsync.disk.durability import Durable
from aefsync.disk.hashed_copy import copy_hashed
from aefsync.disk.hashing import READ_FLAGS, Seen, hash_blocks, seen_as, unchanged
from aefsync.disk.home import TMP, Home
from aefsync.disk.looking import Refused, check_content
from aefsync.disk.setting import finish_new
from aefsync.disk.sparse import BLOCK, WriteError, write_all, write_sparsely

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FINAL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_CLONED_FROM = _PART = 1 << 20


class Staging:
    """The staging of one run; `fill` copies what is known to be here already into a file, and says how much."""

    def __init__(
        self,
        home: Home,
        run: str,
        durable: Durable,
        on_bytes: Callable[[int], None] = lambda count: None,
        fill: Callable[[RelPath, int], int] = lambda path, fd: 0,
        aspects: Aspects = PLAIN,
        parallel: int = 1,
    ) -> None:
        """`parallel` processes may copy at the same time.  Once it `is_full`, nothing more is tried, nor told."""
        self._aspects = aspects
        self._home, self._place = home, TMP + b"/" + run.encode()
        home.make_directories(self._place)
        self.fd = home.open_directory(self._place)
        self._beds = Beds(self.fd, self.new_name, aspects, parallel)
        self._durable = durable
        self._on_bytes = on_bytes
        self._fill = fill
        self._names: dict[RelPath, bytes] = {}
        self._contents: dict[RelPath, bytes] = {}
        self._unwritten: dict[RelPath, WriteError] = {}
        self._arriving = Arriving()
        self.is_full = False
        self._number = 0
        self._sync_each = True
        self._bytes = 0

    def begin_anew(self) -> None:
        """Have a directory again, by the same descriptor, once the run had cleared it away and goes on."""
        self._home.make_directories(self._place)
        fd = self._home.open_directory(self._place)
        os.dup2(fd, self.fd, inheritable=False)
        os.close(fd)

    def name(self, path: RelPath) -> bytes | None:
        """The name in staging of what is meant for `path`."""
        return self._names.get(path)

    def content(self, path: RelPath) -> bytes:
        """The content digest of what is complete in staging for `path`; empty where nothing is."""
        return self._contents.get(path, b"")

    @property
    def unfinished(self) -> list[bytes]:
        """The names of files that were written to and are not complete."""
        return [name for path, name in self._names.items() if path not in self._contents]

    def take(self, path: RelPath) -> bytes:
        """Forget what was staged for `path`, because it is in place; its content digest."""
        self._names.pop(path, None)
        self._arriving.forget(path)
        return self._contents.pop(path, b"")

    def new_name(self) -> bytes:
        self._number += 1
        return b"%08d" % self._number

    def write(self, pieces: Sequence[Piece]) -> None:
        """Append pieces to the files they are meant for."""
        for piece in pieces:
            if self.is_full or piece.path in self._unwritten:
                continue
            if piece.path not in self._names:
                self._names[piece.path] = self.new_name()
            try:
                self._write_piece(self._names[piece.path], piece)
            except WriteError as error:
                self._unwritten[piece.path] = error
                self._discard(piece.path)
            else:
                self.count(len(piece.data))

    def _write_piece(self, name: bytes, piece: Piece) -> None:
        fd = _open(name, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, self.fd)
        try:
            write_sparsely(fd, piece.data, piece.offset)
            if len(piece.data) >= _PART:
                self._durable.begin(fd, piece.offset, len(piece.data))
        finally:
            os.close(fd)
        self._arriving.wrote(piece)

    def stage(self, files: Sequence[StageFile], peer: ConfinedRoot | None) -> Staged:
        """Complete files; a digest each, empty where it failed."""
        contents: list[bytes] = []
        problems: list[Problem] = []
        own: list[Problem] = []
        literal = reused = 0
        self._sync_each = self._durable.is_each(len(files))
        laid = self._beds.copy(files, peer) if peer is not None and not self._sync_each else {}
        with OpenDirectories(peer) if peer else contextlib.nullcontext() as directories:
            for number, file in enumerate(files):
                try:
                    found = 0
                    if number in laid:
                        self._discard(file.path)
                        self._names[file.path], content = laid[number]
                        self.count(file.source.size)
                    elif directories:
                        content = self._copy(file, directories)
                    else:
                        content, found = self._verify(file)
                except WriteError as error:
                    own += [] if self.is_full else [Problem(bytes(file.path), reason_of(error))]
                    self.is_full = self.is_full or error.errno in _FINAL
                    contents.append(b"")
                    self._discard(file.path)
                except (Refused, OSError) as error:
                    problems.append(Problem(bytes(file.source.path), reason_of(error)))
                    contents.append(b"")
                    self._discard(file.path)
                else:
                    contents.append(content)
                    self._contents[file.path] = content
                    literal += file.source.size - found
                    reused += found
        try:
            self._durable.files(self.fd, len(files))
        except OSError as error:
            return self._distrust(files, reason_of(error))
        return Staged(tuple(contents), tuple(problems), literal, reused, tuple(own))

    def _distrust(self, files: Sequence[StageFile], reason: str) -> Staged:
        """Nothing of a batch counts that could not be made durable."""
        for file in files:
            self._discard(file.path)
        others = f" (and {len(files) - 1} with it)" if len(files) > 1 else ""
        problem = Problem(bytes(files[0].path), f"not durable{others}: {reason}")
        return Staged((b"",) * len(files), (), 0, own_problems=(problem,))

    def _copy(self, file: StageFile, directories: OpenDirectories) -> bytes:
        if self.is_full:
            raise _full()
        origin = file.held or file.source
        directory, name = split(origin.path)
        source = os.open(name, READ_FLAGS, dir_fd=directories.get(directory))
        try:
            seen = still_seen(source, origin)
            target = self._create(file.path)
            try:
                content = self._copy_content(source, target, seen.size)
                if not unchanged(source, seen):
                    raise Refused("changed while it was copied")
                check_content(content, file.source)
                self._finish(target, file.source)
            finally:
                os.close(target)
            return content
        finally:
            os.close(source)

    def _create(self, path: RelPath) -> int:
        """A new file in staging, in place of what was staged for the path before."""
        self._discard(path)
        name = self._names[path] = self.new_name()
        return _open(name, _CREATE, self.fd)

    def _copy_content(self, source: int, target: int, size: int) -> bytes:
        if size <= SMALL:
            data = os.read(source, size + 1)
            _check_size(len(data), size)
            write_all(target, data, 0)
            self.count(size)
            return content_digest(data)
        if size >= _CLONED_FROM and clone(source, target):
            # Hashed itself: stores through a mapping may reach the source between cloning and reading.
            _check_size(os.fstat(target).st_size, size)
            return hash_blocks(target, self.count)
        end, content = copy_hashed(source, target, size, partial(self._copied, target, self._bytes))
        _check_size(end, size)
        return content

    def _copied(self, target: int, before: int, end: int) -> None:
        """A copy is there up to `end`; so many bytes came before it."""
        if end % BLOCK == 0:
            self._durable.begin(target, end - BLOCK, BLOCK)
        self.count(before + end - self._bytes)

    def _verify(self, file: StageFile) -> tuple[bytes, int]:
        """Complete and check what was written piece by piece; its digest, and how many bytes were here already."""
        if self.is_full or file.path in self._unwritten:
            raise self._unwritten.pop(file.path, None) or _full()
        name = self._names.get(file.path)
        if name is None:
            name = self._names[file.path] = self.new_name()
        fd = _open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, self.fd)
        try:
            reused = self._fill(file.path, fd)
            self.count(reused)
            content = b"" if reused else self._arriving.content(file.path, file.source.size)
            content = content or hash_blocks(fd)
            _check_size(os.fstat(fd).st_size, file.source.size)
            check_content(content, file.source)
            self._finish(fd, file.source)
            return content, reused
        finally:
            os.close(fd)

    def _finish(self, fd: int, entry: Entry) -> None:
        try:
            finish_new(fd, entry, self._aspects)
            if self._sync_each:
                self._durable.file(fd)
        except OSError as error:
            raise WriteError(error.errno, error.strerror) from None

    def count(self, count: int) -> None:
        """Tell of so many more bytes of content that came."""
        self._bytes += count
        self._on_bytes(self._bytes)

    def _discard(self, path: RelPath) -> None:
        self._contents.pop(path, None)
        self._arriving.forget(path)
        name = self._names.pop(path, None)
        if name is not None:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=self.fd)

    def close(self) -> None:
        self._beds.close()
        os.close(self.fd)


def _open(name: bytes, flags: int, directory: int) -> int:
    try:
        return os.open(name, flags, 0o600, dir_fd=directory)
    except OSError as error:
        raise WriteError(error.errno, error.strerror) from None


def _full() -> WriteError:
    return WriteError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def still_seen(fd: int, entry: Entry) -> Seen:
    """The stat that an open file must keep while it is read for an entry; raises `Refused` where it is another one by now.

    Where its content digest is known, to which whoever gets the bytes holds them, the ctime alone may have moved: that of all
    its names does when one is renamed or removed, which may have been ourselves.
    """
    seen = seen_as(entry)
    if not unchanged(fd, seen):
        seen = seen._replace(ctime_ns=os.fstat(fd).st_ctime_ns)
        if not (entry.is_read and unchanged(fd, seen)):
            raise Refused("changed since the scan")
    return seen


def _check_size(size: int, wanted: int) -> None:
    if size != wanted:
        raise Refused("changed while it was copied")
