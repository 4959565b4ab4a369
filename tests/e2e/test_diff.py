"""`diff`: codes, exit codes, options; and that it leaves no trace."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.program import ORDINARY, Program
from tests.support.trees import BASE_NS, SECOND, link, odd_tree, survey, tree, write

SAME = {"docs/a.txt": "a", "docs/b.txt": "b", "empty/": None}


def plant(pair: Pair) -> None:
    """Two trees with one difference of each sort."""
    for root in pair:
        tree(root, SAME)
        write(root / "content", b"long" if root is pair.a else b"short")
        write(root / "damaged", b"good" if root is pair.a else b"baad")
        write(root / "mode", b"", mode=0o644 if root is pair.a else 0o755)
        write(root / "time", b"", mtime_ns=BASE_NS if root is pair.a else BASE_NS + 3600 * SECOND)
        link(root / "link", b"docs" if root is pair.a else b"empty")
    tree(pair.a, {"only-a": "1", "dir-a/x": "1", "dir-a/y": "1", "kind": "file"})
    tree(pair.b, {"only-b": "1", "kind/": None})


EXPECTED = [
    "* content",
    "? damaged",
    "< dir-a/",
    "k kind",
    "* link",
    "m mode",
    "< only-a",
    "> only-b",
    "m time",
]


def test_chunks_say_how_much_of_a_file_differs(aefsync: Program, pair: Pair) -> None:
    noise = os.urandom(1_000_000)
    tree(pair.a, {"log": noise, "small": "a", "gone": "x", "mode": ""})
    tree(pair.b, {"log": noise[:500_000] + b"edit" + noise[500_004:], "small": "bb", "mode": ""})
    (pair.b / "mode").chmod(0o600)
    done = aefsync("diff", "--chunks", "--json", *pair).expect(1)
    found = {event["path"]: event.get("parts") for event in done.events if event["event"] == "difference"}
    assert found["small"] == [{"offset": 0, "length": 2}]
    assert found["gone"] is found["mode"] is None
    (part,) = found["log"]
    assert part["offset"] <= 500_000 < part["offset"] + part["length"]
    assert part["length"] <= 16 << 10
    lines = aefsync("diff", "--chunks", *pair).expect(1).lines
    assert lines[0] == "< gone"
    assert lines[1].endswith("of 1.0 MB, in 1 place)") and lines[1].startswith("? log (")
    assert lines[3] == "* small (2 B of 2 B, in 1 place)"


def test_chunks_need_two_replicas_and_their_content(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    for root in (*pair, tmp_path / "C"):
        tree(root, SAME)
    assert b"--chunks" in aefsync("diff", "--chunks", *pair, tmp_path / "C").expect(2).err
    assert b"--chunks" in aefsync("diff", "--chunks", "--quick", *pair).expect(2).err


def test_equal_trees_give_0_and_nothing(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, SAME)
    done = aefsync("diff", *pair).expect(0)
    assert done.out == b""


def test_a_line_for_each_difference_in_key_order(aefsync: Program, pair: Pair) -> None:
    plant(pair)
    done = aefsync("diff", *pair).expect(1)
    found = done.lines
    assert len(found) == len(EXPECTED), done.out
    assert all(line.startswith(begin) for line, begin in zip(found, EXPECTED, strict=True)), done.out
    assert "mode 644 755" in found[5]
    assert "mtime +3600 s" in found[8]
    assert "2" in found[2], "the count beneath stands with the directory"


def test_swapping_the_roots_swaps_the_codes(aefsync: Program, pair: Pair) -> None:
    plant(pair)
    swapped = {"<": ">", ">": "<"}
    codes = [swapped.get(line[0], line[0]) + line[1:].split(" (")[0] for line in EXPECTED]
    found = aefsync("diff", pair.b, pair.a).expect(1).lines
    assert all(line.startswith(begin) for line, begin in zip(found, codes, strict=True)), found


def test_null_is_never_collapsed_or_escaped(aefsync: Program, pair: Pair) -> None:
    plant(pair)
    os.makedirs(pair.a / "dir-a" / "below")
    write(os.fsencode(pair.a) + b"/odd\n\xff\x1b", b"x")
    done = aefsync("diff", "-0", *pair).expect(1)
    assert done.out.endswith(b"\0")
    found = done.out.split(b"\0")[:-1]
    assert b"< odd\n\xff\x1b" in found
    assert {b"< dir-a", b"< dir-a/below", b"< dir-a/x", b"< dir-a/y"} <= set(found)
    assert b"m mode" in found
    assert aefsync("diff", "--null", *pair).expect(1).out == done.out


def test_verbose_lists_what_is_beneath(aefsync: Program, pair: Pair) -> None:
    plant(pair)
    lines = aefsync("diff", "-v", *pair).expect(1).lines
    assert any(line.startswith("< dir-a/x") for line in lines)
    assert any(line.startswith("< dir-a/y") for line in lines)


def test_odd_names_are_printed_escaped(aefsync: Program, pair: Pair) -> None:
    odd_tree(pair.a)
    tree(pair.b, {})
    done = aefsync("diff", "-v", *pair).expect(1)
    printed = set(done.out) - {0x0A}
    assert not printed & {*range(0x20), 0x7F}, "control characters"
    text = done.out.decode("utf-8")
    assert not set(text) & set("\u202e\u0085"), "what turns or moves the line"


def test_quick_says_that_contents_were_not_read(aefsync: Program, pair: Pair) -> None:
    plant(pair)
    done = aefsync("diff", "--quick", *pair).expect(1)
    paths = [line.split(" ")[1] for line in done.lines]
    assert "damaged" not in paths, "same size and mtime"
    assert {"content", "mode", "time", "only-a", "only-b"} <= set(paths)
    assert b"contents not read" in done.out + done.err
    os.remove(pair.a / "content")
    equal = tree(pair.a / "docs", {}), tree(pair.b / "docs", {})
    aefsync("diff", "--quick", *equal).expect(0)


def test_quick_is_not_verified(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, SAME)
    assert aefsync("diff", "--json", "--quick", *pair).expect(0).summary["verified"] is False
    assert aefsync("diff", "--json", *pair).expect(0).summary["verified"] is True


def test_brief_stops_at_the_first_difference(aefsync: Program, pair: Pair) -> None:
    plant(pair)
    done = aefsync("diff", "--brief", *pair).expect(1)
    assert len(done.lines) <= 1
    for name in ("one", "two"):
        tree(pair.a.parent / name, SAME)
    aefsync("diff", "--brief", pair.a.parent / "one", pair.a.parent / "two").expect(0)


def test_json(aefsync: Program, pair: Pair) -> None:
    plant(pair)
    odd = b"caf\xe9"
    write(os.fsencode(pair.a) + b"/" + odd, b"x")
    done = aefsync("diff", "--json", *pair).expect(1)
    start, *middle, summary = done.events
    assert (start["event"], start["schema"], start["command"]) == ("start", 1, "diff")
    assert [each["location"] for each in start["replicas"]] == [str(root) for root in pair]
    assert [each["label"] for each in start["replicas"]] == ["A", "B"]
    found = {each["path"]: each for each in middle if each["event"] == "difference"}
    states = {path: each["state"] for path, each in found.items()}
    assert states["content"] == "content"
    assert states["damaged"] == "content"
    assert [found[path]["same_stat"] for path in ("content", "damaged")] == [False, True]
    assert (states["mode"], states["kind"], states["link"]) == ("metadata", "kind", "content")
    assert (states["only-a"], states["only-b"], states["dir-a/x"]) == ("only_a", "only_b", "only_a")
    assert found["only-a"]["entries"][1] is None
    entry = found["only-a"]["entries"][0]
    assert (entry["kind"], entry["size"], entry["mtime_ns"], entry["mode"]) == ("file", 1, str(BASE_NS), 0o644)
    assert any(base64.b64decode(each.get("path_b64", "")) == odd for each in found.values())
    assert (summary["exit_code"], summary["equal"], summary["differences"]) == (1, False, len(found))
    assert summary["entries"] == [len(survey(root)) for root in pair]


def test_checksum_ignores_the_index(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, SAME)
    aefsync("diff", *pair).expect(0)
    aefsync("diff", "-c", *pair).expect(0)
    aefsync("diff", "--checksum", *pair).expect(0)
    write(pair.b / "docs" / "a.txt", b"x")
    assert aefsync("diff", "-c", *pair).expect(1).lines == ["? docs/a.txt"]
    assert aefsync("diff", *pair).expect(1).lines == ["? docs/a.txt"], "ctime has moved, so the index knows too"


def test_creates_nothing_inside_a_replica(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        odd_tree(root)
    write(pair.b / "sizes" / "1", b"!")
    before = [survey(root, exact=True) for root in pair], [os.stat(root).st_mtime_ns for root in pair]
    for options in ([], ["-c"], ["--quick"], ["--brief"], ["--json"], []):
        aefsync("diff", *options, *pair)
    assert before == ([survey(root, exact=True) for root in pair], [os.stat(root).st_mtime_ns for root in pair])
    assert not any((root / ".aefsync").exists() for root in pair)


def test_unreadable_things_are_reported_and_give_2(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, {"shut/inside": "1", "file": "x", "other": "y"})
    (pair.b / "shut").chmod(0)
    (pair.b / "file").chmod(0)
    done = aefsync.under(*ORDINARY)("diff", *pair).expect(2)
    troubled = [line for line in done.lines if line.startswith("! ")]
    assert any(line.startswith("! shut") and "permission denied" in line.lower() for line in troubled), done.out
    assert any(line.startswith("! file") for line in troubled), done.out
    assert not any("inside" in line and not line.startswith("!") for line in done.lines), "unknown is not absent"
    (pair.b / "shut").chmod(0o755)


def test_three_replicas_have_a_column_each(aefsync: Program, tmp_path: Path) -> None:
    roots = [tree(tmp_path / name, SAME) for name in "ABC"]
    write(roots[2] / "docs" / "a.txt", b"other")
    write(roots[1] / "new", b"")
    done = aefsync("diff", *roots).expect(1)
    assert done.lines == ["aab docs/a.txt", "-a- new"]
    states = {each["path"]: each for each in aefsync("diff", "--json", *roots).expect(1).events[1:-1]}
    assert states["new"]["state"] == "missing"
    assert states["new"]["in"] == [1]


def test_a_mount_point_is_crossed_unless_told_otherwise(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, SAME)
        (root / "mnt").mkdir()
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    script = (
        'mount -t tmpfs none "$0" && echo x >"$0/inside" && "$@"; code=$?; test -e "$0/inside" || exit 99; exit $code'
    )
    mounted: list[str | Path] = [*unshare, "sh", "-c", script, pair.a / "mnt"]
    if subprocess.run([*mounted, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here")
    under = aefsync.under(*mounted)
    assert [line for line in under("diff", *pair).expect(1).lines if "inside" in line] == ["< mnt/inside"]
    for option in ("-x", "--one-file-system"):
        assert not any("inside" in line for line in under("diff", option, *pair).lines)
    under("repair", "-x", "--mirror", "--max-delete", "100%", pair.b, pair.a).expect(0, 1)
    under("repair", "-x", *pair).expect(0, 1)
    assert not (pair.b / "mnt" / "inside").exists()
