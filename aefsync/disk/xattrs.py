"""Extended attributes, ACLs among them: read as one canonical value, and set so that no others are left.

An ordinary user has those of the user's namespace; root all of them but the file system's own, and of these the ACLs.
"""

from __future__ import annotations

import contextlib
import errno
import os

from aefsync.core.digest import framed_digest
from aefsync.core.metadata import Attributes, Namespaces

LARGEST = 64 << 10
"""Bytes of all attributes of one entry that travel."""
DIGEST = 16

_ACLS = ("system.posix_acl_access", "system.posix_acl_default")
_NONE = (errno.EOPNOTSUPP, errno.ENOTSUP, errno.EPERM)
_PROBE = "user.aefsync"


def namespaces_of(fd: int) -> Namespaces:
    """Which attributes this process can read and set on the file system of an open directory."""
    try:
        os.getxattr(fd, _PROBE)
    except AttributeError:  # this system has none that Python knows of
        return Namespaces.NONE
    except OSError as error:
        if error.errno in _NONE:
            return Namespaces.NONE
    return Namespaces.ALL if os.geteuid() == 0 else Namespaces.USER


def place_in(dir_fd: int, name: bytes) -> bytes:
    """A path to a name in an open directory: these calls know no other way to one."""
    return b"/proc/self/fd/%d/%s" % (dir_fd, name)


def _counts(name: str, namespaces: Namespaces) -> bool:
    if namespaces == Namespaces.USER:
        return name.startswith("user.")
    return not name.startswith("system.") or name in _ACLS


def read_attributes(place: int | bytes, namespaces: Namespaces, *, follow: bool = False) -> Attributes:
    """Names and values, by name; raises `OSError`."""
    more = {} if isinstance(place, int) else {"follow_symlinks": follow}
    try:
        names = sorted(name for name in os.listxattr(place, **more) if _counts(name, namespaces))
    except OSError as error:
        if error.errno in _NONE:
            return ()
        raise
    return tuple((os.fsencode(name), os.getxattr(place, name, **more)) for name in names)


def digest_of(attributes: Attributes) -> bytes:
    """What stands for them; empty where there are none."""
    return framed_digest([part for pair in attributes for part in pair], DIGEST) if attributes else b""


def set_attributes(place: int | bytes, wanted: Attributes, namespaces: Namespaces, *, follow: bool = False) -> None:
    """Leave these and no others of those that count; raises `OSError`."""
    more = {} if isinstance(place, int) else {"follow_symlinks": follow}
    there = dict(read_attributes(place, namespaces, follow=follow))
    for name, value in wanted:
        if there.pop(name, None) != value and _counts(os.fsdecode(name), namespaces):
            os.setxattr(place, name, value, **more)
    for name in there:
        with contextlib.suppress(FileNotFoundError):
            os.removexattr(place, name, **more)
