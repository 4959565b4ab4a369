"""Names as bad as they can be, of roots, files and all that is typed: nothing raw is printed by any command, and no shell
ever sees one of them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.test_escape import UNSAFE
from tests.cli.test_terminals import BAD
from tests.e2e.program import Arg, Program
from tests.support.trees import BASE_NS, SECOND, write

NAME = BAD.replace(b"$(id)`id`", b"$(touch ran)`touch ran`")
COLOUR = re.compile(r"\x1b\[[\d;]*m")
LOG = b"log" + NAME


class Bad(NamedTuple):
    """Two roots in a directory, and whoever looks at all that is printed of them."""

    aefsync: Program
    folder: bytes

    @property
    def a(self) -> bytes:
        return self.folder + b"/A" + NAME

    @property
    def b(self) -> bytes:
        return self.folder + b"/B" + NAME

    def write(self, root: bytes, name: bytes, data: bytes, seconds: int = 0) -> None:
        write(Path(os.fsdecode(root + b"/" + name + NAME)), data, mtime_ns=BASE_NS + seconds * SECOND)

    def __call__(self, *words: Arg) -> None:
        ended = self.aefsync(*words).expect(0, 1, 2, 3, 5)
        assert b"internal error" not in ended.err
        for said in (ended.out, ended.err):
            check(said)
        for line in ended.out.splitlines() if "--json" in words else ():
            json.loads(line)


def check(said: bytes) -> None:
    text = COLOUR.sub("", said.decode("utf-8", "surrogateescape"))
    for line in text.split("\n"):
        assert not UNSAFE.search(line), line


@pytest.fixture
def bad(aefsync: Program, tmp_path: Path) -> Bad:
    """They have met, and there are edits, a conflict, deletions, renames, trash and what is no file."""
    made = Bad(aefsync, os.fsencode(tmp_path))
    for root in (made.a, made.b):
        for name in (b"both", b"moves", b"goes", b"d" + NAME + b"/conflict"):
            made.write(root, name, name)
    made.write(made.a, b"only A", b"A")
    os.symlink(NAME, made.b + b"/link" + NAME)
    os.mkfifo(made.a + b"/fifo" + NAME)
    aefsync("repair", made.a, made.b).expect(0)
    for number, root in enumerate((made.a, made.b), 1):
        made.write(root, b"d" + NAME + b"/conflict", b"edited %d" % number, number)
    os.rename(made.b + b"/moves" + NAME, made.b + b"/moved" + NAME)
    os.unlink(made.a + b"/goes" + NAME)
    return made


def test_nothing_raw_is_printed_of_names(bad: Bad) -> None:
    a, b = bad.a, bad.b
    for words in (("diff",), ("diff", "-v", "--color", "always"), ("diff", "--json"), ("repair", "-n", "--json")):
        bad(*words, a, b)
    shown = ("-i", "-vv", "--stats", "--color", "always", "--progress")
    bad("repair", a, b, *shown, "--log-file", bad.folder + b"/" + LOG, "--on-change", "true")
    with open(bad.folder + b"/" + LOG, "rb") as log:
        check(log.read())
    for form in ((), ("--json",)):
        for words in (
            ("conflicts", a, b, "list"),
            ("trash", a, b, "list"),
            ("runs", a),
            ("status", a, b),
            ("status", "--live", a, b),
            ("members", a),
            ("doctor", a),
            ("digest", a, "--tree", "2"),
            ("digest", a, b"nothing" + NAME),
            ("scrub", a, "--peer", b),
            ("gossip", a),
            ("undo", a, b, "last", "-n"),
        ):
            bad(*words, *form)
    bad("undo", a, b, "last")


def test_nothing_raw_is_printed_of_what_was_typed(bad: Bad) -> None:
    a, b = bad.a, bad.b
    for words in (
        (b"no command" + NAME,),
        ("diff", a, b"--no-option" + NAME),
        ("diff", a, bad.folder + b"/missing" + NAME),
        ("diff", a, b"host" + NAME + b":/x"),
        ("diff", a, b"@set" + NAME),
        ("repair", a, b, "--conflicts", b"prefer:" + NAME),
        ("repair", a, b, "--on-change", b"none " + NAME),
        ("repair", a, b, "--exclude-from", b"none" + NAME),
        ("diff", a, b, "--config", b"none" + NAME),
        ("undo", a, b"no run" + NAME),
        ("trash", a, "restore", b"nothing" + NAME),
        ("conflicts", a, "resolve", b"nothing" + NAME, "--take", "newest"),
        ("members", a, "add", b"name" + NAME, b),
        ("init", a, "--name", NAME),
        ("schedule", a, b),
        ("deploy", b"-host" + NAME),
    ):
        bad(*words)
    for place in (Path(os.fsdecode(bad.folder)), bad.aefsync.home):
        assert not list(place.rglob("ran"))
