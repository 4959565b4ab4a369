"""Hear of changes below a root as they happen: the one door to watchdog, and to inotify through it.

Each directory has a watch of its own, which hears of the names in it.  A new directory is watched before it is looked
into, and is a hint itself, so that whatever comes into being meanwhile is either heard of or seen by the scan.  Where
the kernel has dropped events, or the root has gone, everything is the hint.  What has no watch, because the user may
have no more of them, is **deaf**: it has to be polled.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import logging
import os
import threading
from collections.abc import Callable, Iterator

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchCallback,
    WatchDescriptor,
)

from aefsync.core.hint import MOST_HINTS, ROOT, Hints, bounded
from aefsync.core.path import PathError, RelPath

IsLeftOut = Callable[[bytes, bool], bool]
"""Whether a path, of a directory or not, is no part of the tree."""

_LIMITS = "/proc/sys/fs/inotify"
_MASK = Mask(
    InotifyConstants.IN_MODIFY
    | InotifyConstants.IN_CLOSE_WRITE  # also of files that were written through a mapping
    | InotifyConstants.IN_ATTRIB
    | InotifyConstants.IN_MOVE
    | InotifyConstants.IN_CREATE
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_DONT_FOLLOW
    | InotifyConstants.IN_ONLYDIR
    | InotifyConstants.IN_EXCL_UNLINK
)
_OURS = CallbackId(1)
_MOST_DEAF = 64
"""Sub-trees that are polled one by one; of more, all is."""


class Unwatched(Exception):
    """Nothing can be heard of a root, for the reason given."""


class Watcher(WatchCallback):
    """Hears of changes below the directory `root`; `stirred` is set when there is something to tell.

    Raises `Unwatched` where this system has no such thing, or the user may have no more of it.  Its methods may be
    called by one thread; another one hears.
    """

    def __init__(self, root: bytes, is_left_out: IsLeftOut, stirred: threading.Event) -> None:
        self.root = root
        self.is_over = False
        """the root has gone, or events were lost: it takes another one to hear everything again"""
        self._is_left_out = is_left_out
        self._stirred = stirred
        self._lock = threading.RLock()
        self._changed: dict[bytes, None] = {ROOT: None}
        self._paths: dict[WatchDescriptor, bytes] = {}
        self._watches: dict[bytes, WatchDescriptor] = {}
        self._deaf: list[bytes] = []
        self._lacking = 0
        self._inotify = _inotify()
        self._inotify.start()
        self._watch(ROOT)

    def take(self) -> Hints:
        """What has changed since this was last asked, and what is deaf by now."""
        with self._lock:
            changed, self._changed = self._changed, {}
            deaf = tuple(self._deaf) if len(self._deaf) <= _MOST_DEAF else (ROOT,)
            return Hints(bounded(list(changed)), deaf, self._reason())

    def close(self) -> None:
        """Hear no more."""
        self._inotify.stop()
        self._inotify.join()

    def on_event(self, event: InotifyEvent) -> None:
        """Called by watchdog for each event."""
        with self._lock:
            parent = self._paths.get(event.wd)
        if parent is None:
            return
        if not event.name:
            self._heard_of_itself(event, parent)
            return
        path = os.path.join(parent, event.name)
        if not self._is_part(path, is_directory=event.is_directory):
            return
        if event.is_directory and (event.is_moved_from or event.is_delete):
            self._forget(path)
        elif event.is_directory and (event.is_create or event.is_moved_to):
            self._watch(path)
        self._note(path)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """Called by watchdog where a watched directory is no longer there."""
        with self._lock:
            path = self._paths.pop(wd, None)
            if path is not None and self._watches.get(path) == wd:
                del self._watches[path]
        if path == ROOT:
            self._end()

    def on_queue_overflow(self) -> None:
        """Called by watchdog where the kernel has dropped events: no watch can be relied on any more."""
        self._end()

    def _heard_of_itself(self, event: InotifyEvent, path: bytes) -> None:
        """Of a directory below the root its parent's watch hears as well."""
        if path == ROOT and (event.is_delete_self or event.is_move_self):
            self._end()

    def _end(self) -> None:
        """Whoever listens has to begin anew."""
        self.is_over = True
        self._note(ROOT)

    def _is_part(self, path: bytes, *, is_directory: bool) -> bool:
        try:
            RelPath(path)
        except PathError:
            return False
        return not self._is_left_out(path, is_directory)

    def _note(self, path: bytes) -> None:
        with self._lock:
            if path == ROOT or len(self._changed) >= MOST_HINTS:
                self._changed = {ROOT: None}
            elif ROOT not in self._changed:
                self._changed[path] = None
            # With the lock held: whoever takes what has changed is not stirred for it afterwards.
            self._stirred.set()

    def _watch(self, top: bytes) -> None:
        """Watch a directory and all below it, those higher up first: what is in one is looked up when it is watched."""
        pending = collections.deque([(top, True)])
        while pending:
            path, is_heard = pending.popleft()
            has_watch = self._add(path)
            if is_heard and not has_watch:
                self._deaf.append(path)
            pending.extend((child, has_watch) for child in self._directories(path))

    def _add(self, path: bytes) -> bool:
        """Whether a directory has a watch now, or needs none because it is not there."""
        with self._lock:
            if path in self._watches:
                return True
            try:
                wd = self._inotify.add_callback(os.path.join(self.root, path), _MASK, self, _OURS)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    return True
                self._lacking += 1
                return False
            self._watches[path], self._paths[wd] = wd, path
            return True

    def _forget(self, top: bytes) -> None:
        """Let go of the watches of a directory that has another name now, or none."""
        with self._lock:
            below = top + b"/"
            gone = [path for path in self._watches if path == top or path.startswith(below)]
            watches = [self._watches.pop(path) for path in gone]
            for wd in watches:
                self._paths.pop(wd, None)
            self._deaf = [path for path in self._deaf if path != top and not path.startswith(below)]
        self._inotify.remove_callbacks([(wd, _OURS) for wd in watches])

    def _directories(self, path: bytes) -> Iterator[bytes]:
        """The directories in one that are part of the tree, as far as they can be seen."""
        with contextlib.suppress(OSError), os.scandir(os.path.join(self.root, path)) as scan:
            for entry in scan:
                if entry.is_dir(follow_symlinks=False):
                    child = os.path.join(path, entry.name)
                    if self._is_part(child, is_directory=True):
                        yield child

    def _reason(self) -> str:
        if not self._deaf:
            return ""
        needed, limit = len(self._watches) + self._lacking, _limit("max_user_watches")
        return (
            f"{needed} directories need an inotify watch each, and a user may have {limit}: the rest is polled; "
            f"sysctl fs.inotify.max_user_watches={limit + 2 * needed} allows more"
        )


def _inotify() -> InotifyFD:
    """An inotify instance; what watchdog has to say of it is said to nobody."""
    logging.getLogger("watchdog").addHandler(logging.NullHandler())
    try:
        return InotifyFD()
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise Unwatched(f"changes are not noticed, so it is polled: {error.strerror}") from None
    limit = _limit("max_user_instances")
    raise Unwatched(
        f"a user may have {limit} inotify instances, and all are in use, so it is polled; "
        f"sysctl fs.inotify.max_user_instances={2 * limit} allows more"
    )


def _limit(name: str) -> int:
    """A limit of inotify; 0 where it cannot be found out."""
    with contextlib.suppress(OSError, ValueError), open(f"{_LIMITS}/{name}", encoding="ascii") as file:
        return int(file.read())
    return 0
