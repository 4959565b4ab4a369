"""Marked-up text, as docstrings have it, as roff for man(7).

    # TITLE                 a section; ## a sub-section
    words :: what they say  an item, its term in front
    `code`, **term**        bold, italic
    (indented)              verbatim

All else is paragraphs, apart by blank lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

DATE = "2026-11-26"
"""What all pages are dated, whenever they are made: the day their wording was last looked through."""

_SPECIAL = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq"}
_MARKED = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*")
_ITEM = re.compile(r"(\S.*?) :: (.*)", re.DOTALL)
_HYPHEN = re.compile(r"(?<=[a-z])-(?=[a-z])")
"""Where a line may be broken, unless the word is one that is typed."""


def escaped(text: str) -> str:
    """Text as it is to be read, letter for letter, and typed.

    >>> escaped(".aefsync/a-b")
    '\\\\&.aefsync/a\\\\-b'
    """
    found = "".join(_SPECIAL.get(char, char if char.isascii() else f"\\[u{ord(char):04X}]") for char in text)
    return f"\\&{found}" if found[:1] == "." or found[:4] == "\\(aq" else found


def marked(text: str) -> str:
    """A paragraph with its marks, in one line."""
    text = " ".join(text.split())
    out, end = [], 0
    for match in _MARKED.finditer(text):
        out.append(_prose(text[end : match.start()]))
        code, term = match.groups()
        out.append(f"\\fB{escaped(code)}\\fR" if code else f"\\fI{_prose(term)}\\fR")
        end = match.end()
    line = "".join([*out, _prose(text[end:])])
    return f"\\&{line}" if line[:1] in (".", "'") else line


def _prose(text: str) -> str:
    return " ".join(map(_word, text.split(" ")))


def _word(word: str) -> str:
    is_typed = word.lstrip('(["')[:1] in ("-", "/", ".") or "/" in word
    parts = [word] if is_typed else _HYPHEN.split(word)
    return "-".join(escaped(part).removeprefix("\\&") for part in parts)


def head(name: str, section: int, version: str) -> str:
    """How a page begins."""
    return f'.TH {escaped(name).upper()} {section} {DATE} "aefsync {version}" "aefsync manual"\n'


def body(text: str) -> str:
    """Marked-up text as roff."""
    return "".join(_lines(text))


def _lines(text: str) -> Iterator[str]:
    is_open = False
    for block in re.split(r"\n(?:[ \t]*\n)+", text.strip("\n")):
        if block[:2] == "# " or block[:3] == "## ":
            signs, _, title = block.partition(" ")
            yield f'.{"SH" if signs == "#" else "SS"} "{marked(title)}"\n'
            is_open = False
        elif block[:1] == " ":
            yield _verbatim(block)
            is_open = True
        elif item := _ITEM.match(block):
            yield f".TP\n{marked(item[1])}\n{marked(item[2])}\n"
            is_open = True
        else:
            # Behind a heading no paragraph need be begun.
            yield (".PP\n" if is_open else "") + marked(block) + "\n"
            is_open = True


def _verbatim(block: str) -> str:
    lines = block.split("\n")
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    shown = (escaped(_MARKED.sub(r"\1\2", line[indent:].rstrip())) for line in lines)
    return ".PP\n.RS 4\n.nf\n" + "".join(f"{line}\n" for line in shown) + ".fi\n.RE\n"
