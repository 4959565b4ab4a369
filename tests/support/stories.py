"""Stories for `trials`: between them a run does everything that changes a replica."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

from aefsync.core.past import TrashQuery
from aefsync.core.policy import parse_globs
from aefsync.core.silent import Silent
from aefsync.core.writing import Durability
from aefsync.sync.events import Event
from aefsync.sync.scrub import ScrubRequest, scrub
from aefsync.sync.trash import restore_trash
from aefsync.sync.undo import undo
from tests.disk.file_systems import like_nfs, like_vfat
from tests.support.trees import BASE_NS, SECOND, link, tree, write
from tests.support.trials import Grounds, Story

NOISE = b"".join(number.to_bytes(4) for number in range(60_000))
LATER = BASE_NS + 60 * SECOND
LATEST = LATER + 60 * SECOND
SHARED = {
    **{f"d/f{number}": f"old {number}" for number in range(4)},
    "d/same": "same",
    "deep/er/x": "x",
    "deep/er/y": "y",
    "go/one": "going 1",
    "go/two": "going 2",
    "big": NOISE,
    "here": "moves along",
    "mode": "mode",
    "both": "once",
    "gone": "gone soon",
}


def together(grounds: Grounds) -> None:
    """Both hold the same, and know each other where they remember anything."""
    for root in grounds.roots:
        tree(root, SHARED)
        if grounds.story.file_system is not like_vfat:
            link(root / "link", b"d/same")
    assert grounds.meet().code == 0


def work(grounds: Grounds) -> None:
    """All sorts of work on A, and some on B."""
    together(grounds)
    a, b = grounds.roots
    for number in range(2):
        write(a / f"d/f{number}", b"newer %d" % number, mtime_ns=LATER)
        write(b / f"d/f{number + 2}", b"newer, from B %d" % number, mtime_ns=LATER)
    write(a / "big", NOISE[:100_000] + b"patched" + NOISE[100_000:], mtime_ns=LATER)
    write(a / "both", b"A's", mtime_ns=LATER)
    write(b / "both", b"B's, and later", mtime_ns=LATEST)
    os.rename(a / "deep", a / "deeper")
    os.rename(a / "here", a / "d" / "there")
    for path in ("go/one", "go/two"):
        (a / path).unlink()
    (a / "go").rmdir()
    (b / "gone").unlink()
    (a / "mode").chmod(0o600)
    tree(a, {"fresh/in/it": "1", "fresh/in/large": NOISE[:200_000], "fresh/empty/": None})
    tree(b, {"from B": "2"}, mtime_ns=LATER)


def work_with_links(grounds: Grounds) -> None:
    """The same, and symlinks."""
    work(grounds)
    os.unlink(grounds.a / "link")
    link(grounds.a / "link", b"d/other", mtime_ns=LATER)
    link(grounds.b / "fresh link", b"nowhere")


def with_a_past(grounds: Grounds) -> None:
    """Two replicas that agree, and have had edits, deletions and renames before."""
    together(grounds)
    a, b = grounds.roots
    (a / "gone").unlink()
    (a / "go/one").unlink()
    write(a / "d/f0", b"newer", mtime_ns=LATER)
    os.rename(b / "deep/er/x", b / "deep/er/z")
    write(b / "fresh/one", b"fresh", mtime_ns=LATER)
    assert grounds.meet().code == 0


def swapped(grounds: Grounds) -> None:
    """Files and directories change places."""
    together(grounds)
    a, b = grounds.roots
    for one, other in (("d/f0", "d/f1"), ("deep", "go")):
        os.rename(a / one, a / "aside")
        os.rename(a / other, a / one)
        os.rename(a / "aside", a / other)
    write(b / "d/f3", b"B's", mtime_ns=LATER)


def apart(grounds: Grounds) -> None:
    """Two trees that never met: sub-trees that only one has, and paths that both have and mean otherwise."""
    a, b = grounds.roots
    for number in range(70):
        write(a / f"tree/{number % 7}/n{number}", b"%d" % number)
        write(b / f"trunk/{number % 3}/n{number}", b"other %d" % number, mode=0o640)
    for number in range(3):
        link(a / f"tree/{number}/link", b"n%d" % number)
        write(a / f"tree/{number}/large", NOISE[number:180_000])
    tree(a, {"tree/closed/inside": "1", "tree/nothing/": None, "both": "A's", "clash": "a file"}, mtime_ns=LATER)
    (a / "tree/closed").chmod(0o500)
    tree(b, {"both": "B's, and later", "clash/inside": "1"}, mtime_ns=LATEST)


def linked(grounds: Grounds) -> None:
    """Files of several names."""
    a, b = grounds.roots
    for root in grounds.roots:
        tree(root, {"one": "of two names", "three": "alone", "d/x": "x"})
        os.link(root / "one", root / "two")
    assert grounds.meet().code == 0
    write(a / "one", b"newer, of two names", mtime_ns=LATER)
    os.unlink(b / "d/x")
    os.link(b / "three", b / "d/x")
    os.link(a / "d/x", a / "d/y")
    os.link(b / "three", b / "fourth")


def clashing(grounds: Grounds) -> None:
    """Files of several names in conflict, and files in conflict with directories into which others were renamed."""
    a, b = grounds.roots
    for root in grounds.roots:
        tree(root, {"one": "of two names", "three": "alone", "d/x": "into a directory that clashes", "d/y": "y"})
        tree(root, {"four": "of four and five", "s": "of one name", "e/z": "z"})
        for path, other in (("one", "two"), ("four", "five"), ("d/y", "d/yy")):
            os.link(root / path, root / other)
    assert grounds.meet().code == 0
    write(a / "one", b"A's, of two names", mtime_ns=LATER)
    write(b / "one", b"B's, of two names, and later", mtime_ns=LATEST)
    for path, moved in (("three", ("d/x", "e")), ("four", ("d/y",))):
        write(a / path, b"edited at A, " + path.encode(), mtime_ns=LATER)
        os.unlink(b / path)
        os.mkdir(b / path)
        for each in moved:
            os.rename(b / each, b / path / os.path.basename(each))
    os.link(a / "s", a / "t")
    write(b / "t", b"B's, of two names from the start", mtime_ns=LATER)
    os.link(b / "t", b / "u")
    write(a / "u", b"A's, and alone", mtime_ns=LATEST)


def harmed(grounds: Grounds) -> None:
    """They agree; then some of what B holds has other bytes, and nothing else shows it."""
    harm = {"harm/1": b"as it was", "harm/2/2": b"as it was, too", "harm/large": NOISE[:100_000]}
    for root in grounds.roots:
        tree(root, dict(harm))
    with_a_past(grounds)
    for path, data in harm.items():
        mtime_ns = (grounds.b / path).stat().st_mtime_ns
        with (grounds.b / path).open("r+b") as file:
            file.write(data[:3].swapcase()[::-1] if len(data) < 100 else b"spoilt")
        os.utime(grounds.b / path, ns=(mtime_ns, mtime_ns))


def mended(grounds: Grounds) -> Iterator[Event]:
    """Scrub B, and have A mend what seems damaged."""
    common = grounds.common._replace(locations=(str(grounds.b),))
    return scrub(ScrubRequest(common, (str(grounds.a),), mended=parse_globs(["**"])), Silent())


def ordered(grounds: Grounds) -> Iterator[Event]:
    """Take a run back."""
    return undo(grounds.common, grounds.last, Silent(), dry_run=False)


def wanted(path: bytes, grounds: Grounds) -> Iterator[Event]:
    """Have back what the last run put away of a path, and of what was below it."""
    return restore_trash(grounds.common, TrashQuery(path), None, Silent(), at=False)


def done(grounds: Grounds) -> None:
    """Work, and a run that did it."""
    work(grounds)
    ended = grounds.meet()
    assert ended.code in (0, 1)
    grounds.last = ended.run


AGREED = Story(with_a_past, versions=True)
STORIES = {
    "versions": Story(work_with_links, versions=True),
    "versions, each durable": Story(work, versions=True, durability=Durability.FULL),
    "versions, without exchange": Story(work_with_links, versions=True, file_system=like_nfs),
    "versions, plain file system": Story(work, versions=True, file_system=like_vfat),
    "one preferred": Story(work, versions=True, conflicts="prefer:A"),
    "changed places": Story(swapped, versions=True),
    "changed places, without exchange": Story(swapped, versions=True, file_system=like_nfs),
    "first contact": Story(apart, versions=True),
    "last write wins": Story(work),
    "growth": Story(apart),
    "mirror": Story(work_with_links, mirror=True),
    "mirror, without exchange": Story(work, mirror=True, file_system=like_nfs),
    "mirror of another": Story(apart, mirror=True),
    "hard links": Story(linked, versions=True, links=True),
    "hard links, without exchange": Story(linked, versions=True, links=True, file_system=like_nfs),
    "clashes": Story(clashing, versions=True, links=True),
    "undo": Story(done, versions=True, ask=ordered, goes_on=True),
    "scrub": Story(harmed, versions=True, ask=mended, goes_on=True),
    "restore": Story(done, versions=True, ask=partial(wanted, b"go"), has_one_end=False),
    "restore what was replaced": Story(done, versions=True, ask=partial(wanted, b"d"), has_one_end=False),
}
