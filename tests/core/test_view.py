from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.entry import Entry
from aefsync.core.view import View
from tests.support.snapshots import directory, file, link, snapshot

NAMED: dict[str, Entry | None] = {
    "absent": None,
    "file": file(b"a", b"x"),
    "other content": file(b"a", b"y"),
    "other size": file(b"a", b"xx"),
    "other mtime": file(b"a", b"x", mtime_ns=1),
    "other mode": file(b"a", b"x", mode=0o600),
    "directory": directory(b"a"),
    "directory, other mode": directory(b"a", 0o700),
    "directory, other mtime": directory(b"a")._replace(mtime_ns=99),
    "link": link(b"a", b"t"),
    "link, other target": link(b"a", b"u"),
    "link, longer target": link(b"a", b"tt"),
    "link, other mtime": link(b"a", b"t", mtime_ns=1),
}
UNSEEN = {
    View.FULL: [{"directory", "directory, other mtime"}],
    View.CONTENT: [
        {"file", "other mtime", "other mode"},
        {"directory", "directory, other mode", "directory, other mtime"},
        {"link", "link, other mtime"},
    ],
    View.QUICK: [
        {"file", "other content"},
        {"directory", "directory, other mtime"},
        {"link", "link, other target", "link, longer target"},
    ],
    View.SHAPE: [
        {"file", "other content", "other mtime", "other mode"},
        {"directory", "directory, other mode", "directory, other mtime"},
        {"link", "link, other target", "link, longer target", "link, other mtime"},
    ],
}
"""For each view, the groups that it cannot tell apart."""


def test_what_each_view_tells_apart() -> None:
    for view, groups in UNSEEN.items():
        for (one, a), (other, b) in itertools.combinations(NAMED.items(), 2):
            expected = any({one, other} <= group for group in groups)
            assert view.same([a, b]) == expected, (view, one, other)


@given(st.sampled_from(sorted(NAMED)), st.sampled_from(sorted(NAMED)), st.sampled_from(list(View)))
def test_digests_tell_apart_what_the_view_does(one: str, other: str, view: View) -> None:
    a, b = (snapshot(filter(None, [NAMED[name]])).digests_in(view) for name in (one, other))
    assert (a == b) == view.same([NAMED[one], NAMED[other]])


def test_more_than_two_versions() -> None:
    assert View.FULL.same([None, None, None])
    assert not View.FULL.same([file(b"a"), file(b"a"), None])
