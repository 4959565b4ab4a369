"""aefsync makes replicas of a directory tree agree, by anti-entropy.

    import aefsync

    for found in aefsync.diff("photos", "backup").differences:
        print(found.state, found.path)

    done = aefsync.repair("photos", "backup", exclude=["*.tmp"])
    for action in done.actions:
        print(action.action, action.path)
    assert done.equal, done.problems

    with aefsync.open_replica("photos") as replica:
        print(replica.digest().hex(), sum(entry.size for entry in replica.entries()))

`diff`, `repair`, `scrub` and `watch` take locations as the command line does (`PATH`, `host:path`, `ssh://`, `sftp://`)
and options as keywords (`Options`, `RepairOptions`); what they find and do are values (`Result`).  They raise
`AefsyncError` where nothing can be done, and say how far they are to a `Monitor`.  Nothing is printed.  Only what is used
is imported.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # that of typing would have to be imported, and `aefsync --version` pay for it
if TYPE_CHECKING:
    from aefsync.api import *  # noqa: F403  one list of what there is


def __getattr__(name: str) -> object:
    """The names of `aefsync.api`, which is imported when the first of them is asked for."""
    if name[:2] == "__" and name != "__all__":  # what Python itself looks for
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module("aefsync.api"), name)
    except AttributeError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    from aefsync.api import __all__ as names

    return ["__version__", *names]
