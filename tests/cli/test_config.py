"""The configuration file: what holds, in which order, and what is refused with its file and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aefsync.cli import app
from aefsync.core.path import RelPath
from aefsync.core.policy import Policies
from aefsync.sync.places import config_file
from tests.cli.scripted import Engine, install, summary

FILE = """
[defaults]
max-delete = 7
exclude = ["*.tmp", "a"]
include = "keep.tmp"

[sets.photos]
replicas = ["~/p", {name = "nas", location = "nas:p"}, {name = "usb", location = "/mnt/usb"}]
exclude = "*.cache"
conflicts = "skip"
on-change = "tell 'the world'"
max-delete = "9%"
one-file-system = true

[[sets.photos.rules]]
glob = "*.xmp"
conflicts = "newest"

[[sets.photos.rules]]
glob = "raw"
conflicts = "prefer:nas"

[sets.other]
replicas = ["/o", "/p"]
"""


RULE = "[sets.x]\nreplicas = ['/a']\n[[sets.x.rules]]\n"


@pytest.fixture
def config(home: Path) -> Path:
    place = home / "config" / "aefsync" / "config.toml"
    place.parent.mkdir(parents=True)
    place.write_text(FILE)
    return place


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> dict[str, Engine]:
    engines = {name: Engine([summary()]) for name in ("repair", "diff", "undo", "runs", "list_trash")}
    for name in ("repair", "diff", "undo", "runs"):
        install(monkeypatch, name, **{name: engines[name]})
    install(
        monkeypatch,
        "conflicts",
        list_conflicts=Engine([summary()]),
        resolve_conflicts=Engine(),
        prune_conflicts=Engine(),
    )
    install(
        monkeypatch, "trash", list_trash=engines["list_trash"], restore_trash=Engine(), purge_trash=Engine([summary()])
    )
    return engines


def asked(engines: dict[str, Engine], name: str = "repair") -> Any:
    return engines[name].asked[0][0]


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert app.run(list(argv)) == 2
    (line, *_) = capsys.readouterr().err.splitlines()
    return line


def test_without_a_file_all_is_as_ever(engines: dict[str, Engine]) -> None:
    assert app.run(["repair", "A", "B"]) == 0
    assert (asked(engines).max_delete, asked(engines).common.rules) == ("50%", ())


def test_defaults_hold_where_the_line_is_silent(config: Path, engines: dict[str, Engine]) -> None:
    assert app.run(["repair", "A", "B"]) == 0
    assert (asked(engines).max_delete, asked(engines).common.rules) == ("7", ("*.tmp", "a", "!keep.tmp"))
    assert app.run(["diff", "A", "B"]) == 0, "an option of another command does no harm"


def test_line_environment_set_defaults(
    config: Path, engines: dict[str, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    app.run(["repair", "@photos"])
    monkeypatch.setenv("AEFSYNC_MAX_DELETE", "8")
    app.run(["repair", "@photos"])
    app.run(["repair", "@photos", "--max-delete", "1"])
    assert [each[0].max_delete for each in engines["repair"].asked] == ["9%", "8", "1"]


def test_filters_add_up(config: Path, engines: dict[str, Engine]) -> None:
    app.run(["repair", "@photos", "--exclude", "mine"])
    assert asked(engines).common.rules == ("*.tmp", "a", "!keep.tmp", "*.cache", "mine")


def test_defaults_of_other_verbs_do_no_harm(config: Path, engines: dict[str, Engine]) -> None:
    config.write_text('[defaults]\nitemize-changes = true\nsince = "2d"\n')
    for words in (["conflicts", "A", "list"], ["trash", "A", "purge", "--older-than", "1d"]):
        assert app.run(words) == 0
    assert app.run(["conflicts", "A", "list", "-i"]) == 2


def test_patterns_from_a_file_beside_the_configuration(config: Path, engines: dict[str, Engine]) -> None:
    (config.parent / "patterns").write_text("one\ntwo\n")
    config.write_text('[defaults]\nexclude-from = "patterns"\n')
    app.run(["diff", "A", "B"])
    assert asked(engines, "diff").common.rules == ("one", "two")


def test_a_set_stands_for_its_replicas(config: Path, home: Path, engines: dict[str, Engine]) -> None:
    places = (f"{home}/p", "nas:p", "/mnt/usb")
    app.run(["repair", "@photos"])
    common = asked(engines).common
    assert (common.locations, common.names, common.one_file_system) == (places, ("", "nas", "usb"), True)
    app.run(["repair", "@photos", "/more"])
    assert engines["repair"].asked[1][0].common.locations == (*places, "/more")
    for words in (["undo", "@photos", "last"], ["trash", "@photos", "list", "@x"]):
        assert app.run(words) == 0
    assert asked(engines, "undo").locations == asked(engines, "list_trash").locations == places


def test_rules_of_a_set_hold_for_it(config: Path, engines: dict[str, Engine]) -> None:
    app.run(["repair", "@photos"])
    policies, preferred = asked(engines).policies, asked(engines).preferred
    paths = (RelPath(b"a"), RelPath(b"a.xmp"), RelPath(b"raw/a.xmp"))
    assert [str(policies.of(path)) for path in paths] == ["skip", "newest", "prefer:nas"]
    assert preferred == (("nas", 1),)
    app.run(["repair", "A", "B"])
    assert engines["repair"].asked[1][0].policies == Policies()
    app.run(["repair", "@photos", "--conflicts", "keep-both"])
    overruled = engines["repair"].asked[2][0].policies
    assert {str(overruled.of(path)) for path in paths} == {"keep-both"}, "the line comes before the set"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["diff", "@nope", "A"], "has no set of that name"),
        (["diff", "@photos", "@other"], "one set of replicas at a time"),
        (["runs", "@photos"], "one replica"),
        (["repair", "--mirror", "@photos"], "needs --mirror-from NAME"),
        (["repair", "--mirror", "--mirror-from", "x", "@photos"], "there are: nas, usb"),
        (["repair", "--mirror", "--mirror-from", "nas", "@other"], "none has a name"),
        (["repair", "--mirror-from", "nas", "@photos"], "belongs to --mirror"),
        (["repair", "--mirror", "--mirror-from", "nas", "A", "B"], "belongs to --mirror"),
        (["diff", "--config", "/nowhere", "A", "B"], "/nowhere: no such file"),
        (["diff", "--config", "", "@photos", "A"], "there is no configuration file"),
    ],
)
def test_bad_lines(
    config: Path, engines: dict[str, Engine], capsys: pytest.CaptureFixture[str], words: list[str], reason: str
) -> None:
    assert reason in refused(capsys, *words)


def test_the_truth_of_a_set_is_named(
    config: Path, home: Path, engines: dict[str, Engine], capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["repair", "--mirror", "--mirror-from", "usb", "@photos"]) == 0
    assert asked(engines).common.locations == ("/mnt/usb", f"{home}/p", "nas:p")
    assert asked(engines).common.names == ("usb", "", "nas")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[defaults]\nmax-delet = 1", "defaults.max-delet: there is no option --max-delet"),
        ("[defaults]\nmirror = true", "defaults.mirror: --mirror is taken from the command line only"),
        ("[defaults]\nno-trash = true", "--no-trash is taken from the command line only"),
        ("[defaults]\nallow-new-root = true", "--allow-new-root is taken from the command line only"),
        ("[defaults]\naccept-new-host-key = true", "--accept-new-host-key is taken from the command line only"),
        ("[defaults]\nconfig = 'x'", "--config is taken from the command line only"),
        ("[defaults]\nchecksum = 1", "defaults.checksum: 1 is not true or false"),
        ("[defaults]\nverbose = true", "defaults.verbose: True is not a number"),
        ("[defaults]\nexclude = [1]", "defaults.exclude: [1] is not a list of texts"),
        ("[defaults]\nresolve = []", "defaults.resolve: [] is not a text"),
        ("defaults = 1", "defaults: is no table"),
        ("[other]", "other: unknown; there are [defaults] and [sets.NAME]"),
        ("[sets.x]", "sets.x.replicas: a list of locations is missing"),
        ("[sets]\nx = 1", "sets.x: is no table"),
        ("[sets.x]\nreplicas = ['here']", "here: a path in the configuration is absolute"),
        ("[sets.x]\nreplicas = ['@y']", "@y: a path in the configuration is absolute"),
        ("[sets.x]\nreplicas = [{name = 'a'}]", "a replica is a location"),
        ("[sets.x]\nreplicas = [{name = 'a', location = 1}]", "names and locations are texts"),
        ("[sets.x]\nreplicas = [{name='a',location='/a'},{name='a',location='/b'}]", "a name is given twice"),
        ("[sets.x]\nreplicas = ['/a', '/b']\nmirror = true", "sets.x.mirror: --mirror is taken from"),
        ("[sets.x]\nreplicas = ['/a']\n[[sets.x.rules]]\nglob = '*'", 'sets.x.rules: a rule is glob = "...", and'),
        ("[sets.x]\nreplicas = ['/a']\nrules = 1", "sets.x.rules: rules are tables"),
        (f"{RULE}glob = '*'\nconflicts = 1", "sets.x.rules: a rule is"),
        (f"{RULE}glob = '*'\nconflicts = 'skip'\nsuspects = 'x'", "sets.x.rules: a rule is"),
        (f"{RULE}glob = '['\nconflicts = 'skip'", "sets.x.rules: '[' is no glob"),
        (f"{RULE}glob = '*'\nconflicts = 'mine'", "sets.x.rules: 'mine' is no policy"),
        ("x = [\n}", "(at line 2, column 1)"),
        ("\xff", "invalid"),
    ],
)
def test_bad_files_are_named(
    config: Path, engines: dict[str, Engine], capsys: pytest.CaptureFixture[str], text: str, reason: str
) -> None:
    config.write_bytes(text.encode("latin-1"))
    line = refused(capsys, "diff", "A", "B")
    assert line.startswith(f"aefsync: {config}: ")
    assert reason in line


@pytest.mark.parametrize(
    "variable",
    [
        "MIRROR",
        "NO_TRASH",
        "ALLOW_EMPTY_ROOT",
        "ALLOW_NEW_ROOT",
        "ALLOW_UNRELATED_ROOTS",
        "ACCEPT_NEW_HOST_KEY",
        "PATH",
    ],
)
def test_what_the_environment_may_not_say(
    engines: dict[str, Engine],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    monkeypatch.setenv(f"AEFSYNC_{variable}", "1")
    assert "is taken from the command line only" in refused(capsys, "repair", "A", "B")
    assert engines["repair"].asked == []


def test_where_the_file_is() -> None:
    assert config_file({"XDG_CONFIG_HOME": "/x", "HOME": "/h"}) == "/x/aefsync/config.toml"
    assert config_file({"XDG_CONFIG_HOME": "relative", "HOME": "/h"}) == "/h/.config/aefsync/config.toml"
    assert config_file({}) == ""


def test_help_is_given_whatever_the_file_says(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text("broken")
    assert app.run(["repair", "--help"]) == 0


@pytest.mark.parametrize("option", ["--timeout", "--connect-timeout", "--modify-window"])
def test_what_rsync_has_takes_bare_seconds(engines: dict[str, Engine], option: str) -> None:
    assert [app.run(["diff", "a", "b", option, text]) for text in ("90", "1m30s", "90 ")] == [0, 0, 2]
    one, other = (request for request, *_ in engines["diff"].asked)
    assert one == other
