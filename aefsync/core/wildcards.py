r"""Wildcards that cost no more than their length times that of a path, however many of them stand in a line.

pathspec makes a regular expression of a line, and a regular expression tries everything before it gives up: of `*a*a*a*b`
and a name of 200 times `a` each `*` tries 200 places for each place of the one before.  But a wildcard needs no second
try: what follows it may as well begin where it first can, for whatever fits behind a later place fits behind the first
one too.  So all but the last `*` of a name, and all but the last `**` of a path, are made groups that are never entered
again (`(?>…)`), each with what stands between it and the next one:

    *a*b      ^(?:.+/)?[^/]*a[^/]*b(?:(?P<ps_d>/)|$)         ^(?:.+/)?(?>[^/]*?a)[^/]*b(?:(?P<ps_d>/)|\Z)
    x/**/a/**/b   ^x(?:/.+)?/a(?:/.+)?/b(?:(?P<ps_d>/)|$)    ^x(?>(?:/.+?)??/a(?=/))(?:/.+)?/b(?:(?P<ps_d>/)|\Z)

The last ones end where the name, or the path, does, and are left as they are: which directory of several is meant
(`ps_d`) is as before.  It holds as long as no wildcard stands for a slash; `[!a]` does not here, as in git.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

_FIRST = "(?:.+/)?"
_INNER = "(?:/.+)?"
_STAR = "[^/]*"
_LAST = "(?:(?P<ps_d>/)|$)"
_TOKEN = "|".join(
    [
        *map(re.escape, (_FIRST, _INNER, _STAR, "[^/]+", "[^/]", _LAST, "(?P<ps_d>/)")),
        r"\[\^?\]?[^\]]*\]",
        r"\\.",
        r"[^\\()\[\]|?*+.$]",
    ]
)
"""What pathspec writes: the wildcards above, a class, and a character."""
_ACTIVE = r"[\[&~|]"
"""What may come to mean something in a class, in later versions of `re`; it warns of that."""


def bounded(regex: str) -> str:
    """The regular expression of a line so that it takes a bounded time, to be compiled with `DOTALL`; one that pathspec
    never writes as it is."""
    tokens = re.findall(_TOKEN, regex, re.DOTALL)
    if tokens[:1] != ["^"] or "".join(tokens) != regex:
        return regex
    *groups, last = _split(tokens[1:])
    return "^" + "".join(map(_passed_once, groups)) + "".join(_segments(last))


def _split(tokens: list[str]) -> list[list[str]]:
    """The tokens between one `**` and the next, each with the one before it."""
    groups: list[list[str]] = [[]]
    for token in tokens:
        if token in (_FIRST, _INNER):
            groups.append([])
        groups[-1].append(token)
    return groups


def _passed_once(group: list[str]) -> str:
    """Some whole names, at the first place where they fit."""
    if not group or group[0] not in (_FIRST, _INNER):
        return "".join(_segments(group))
    wildcard = "(?:.+?/)??" if group[0] == _FIRST else "(?:/.+?)??"
    return f"(?>{wildcard}{''.join(_segments(group[1:]))}(?=/))"


def _segments(tokens: list[str]) -> Iterator[str]:
    """Tokens without `**`, each `*` but the last of a name at the first place where what follows it fits."""
    for is_name, run in itertools.groupby(tokens, lambda token: token not in ("/", _LAST, "(?P<ps_d>/)")):
        if is_name:
            yield from _name(list(run))
        else:
            yield from (token.replace("$", r"\Z") for token in run)


def _name(tokens: list[str]) -> Iterator[str]:
    stars = [at for at, token in enumerate(tokens) if token == _STAR and tokens[at + 1 : at + 2] != [_STAR]]
    cuts = [*stars, len(tokens)]
    yield from map(_one, (token for token in tokens[: cuts[0]] if token != _STAR))
    for start, stop in itertools.pairwise(cuts):
        rest = "".join(_one(token) for token in tokens[start + 1 : stop] if token != _STAR)
        yield f"(?>[^/]*?{rest})" if stop < len(tokens) else _STAR + rest


def _one(token: str) -> str:
    """What stands for one character, of which none is a slash; or a whole `**`, or a name."""
    if token[0] != "[" or token.startswith("[^/]"):
        return token
    return "(?!/)[" + re.sub(_ACTIVE, r"\\\g<0>", token[1:-1]) + "]"
