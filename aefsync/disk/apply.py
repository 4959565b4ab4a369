"""Apply: the one place that changes the tree.  It looks just before each step, and again at what came out.

Replacing: the staged file is moved to the *trash slot* of the path it will replace, and the two are exchanged in one
system call, so that what was there is in the trash from that instant and no clean-up ever unlinks it.  If what came
out is not what the plan saw, somebody edited the file at that very moment: it is put back beside the new one as a
conflict copy.  Creating never replaces (`RENAME_NOREPLACE`); deleting is a rename into the slot with the same look, and
back again where it shows something else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Sequence

from aefsync.core.action import Act, Action, Applied, KeptCopy
from aefsync.core.conflict import conflict_name
from aefsync.core.entry import Entry, Kind, kind_of
from aefsync.core.path import RelPath
from aefsync.core.problem import Problem
from aefsync.disk import syscalls
from aefsync.disk.confined import ConfinedRoot, split
from aefsync.disk.directories import OpenDirectories
from aefsync.disk.hashing import Seen, hash_file
from aefsync.disk.listing import INODE
from aefsync.disk.renaming import NO_FLAGS, rename_new, rename_out
from aefsync.disk.staging import Staging
from aefsync.disk.trash import DELETED, REPLACED, Trash

_O_PATH = getattr(os, "O_PATH", 0)
"""Opens what its owner may change but not read; changed through /proc, which names the very same file."""
_METADATA = (_O_PATH or os.O_NONBLOCK) | os.O_NOFOLLOW | os.O_CLOEXEC
_SPECIAL = 0o7000


class _Refused(Exception):
    """An action that is not carried out, with the reason."""


class _Kept(Exception):
    """A directory that stays for the sake of what filters leave out: nobody's problem."""


class Applier:
    """Carries out actions on one root.

    `is_unmanaged` tells of a path whether filters leave it out.  `touched` collects the paths whose directories have to
    be looked at again, `stamps` the ctime_ns and inode of each file and symlink just after it was put in place: with
    those it is still what was put there.
    """

    def __init__(
        self, root: ConfinedRoot, staging: Staging, trash: Trash, is_unmanaged: Callable[[bytes], bool]
    ) -> None:
        self._is_unmanaged = is_unmanaged
        self._root = root
        self._staging = staging
        self._trash = trash
        self._kept: list[KeptCopy] = []
        self.touched: set[RelPath] = set()
        self.stamps: dict[RelPath, tuple[int, int]] = {}

    def apply(self, actions: Sequence[Action]) -> Applied:
        """Carry out actions in order; one that cannot be is a problem, and the others go on."""
        done: list[bool] = []
        problems: list[Problem] = []
        self._kept = []
        with OpenDirectories(self._root, writable=True) as self._parents:
            for action in actions:
                try:
                    self._perform(action)
                except _Kept:
                    done.append(False)
                except (_Refused, OSError) as error:
                    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                    problems.append(Problem(bytes(action.source or action.path), reason.lower()))
                    done.append(False)
                else:
                    done.append(True)
        return Applied(tuple(done), tuple(problems), tuple(self._kept))

    def _perform(self, action: Action) -> None:
        self.touched.add(action.path)
        if action.source is not None:
            self.touched.add(action.source)
        match action.act:
            case Act.CREATE | Act.COPY:
                self._place(action, self._staged(action.path))
                self._staging.take(action.path)
            case Act.LINK:
                self._place(action, self._make_link(_wanted(action)))
            case Act.MKDIR:
                self._make_directory(action)
            case Act.METADATA:
                self._set_metadata(action)
            case Act.MOVE:
                self._move(action)
            case Act.DELETE:
                self._delete(action)
        if action.act in (Act.CREATE, Act.COPY, Act.LINK, Act.MOVE):
            self._stamp(action.path)

    def _stamp(self, path: RelPath) -> None:
        directory, name = split(path)
        with contextlib.suppress(FileNotFoundError):
            seen = os.stat(name, dir_fd=self._parents.get(directory), follow_symlinks=False)
            self.stamps[path] = (seen.st_ctime_ns, seen.st_ino & INODE)

    def _staged(self, path: RelPath) -> bytes:
        name = self._staging.name(path)
        if name is None:
            raise _Refused("was not staged")
        return name

    def _make_link(self, wanted: Entry) -> bytes:
        if not wanted.target:
            raise _Refused("its target changed since the scan")
        name = self._staging.new_name()
        os.symlink(wanted.target, name, dir_fd=self._staging.fd)
        times = (wanted.mtime_ns, wanted.mtime_ns)
        os.utime(name, ns=times, dir_fd=self._staging.fd, follow_symlinks=False)
        return name

    def _place(self, action: Action, staged: bytes) -> None:
        directory, name = split(action.path)
        parent = self._parents.get(directory)
        if action.found is None:
            try:
                rename_new(self._staging.fd, staged, parent, name)
            except FileExistsError:
                if not _already_there(parent, name, _wanted(action), self._staging.contents.get(action.path, b"")):
                    raise _Refused("appeared since the scan") from None
            return
        _look(parent, name, action.found)
        home, slot = self._trash.slot(REPLACED, action.path)
        slot_directory, slot_name = split(slot)
        with home.directory(slot_directory) as slot_fd:
            self._exchange(staged, (slot_fd, slot_name), (parent, name), action)

    def _exchange(self, staged: bytes, slot: tuple[int, bytes], target: tuple[int, bytes], action: Action) -> None:
        os.rename(staged, slot[1], src_dir_fd=self._staging.fd, dst_dir_fd=slot[0])
        try:
            syscalls.renameat2(*slot, *target, syscalls.RENAME_EXCHANGE)
        except OSError as error:
            os.rename(slot[1], staged, src_dir_fd=slot[0], dst_dir_fd=self._staging.fd)
            if error.errno not in NO_FLAGS:
                raise
            self._replace_in_two(staged, slot, target)
        self._look_at_trash(slot, target, action)

    def _replace_in_two(self, staged: bytes, slot: tuple[int, bytes], target: tuple[int, bytes]) -> None:
        """Where names cannot be exchanged: out with the old, in with the new; back with the old if that fails."""
        rename_out(*target, *slot)
        try:
            rename_new(self._staging.fd, staged, *target)
        except OSError:
            with contextlib.suppress(OSError):
                rename_new(*slot, *target)
            raise

    def _look_at_trash(self, slot: tuple[int, bytes], target: tuple[int, bytes], action: Action) -> None:
        """What came out must be what the plan saw; a local edit that raced us stays beside the new file."""
        assert action.found is not None
        seen = os.stat(slot[1], dir_fd=slot[0], follow_symlinks=False)
        if _shows(seen, action.found, after_rename=True):
            return
        name = conflict_name(action.path.name, b"", seen.st_mtime_ns, os.urandom(32))
        rename_new(*slot, target[0], name)
        kept_as = action.path.sibling(name)
        self.touched.add(kept_as)
        self._kept.append(KeptCopy(action.path, kept_as))

    def _make_directory(self, action: Action) -> None:
        directory, name = split(action.path)
        parent = self._parents.get(directory)
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                raise _Refused("appeared since the scan") from None
        with self._root.directory(action.path) as fd:
            os.fchmod(fd, _wanted(action).mode | 0o300 | os.fstat(fd).st_mode & _SPECIAL)

    def _set_metadata(self, action: Action) -> None:
        directory, name = split(action.path)
        parent, wanted = self._parents.get(directory), _wanted(action)
        if wanted.kind is Kind.SYMLINK:
            _look(parent, name, action.found)
            os.utime(name, ns=(wanted.mtime_ns, wanted.mtime_ns), dir_fd=parent, follow_symlinks=False)
            return
        fd = os.open(name, _METADATA, dir_fd=parent)
        try:
            seen = os.fstat(fd)
            if kind_of(seen.st_mode) is not wanted.kind or (action.found and not _shows(seen, action.found)):
                raise _Refused("changed since the scan")
            handle = f"/proc/self/fd/{fd}" if _O_PATH else fd
            if wanted.kind is Kind.DIRECTORY:
                os.chmod(handle, wanted.mode | seen.st_mode & _SPECIAL)
                return
            os.chmod(handle, wanted.mode)
            if os.fstat(fd).st_mtime_ns != seen.st_mtime_ns:
                raise _Refused("changed since the scan")
            os.utime(handle, ns=(wanted.mtime_ns, wanted.mtime_ns))
            seen = os.fstat(fd)
            self.stamps[action.path] = (seen.st_ctime_ns, seen.st_ino & INODE)
        finally:
            os.close(fd)

    def _move(self, action: Action) -> None:
        assert action.source is not None
        old_directory, old_name = split(action.source)
        new_directory, new_name = split(action.path)
        new = self._parents.get(new_directory)
        # Opened after the other one: should they be the same, that one makes it writable and puts it back at the end.
        with OpenDirectories(self._root, writable=True) as olds:
            old = olds.get(old_directory)
            _look(old, old_name, action.found)
            try:
                rename_new(old, old_name, new, new_name)
            except FileExistsError:
                if not _already_there(new, new_name, _wanted(action), _wanted(action).content):
                    raise _Refused("its new name appeared since the scan") from None
                self._delete(Action(Act.DELETE, action.source, None, action.found))

    def _delete(self, action: Action) -> None:
        directory, name = split(action.path)
        parent = self._parents.get(directory)
        _look(parent, name, action.found)
        if action.found is not None and action.found.kind is Kind.DIRECTORY:
            self._trash.keep_directory(DELETED, action.path, self._remove_directory(parent, name, action.path))
            return
        home, slot = self._trash.slot(DELETED, action.path)
        slot_directory, slot_name = split(slot)
        with home.directory(slot_directory) as slot_fd:
            rename_out(parent, name, slot_fd, slot_name)
            seen = os.stat(slot_name, dir_fd=slot_fd, follow_symlinks=False)
            if action.found is not None and not _shows(seen, action.found, after_rename=True):
                rename_new(slot_fd, slot_name, parent, name)
                raise _Refused("changed since the scan")

    def _remove_directory(self, parent: int, name: bytes, path: RelPath) -> int:
        """Remove an empty directory; its mode."""
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        try:
            os.rmdir(name, dir_fd=parent)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            with self._root.directory(path) as fd:
                inside = [path + b"/" + os.fsencode(left) for left in os.listdir(fd)]
            if inside and all(map(self._is_unmanaged, inside)):
                raise _Kept from None
            raise _Refused("directory is not empty: kept") from None
        return mode


def _wanted(action: Action) -> Entry:
    assert action.wanted is not None
    return action.wanted


def _look(parent: int, name: bytes, found: Entry | None) -> None:
    """Refuse unless the disk still shows what the plan saw."""
    try:
        seen = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        raise _Refused("vanished since the scan") from None
    if found is not None and not _shows(seen, found):
        raise _Refused("changed since the scan")


def _shows(seen: os.stat_result, found: Entry, *, after_rename: bool = False) -> bool:
    """Whether a stat is that of an entry (ctime moves with a rename, so it does not count after one)."""
    if kind_of(seen.st_mode) is not found.kind or (found.inode and seen.st_ino & INODE != found.inode):
        return False
    if found.kind is Kind.DIRECTORY:
        return True
    same = seen.st_size == found.size and seen.st_mtime_ns == found.mtime_ns
    return same and (after_rename or not found.inode or seen.st_ctime_ns == found.ctime_ns)


def _already_there(parent: int, name: bytes, wanted: Entry, content: bytes) -> bool:
    """Whether what stands in the way of a new file is that very file, as an earlier run left it."""
    seen = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if wanted.kind is not Kind.FILE or not _shows(seen, wanted._replace(inode=0)):
        return False
    found = Seen(seen.st_size, seen.st_mtime_ns, 0, 0)
    return hash_file(parent, name, found) == content
