"""How a file of SQLite is named that is opened for reading only, nothing being created beside it."""

from __future__ import annotations


def read_only(path: str, *, unchanging: bool) -> str:
    """The URI of a database; `unchanging`: nobody writes meanwhile, and whatever stands beside it is not looked at."""
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{quoted}?mode=ro" + ("&immutable=1" if unchanging else "")
