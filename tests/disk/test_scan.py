from __future__ import annotations

import errno
import os
import subprocess
from array import array
from pathlib import Path
from typing import Any

import pytest

from aefsync.core import path as core_path
from aefsync.core.digest import content_digest
from aefsync.core.entry import UNKNOWN, Kind
from aefsync.core.growth import Learned
from aefsync.core.problem import ROT, Problem
from aefsync.disk import listing
from aefsync.disk import pages as pages_module
from aefsync.disk import sight as sight_module
from aefsync.disk.building import Limits, PageBuilder
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.filesystem import LOCAL, REMOTE
from aefsync.disk.filter import Filter
from aefsync.disk.index import Index
from aefsync.disk.listing import Listing
from aefsync.disk.page import RACY, Page
from aefsync.disk.reading import read_pages, unread
from aefsync.disk.recording import learn
from aefsync.disk.scan import Scanner
from aefsync.disk.sight import LocalSight
from aefsync.disk.spill import Spill
from aefsync.disk.summing import sum_up
from tests.disk.ground import ALL, Ground, Opens, finish, later, pass_the_step, unprivileged
from tests.support.rot import Mapped
from tests.support.trees import deep_tree


def furnish(ground: Ground) -> None:
    for path in (b"a", b"docs/b", b"docs/deep/c", b"docs/deep/d", b"other/e"):
        ground.write(path, b"content of " + path)
    os.mkdir(ground.place(b"empty"))
    os.symlink(b"a", ground.place(b"link"))


def problems(scanner: Scanner) -> set[Problem]:
    return {problem for found in scanner.problems.values() for problem in found}


# entries


def test_entries_are_what_the_disk_shows(ground: Ground) -> None:
    furnish(ground)
    found = ground.look()
    assert set(found) == ground.names()
    for path, entry in found.items():
        assert entry == ground.entry(path)._replace(target=b"")


def test_an_empty_root(ground: Ground, index: Index) -> None:
    for _ in range(2):
        scanner = ground.scanner(index, clock_ns=later)
        assert scanner.entries == 0
        assert finish(scanner) == {}
        assert sum_up(scanner, complete=True) == sum_up(None, complete=True)


def test_a_scan_says_how_far_it_is_and_that_it_is_done(ground: Ground) -> None:
    furnish(ground)
    told: list[tuple[int, int]] = []
    sight = LocalSight(ground.root, LOCAL, ALL)
    scanner = Scanner(sight, Index(None), ALL, lambda done, total: told.append((done, total)))
    scanner.scan()
    assert told[0] == (5, 0)
    assert told[-1] == (scanner.entries, scanner.entries)


def test_a_directory_of_thousands(ground: Ground, index: Index) -> None:
    for number in range(2500):
        os.close(os.open(ground.place(b"%d" % number), os.O_CREAT | os.O_WRONLY))
    os.mkdir(ground.place(b"7777"))
    ground.write(b"7777/inside", b"x")
    first = ground.look(index, clock_ns=later)
    assert len(first) == 2502
    again = ground.scanner(index, clock_ns=later)
    assert {prefix for prefix, _ in again.briefs} == {b"", b"7777\0"}
    assert finish(again) == first


def test_a_tree_deeper_than_a_path_may_be(tmp_path: Path) -> None:
    deep_tree(tmp_path / "deep", levels=60)
    fd = os.open(tmp_path / "deep", os.O_RDONLY | os.O_DIRECTORY)
    scanner = Scanner(LocalSight(ConfinedRoot(fd), LOCAL, ALL), Index(None), ALL)
    scanner.scan()
    found = finish(scanner)
    os.close(fd)
    assert not problems(scanner)
    assert len(found) == 180
    longest = max(found, key=len)
    assert len(longest) > 5900
    contents = {entry.content for entry in found.values() if entry.kind is Kind.FILE}
    assert contents == {content_digest(b"%d" % level) for level in range(60)}


# what is reused, and what is not


def test_an_unchanged_tree_is_recognised_without_opening_a_file(
    ground: Ground, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(ground)
    first = ground.look(index, clock_ns=later)
    opens = Opens(monkeypatch)
    again = ground.scanner(index, clock_ns=later)
    assert {prefix for prefix, _ in again.briefs} == {b"", b"docs\0", b"docs\0deep\0", b"empty\0", b"other\0"}
    assert again.pages == {}
    root = sum_up(again, complete=False).root
    assert root
    assert finish(again) == first
    assert sum_up(again, complete=False).root == root
    assert opens.names == []


def test_only_what_changed_is_read(ground: Ground, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(ground)
    ground.look(index, clock_ns=later)
    ground.write(b"docs/deep/c", b"new content")
    ground.write(b"docs/new", b"new file")
    os.chmod(ground.place(b"a"), 0o600)
    opens = Opens(monkeypatch)
    found = ground.look(index, clock_ns=later)
    assert sorted(opens.names) == [b"a", b"c", b"new"]
    assert found[b"docs/deep/c"].content == content_digest(b"new content")
    assert found[b"a"].mode == 0o600
    assert found == ground.look()


def test_a_racy_file_is_read_again(ground: Ground, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.write(b"a", b"old")
    seen = os.lstat(ground.place(b"a"))
    pass_the_step()
    ground.write(b"b", b"new")
    opens = Opens(monkeypatch)
    # As if the scan had come at the very moment of the second write.
    clock = os.lstat(ground.place(b"b")).st_ctime_ns
    assert seen.st_ctime_ns < clock - LOCAL.step_ns
    for _ in range(2):
        ground.look(index, clock_ns=lambda: clock)
        assert opens.names == [b"a", b"b"] if not _ else [b"b"]
        opens.names.clear()
    ground.look(index, clock_ns=later)
    assert opens.names == [b"b"]
    opens.names.clear()
    ground.look(index, clock_ns=later)
    assert opens.names == []


def test_a_file_dated_in_the_future_is_not_racy_for_ever(
    ground: Ground, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.write(b"a", b"a", mtime_ns=2**62)
    ground.look(index, clock_ns=later)
    opens = Opens(monkeypatch)
    ground.look(index, clock_ns=later)
    assert opens.names == []


def test_an_edit_that_puts_size_and_mtime_back_is_seen(ground: Ground, index: Index) -> None:
    ground.write(b"a", b"one", mtime_ns=10**18)
    ground.look(index, clock_ns=later)
    pass_the_step()
    ground.write(b"a", b"two", mtime_ns=10**18)
    assert ground.look(index, clock_ns=later)[b"a"].content == content_digest(b"two")


def test_a_file_replaced_by_its_like_is_read(ground: Ground, index: Index) -> None:
    ground.write(b"a", b"one", mtime_ns=10**18)
    ground.write(b"new", b"two", mtime_ns=10**18)
    ground.look(index, clock_ns=later)
    os.rename(ground.place(b"new"), ground.place(b"a"))
    assert ground.look(index, clock_ns=later)[b"a"].content == content_digest(b"two")


def test_two_files_that_swap_names_are_told_apart(ground: Ground, index: Index) -> None:
    ground.write(b"a", b"one", mtime_ns=10**18)
    ground.write(b"b", b"two", mtime_ns=10**18)
    ground.look(index, clock_ns=later)
    os.rename(ground.place(b"a"), ground.place(b"c"))
    os.rename(ground.place(b"b"), ground.place(b"a"))
    os.rename(ground.place(b"c"), ground.place(b"b"))
    found = ground.look(index, clock_ns=later)
    assert (found[b"a"].content, found[b"b"].content) == (content_digest(b"two"), content_digest(b"one"))


def test_where_inodes_mean_nothing_size_and_mtime_decide(
    ground: Ground, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.write(b"a", b"one", mtime_ns=10**18)
    ground.write(b"b", b"two", mtime_ns=10**18)
    first = ground.look(index, file_system=REMOTE)
    assert {(entry.ctime_ns, entry.inode) for entry in first.values()} == {(0, 0)}
    # A file system mounted again: same times and sizes, other inodes.
    os.rename(ground.place(b"a"), ground.place(b"c"))
    ground.write(b"a", b"one", mtime_ns=10**18)
    opens = Opens(monkeypatch)
    assert ground.look(index, file_system=REMOTE)[b"a"] == first[b"a"]
    assert opens.names == [b"c"]


def test_there_a_file_is_racy_by_its_mtime(ground: Ground, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.write(b"old", b"x", mtime_ns=10**18)
    ground.write(b"fresh", b"x")
    opens = Opens(monkeypatch)
    for _ in range(2):
        ground.look(index, file_system=REMOTE)
    assert opens.names == [b"fresh", b"old", b"fresh"]


def test_the_index_ignored_everything_is_read(ground: Ground, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(ground)
    ground.look(index, clock_ns=later)
    opens = Opens(monkeypatch)
    ground.look(index, Limits(Filter(()), ignore_index=True), clock_ns=later)
    assert sorted(opens.names) == [b"a", b"b", b"c", b"d", b"e"]


def test_what_changed_under_an_unchanged_stat_is_seen_and_not_recorded(quietly: Ground, index: Index) -> None:
    """Whoever reads everything is not the one who says that a file is as it should be."""
    ground, anew = quietly, Limits(Filter(()), ignore_index=True)
    for name in (b"rots", b"edited", b"healthy"):
        ground.write(name, b"as it was", mtime_ns=10**18)
    rots = Mapped(ground.place(b"rots"))
    first = ground.look(index, clock_ns=later)
    rots.flip()
    ground.write(b"edited", b"as it is!", mtime_ns=10**18)
    for _ in range(2):
        scanner = ground.scanner(index, anew, clock_ns=later)
        seen = finish(scanner)
        assert [name for name in first if seen[name].content != first[name].content] == [b"edited", b"rots"]
        assert scanner.problems == {b"": [Problem(b"rots", ROT, subtree=True)]}
    page = index.load((b"", 0))
    assert page is not None
    contents = {name: page.contents[i * 32 : (i + 1) * 32] for i, name in enumerate(page.name_list())}
    assert contents == {name: entry.content for name, entry in {**seen, b"rots": first[b"rots"]}.items()}
    assert ground.look(index, clock_ns=later)[b"rots"] == first[b"rots"]


def test_eager_reading_needs_no_second_pass(ground: Ground, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(ground)
    opens = Opens(monkeypatch)
    scanner = ground.scanner(index, Limits(Filter(()), eager=True), clock_ns=later)
    assert unread(scanner.pages) == {}
    assert sorted(opens.names) == [b"a", b"b", b"c", b"d", b"e"]
    assert finish(scanner) == ground.look()


def test_what_was_read_eagerly_at_the_moment_of_a_write_does_not_count(ground: Ground, index: Index) -> None:
    ground.write(b"a", b"a")
    clock = os.lstat(ground.place(b"a")).st_ctime_ns
    scanner = ground.scanner(index, Limits(Filter(()), eager=True), clock_ns=lambda: clock)
    assert unread(scanner.pages) == {(b"", 0): array("H", [0])}
    assert scanner.pages[b"", 0].flags[0] & RACY


# other runs at the same index


def test_a_page_rewritten_by_another_run_is_read_anew(ground: Ground, index: Index) -> None:
    furnish(ground)
    first = ground.look(index, clock_ns=later)
    scanner = ground.scanner(index, clock_ns=later)
    page = index.load((b"docs\0deep\0", 0))
    assert page is not None
    # The same listing, but less is known: the other run did not read.
    index.store((b"docs\0deep\0", 0), page.with_contents({0: UNKNOWN}).sealed(b"docs\0deep\0"))
    index.flush()
    doubtful = scanner.materialise()
    assert doubtful == {b"docs\0deep\0"}
    assert finish(scanner) == first


def test_pages_lost_since_the_scan_are_looked_at_again(ground: Ground, tmp_path: Path) -> None:
    furnish(ground)
    index = Index(os.fspath(tmp_path / "lost.db"))
    first = ground.look(index, clock_ns=later)
    scanner = ground.scanner(index, clock_ns=later)
    index.forget(index.vanished(set()))
    ground.write(b"docs/new/er/file", b"made since")
    os.unlink(ground.place(b"other/e"))
    os.rmdir(ground.place(b"other"))
    found = finish(scanner)
    index.close()
    assert found == ground.look()
    assert {b"docs/new/er/file", b"docs/new/er"} <= set(found)
    assert b"other" not in found
    assert found[b"a"] == first[b"a"]
    assert scanner.entries == len(found)


# looking again


def test_rescan_finds_what_is_new_and_what_is_gone(ground: Ground, index: Index) -> None:
    furnish(ground)
    scanner = ground.scanner(index, clock_ns=later)
    before = finish(scanner)
    ground.write(b"docs/new/er/file", b"new")
    ground.write(b"docs/b", b"changed")
    subprocess.run(["rm", "-rf", ground.place(b"docs/deep")], check=True)
    ground.write(b"other/unseen", b"not looked at")
    assert scanner.rescan([b"docs\0"]) == {b"docs\0", b"docs\0new\0", b"docs\0new\0er\0"}
    after = finish(scanner)
    expected = ground.look()
    del expected[b"other/unseen"]
    expected.update({path: before[path] for path in (b"docs", b"other")})
    assert after == expected
    assert scanner.entries == len(after)


def hear_of_builds(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The names of pages that are built from now on."""
    built: list[bytes] = []
    build = PageBuilder.build

    def heard(builder: PageBuilder, listed: Listing, *rest: Any) -> Page:
        built.append(listed.names)
        return build(builder, listed, *rest)

    monkeypatch.setattr(PageBuilder, "build", heard)
    return built


@pytest.mark.parametrize("at_hand", [0, 1 << 20])
def test_rescan_leaves_pages_that_show_what_they_showed(
    ground: Ground, index: Index, monkeypatch: pytest.MonkeyPatch, at_hand: int
) -> None:
    monkeypatch.setattr(pages_module, "AT_HAND", at_hand)
    monkeypatch.setattr(listing, "ROWS", 2)
    for number in range(9):
        ground.write(b"d/%d" % number, b"%d" % number)
    scanner = ground.scanner(index, clock_ns=later)
    finish(scanner)
    with monkeypatch.context() as patch:
        for owner, name in ((index, "store"), (Spill, "put"), (Spill, "get")):
            patch.setattr(owner, name, lambda *_: pytest.fail("what is still the same was taken up"))
        scanner.rescan([b"d\0"])
    ground.write(b"d/3", b"edited")
    os.chmod(ground.place(b"d/8"), 0o600)
    built = hear_of_builds(monkeypatch)
    scanner.rescan([b"d\0"])
    assert built == [b"2\x003", b"8"]
    assert finish(scanner) == ground.look()


def test_rescan_takes_nothing_for_granted_where_ctimes_cannot_be_trusted(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (b"a", b"b"):
        ground.write(name, name)
    scanner = ground.scanner(file_system=REMOTE, clock_ns=later)
    finish(scanner)
    built = hear_of_builds(monkeypatch)
    scanner.rescan([b""])
    assert built == [b"a\0b"]


def test_rescan_of_what_is_gone(ground: Ground) -> None:
    furnish(ground)
    scanner = ground.scanner(clock_ns=later)
    finish(scanner)
    subprocess.run(["rm", "-rf", ground.place(b"docs")], check=True)
    assert scanner.rescan([b"", b"docs\0", b"docs\0deep\0"]) == {b""}
    assert finish(scanner) == ground.look()


def test_what_others_learned_is_taken_over(ground: Ground, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(ground)
    opens = Opens(monkeypatch)
    scanner = ground.scanner(index, clock_ns=later)
    content = content_digest(b"content of docs/deep/c")
    learn(
        scanner,
        [
            Learned(b"docs\0", b"none", content),
            Learned(b"docs\0deep\0", b"c\0d", content + UNKNOWN),
            Learned(b"nowhere\0", b"x", content),
        ],
    )
    found = finish(scanner)
    assert found[b"docs/deep/c"].content == content
    assert sorted(opens.names) == [b"a", b"b", b"d", b"e"]
    assert index.briefs(b"docs\0deep\0").get(0) is not None
    opens.names.clear()
    assert ground.look(index, clock_ns=later) == found
    assert opens.names == []


# what cannot be known


def test_a_directory_that_cannot_be_read_is_unknown_not_empty(ground: Ground) -> None:
    furnish(ground)
    os.chmod(ground.place(b"docs"), 0o000)
    with unprivileged(ground):
        scanner = ground.scanner()
        found = finish(scanner)
    os.chmod(ground.place(b"docs"), 0o755)
    assert problems(scanner) == {Problem(b"docs", "permission denied", subtree=True)}
    assert set(found) == {b"a", b"docs", b"empty", b"link", b"other", b"other/e"}


def test_names_that_cannot_be_statted_are_unknown(ground: Ground) -> None:
    furnish(ground)
    os.chmod(ground.place(b"docs"), 0o644)
    with unprivileged(ground):
        scanner = ground.scanner()
        found = finish(scanner)
    os.chmod(ground.place(b"docs"), 0o755)
    expected = {Problem(b"docs/" + name, "permission denied", subtree=True) for name in (b"b", b"deep")}
    assert problems(scanner) == expected
    assert b"docs" in found
    assert not any(path.startswith(b"docs/") for path in found)


def test_a_file_that_cannot_be_read_is_a_problem_and_stays_unread(ground: Ground, index: Index) -> None:
    furnish(ground)
    os.chmod(ground.place(b"docs/b"), 0o000)
    for _ in range(2):
        with unprivileged(ground):
            scanner = ground.scanner(index, clock_ns=later)
            found = finish(scanner)
        assert problems(scanner) == {Problem(b"docs/b", "permission denied")}
        assert found[b"docs/b"].content == UNKNOWN
        assert found[b"a"].is_read
    os.chmod(ground.place(b"docs/b"), 0o644)
    assert ground.look(index, clock_ns=later)[b"docs/b"].is_read


def test_a_file_that_vanishes_before_it_is_read_is_dropped(ground: Ground, index: Index) -> None:
    furnish(ground)
    scanner = ground.scanner(index, clock_ns=later)
    os.unlink(ground.place(b"docs/b"))
    os.unlink(ground.place(b"docs/deep/c"))
    os.unlink(ground.place(b"docs/deep/d"))
    found = finish(scanner)
    assert not problems(scanner)
    assert set(found) == ground.names()
    summed = sum_up(scanner, complete=True)
    assert (summed.excluded, summed.special) == (0, 0)
    assert set(ground.look(index, clock_ns=later)) == ground.names()


def test_a_directory_that_vanishes_is_empty(ground: Ground) -> None:
    furnish(ground)
    scanner = ground.scanner()
    subprocess.run(["rm", "-rf", ground.place(b"docs")], check=True)
    assert not any(path.startswith(b"docs/") for path in finish(scanner) if path != b"docs/deep")
    assert not problems(scanner)


def test_a_file_that_changes_between_scan_and_reading_is_a_problem(ground: Ground, index: Index) -> None:
    furnish(ground)
    scanner = ground.scanner(index, clock_ns=later)
    ground.write(b"docs/b", b"quite another content")
    found = finish(scanner)
    assert found[b"docs/b"].content == UNKNOWN
    assert [problem.path for problem in problems(scanner)] == [b"docs/b"]
    assert ground.look(index, clock_ns=later)[b"docs/b"].content == content_digest(b"quite another content")


def test_a_link_that_could_not_be_read_is_tried_again(
    ground: Ground, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.symlink(b"target", ground.place(b"link"))
    readlink = os.readlink

    def fail(*args: object, **options: object) -> bytes:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "readlink", fail)
    scanner = ground.scanner(index, clock_ns=later)
    assert not finish(scanner)[b"link"].is_read
    assert problems(scanner) == {Problem(b"link", "input/output error", subtree=True)}
    monkeypatch.setattr(os, "readlink", readlink)
    for _ in range(2):
        assert ground.look(index, clock_ns=later)[b"link"].content == content_digest(b"target")


def test_a_symlink_swapped_in_for_a_directory_is_not_followed(ground: Ground, tmp_path: Path) -> None:
    furnish(ground)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "b").write_bytes(b"content of docs/b")
    scanner = ground.scanner(clock_ns=later)
    os.rename(ground.place(b"docs"), ground.place(b"moved"))
    os.symlink(tmp_path / "outside", ground.place(b"docs"))
    found = finish(scanner)
    assert not found[b"docs/b"].is_read
    assert found[b"a"].is_read


# what is left out


def test_specials_are_left_out_and_counted(ground: Ground, index: Index) -> None:
    furnish(ground)
    os.mkfifo(ground.place(b"docs/fifo"))
    os.mknod(ground.place(b"docs/socket"), 0o140644)
    for _ in range(2):
        scanner = ground.scanner(index, clock_ns=later)
        found = finish(scanner)
        summed = sum_up(scanner, complete=True)
        assert (summed.special, summed.excluded, summed.problems) == (2, 0, ())
        assert set(found) == ground.names() - {b"docs/fifo", b"docs/socket"}


@pytest.mark.parametrize("name", [b".AEFSYNC", b".AefSync", b"aefsyn~1", b".aefsync.", b".aef\xe2\x80\x8csync"])
def test_aliases_of_the_home_are_a_problem_and_left_out(ground: Ground, index: Index, name: bytes) -> None:
    ground.write(b"docs/.aefsync/secret", b"never part of the tree")
    ground.write(b".aefsync/secret", b"never part of the tree")
    ground.write(b"docs/" + name + b"/inside", b"x")
    for _ in range(2):
        scanner = ground.scanner(index, clock_ns=later)
        assert set(finish(scanner)) == {b"docs"}
        assert {(problem.path, problem.subtree) for problem in problems(scanner)} == {(b"docs/" + name, True)}


def test_what_has_too_long_a_path_is_a_problem_of_its_directory_and_left_out(
    ground: Ground, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_path, "MAX_PATH", 12)
    fits = {b"d", b"d/ten chars.", b"d/sub", b"d/sub/dir", b"d/sub/dir/fi"}
    for path in (b"d/ten chars.", b"d/sub/dir/fi", b"d/sub/dir/fil", b"d/sub/dir/directory/f"):
        ground.write(path)
    for _ in range(2):
        scanner = ground.scanner(index)
        assert set(finish(scanner)) == fits
        (problem,) = problems(scanner)
        assert (problem.path, problem.subtree) == (b"d/sub/dir", False)
        assert "bytes" in problem.reason


def test_our_own_cache_below_the_root_is_left_out(ground: Ground) -> None:
    for path in (b".cache/aefsync/index/x.db", b".cache/other", b"docs/aefsync/x"):
        ground.write(path)
    limits = Limits(Filter(()), own=frozenset({b".cache/aefsync"}))
    assert set(ground.look(limits=limits)) == {b".cache", b".cache/other", b"docs", b"docs/aefsync", b"docs/aefsync/x"}


def test_another_device_is_not_looked_at_if_so_wished(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(ground)
    inode = os.lstat(ground.place(b"docs/deep")).st_ino
    fstat = os.fstat

    class Mounted:
        def __init__(self, seen: os.stat_result) -> None:
            self.st_dev, self.st_ino = seen.st_dev + (seen.st_ino == inode), seen.st_ino
            self.st_size = seen.st_size

    monkeypatch.setattr(sight_module.os, "fstat", lambda fd: Mounted(fstat(fd)))
    limits = Limits(Filter(()), one_file_system=True)
    scanner = Scanner(LocalSight(ground.root, LOCAL, limits), Index(None), limits)
    scanner.scan()
    crossing = Scanner(LocalSight(ground.root, LOCAL, ALL), Index(None), ALL)
    crossing.scan()
    monkeypatch.setattr(sight_module.os, "fstat", fstat)
    assert scanner.unexamined == {b"docs/deep"}
    assert set(finish(scanner)) == ground.names() - {b"docs/deep/c", b"docs/deep/d"}
    assert set(finish(crossing)) == ground.names()
    assert not crossing.unexamined


def test_what_is_mounted_is_judged_by_its_own_file_system(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(ground)
    inode = os.lstat(ground.place(b"docs")).st_ino
    fstat = os.fstat

    class Mounted:
        def __init__(self, seen: os.stat_result) -> None:
            self.st_dev, self.st_ino = seen.st_dev + (seen.st_ino == inode), seen.st_ino
            self.st_size = seen.st_size

    monkeypatch.setattr(sight_module, "file_system_of", lambda fd: REMOTE)
    monkeypatch.setattr(sight_module.os, "fstat", lambda fd: Mounted(fstat(fd)))
    scanner = ground.scanner()
    monkeypatch.setattr(sight_module.os, "fstat", fstat)
    found = finish(scanner)
    assert found[b"docs/b"].inode == 0
    assert found[b"a"].inode != 0
    assert found[b"docs/b"].is_read


def test_a_real_mount(ground: Ground) -> None:
    furnish(ground)
    place = ground.place(b"empty")
    if subprocess.run(["mount", "-t", "tmpfs", "none", place], check=False, capture_output=True).returncode:
        pytest.skip("mounting is for root")
    try:
        ground.write(b"empty/mounted", b"x")
        assert b"empty/mounted" in ground.look()
        scanner = ground.scanner(limits=Limits(Filter(()), one_file_system=True))
        found = finish(scanner)
        assert scanner.unexamined == {b"empty"}
        assert b"empty" in found
        assert b"empty/mounted" not in found
    finally:
        subprocess.run(["umount", place], check=True)


def test_no_descriptor_is_left_open(ground: Ground) -> None:
    furnish(ground)
    os.chmod(ground.place(b"other"), 0o000)
    with unprivileged(ground):
        before = len(os.listdir("/proc/self/fd"))
        scanner = ground.scanner(limits=Limits(Filter(()), eager=True))
        finish(scanner)
        scanner.rescan([b"", b"docs\0", b"none\0"])
        read_pages(scanner, unread(scanner.pages), lambda done: None)
        assert len(os.listdir("/proc/self/fd")) == before
    os.chmod(ground.place(b"other"), 0o755)
