"""Trials: runs of the engine over two small trees, in a process of their own, which may end badly; and what must be true
of the trees afterwards.

A `Story` says how the trees come to be and what is asked of the run.  `Grounds` tells it on disk, lets a run be disturbed
(`touches`), and judges: what the next run makes of it must be what one undisturbed run would have made.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import shutil
import subprocess
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import pytest

from aefsync.core.conflict_name import original_name
from aefsync.core.identity import Allowed
from aefsync.core.metadata import PLAIN
from aefsync.core.policy import Policies, parse_policy
from aefsync.core.silent import Silent
from aefsync.core.writing import Durability, Writing
from aefsync.errors import AefsyncError
from aefsync.sync.events import Event, Notice, Summary, Troubled
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from tests.disk.file_systems import like_everything
from tests.support.touches import Before, Moment, Place, Touch, place_here, touching
from tests.support.trees import judge, survey, tree
from tests.sync.joined import threads

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.support.stories"])
KILLED = 137
ONE_IN = int(os.environ.get("AEFSYNC_TEST_ONE_IN", "1"))
"""Of how many calls of a story the long forms try one; besides, one from each place in the program that makes such calls."""
SEED = int(os.environ.get("AEFSYNC_TEST_SEED", "0"))
"""Which ones these are."""
Outcome = Counter[tuple[object, ...]]
"""What stands in a tree: path, kind and mode, size, mtime, content."""


class Ended(NamedTuple):
    """How a run came to its end: its exit code, what it said of trouble, the trace of what no run should raise, and how
    often it touched the disk, did so to change something, and from where."""

    code: int
    said: tuple[str, ...] = ()
    trace: str = ""
    touches: int = 0
    writes: int = 0
    places: Counter[Place] = Counter()
    run: str = ""


class Story(NamedTuple):
    """What happens to a pair of roots: `begin` makes them, with whatever sessions they had, `ask` is what is asked of the
    run (`None`: a repair).  `goes_on`: asked again, it does what is left; `has_one_end`: however often it is asked."""

    begin: Callable[[Grounds], None]
    versions: bool = False
    mirror: bool = False
    conflicts: str = "keep-both"
    durability: Durability = Durability.BATCH
    links: bool = False
    file_system: Callable[[pytest.MonkeyPatch], None] = like_everything
    ask: Callable[[Grounds], Iterator[Event]] | None = None
    goes_on: bool = False
    has_one_end: bool = True


class Grounds:
    """Two roots A and B, made by a story, and a tree outside of them that nothing may touch."""

    def __init__(self, folder: Path, story: Story) -> None:
        self.story = story
        self.a, self.b = self.roots = folder / "A", folder / "B"
        self.outside = tree(folder / "outside", {"keep": "keep", "d/keep": "keep", "d/f1": "keep"})
        self._state = folder / "state"
        self._canary = survey(self.outside, exact=True)
        for root in self.roots:
            root.mkdir()
        self.last = ""
        """the run that is spoken of"""
        story.begin(self)
        self.known_bytes = self.bytes_here()

    @property
    def common(self) -> Request:
        return Request(
            tuple(map(str, self.roots)),
            state_dir=str(self._state),
            allowed=Allowed(empty_root=True),
            aspects=PLAIN._replace(links=self.story.links),
        )

    @property
    def request(self) -> RepairRequest:
        story, policy = self.story, parse_policy(self.story.conflicts)
        return RepairRequest(
            self.common,
            mirror=story.mirror,
            max_delete="100%",
            writing=Writing(story.durability),
            policies=Policies(policy) if story.versions else None,
            preferred=((policy.argument, 0),) if story.versions else (),
            allow_unrelated_roots=True,
        )

    def meet(self) -> Ended:
        """A repair that nothing disturbs."""
        return in_a_child(partial(_run, self, None, _meet))

    def run(self, before: Before | None = None) -> Ended:
        """Do what the story asks for in a process of its own, each touch being told to `before`."""
        return in_a_child(partial(_run, self, before, self.story.ask or _meet))

    def bytes_here(self) -> set[bytes]:
        """All contents of files below the roots, the trash and the quarantine included."""
        shelves = (root / ".aefsync" / name for root in self.roots for name in ("trash", "quarantine"))
        slots = (slot for shelf in shelves for slot in shelf.glob("*/*/"))
        return {path.read_bytes() for place in (*self.roots, *slots) for path in files_below(place)}

    def outcome(self) -> Outcome:
        """What stands in A, conflict copies under the names that they are copies of: their own are given by chance."""
        found: Outcome = Counter()
        for path, row in survey(self.a).items():
            directory, slash, name = path.rpartition(b"/")
            found[directory + slash + original_name(name), *row] += 1
        return found

    def check_whole(self) -> None:
        """Every file at a path is one that somebody wrote, and none of those is lost; nothing outside was touched."""
        for path in (path for root in self.roots for path in files_below(root)):
            assert path.read_bytes() in self.known_bytes, f"half a file: {path}"
        missing = self.known_bytes - self.bytes_here()
        assert not missing, f"lost: {[each[:40] for each in missing]}"
        self.check_outside()

    def check_outside(self) -> None:
        """Nothing outside the roots was touched."""
        found = survey(self.outside, exact=True)
        assert found == self._canary, f"something outside the roots was touched: {found} for {self._canary}"

    def check_mended(self, expected: Outcome | None) -> None:
        """One more run does all that was to be done, as one undisturbed run would have; the next finds nothing to do."""
        ended = self.meet()
        assert ended.code in (0, 1), ended
        self.check_whole()
        assert judge(*self.roots) == []
        assert expected is None or self.outcome() == expected, (self.outcome() - expected, expected - self.outcome())
        for root in self.roots:
            assert sorted((root / ".aefsync" / "tmp").rglob("*")) == []
            assert sorted((root / ".aefsync").glob("intents/*")) == []
        before = [survey(root, exact=True) for root in self.roots]
        again = self.meet()
        assert (again.code, again.said) == (0, ()), again
        assert [survey(root, exact=True) for root in self.roots] == before


@contextlib.contextmanager
def grounds(folder: Path, story: Story) -> Iterator[Grounds]:
    """Grounds in a folder that is there for as long as the context lasts; after a failure, for good."""
    yield Grounds(folder, story)
    tidied(folder)


def tidied(folder: Path) -> None:
    """Remove grounds, whatever modes there are in them."""
    subprocess.run(["chmod", "-R", "u+rwX", folder], check=True)
    shutil.rmtree(folder)


def undisturbed(folder: Path, story: Story) -> tuple[Ended, Outcome | None]:
    """How a run of a story ends that nothing disturbs, and what then stands in both trees, if that can be said."""
    with grounds(folder, story) as found:
        ended = found.run()
        assert ended.code in (0, 1), ended
        found.check_whole()
        assert story.ask is None or found.meet().code in (0, 1)
        return ended, found.outcome() if story.has_one_end else None


def calls(most: int) -> list[int]:
    """The numbers of the calls of a story at which the long forms try something: all of them, or some by chance."""
    chance = random.Random(SEED)
    return [number for number in range(1, most + 1) if chance.randrange(ONE_IN) == 0]


def moments(undisturbed: Ended) -> Iterator[tuple[int, Moment]]:
    """The touches of a run at which the long forms try something, numbered: all of them, or some by chance and one from
    each place in the program, whichever it is."""
    chance = random.Random(SEED)
    for number in calls(undisturbed.touches):
        yield number, Moment(number)
    if ONE_IN > 1:
        for number, (place, times) in enumerate(undisturbed.places.items(), undisturbed.touches + 1):
            yield number, Moment(chance.randint(1, times), place)


class Counted:
    """Counts touches, and tells another one of each."""

    def __init__(self, before: Before | None) -> None:
        self.touches = self.writes = 0
        self.places: Counter[Place] = Counter()
        self._before = before

    def __call__(self, touch: Touch) -> object:
        self.touches += 1
        self.writes += touch.writes
        if self._before is None:
            self.places[place_here()] += 1
        return self._before(touch) if self._before is not None else None


def files_below(root: Path) -> Iterator[Path]:
    """The regular files below a directory, `.aefsync` left out."""
    for directory, directories, names in os.walk(root):
        directories[:] = [name for name in directories if name != ".aefsync"]
        for path in (Path(directory) / name for name in names):
            if path.is_file() and not path.is_symlink():
                yield path


def in_a_child(work: Callable[[], Ended]) -> Ended:
    """What it returns, done in a process of its own; that may end by itself before.

    It comes from a server without threads: those of whoever tests may hold locks that nobody would ever give back.
    """
    ended: Ended | None = None
    reading, writing = _PROCESSES.Pipe(duplex=False)
    child = _PROCESSES.Process(target=_answer, args=(work, writing))
    child.start()
    writing.close()
    with reading, contextlib.suppress(EOFError):
        ended = reading.recv()
    child.join()
    if ended is None:
        assert child.exitcode == KILLED
        return Ended(KILLED)
    return ended


def ending_after(number: int) -> Before:
    """Has this process end, as if it were killed, before the call that changes something after so many of them."""
    left = number

    def before(touch: Touch) -> None:
        nonlocal left
        left -= touch.writes
        if left < 0:
            os._exit(KILLED)

    return before


def _answer(work: Callable[[], Ended], writing: Connection) -> None:
    writing.send(work())
    writing.close()
    os._exit(0)


def _run(grounds: Grounds, before: Before | None, ask: Callable[[Grounds], Iterator[Event]]) -> Ended:
    with contextlib.ExitStack() as stack:
        grounds.story.file_system(stack.enter_context(pytest.MonkeyPatch.context()))
        counted = Counted(before)
        stack.enter_context(touching(counted))
        stack.enter_context(threads())
        ended = ended_by(lambda: ask(grounds))
        return ended._replace(touches=counted.touches, writes=counted.writes, places=counted.places)


def _meet(grounds: Grounds) -> Iterator[Event]:
    return repair(grounds.request, Silent())


def ended_by(work: Callable[[], Iterable[Event]]) -> Ended:
    """What comes of a run in this process."""
    said: list[str] = []
    code, run = -1, ""
    try:
        for event in work():
            if isinstance(event, Troubled):
                said.append(f"{event.problem.path!r}: {event.problem.reason}")
            elif isinstance(event, Notice) and event.warning:
                said.append(event.text)
            elif isinstance(event, Summary):
                code, run = event.exit_code, event.run
    except AefsyncError as error:
        return Ended(error.exit_code, (*said, error.message))
    except Exception:  # noqa: BLE001  whatever it is
        return Ended(code, tuple(said), traceback.format_exc())
    return Ended(code, tuple(said), run=run)
