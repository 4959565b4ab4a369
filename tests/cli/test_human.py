"""What people see, exactly."""

from __future__ import annotations

import pytest

from aefsync.core.entry import Kind
from aefsync.core.metadata import PLAIN
from aefsync.core.path import RelPath
from aefsync.core.step import Altered
from aefsync.sync.events import Conflicted, Digested, Notice, Started, State, Trashed
from tests.cli.scripted import (
    DIFF,
    HOUR_NS,
    REPAIR,
    acted,
    differs,
    directory,
    file,
    human,
    lines,
    only_a,
    only_b,
    summary,
    trash_item,
    troubled,
)

ALL_KINDS = [
    DIFF,
    only_a(b"a"),
    differs(b"c", State.CONTENT, file(b"1"), file(b"2")),
    only_b(b"docs", directory()),
    only_b(b"docs/one"),
    only_b(b"docs/sub", directory()),
    only_b(b"docs/sub/two"),
    only_b(b"docs-too"),
    only_a(b"empty", directory()),
    differs(b"kind", State.KIND, file(), file(kind=Kind.SYMLINK)),
    differs(b"meta", State.METADATA, file(mode=0o644), file(mode=0o755, mtime_ns=1 + HOUR_NS)),
    differs(b"mode", State.METADATA, directory(0o755), directory(0o700)),
    differs(b"older", State.METADATA, file(mtime_ns=500_000_000), file(mtime_ns=-1)),
    differs(b"rot", State.CONTENT, file(b"1"), file(b"2"), same_stat=True),
    troubled(1, b"secret"),
    only_a(b"z\n\xff"),
    summary(1, ("different",)),
]


def test_diff_has_a_line_for_each_path() -> None:
    assert lines(ALL_KINDS) == [
        "< a",
        "* c",
        "> docs/ (3 entries)",
        "> docs-too",
        "< empty/",
        "k kind",
        "m meta (mode 644 755, mtime +3600 s)",
        "m mode (mode 755 700)",
        "m older (mtime -0.500000001 s)",
        "? rot",
        "! secret: permission denied (B)",
        r"< z\n\xff",
    ]
    assert human(ALL_KINDS).err == ""


def test_verbose_shows_every_entry_and_ends_with_a_sentence() -> None:
    events = [DIFF, only_b(b"docs", directory()), only_b(b"docs/one"), summary(1, differences=2, elapsed_s=0.25)]
    printed = human(events, verbose=1)
    assert printed.out == b"> docs/\n> docs/one\n"
    assert printed.err == "aefsync: A and B differ: 2 differences, 0.25 s\n"


def test_equal_replicas_are_worth_no_word() -> None:
    assert human([DIFF, summary()]) == (b"", "")
    assert human([DIFF, summary(entries=(10, 10), elapsed_s=1.0)], verbose=1).err == (
        "aefsync: A and B are equal: 10 entries, 1.00 s\n"
    )


def test_quiet_diff_leaves_it_to_the_exit_code_but_names_what_it_could_not_read() -> None:
    printed = human([DIFF, Notice("contents not read"), only_a(b"a"), troubled(0, b"x"), summary(1)], quiet=True)
    assert printed == (b"", "! A x: permission denied\n")


def test_a_one_sided_directory_ends_where_the_side_changes() -> None:
    events = [DIFF, only_b(b"d", directory()), only_b(b"d/1"), only_a(b"e"), only_b(b"f", directory()), only_b(b"f/1")]
    assert lines([*events, summary(1)]) == ["> d/ (1 entry)", "< e", "> f/ (1 entry)"]


def test_trouble_below_a_one_sided_directory_does_not_tear_it_apart() -> None:
    events = [DIFF, only_b(b"d", directory()), only_b(b"d/1"), troubled(1, b"d/2"), only_b(b"d/3"), summary(1)]
    assert lines(events) == ["> d/ (2 entries)", "! d/2: permission denied (B)"]


def test_trouble_told_early_is_shown_in_its_place() -> None:
    events = [DIFF, troubled(0, b"d/z"), troubled(1, b"b"), troubled(0, b"z"), only_a(b"a"), only_a(b"d", directory())]
    shown = ["< a", "! b: permission denied (B)", "< d/ (1 entry)", "! d/z: permission denied (A)", "> e"]
    assert lines([*events, only_a(b"d/1"), only_b(b"e"), summary(2)]) == [*shown, "! z: permission denied (A)"]


def test_a_file_against_nothing_below_a_held_directory_of_the_same_name_prefix() -> None:
    events = [DIFF, only_b(b"d", directory()), only_b(b"d.txt"), summary(1)]
    assert lines(events) == ["> d/", "> d.txt"]


def test_what_is_held_back_is_shown_when_the_run_ends_badly() -> None:
    assert lines([DIFF, only_b(b"d", directory()), only_b(b"d/1")]) == ["> d/ (1 entry)"]


def test_three_replicas_have_a_column_each() -> None:
    one, two = file(b"1"), file(b"2")
    events = [
        Started("diff", ("a", "b", "c")),
        differs(b"a", State.CONTENT, one, one, two),
        differs(b"b", State.MISSING, one, None, one),
        differs(b"c", State.CONTENT, one, two, file(b"3")),
        differs(b"d", State.MISSING, None, None, directory()),
        differs(b"d/1", State.MISSING, None, None, one),
        troubled(1, b"e", "I/O error", subtree=True),
        differs(b"e/1", State.MISSING, one, None, one),
        summary(1, entries=(1, 2, 3)),
    ]
    assert lines(events) == ["aab a", "a-a b", "abc c", "--a d/ (1 entry)", ".!. e: I/O error (B)", "a!a e/1"]


def test_null_is_raw_and_never_collapsed() -> None:
    events = [
        DIFF,
        only_b(b"d", directory()),
        only_b(b"d/\n\xff"),
        differs(b"m", State.METADATA, file(mode=0o600), file()),
        troubled(0, b"s"),
        summary(1),
    ]
    assert human(events, null=True).out == b"> d\0> d/\n\xff\0m m\0! s\0"


def test_colours_mark_the_code_only() -> None:
    assert human([DIFF, only_a(b"a"), summary(1)], colored=True).out == b"\x1b[31m<\x1b[0m a\n"


REPAIRED = [
    REPAIR,
    acted("create", b"n", 0, 1, size=1_200_000),
    acted("copy", b"r", 1, 0, size=34_567),
    acted("mkdir", b"d", 0, 1),
    acted("link", b"l", 0, 1),
    acted("metadata", b"m", 0, 1),
    acted("move", b"new", 0, 1, old=b"old"),
    acted("delete", b"x\x1b", None, 1),
]
DONE = {"copied_files": 2, "replaced_files": 1, "moved": 1, "deleted": 1, "metadata": 1}


RUN, B = "20261122T101112Z-1f3a", "'/srv/it'\"'\"'s b'"
LIST, OF_RUN = "aefsync trash", f"list --run {RUN}"
B_KEEPS = f"B keeps in its trash what was replaced or deleted (append-only): {LIST} {B} {OF_RUN}"


def test_itemized_actions() -> None:
    assert lines(REPAIRED, itemize=True) == [
        "A>B create n",
        "B>A copy r",
        "A>B mkdir d/",
        "A>B link l",
        "A>B metadata m",
        "A>B move old -> new",
        r">B delete x\x1b",
    ]
    to_both = acted("create", b"n", 0, 1, 2)
    assert lines([Started("repair", ("a", "b", "c")), to_both], itemize=True) == ["A>BC create n"]


def test_itemized_metadata_says_what_becomes_of_it() -> None:
    older, newer = file(mode=0o644, mtime_ns=0), file(mode=0o600, mtime_ns=35 * 10**9)
    altered = Altered(older, newer, PLAIN)
    event = acted("metadata", b"m", 0, 1)._replace(altered=altered)
    assert lines([REPAIR, event], itemize=True) == ["A>B metadata m (mode 644 600, mtime +35 s)"]
    loose = altered._replace(aspects=PLAIN._replace(mode_bits=0))
    assert lines([REPAIR, event._replace(altered=loose)], itemize=True) == ["A>B metadata m (mtime +35 s)"]


def test_itemized_with_more_to_say() -> None:
    altered = Altered(file(b"old", mtime_ns=0), file(mtime_ns=35 * 10**9), PLAIN)
    events = [
        REPAIR,
        acted("create", b"n", 0, 1, size=1_200_000)._replace(reason="missing"),
        acted("copy", b"r", 1, 0, size=34_567)._replace(altered=altered),
        acted("copy", b"k", 0, 1, size=5)._replace(altered=altered._replace(found=file(kind=Kind.SYMLINK, mode=0))),
        acted("metadata", b"m", 0, 1)._replace(altered=altered, reason="mode"),
        acted("delete", b"x", None, 1)._replace(reason="deleted"),
        acted("mkdir", b"d", 0, 1)._replace(reason="missing"),
    ]
    assert lines(events, itemize=True, verbose=1) == [
        "A>B create n (1.2 MB)",
        "B>A copy r (34.6 kB, mtime +35 s, newer)",
        "A>B copy k (5 B, newer)",
        "A>B metadata m (mtime +35 s, mode)",
        ">B delete x (deleted)",
        "A>B mkdir d/",
    ]


def test_a_repair_ends_with_one_line() -> None:
    assert lines([*REPAIRED, summary(**DONE)]) == [
        (
            "A and B agree: 1 file copied, 1 replaced (1.2 MB), 1 moved, 1 directory made, 1 link made, "
            "metadata set on 1, 1 deleted; undo: aefsync undo /a '/srv/it'\"'\"'s b' 20261122T101112Z-1f3a"
        )
    ]
    assert lines([*REPAIRED, summary(**DONE)], quiet=True) == []


@pytest.mark.parametrize(
    ("append_only", "keeps_trash", "ends"),
    [
        ((), False, "what was replaced or deleted is gone for good (--no-trash)"),
        (
            (0, 1),
            True,
            f"A and B keep in their trash what was replaced or deleted (append-only): {LIST} /a {B} {OF_RUN}",
        ),
        ((1,), False, f"what was replaced or deleted on A is gone for good (--no-trash); {B_KEEPS}"),
        ((1,), True, f"undo: aefsync undo /a {RUN}; {B_KEEPS}"),
    ],
)
def test_where_what_gave_way_is(append_only: tuple[int, ...], keeps_trash: bool, ends: str) -> None:
    (line,) = lines([*REPAIRED, summary(append_only=append_only, keeps_trash=keeps_trash, **DONE)])
    assert line.partition("; ")[2] == ends


def test_a_repair_that_could_not_do_all_says_what_is_left() -> None:
    events = [REPAIR, troubled(1, b"p"), summary(4, ("problems",), problems=1, equal=False)]
    printed = human(events)
    assert printed.err == "! B p: permission denied\n"
    assert printed.out == b"A and B still differ: 1 problem\n"


def test_a_repair_that_has_no_reason_for_what_differs_says_where_to_look() -> None:
    events = [REPAIR, summary(4, ("still different",), equal=False)]
    assert lines(events) == ["A and B still differ: see aefsync diff /a " + """'/srv/it'"'"'s b'"""]


def test_a_dry_run_says_would() -> None:
    assert lines([*REPAIRED, summary(dry_run=True, equal=False, **DONE)]) == [
        (
            "would copy 1 file, replace 1 (1.2 MB), move 1, make 1 directory, make 1 link, "
            "set metadata on 1, delete 1; nothing was changed"
        )
    ]


def test_nothing_to_do_is_silent() -> None:
    assert human([REPAIR, summary()]) == (b"", "")
    assert human([REPAIR, summary(dry_run=True)]) == (b"", "")


def test_what_a_repair_notices_goes_to_stderr() -> None:
    events = [
        REPAIR,
        Notice("created \x1b/b"),
        Notice("clocks differ", warning=True),
        Conflicted(RelPath(b"c"), "keep-both", 0, RelPath(b"c.conflict-1"), ""),
        Conflicted(RelPath(b"s"), "lww", None, None, "same size and mtime, different content"),
        summary(),
    ]
    conflicts = (
        "aefsync: clocks differ\n"
        "aefsync: conflict: c is A's; the other version: c.conflict-1\n"
        "aefsync: conflict: s: left standing: same size and mtime, different content\n"
    )
    assert human(events) == (b"", "aefsync: created \\x1b/b\n" + conflicts)
    assert human(events, quiet=True).err == conflicts


def test_what_a_scrub_finds_is_its_result() -> None:
    events = [Started("scrub", ("/a",)), troubled(0, b"p"), summary(1, ("problems",), problems=1, verified_files=3)]
    found = "! A p: permission denied\n"
    assert human(events) == (found.encode() + b"A: 3 files (0 B) read: 1 problem\n", "")
    assert human(events, quiet=True) == (b"", found)


def test_stats() -> None:
    events = [REPAIR, summary(literal_bytes=1500, sent_bytes=280, received_bytes=310, round_trips=2, elapsed_s=1.25)]
    assert human(events, stats=True).err == (
        "aefsync: entries: 10 in A, 12 in B; differences: 0; content: 1.5 kB travelled, 0 B reused; "
        "protocol: 280 B sent, 310 B received, 2 round trips; 1.25 s\n"
    )


def test_digests() -> None:
    events = [
        Started("digest", ("/a",)),
        Digested(b"", b"\xab" * 16, 3, 0, is_directory=True),
        Digested(b"d\n", b"\x01" * 16, 1, 1, is_directory=True),
        Digested(b"f", b"\x02" * 16, 1, 1, is_directory=False),
        summary(),
    ]
    assert lines(events) == ["ab" * 16 + "  .", "01" * 16 + r"  d\n/", "02" * 16 + "  f"]
    assert lines(events, verbose=1)[0] == "ab" * 16 + "  . (3)"


def test_trash() -> None:
    item = trash_item("20261122T101112Z-1f3a", b"docs/a.txt", "replaced")
    events = [Started("trash", ("/a",)), Trashed(0, item), summary()]
    assert lines(events) == ["20261122T101112Z-1f3a  A  replaced    1.2 kB  docs/a.txt"]
