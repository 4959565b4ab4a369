"""The command line from argv to exit code, with a scripted engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

from aefsync import __version__, errors
from aefsync.cli import app
from aefsync.cli.rsync_habits import TRANSLATIONS
from aefsync.cli.signals import SignalledError
from aefsync.core.identity import Allowed
from aefsync.core.metadata import PLAIN
from aefsync.core.policy import Policies, Policy, PolicyKind
from aefsync.sync import places
from aefsync.sync.request import DiffRequest, RepairRequest, Request
from tests.cli.scripted import DIFF, REPAIR, Engine, acted, install, only_a, summary

ROOT = Path(__file__).parents[2]


def asked_of(monkeypatch: pytest.MonkeyPatch, command: str, *words: str, exit_code: int = 0) -> Any:
    """The request that a command line comes to."""
    engine = Engine([DIFF if command == "diff" else REPAIR, summary(exit_code)])
    install(monkeypatch, command, **{command: engine})
    assert app.run([command, *words]) == exit_code
    return engine.asked[0][0]


@pytest.fixture
def places_of_ours(home: Path) -> dict[str, str]:
    """Where things are kept by default."""
    return {"cache_dir": str(home / "cache" / "aefsync"), "state_dir": str(home / "state" / "aefsync")}


@pytest.mark.parametrize(
    ("words", "request_fields", "common_fields"),
    [
        ([], {}, {}),
        (["--quick"], {"quick": True}, {}),
        (["--brief"], {"brief": True}, {}),
        (["-c"], {}, {"checksum": True}),
        (["-xc"], {}, {"checksum": True, "one_file_system": True}),
        (["--cache-dir", "/k"], {}, {"cache_dir": "/k"}),
        (["--cache-dir="], {}, {"cache_dir": ""}),
        (["--state-dir", "/s"], {}, {"state_dir": "/s"}),
        (["--state-dir="], {}, {"state_dir": ""}),
        (["--allow-new-root"], {}, {"allowed": Allowed(new_root=True)}),
        (["--allow-empty-root"], {}, {"allowed": Allowed(empty_root=True)}),
        (["--no-perms"], {}, {"aspects": PLAIN._replace(mode_bits=0)}),
        (["--no-times"], {}, {"aspects": PLAIN._replace(times=False)}),
        (["--modify-window", "1.5s"], {}, {"aspects": PLAIN._replace(window_ns=1_500_000_000)}),
        (["--exclude", "*.o"], {}, {"rules": ("*.o",)}),
        (["--exclude=*", "--include", "*.py", "--exclude", "x"], {}, {"rules": ("*", "!*.py", "x")}),
        (["--include", "#a", "--exclude", "#b"], {}, {"rules": ("!\\#a", "\\#b")}),
    ],
)
def test_diff_options(
    monkeypatch: pytest.MonkeyPatch,
    places_of_ours: dict[str, str],
    words: list[str],
    request_fields: dict[str, Any],
    common_fields: dict[str, Any],
) -> None:
    common = Request(("a", "b"), **places_of_ours)._replace(**common_fields)
    assert asked_of(monkeypatch, "diff", "a", *words, "b") == DiffRequest(common, **request_fields)


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        ([], {}),
        (["-n"], {"dry_run": True}),
        (["--mirror"], {"mirror": True, "policies": None}),
        (["--resolve", "lww"], {"policies": None}),
        (["--resolve", "versions", "--conflicts", "newest"], {"policies": Policies(Policy(PolicyKind.NEWEST))}),
        (
            ["--conflicts", "prefer:c"],
            {"policies": Policies(Policy(PolicyKind.PREFER, "c")), "preferred": (("c", 2),)},
        ),
        (
            ["--conflicts=prefer:B"],
            {"policies": Policies(Policy(PolicyKind.PREFER, "B")), "preferred": (("B", 1),)},
        ),
        (["--conflicts", "merge:m {a}"], {"policies": Policies(Policy(PolicyKind.MERGE, "m {a}"))}),
        (["--max-delete", "7"], {"max_delete": "7"}),
        (["--max-delete=100%"], {"max_delete": "100%"}),
        (["--no-create-root"], {"create_root": False}),
        (["--allow-unrelated-roots"], {"allow_unrelated_roots": True}),
    ],
)
def test_repair_options(
    monkeypatch: pytest.MonkeyPatch, places_of_ours: dict[str, str], words: list[str], fields: dict[str, Any]
) -> None:
    common = Request(("a", "b", "c"), **places_of_ours)
    wanted = {"policies": Policies(), **fields}
    assert asked_of(monkeypatch, "repair", *words, "a", "b", "c") == RepairRequest(common, **wanted)


def test_sync_is_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine([REPAIR, summary()])
    install(monkeypatch, "repair", repair=engine)
    assert app.run(["sync", "a", "b"]) == 0
    assert engine.asked[0][0].common.locations == ("a", "b")


def test_locations_keep_bytes_that_are_not_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_of(monkeypatch, "diff", os.fsdecode(b"a\xff"), "--", "-b")
    assert asked.common.locations == ("a\udcff", "-b")


def test_filters_from_files_take_their_place_in_the_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    patterns = tmp_path / "patterns"
    patterns.write_bytes(b"\xef\xbb\xbfone\r\n# comment\n\n!two\n\xff\n")
    words = ["--include", "x", "--exclude-from", str(patterns), "--exclude", "y"]
    assert asked_of(monkeypatch, "diff", "a", "b", *words).common.rules == ("!x", "one", "!two", "\udcff", "y")


def test_options_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEFSYNC_QUICK", "1")
    monkeypatch.setenv("AEFSYNC_ONE_FILE_SYSTEM", "yes")
    monkeypatch.setenv("AEFSYNC_CACHE_DIR", "/from/environment")
    monkeypatch.setenv("AEFSYNC_STATE_DIR", "/state/too")
    monkeypatch.setenv("AEFSYNC_EXCLUDE", "*.o *.a")
    asked = asked_of(monkeypatch, "diff", "a", "b", "--include", "x.o")
    assert asked.quick
    assert asked.common == Request(
        ("a", "b"), ("*.o", "*.a", "!x.o"), True, False, "/from/environment", state_dir="/state/too"
    )


def test_mirror_beside_resolve_from_the_environment_is_no_contradiction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEFSYNC_RESOLVE", "lww")
    monkeypatch.setenv("AEFSYNC_CONFLICTS", "newest")
    assert asked_of(monkeypatch, "repair", "--mirror", "a", "b").mirror
    assert asked_of(monkeypatch, "repair", "a", "b").policies is None
    policies = asked_of(monkeypatch, "repair", "a", "b", "--resolve=versions").policies
    assert policies == Policies(Policy(PolicyKind.NEWEST))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOME": "/h"}, "/h/.cache/aefsync"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/c"}, "/c/aefsync"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "relative"}, "/h/.cache/aefsync"),
        ({"HOME": ""}, ""),
        ({}, ""),
    ],
)
def test_cache_dir(environ: dict[str, str], expected: str) -> None:
    assert places.cache_dir(environ) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOME": "/h"}, "/h/.local/state/aefsync"),
        ({"HOME": "/h", "XDG_STATE_HOME": "/s"}, "/s/aefsync"),
        ({"XDG_STATE_HOME": "/s"}, "/s/aefsync"),
        ({}, ""),
    ],
)
def test_state_dir(environ: dict[str, str], expected: str) -> None:
    assert places.state_dir(environ) == expected


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["diff", "a"], "diff needs at least two replicas"),
        (["repair", "a"], "repair needs at least two replicas"),
        (["diff"], "missing argument"),
        (["diff", "a", "b", "--nonsense"], "no such option: --nonsense"),
        (["diff", "a", "b", "--exclude"], "option '--exclude' requires an argument"),
        (["diff", "a", "b", "--exclude="], "--exclude: an empty pattern"),
        (["diff", "a", "b", "--exclude-from", "/nowhere"], "--exclude-from: /nowhere: No such file"),
        (["diff", "a", "b", "--color", "blue"], "--color: 'blue' is none of auto, always, never"),
        (["repair", "a", "b", "--mirror", "--resolve", "lww"], "--mirror and --resolve exclude each other"),
        (["repair", "a", "b", "--mirror", "--conflicts", "skip"], "--mirror and --conflicts exclude each other"),
        (["repair", "a", "b", "--resolve", "lww", "--conflicts", "skip"], "--conflicts belongs to --resolve versions"),
        (["repair", "a", "b", "--conflicts", "mine"], "--conflicts: 'mine' is no policy for conflicts; there are keep"),
        (["repair", "a", "b", "--conflicts", "prefer:C"], "prefer:C: there is no such replica; there are A (a), B (b)"),
        (["repair", "a", "b", "--conflicts", "merge:it's"], "merge:it's: no closing quotation"),
        (["repair", "a", "b", "--conflicts", "merge"], "--conflicts: 'merge': it is merge:CMD"),
        (["repair", "a", "b", "--resolve", "mine"], "--resolve: 'mine' is no way to resolve"),
        (["repair", "a", "b", "--max-delete", "x"], "--max-delete: 'x' is neither"),
        (["repair", "a", "b", "--max-delete", "101%"], "--max-delete: '101%' is neither"),
        (["dif", "a", "b"], "no such command 'dif'. Did you mean 'diff'?"),
        (["--nonsense"], "no such option: --nonsense"),
        (["digest", "a", "/abs"], "/abs: absolute path"),
        (["digest", "a", "../x"], "../x: name is . or .."),
        (["digest", "a", "--tree", "-1"], "--tree: -1 is no number of levels"),
        (["digest", "a", "--tree", "x"], "invalid value for '--tree'"),
        (["trash"], "missing argument"),
        (["trash", "a", "restore"], "trash restore needs a path"),
        (["trash", "a", "purge"], "trash purge needs --older-than"),
        (["trash", "a", "purge", "--older-than", "soon"], "--older-than: 'soon' is no duration"),
        (["trash", "a", "list", "x", "y"], "trash list: too many words: x y"),
        (["trash", "a", "--older-than", "3d"], "trash list: --older-than has no meaning here"),
        (["agent", "--nonsense"], "no such option: --nonsense"),
    ],
)
def test_usage_errors(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], words: list[str], line: str
) -> None:
    for module, names in {"trash": ["list_trash", "restore_trash", "purge_trash"], "agent": ["serve_stdio"]}.items():
        install(monkeypatch, module, **{name: Engine() for name in names})
    for module in ("diff", "repair", "digest"):
        install(monkeypatch, module, **{module: Engine()})
    assert app.run(words) == 2
    out, err = capsysbinary.readouterr()
    assert out == b""
    assert err.decode().startswith(f"aefsync: {line}")
    assert len(err.splitlines()) <= 2


@pytest.mark.parametrize("option", TRANSLATIONS)
@pytest.mark.parametrize("command", ["diff", "repair", "sync"])
def test_options_of_rsync_are_translated(capsysbinary: pytest.CaptureFixture[bytes], command: str, option: str) -> None:
    assert app.run([command, option, "a", "b"]) == 2
    assert capsysbinary.readouterr().err.decode() == f"aefsync: {TRANSLATIONS[option]}\n"


def test_a_whole_habit_gets_a_line_for_each_letter(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert app.run(["repair", "-avzP", "--delete", "a", "b", "--", "-u"]) == 2
    expected = [f"aefsync: {TRANSLATIONS[option]}" for option in ("-a", "-z", "-P", "--delete")]
    assert capsysbinary.readouterr().err.decode().splitlines() == expected


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("m"), 2),
        (errors.RootError("m"), 3),
        (errors.AefsyncError("m"), 3),
        (errors.GuardError("m"), 5),
        (errors.LockedError("m"), 6),
        (errors.UnreachableError("m"), 7),
        (errors.ProtocolError("m"), 7),
        (errors.IncompatibleError("m"), 8),
        (ZeroDivisionError("m"), 3),
        (OSError(28, "No space left on device"), 3),
        (BrokenPipeError(), 7),
    ],
)
def test_errors_are_one_line_and_a_code(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], error: Exception, code: int
) -> None:
    install(monkeypatch, "repair", repair=Engine([REPAIR], error))
    install(monkeypatch, "diff", diff=Engine([DIFF], error))
    assert app.run(["repair", "a", "b"]) == code
    err = capsysbinary.readouterr().err.decode()
    assert err.startswith("aefsync: ")
    assert "Traceback" not in err
    assert app.run(["diff", "a", "b"]) == 2


@pytest.mark.parametrize(("error", "code", "word"), [(KeyboardInterrupt(), 130, "interrupted")])
def test_ctrl_c(
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
    error: BaseException,
    code: int,
    word: str,
) -> None:
    engine = Engine([DIFF, only_a(b"x")], error)
    install(monkeypatch, "diff", diff=engine)
    assert app.run(["diff", "a", "b"]) == code
    assert capsysbinary.readouterr() == (b"< x\n", f"aefsync: {word}\n".encode())
    assert engine.closed


@pytest.mark.parametrize("signalled", [KeyboardInterrupt(), SignalledError(signal.SIGINT)])
@pytest.mark.parametrize(
    "trouble", [RuntimeError("cannot join thread before it is started"), errors.UnreachableError("gone")]
)
def test_what_goes_wrong_while_a_signal_ends_the_run_is_the_signal(
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
    signalled: BaseException,
    trouble: Exception,
) -> None:
    class HalfBegun(Engine):
        def __call__(self, *asked: Any) -> Any:
            try:
                yield from super().__call__(*asked)
            finally:
                raise trouble

    install(monkeypatch, "diff", diff=HalfBegun([DIFF, only_a(b"x")], signalled))
    assert app.run(["diff", "a", "b"]) == 130
    assert capsysbinary.readouterr().err == b"aefsync: interrupted\n"


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_signals_end_a_run_in_order(monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
    before = signal.getsignal(signal.Signals[name])

    class Killed(Engine):
        def __call__(self, *asked: Any) -> Any:
            for event in super().__call__(*asked):
                yield event
                try:
                    os.kill(os.getpid(), signal.Signals[name])
                finally:
                    os.kill(os.getpid(), signal.Signals[name])

    engine = Killed([DIFF, only_a(b"x"), summary(1)])
    install(monkeypatch, "diff", diff=engine)
    assert app.run(["diff", "a", "b"]) == code
    assert engine.closed
    assert signal.getsignal(signal.Signals[name]) == before


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_is_heard_where_python_drops_what_it_raises(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], name: str, code: int
) -> None:
    """As in the callbacks by which the import system lets go of its locks."""

    class Killed(Engine):
        def __call__(self, *asked: Any) -> Any:
            for event in super().__call__(*asked):
                yield event
                thing = Engine([])
                reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.Signals[name]))
                del thing
                assert reference() is None
                threading.Event().wait(60)

    install(monkeypatch, "diff", diff=Killed([DIFF, only_a(b"x"), summary(1)]))
    assert app.run(["diff", "a", "b"]) == code
    assert b"Traceback" not in capfdbinary.readouterr().err


def test_errors_with_a_hint(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    install(monkeypatch, "diff", diff=Engine([], errors.RootError("no \x1b[0m", hint="try\nthis")))
    assert app.run(["diff", "a", "b"]) == 2
    assert capsysbinary.readouterr().err == b"aefsync: no \\x1b[0m\n  try\n  this\n"


def test_json_ends_with_a_summary_whatever_happens(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    install(monkeypatch, "repair", repair=Engine([REPAIR], errors.GuardError("too many deletes", hint="--max-delete")))
    assert app.run(["repair", "--json", "a", "b"]) == 5
    *_, last = capsysbinary.readouterr().out.splitlines()
    line = json.loads(last)
    assert (line["event"], line["exit_code"], line["causes"]) == ("summary", 5, ["guard"])
    assert app.run(["repair", "--json", "a", "--nonsense"]) == 2
    assert json.loads(capsysbinary.readouterr().out)["causes"] == ["usage"]


def test_the_exit_code_is_that_of_the_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    for code in (0, 1):
        asked_of(monkeypatch, "diff", "a", "b", exit_code=code)
    asked_of(monkeypatch, "repair", "a", "b", exit_code=4)


def test_mirror_always_says_its_direction(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    asked_of(monkeypatch, "repair", "--mirror", "-q", "a", "b", "c")
    assert capsysbinary.readouterr().err == b"aefsync: mirror: A (a) is the truth; B (b) and C (c) are made like it\n"


def test_dry_run_itemizes(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    install(monkeypatch, "repair", repair=Engine([REPAIR, acted("create", b"x", 0, 1), summary()]))
    assert app.run(["repair", "-n", "a", "b"]) == 0
    assert capsysbinary.readouterr().out == b"A>B create x\n"
    assert app.run(["repair", "-i", "a", "b"]) == 0
    assert capsysbinary.readouterr().out == b"A>B create x\n"


@pytest.mark.parametrize("command", app.COMMANDS)
def test_help_fits_80_columns_and_lists_the_exit_codes(
    capsysbinary: pytest.CaptureFixture[bytes], command: str
) -> None:
    assert app.run([command, "--help"]) == 0
    text = capsysbinary.readouterr().out.decode()
    assert "Exit codes:" in text
    assert "129 130 141 143" in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_a_narrow_terminal_cuts_off_no_command(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert app.run(["--help"]) == 0
    text = " ".join(capsysbinary.readouterr().out.decode().split())
    assert (
        "diff Compare replicas; change nothing, create nothing. repair Make replicas agree (also: aefsync sync). "
        in text
    )


def test_no_command_shows_the_help(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert app.run([]) == 2
    assert b"Commands:" in capsysbinary.readouterr().out
    assert app.run(["--version"]) == 0
    assert capsysbinary.readouterr().out.decode() == f"aefsync {__version__}\n"


def in_a_process(code: str, **more: Any) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env=environ, check=False, **more)


def test_version_pays_for_nothing() -> None:
    code = """
import sys
sys.argv = ["aefsync", "--version"]
from aefsync.__main__ import main
main()
print([name for name in ("typer", "rich", "msgspec", "blake3", "aefsync.core", "inspect") if name in sys.modules])
"""
    done = in_a_process(code)
    assert done.stdout == f"aefsync {__version__}\n[]\n"


def test_a_plain_run_imports_neither_rich_nor_pydantic() -> None:
    code = """
import sys
from aefsync.cli import app
app.run(["diff", "a"])
print([name for name in ("rich", "pydantic", "paramiko", "asyncio") if name in sys.modules])
"""
    assert in_a_process(code).stdout == "[]\n"


def test_a_closed_stdout_ends_it_quietly() -> None:
    code = """
import os, sys
from tests.cli.scripted import DIFF, Engine, only_a, summary
import types
module = types.ModuleType("aefsync.sync.diff")
module.diff = Engine([DIFF, *(only_a(b"%06d" % i) for i in range(20000)), summary(1)])
sys.modules["aefsync.sync.diff"] = module
from aefsync.cli import app
read, write = os.pipe()
os.close(read)
os.dup2(write, 1)
sys.exit(app.run(["diff", "a", "b"]))
"""
    done = in_a_process(code, cwd=ROOT)
    assert (done.returncode, done.stderr) == (141, "")
