from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aefsync.cli.manual.quoting import items, quoted
from aefsync.cli.manual.roff import body, escaped, marked


@pytest.mark.parametrize(
    ("text", "roff"),
    [
        (".aefsync/a-b", "\\&.aefsync/a\\-b"),
        ("'x'", "\\&\\(aqx\\(aq"),
        ('back\\slash ~ ^ ` "', "back\\eslash \\(ti \\(ha \\(ga \\(dq"),
        ("≤ §", "\\[u2264] \\[u00A7]"),
    ],
)
def test_signs_are_escaped(text: str, roff: str) -> None:
    assert escaped(text) == roff


def test_marks() -> None:
    assert marked("a `--no-x` of\n  **many**, well-known; --cache-dir") == (
        "a \\fB\\-\\-no\\-x\\fR of \\fImany\\fR, well-known; \\-\\-cache\\-dir"
    )
    assert marked("`.x` y") == "\\fB\\&.x\\fR y"
    assert marked("... and so on") == "\\&... and so on"


def test_blocks() -> None:
    text = "# ONE\n\nfirst\n\nsecond\n\n    .code `x`\n      more\n\n`a` :: item\n\n## Two\n\nlast"
    assert body(text) == (
        '.SH "ONE"\nfirst\n.PP\nsecond\n.PP\n.RS 4\n.nf\n\\&.code x\n  more\n.fi\n.RE\n.TP\n\\fBa\\fR\nitem\n'
        '.SS "Two"\nlast\n'
    )


def test_docstrings_are_quoted_whole_by_block_and_as_items() -> None:
    assert quoted("a\n{core.silent}\nb") == "a\nThe monitor that shows nothing.\nb"
    assert quoted("{core.settling: heads}").startswith("    heads")
    assert quoted("{core.settling: heads | items}").split("\n\n")[1] == "one, an entry :: that one"
    assert list(items("  a  one   x\n     two\n  b  three")) == ["a :: one two; x", "b :: three"]
    with pytest.raises(LookupError):
        quoted("{core.settling: nothing like it}")


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="needs mandoc")
@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z", "M"]), min_size=1, max_size=30))
@example(".br")
@example("'\\\"-`^~")
def test_escaped_text_is_shown_letter_for_letter(text: str) -> None:
    page = f".TH X 1 2026-01-01\n.SH X\n.nf\n{escaped(text)}\n"
    shown = subprocess.run(
        ["mandoc", "-Tutf8", "-Owidth=200"], input=page, capture_output=True, text=True, check=True, encoding="utf-8"
    ).stdout
    assert text in shown
