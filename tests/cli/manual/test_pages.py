"""The manual as it is checked in: made from what the program is now, and fit for man(1)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from aefsync.cli.app import COMMANDS
from aefsync.cli.catalogue import Listed, catalogue
from aefsync.cli.manual.__main__ import generated
from aefsync.cli.manual.examples import EXAMPLES, RELATED

ROOT = Path(__file__).parents[3]


def test_every_command_has_examples_and_related_pages() -> None:
    wanted = set(COMMANDS.values())
    assert set(EXAMPLES) == set(RELATED) == wanted, "cli/manual/examples.py has others"
    assert {name for names in RELATED.values() for name in names.split()} <= wanted


def test_what_is_checked_in_is_what_would_be_made_now() -> None:
    made = dict(generated())
    places = {
        str(path.relative_to(ROOT)) for name in {Path(name).parent for name in made} for path in ROOT.glob(f"{name}/*")
    }
    stale = [name for name in made if name not in places or (ROOT / name).read_text(encoding="utf-8") != made[name]]
    assert not stale and places == set(made), "make them anew: python -m aefsync.cli.manual"


@pytest.mark.parametrize("listed", catalogue(), ids=lambda listed: listed.name)
def test_pages_name_every_option(listed: Listed) -> None:
    page = (ROOT / f"man/aefsync-{listed.name}.1").read_text(encoding="utf-8").replace("\\-", "-")
    assert all(f"\\fB{name}\\fR" in page for option in listed.options for name in option.names)


def test_pages_are_correct_roff() -> None:
    pages = sorted(map(str, ROOT.glob("man/*")))
    if shutil.which("mandoc") is None:
        pytest.skip("needs mandoc")
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", *pages], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
