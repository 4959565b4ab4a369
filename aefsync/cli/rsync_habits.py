"""What fingers used to rsync type, and what to say instead: one line for each, exit 2."""

from __future__ import annotations

from collections.abc import Sequence

from aefsync.errors import UsageError

TRANSLATIONS = {
    "-a": "-a is not needed: directories, modes, times and symlinks are always kept",
    "-r": "-r is not needed: whole trees are always compared",
    "-z": "-z is not needed: what travels is compressed where it pays",
    "-u": "-u is not needed: with --resolve lww the newest version wins, on either side",
    "-P": "-P is --progress here; interrupted runs always go on where they stopped",
    "-t": "-t is not needed: times are always kept",
    "--delete": "--delete is --mirror here: the first replica is the truth, extras on the others go to their trash",
}


class RsyncHabitError(UsageError):
    """Options of rsync on our command line."""

    def __init__(self, options: Sequence[str]) -> None:
        self.lines = tuple(TRANSLATIONS[option] for option in options)
        super().__init__("; ".join(self.lines))


def habits(argv: Sequence[str]) -> list[str]:
    """The options of rsync in a command line, each once, in order."""
    found: dict[str, None] = {}
    for word in argv:
        if word == "--":
            break
        if word in TRANSLATIONS:
            found[word] = None
        elif word[:1] == "-" and word[1:2] != "-":
            found |= {f"-{letter}": None for letter in word[1:] if f"-{letter}" in TRANSLATIONS}
    return list(found)
