"""The `.aefsync` directory of a root: what aefsync keeps beside the tree.

id  lock  lease  index.db  tmp/RUN/  trash/RUN/replaced|deleted/PATH  quarantine/RUN/rot|returned/PATH
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Collection

from aefsync.core.path import RESERVED
from aefsync.core.problem import reason_of
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.lock import Lock
from aefsync.disk.mounts import covering
from aefsync.disk.removing import remove_tree
from aefsync.disk.sparse import on_disk
from aefsync.errors import RootError

TMP = b"tmp"
TRASH, QUARANTINE = b"trash", b"quarantine"
INTENTS = b"intents"
ID = b"id"
_PUT = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class Home(ConfinedRoot):
    """The directory itself, as a root for confined operations.

    `annexes` are the homes on mounts below the root, by the path of the mount.  What a run put away of such a mount shows
    in this home's trash (or quarantine) below the mount's path, and is made there; it stands in the annex.
    """

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self.lock = Lock(self)
        self.annexes: dict[bytes, Home] = {}

    def open(self, path: bytes, flags: int, mode: int = 0) -> int:
        annex, inside, _ = self._in_annex(path)
        if annex is not None:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                return annex.open(inside, flags, mode)
        return super().open(path, flags, mode)

    def make_directories(self, path: bytes, mode: int = 0o700) -> None:
        annex, inside, above = self._in_annex(path)
        if annex is not None:
            annex.make_directories(inside, mode)
            path = above
        super().make_directories(path, mode)

    def _in_annex(self, path: bytes) -> tuple[Home | None, bytes, bytes]:
        """The annex that a path of the trash or quarantine is in, the path there, and this home's path of the mount."""
        if not self.annexes or not path.startswith((TRASH + b"/", QUARANTINE + b"/")):
            return None, b"", b""
        parts = path.split(b"/", 3)
        top = covering(sorted(self.annexes), parts[3]) if len(parts) == 4 else b""
        if not top:
            return None, b"", b""
        shown = b"/".join([*parts[:3], top])
        return self.annexes[top], b"/".join(parts[:3]) + path[len(shown) :], shown

    @property
    def alone(self) -> ConfinedRoot:
        """This directory without its annexes."""
        return ConfinedRoot(self.fd)

    @property
    def volume_bytes(self) -> int:
        """The size of the file system."""
        seen = os.fstatvfs(self.fd)
        return seen.f_blocks * seen.f_frsize

    def remove_tree(self, path: bytes, *, alone: bool = False) -> None:
        """Remove whatever is at a path and all below it; `alone`: without the annexes."""
        remove_tree(self.alone if alone else self, path)

    def put(self, path: bytes, data: bytes) -> None:
        """Have a file of ours hold these bytes."""
        fd = self.open(path, _PUT, 0o600)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)

    def measure(self, path: bytes) -> int:
        """The bytes on the disk of all that is below a path, the annexes left out."""
        size, pending, root = 0, [path], self.alone
        while pending:
            directory = pending.pop()
            with contextlib.suppress(OSError), root.directory(directory) as fd, os.scandir(fd) as scan:
                for entry in scan:
                    size += on_disk(entry.stat(follow_symlinks=False))
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(directory + b"/" + os.fsencode(entry.name))
        return size

    @property
    def identity(self) -> str:
        """What the root is known by (32 hex digits); empty where `id` is missing or damaged.

        Raises `RootError` where it cannot be read: that is no reason to be known by something else from now on.
        """
        try:
            fd = self.open_file(ID)
            try:
                return identity_in(os.read(fd, 64))
            finally:
                os.close(fd)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise RootError(f".aefsync/id: {reason_of(error)}") from None

    def identify(self, identity: str) -> None:
        """Have the root known by `identity` from now on; whoever looks finds the old one or the new one, never half."""
        fresh = b"id." + os.urandom(4).hex().encode()
        fd = self.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            os.write(fd, identity.encode() + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(fresh, ID, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    @property
    def index_path(self) -> str | None:
        """A path to the index that leads to this very directory, whatever its name is now; `None` without /proc."""
        return self.path_to("index.db")

    def path_to(self, name: str) -> str | None:
        """The same for any file of ours."""
        directory = _path_of(self.fd)
        return None if directory is None else os.path.join(directory, name)

    def clear_tmp(self, keep: Collection[bytes] = ()) -> None:
        """Remove what this and any interrupted run left in staging, but for `keep` (run/name); only with the lock held."""
        runs = {each.partition(b"/")[0] for each in keep}
        for name in self._listed(TMP):
            if name not in runs:
                remove = [name]
            else:
                remove = [
                    each for inner in self._listed(TMP + b"/" + name) if (each := name + b"/" + inner) not in keep
                ]
            for path in remove:
                with contextlib.suppress(OSError):
                    remove_tree(self, TMP + b"/" + path)

    def _listed(self, path: bytes) -> list[bytes]:
        with contextlib.suppress(OSError), self.directory(path) as fd:
            return [os.fsencode(name) for name in os.listdir(fd)]
        return []

    def close(self) -> None:
        for annex in self.annexes.values():
            annex.close()
        self.annexes.clear()
        self.lock.release()
        os.close(self.fd)


def identity_in(data: bytes) -> str:
    """What `id` tells; empty where it is damaged."""
    text = data.decode("ascii", "replace").strip()
    return text if len(text) == 32 and not text.strip("0123456789abcdef") else ""


def open_home(root: ConfinedRoot) -> Home | None:
    """The root's `.aefsync`; `None` where there is none."""
    try:
        fd = os.open(RESERVED, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root.fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RootError(f".aefsync cannot be opened: {reason_of(error)}") from None
    return Home(fd)


def keep_from_git(home: Home) -> None:
    """Have git take nothing of it for part of a repository around it."""
    with contextlib.suppress(FileExistsError):
        fd = home.open(b".gitignore", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            os.write(fd, b"*\n")
        finally:
            os.close(fd)


def furnish(home: Home) -> None:
    """Make what every home has, but for what the root is known by."""
    keep_from_git(home)
    for name in (TMP, TRASH):
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=home.fd)


def _path_of(fd: int) -> str | None:
    link = f"/proc/self/fd/{fd}"
    if os.path.exists(link):
        return link
    with contextlib.suppress(OSError):
        return os.fsdecode(fcntl.fcntl(fd, 50, bytes(1024)).rstrip(b"\0"))  # F_GETPATH of macOS
    return None
