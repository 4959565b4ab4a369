"""Options of Python programs as requests, without one replica."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aefsync.api.asking import Options, RepairOptions, check, repair_request, request
from aefsync.core.path import RelPath
from aefsync.core.policy import Policies, Policy, PolicyKind, parse_rule
from aefsync.errors import UsageError
from aefsync.sync.request import RepairRequest, Request
from aefsync.wire.login import Link


@pytest.fixture
def common(home: Path) -> Request:
    """Where things are kept by default."""
    return Request(("a", "b"), cache_dir=str(home / "cache/aefsync"), state_dir=str(home / "state/aefsync"))


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({}, {}),
        ({"exclude": ["*", "!x"], "checksum": True}, {"rules": ("*", "!x"), "checksum": True}),
        (
            {"paths": [Path("docs"), b"a/\xff", "./b/"]},
            {"paths": (RelPath(b"docs"), RelPath(b"a/\xff"), RelPath(b"b"))},
        ),
        ({"paths": ["docs", "."]}, {"paths": ()}),
        ({"cache_dir": "", "state_dir": "/s"}, {"cache_dir": "", "state_dir": "/s"}),
        ({"link": Link(port=22)}, {"link": Link(port=22)}),
    ],
)
def test_options(common: Request, options: dict[str, Any], fields: dict[str, Any]) -> None:
    assert request([Path("a"), "b"], options) == common._replace(**fields)


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({}, {"policies": Policies()}),
        ({"dry_run": True, "max_delete": "7"}, {"dry_run": True, "max_delete": "7", "policies": Policies()}),
        ({"resolve": "lww"}, {}),
        ({"mirror": True, "no_delete": True}, {"mirror": True, "no_delete": True}),
        (
            {"conflicts": "prefer:b", "rules": [("*.md", "newest")]},
            {
                "policies": Policies(Policy(PolicyKind.PREFER, "b"), (parse_rule("*.md", "newest"),)),
                "preferred": (("b", 1),),
            },
        ),
    ],
)
def test_options_of_repairs(common: Request, options: dict[str, Any], fields: dict[str, Any]) -> None:
    wanted = RepairRequest(common._replace(checksum=True), **fields)
    assert repair_request(["a", "b"], {"checksum": True, **options}) == wanted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"paths": ["../x"]}, "name is . or .."),
        ({"max_delete": "150%"}, "max_delete"),
        ({"resolve": "often"}, "neither"),
        ({"conflicts": "fight"}, "no policy"),
        ({"conflicts": "prefer:c"}, "no such replica; there are a, b"),
        ({"conflicts": "merge:'"}, "no closing quotation"),
        ({"rules": [("[", "skip")]}, "is no glob"),
        ({"mirror": True, "conflicts": "skip"}, "the first replica is the truth"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        repair_request(["a", "b"], options)


def test_what_is_no_option_and_too_few_replicas() -> None:
    check(["a", "b"], {"checksum": True, "dry_run": True}, RepairOptions, 2)
    with pytest.raises(TypeError, match="'dry_run'"):
        check(["a", "b"], {"dry_run": True}, Options, 2)
    with pytest.raises(TypeError, match="'own'"):
        check(["a", "b"], {"own": ("x",)}, RepairOptions, 2)
    with pytest.raises(UsageError, match="at least 2"):
        check(["a"], {}, Options, 2)
