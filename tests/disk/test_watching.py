"""Changes are heard of where they happen, and where they cannot be that is said."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aefsync.core.hint import ROOT, Hints, Wait
from aefsync.disk.filter import Filter
from aefsync.disk.listening import Listening, Place
from aefsync.disk.watching import InotifyFD, Watcher


class Ear:
    """A listener at a directory; `until` hears on until so much was heard."""

    def __init__(self, root: Path, rules: tuple[str, ...] = ()) -> None:
        self.root = root
        self.place = Place(os.fsencode(root), Filter(rules), frozenset({b"own"}), shared=False)
        self.listening = Listening(threading.Event())
        self.heard: set[bytes] = set()
        self.close = self.listening.close

    def wait(self) -> Hints:
        return self.listening.wait(self.place, Wait(30_000))

    def until(self, *paths: bytes) -> set[bytes]:
        while not self.heard.issuperset(paths):
            changed = self.wait().changed
            assert changed, "nothing more was heard"
            self.heard |= set(changed)
        heard, self.heard = self.heard, set()
        return heard


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    (tmp_path / "root" / "d" / "e").mkdir(parents=True)
    with closing(Ear(tmp_path / "root", ("*.log", "build/"))) as ear:
        assert ear.wait() == Hints((ROOT,))
        yield ear


def test_what_happens_in_any_directory_is_heard(ear: Ear) -> None:
    (ear.root / "d" / "e" / "new").write_text("1")
    assert ear.until(b"d/e/new") == {b"d/e/new"}
    (ear.root / "d" / "e" / "new").unlink()
    assert ear.until(b"d/e/new") == {b"d/e/new"}


def test_a_new_directory_is_listened_to(ear: Ear) -> None:
    for path in ("x", "x/y"):
        (ear.root / path).mkdir()
        ear.until(os.fsencode(path))
    (ear.root / "x" / "y" / "z").write_text("1")
    ear.until(b"x/y/z")


def test_a_renamed_directory_is_listened_to_under_its_new_name(ear: Ear) -> None:
    (ear.root / "d").rename(ear.root / "g")
    ear.until(b"d", b"g")
    (ear.root / "g" / "e" / "new").write_text("1")
    ear.until(b"g/e/new")


def test_what_is_no_part_of_the_tree_is_not_heard(ear: Ear) -> None:
    for name in ("a.log", "own", "plain"):
        (ear.root / name).write_text("1")
    for name in ("build", ".aefsync"):
        (ear.root / name).mkdir()
        (ear.root / name / "x").write_text("1")
    (ear.root / "last").write_text("1")
    assert ear.until(b"last") == {b"plain", b"last"}


def test_a_root_that_is_another_one_is_listened_to_anew(ear: Ear) -> None:
    ear.root.rename(ear.root.with_name("away"))
    ear.until(ROOT)
    assert ear.wait() == Hints((), (ROOT,))
    ear.root.mkdir()
    assert ear.wait() == Hints((ROOT,))
    (ear.root / "new").write_text("1")
    ear.until(b"new")


def test_where_events_were_lost_everything_may_have_changed(ear: Ear) -> None:
    watcher = ear.listening._watcher
    assert watcher is not None
    watcher.on_queue_overflow()
    assert ear.wait() == Hints((ROOT,))
    assert ear.listening._watcher is not watcher
    (ear.root / "new").write_text("1")
    ear.until(b"new")


def limited(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more inotify watches than this."""
    add: Callable[..., Any] = InotifyFD.add_callback
    used: list[bytes] = []

    def add_callback(self: InotifyFD, path: bytes, *more: Any) -> Any:
        if len(used) >= limit:
            raise OSError(errno.ENOSPC, "inotify watch limit reached")
        used.append(path)
        return add(self, path, *more)

    monkeypatch.setattr(InotifyFD, "add_callback", add_callback)


def test_what_has_no_watch_is_deaf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("a/x/y", "b"):
        (tmp_path / path).mkdir(parents=True)
    limited(2, monkeypatch)
    with closing(Watcher(os.fsencode(tmp_path), lambda path, is_directory: False, threading.Event())) as watcher:
        hints = watcher.take()
    # Those higher up come first, in no order: one of two, and what is below it.
    assert set(hints.deaf) in ({b"b", b"a/x"}, {b"a"})
    limit = int(Path("/proc/sys/fs/inotify/max_user_watches").read_text())
    assert hints.reason.startswith(f"5 directories need an inotify watch each, and a user may have {limit}:")
    # Who has so many uses them elsewhere.
    assert f"sysctl fs.inotify.max_user_watches={limit + 10} allows more" in hints.reason


def test_without_an_instance_all_is_deaf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> int:
        raise OSError(errno.EMFILE, "inotify instance limit reached")

    monkeypatch.setattr(InotifyFD, "_create_inotify_fd", refuse)
    with closing(Ear(tmp_path)) as ear:
        hints = ear.wait()
    assert (hints.changed, hints.deaf) == ((), (ROOT,))
    assert "sysctl fs.inotify.max_user_instances=" in hints.reason


def test_on_a_file_system_that_others_change_nothing_is_heard(ear: Ear) -> None:
    ear.place = ear.place._replace(shared=True)
    assert ear.wait().deaf == (ROOT,)
