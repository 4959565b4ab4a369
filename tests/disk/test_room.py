from __future__ import annotations

import os
from pathlib import Path

from aefsync.core.path import RelPath
from aefsync.disk.mounts import covering, mounts_below
from aefsync.disk.room import allocated, space_of
from tests.disk.ground import Ground, Site

TABLE = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:21 / {root} rw - tmpfs none rw
24 23 0:22 / {root}/with\\040space rw - tmpfs none rw
25 23 254:0 /home {root}/a/deep rw shared:1 - ext4 /dev/vda rw
26 22 0:23 / {root}elsewhere rw - tmpfs none rw
"""


def test_mount_points_below_a_root(ground: Ground, tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(TABLE.format(root=ground.path))
    assert mounts_below(ground.root, str(table)) == [b"a/deep", b"with space"]
    table.write_text("rubbish\n")
    assert mounts_below(ground.root, str(table)) == []
    assert mounts_below(ground.root, str(tmp_path / "none")) == []
    assert mounts_below(ground.root) == []


def test_the_innermost_mount_covers() -> None:
    mounts = [b"a", b"a/b", b"ab"]
    assert [covering(mounts, path) for path in (b"", b"a", b"a/x", b"a/b/c", b"a/bc", b"abc", b"ab/c")] == [
        *(b"", b"a", b"a", b"a/b", b"a", b"", b"ab"),
    ]


def test_space_below_a_root(site: Site) -> None:
    (space,) = space_of(site.root, None)
    assert (space.path, space.trash_bytes) == (b"", 0)
    seen = os.statvfs(site.path)
    assert space.total_bytes == seen.f_blocks * seen.f_frsize
    assert 0 <= space.free_bytes <= space.total_bytes
    assert (space.free_inodes is None) == (not seen.f_files)
    site.write(b".aefsync/trash/20260101T000000Z-beef/deleted/f", bytes(100_000))
    assert space_of(site.root, site.home)[0].trash_bytes >= 100_000


def test_a_sparse_file_takes_less_than_its_size(ground: Ground) -> None:
    ground.write(b"sparse", b"head")
    os.truncate(ground.place(b"sparse"), 1 << 40)
    ground.write(b"d/full", bytes(100_000))
    os.mkfifo(ground.place(b"fifo"))
    names = [b"sparse", b"d/full", b"d/gone", b"sparse/below", b"fifo"]
    sparse, *others = allocated(ground.root, [RelPath(name) for name in names])
    assert sparse is not None
    assert 0 < sparse < 1 << 20
    assert others == [100_000, None, None, None]
