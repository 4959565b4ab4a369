"""What every test stands on: a home of its own, hypothesis profiles, visible reasons for skips."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.sshd import Sshd

# No deadline: times belong in the benchmark.  In CI the examples are the same each time.  So few of them keep the whole
# run short; HYPOTHESIS_PROFILE=thorough looks further.
_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
_FEW = 20
settings.register_profile("dev", deadline=None, suppress_health_check=_QUIET, max_examples=_FEW)
settings.register_profile(
    "ci", deadline=None, suppress_health_check=_QUIET, derandomize=True, print_blob=True, max_examples=_FEW
)
settings.register_profile("quick", deadline=None, suppress_health_check=_QUIET, max_examples=10)
settings.register_profile("thorough", deadline=None, suppress_health_check=_QUIET, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))

# A shell's background job ignores SIGINT, what nohup runs SIGHUP, and so would everything started here.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory of the test's own: no test reads or writes the user's cache, state or configuration."""
    place = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith(("XDG_", "AEFSYNC_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(place))
    for kind in ("CACHE", "STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(place / kind.lower()))
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    return place


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A real SSH server, shared by the tests of a worker; each says what its far side is like."""
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    yield server
    server.stop()
