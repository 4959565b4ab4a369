from __future__ import annotations

import pytest

from aefsync.core.entry import UNKNOWN, Entry, Kind
from aefsync.core.path import RelPath
from aefsync.core.rot import SETTLED_NS, Circumstances, Verdict, elected, is_settled, judge

RECORDED = Entry(RelPath(b"f"), Kind.FILE, 0o644, 3, 10, 20, 7, b"1" * 32)
OTHER = b"2" * 32
SURE, DOUBTFUL, WRITTEN = Circumstances(is_settled=True), Circumstances(is_settled=False), Circumstances(True, True)
EDIT, SUSPECT, ROT = Verdict.EDIT, Verdict.SUSPECT, Verdict.ROT

CASES = [
    ("size", {"size": 4}, SURE, EDIT),
    ("mtime", {"mtime_ns": 11}, SURE, EDIT),
    ("size, unreadable", {"size": 4, "content": UNKNOWN}, SURE, EDIT),
    ("inode", {"inode": 8}, SURE, EDIT),
    ("inode and ctime", {"inode": 8, "ctime_ns": 21}, SURE, EDIT),
    ("ctime", {"ctime_ns": 21}, SURE, SUSPECT),
    ("nothing", {}, SURE, ROT),
    ("nothing, recorded too early", {}, DOUBTFUL, SUSPECT),
    ("nothing, open for writing", {}, WRITTEN, SUSPECT),
    ("unreadable", {"content": UNKNOWN}, SURE, ROT),
    ("unreadable, recorded too early", {"content": UNKNOWN}, DOUBTFUL, ROT),
    ("unreadable, ctime", {"ctime_ns": 21, "content": UNKNOWN}, DOUBTFUL, ROT),
]


@pytest.mark.parametrize(
    ("changed", "circumstances", "verdict"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_the_verdict_on_a_file_that_is_not_as_recorded(
    changed: dict[str, int], circumstances: Circumstances, verdict: Verdict
) -> None:
    assert judge(RECORDED, RECORDED._replace(**{"content": OTHER, **changed}), circumstances) is verdict


@pytest.mark.parametrize("content", [OTHER, UNKNOWN])
def test_where_inodes_are_not_stable_nothing_is_rot(content: bytes) -> None:
    unstable = RECORDED._replace(inode=0, ctime_ns=0)
    assert judge(unstable, unstable._replace(content=content), SURE) is SUSPECT


def test_a_digest_holds_when_nothing_was_written_for_a_minute_before_it() -> None:
    assert not is_settled(RECORDED, 20 + SETTLED_NS)
    assert is_settled(RECORDED, 21 + SETTLED_NS)
    assert not is_settled(RECORDED._replace(mtime_ns=30), 21 + SETTLED_NS)


DIFFERENT, THIRD = RECORDED._replace(content=OTHER), RECORDED._replace(content=b"3" * 32)


@pytest.mark.parametrize(
    ("own", "others", "content"),
    [
        (RECORDED, [], None),
        (RECORDED, [DIFFERENT], None),
        (RECORDED, [DIFFERENT, None], None),
        (RECORDED, [DIFFERENT, DIFFERENT], DIFFERENT.content),
        (RECORDED, [DIFFERENT, RECORDED], RECORDED.content),
        (RECORDED, [RECORDED, RECORDED], RECORDED.content),
        (RECORDED, [DIFFERENT, THIRD], UNKNOWN),
        (RECORDED, [DIFFERENT, DIFFERENT, RECORDED], UNKNOWN),
        (RECORDED, [DIFFERENT, DIFFERENT, DIFFERENT, RECORDED], DIFFERENT.content),
        (RECORDED, [DIFFERENT, DIFFERENT._replace(mtime_ns=6)], None),
        (RECORDED, [DIFFERENT, DIFFERENT._replace(size=6)], None),
        (RECORDED, [DIFFERENT, DIFFERENT._replace(kind=Kind.SYMLINK)], None),
        (RECORDED, [DIFFERENT, DIFFERENT._replace(content=UNKNOWN)], None),
    ],
)
def test_of_what_has_no_record_most_decide(own: Entry, others: list[Entry | None], content: bytes | None) -> None:
    assert elected(own, others) == content
