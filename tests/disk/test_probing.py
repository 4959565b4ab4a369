"""What a file system can do, tried out: here on one that can do everything, with what it refuses made up."""

from __future__ import annotations

import errno
import os

import pytest

from aefsync.disk import syscalls
from aefsync.disk.probing import probe
from tests.disk.ground import Ground


def refuse(*_: object, **__: object) -> None:
    raise OSError(errno.EOPNOTSUPP, "not supported")


def test_everything_is_removed_again(ground: Ground) -> None:
    abilities = probe(ground.root.fd)
    assert not abilities.folds_case
    assert not abilities.folds_forms
    assert os.listdir(ground.path) == []


@pytest.mark.parametrize(
    ("module", "name", "word"),
    [
        (os, "symlink", "symbolic links"),
        (os, "link", "hard links"),
        (os, "chmod", "permission bits"),
        (os, "setxattr", "extended attributes"),
        (syscalls, "renameat2", "exchange of two names"),
    ],
)
def test_what_is_refused_is_named(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, module: object, name: str, word: str
) -> None:
    before = probe(ground.root.fd).cannot
    monkeypatch.setattr(module, name, refuse)
    assert set(probe(ground.root.fd).cannot) - {word} == set(before) - {word}
    assert word in probe(ground.root.fd).cannot
    assert os.listdir(ground.path) == []


@pytest.mark.parametrize("step", [1, 100, 1_000_000, 1_000_000_000, 2_000_000_000])
def test_the_step_of_times(ground: Ground, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    utime = os.utime

    def coarse(path: bytes, *, ns: tuple[int, int], dir_fd: int) -> None:
        utime(path, ns=(ns[0] // step * step, ns[1] // step * step), dir_fd=dir_fd)

    monkeypatch.setattr(os, "utime", coarse)
    assert probe(ground.root.fd).time_step_ns == step


def test_names_that_are_one(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **more: real(b"time" if path == b"time" else b".", **more))
    abilities = probe(ground.root.fd)
    assert (abilities.folds_case, abilities.folds_forms) == (True, True)
