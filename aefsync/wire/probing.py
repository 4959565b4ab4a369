"""What a far side is like that has, or is to have, an agent: asked of its shell, which needs nothing else for that."""

from __future__ import annotations

import contextlib

from aefsync.core.named_tuple import NamedTuple
from aefsync.wire.codec import GREETING, MAX_BANNER
from aefsync.wire.deploying import PYTHON_NAMES
from aefsync.wire.launching import AGENTS, SEARCH
from aefsync.wire.stream import READ_SIZE, Stream

MARK = b"aefsync-doctor "
OLDEST_PYTHON = (3, 11)
_MAX_SAID = 1 << 20

# As the agent's own command: within single quotes, without any of \\ ! '
_SCRIPT = (
    f'm="{MARK.decode()}"; echo "${{m}}begin"; '
    f"for p in {PYTHON_NAMES}; do q=$(command -v $p 2>/dev/null) || continue; "
    'v=$($p -c "import sys; print(sys.version.split()[0])" 2>/dev/null) || v=; echo "${m}python $v $q"; done; '
    f'for d in "{AGENTS}"/*/agent; do if [ -f "$d" ]; then d=${{d%/agent}}; echo "${{m}}deployed ${{d##*/}}"; fi; done; '
    f"{SEARCH}; if q=$(command -v aefsync 2>/dev/null); then v=$(aefsync --version 2>/dev/null) || v=; "
    'echo "${m}installed ${v##* } $q"; fi; echo "${m}end"'
)
COMMAND = f"sh -c '{_SCRIPT}'"


class Program(NamedTuple):
    """A program on the far side; `version` is empty where it does not run."""

    version: str
    path: str

    @property
    def numbers(self) -> tuple[int, ...]:
        with contextlib.suppress(ValueError):
            return tuple(int(part) for part in self.version.split(".")[:2])
        return ()


class FarSide(NamedTuple):
    """What a login's shell says; `talk` is what it printed by itself before."""

    talk: bytes = b""
    pythons: tuple[Program, ...] = ()
    deployed: tuple[str, ...] = ()
    installed: Program | None = None
    is_forced: bool = False
    """an agent answers whatever is asked for: it is the forced command of this key"""

    @property
    def python(self) -> Program | None:
        """The first that is new enough, else the first that runs, else any."""
        ranked = sorted(self.pythons, key=lambda each: (each.numbers < OLDEST_PYTHON, not each.numbers))
        return ranked[0] if ranked else None


def ask(stream: Stream) -> FarSide:
    """Ask over a stream to `COMMAND`, which is closed; raises `AefsyncError`, and `OSError` where it is lost."""
    said = b""
    try:
        while MARK + b"end\n" not in said and not GREETING.search(said):
            data = stream.read(READ_SIZE)
            if not data:
                raise stream.loss(said)
            said += data
            if len(said) > _MAX_SAID:
                break
        return understand(said)
    finally:
        stream.met()
        stream.close()


def understand(said: bytes) -> FarSide:
    """What was said, as values; a shell that says nothing of what it was asked has only talked."""
    talk, begun, rest = said.replace(b"\r\n", b"\n").partition(MARK + b"begin\n")
    if not begun:
        greeting = GREETING.search(said)
        return FarSide(said[: greeting.start()], is_forced=True) if greeting else FarSide(said)
    found: dict[str, list[tuple[str, str]]] = {"python": [], "deployed": [], "installed": []}
    for line in rest.split(b"\n"):
        if line.startswith(MARK):
            kind, _, words = line[len(MARK) :].decode("utf-8", "surrogateescape").partition(" ")
            version, _, path = words.partition(" ")
            found.get(kind, []).append((version, path))
    installed = found["installed"]
    return FarSide(
        talk,
        tuple(Program(*each) for each in found["python"]),
        tuple(version for version, _ in found["deployed"]),
        Program(*installed[0]) if installed else None,
    )


def hides_agents(talk: bytes) -> bool:
    """Whether a shell prints more than an agent is looked for behind."""
    return len(talk) >= MAX_BANNER
