r"""Names made fit for a terminal and for JSON: nothing raw from a file name or a peer ever reaches either.

Escaped are C0 and C1 control characters, direction marks and overrides, line separators, bytes that are not UTF-8,
and in names the backslash itself, so that two names never print alike: `a<ESC>b` is `a\x1bb`, `a\b` is `a\\b`.
"""

from __future__ import annotations

import re

_RANGES = r"\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
_SURROGATES = r"\ud800-\udfff"
_TEXT = f"[{_RANGES}{_SURROGATES}]"
_NAME = f"[{_RANGES}{_SURROGATES}\\\\]"
_JSON = f"[{_RANGES}]"
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\\": r"\\"}


def escape(name: bytes) -> str:
    """A path or name, on one line, safe to print."""
    return re.sub(_NAME, _written, name.decode("utf-8", "surrogateescape"))


def escape_text(text: str) -> str:
    """A message that may quote names, on one line, safe to print."""
    return re.sub(_TEXT, _written, text)


def escape_json(text: str) -> str:
    """JSON text with what a terminal would act on written as escapes of JSON: the value stays the same."""
    return text if text.isascii() and "\x7f" not in text else re.sub(_JSON, _as_json, text)


def _as_json(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _written(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"
