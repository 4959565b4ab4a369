"""Replicas that remember, as a user meets them: a deletion that travels, a conflict, how it is settled."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.conftest import Pair
from tests.e2e.program import Program
from tests.support.trees import BASE_NS, SECOND, judge, tree, write


def test_from_the_first_repair_to_a_settled_conflict(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, {"one": "1", "two": "2", "d/three": "3"})
    assert b"history starts: .aefsync/ created on A, B" in aefsync("repair", *pair).expect(0).err
    (pair.a / "one").unlink()
    write(pair.b / "two", b"edited", mtime_ns=BASE_NS - SECOND)
    assert aefsync("repair", "-i", *pair).expect(0).lines[:2] == [">B delete one", "B>A copy two"]
    assert judge(*pair) == []
    write(pair.a / "two", b"by A", mtime_ns=BASE_NS + SECOND)
    write(pair.b / "two", b"later, by B", mtime_ns=BASE_NS + 2 * SECOND)
    aefsync("repair", *pair).expect(1)
    assert judge(*pair) == []
    assert (pair.a / "two").read_bytes() == b"later, by B"
    (copy,) = pair.a.glob("two.conflict-*")
    assert copy.read_bytes() == b"by A"
    aefsync("status", *pair).expect(1)
    aefsync("conflicts", pair.a, "resolve", "--all", "--take", "copy").expect(0)
    aefsync("repair", *pair).expect(0)
    assert judge(*pair) == []
    assert sorted(path.name for path in pair.b.iterdir()) == [".aefsync", "d", "two"]
    assert (pair.b / "two").read_bytes() == b"by A"
    again = aefsync("repair", *pair).expect(0)
    assert (again.out, again.err) == (b"", b"")
    aefsync("status", *pair).expect(0)


RULES = """
[sets.p]
replicas = [{{name = "laptop", location = "{a}"}}, "{b}"]
rules = [
    {{glob = "*.new", conflicts = "newest"}}, {{glob = "*.skip", conflicts = "skip"}},
    {{glob = "*.mine", conflicts = "prefer:laptop"}}, {{glob = "*.both", conflicts = "merge:false"}},
    {{glob = "*.log", conflicts = "merge:sh -c 'cat \\"$@\\" >{{out}}' merge {{b}} {{base}} {{a}}"}},
]
"""


def test_each_path_by_its_rule_and_what_is_left_is_named_until_it_is_settled(
    aefsync: Program, pair: Pair, home: Path
) -> None:
    names = ["x.new", "x.skip", "x.mine", "x.both", "x.log", "x"]
    for root in pair:
        tree(root, dict.fromkeys(names, "once\n"))
    (home / "config/aefsync").mkdir(parents=True)
    (home / "config/aefsync/config.toml").write_text(RULES.format(a=pair.a, b=pair.b))
    aefsync("repair", "@p").expect(0)
    for name in names:
        write(pair.a / name, b"by A\n", mtime_ns=BASE_NS + SECOND)
        write(pair.b / name, b"by B, later\n", mtime_ns=BASE_NS + 2 * SECOND)
    aefsync("repair", "@p").expect(1)
    got = {path.name: path.read_text() for path in pair.a.glob("x*")}
    kept = {name: got.pop(name) for name in list(got) if ".conflict-" in name}
    assert got == {
        "x.new": "by B, later\n", "x.skip": "by A\n", "x.mine": "by A\n", "x.both": "by B, later\n",
        "x.log": "by A\nby B, later\n", "x": "by B, later\n"
    }  # fmt: skip
    assert sorted(name[:2] + name.rpartition(".")[2][:4] for name in kept) == ["x.both", "x.conf"]
    assert set(kept.values()) == {"by A\n"}
    assert (pair.b / "x.skip").read_text() == "by B, later\n"
    listed = aefsync("conflicts", "@p").expect(0).lines
    assert [line.split()[4] for line in listed] == ["laptop"] * 4, "whose versions they are"
    stood = aefsync("status", "@p").expect(1).lines
    assert stood[0].startswith("A (laptop): ")
    assert stood[1] == "  left standing: x.skip"
    assert stood[-1] == (
        f"conflict copies: aefsync conflicts {pair.a} {pair.b} list; left standing: aefsync repair -n {pair.a} {pair.b}"
    )
    aefsync("conflicts", "@p", "resolve", "--all", "--take", "laptop").expect(0)
    aefsync("repair", "@p", "--conflicts", "newest").expect(0)
    assert judge(*pair) == []
    assert {(pair.b / name).read_text() for name in ("x", "x.both", "x.mine")} == {"by A\n"}
    assert (pair.a / "x.skip").read_text() == "by B, later\n"
    aefsync("status", "@p").expect(0)
