from __future__ import annotations

import pytest

from aefsync.core.guards import (
    DeleteLimit,
    Refusal,
    mirror_of_empty,
    nothing_left,
    parse_max_delete,
    too_many_deletes,
    unrelated_roots,
)

A, B, C = "/srv/a", "host:b", "/mnt/c"


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("50%", DeleteLimit(50, is_percentage=True)),
        ("0%", DeleteLimit(0, is_percentage=True)),
        ("100%", DeleteLimit(100, is_percentage=True)),
        ("0", DeleteLimit(0, is_percentage=False)),
        (" 500 ", DeleteLimit(500, is_percentage=False)),
    ],
)
def test_max_delete(text: str, limit: DeleteLimit) -> None:
    assert parse_max_delete(text) == limit


@pytest.mark.parametrize("text", ["", "%", "-1", "+1", "50 %", "101%", "1.5%", "1e3", "all", "٣", "5%%", "9" * 19])
def test_bad_max_delete(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither a number nor a percentage|more than 100%"):
        parse_max_delete(text)


@pytest.mark.parametrize(
    ("limit", "deletes", "entries", "stopped"),
    [
        ("50%", 50, 100, False),
        ("50%", 51, 100, True),
        ("50%", 9, 9, False),
        ("50%", 10, 19, True),
        ("50%", 10, 20, False),
        ("0%", 9, 10**6, False),
        ("0%", 10, 10**6, True),
        ("100%", 1000, 1000, False),
        ("0", 0, 0, False),
        ("0", 1, 10**6, True),
        ("3", 3, 3, False),
        ("3", 4, 10**6, True),
    ],
)
def test_deletes(limit: str, deletes: int, entries: int, stopped: bool) -> None:
    refusal = too_many_deletes(B, deletes, entries, parse_max_delete(limit))
    assert (refusal is not None) == stopped


@pytest.mark.parametrize(("counts", "stopped"), [((0, 1), True), ((0, 0, 3), True), ((0, 0), False), ((1, 0), False)])
def test_mirror_of_an_empty_replica(counts: tuple[int, ...], stopped: bool) -> None:
    assert (mirror_of_empty([A, B, C][: len(counts)], counts) is not None) == stopped


@pytest.mark.parametrize(
    ("entries", "alone", "stopped"),
    [
        ((101, 101), (101, 101), True),
        ((100, 5000), (100, 5000), False),
        ((101, 5000), (91, 4990), True),
        ((101, 5000), (90, 4989), False),
        ((5000, 1000), (4901, 901), True),
        ((5000, 1000), (4900, 900), False),
        ((0, 5000), (0, 5000), False),
        ((500, 500, 500), (0, 0, 500), True),
        ((500, 500, 500), (10, 20, 30), False),
        ((500, 500, 90), (10, 10, 90), False),
        ((500, 90, 90), (500, 90, 90), False),
    ],
)
def test_unrelated(entries: tuple[int, ...], alone: tuple[int, ...], stopped: bool) -> None:
    roots = [A, B, C][: len(entries)]
    assert (unrelated_roots(roots, entries, alone) is not None) == stopped
    backwards = unrelated_roots(roots[::-1], entries[::-1], alone[::-1])
    assert (backwards is not None) == stopped


@pytest.mark.parametrize(("entries", "excluded", "stopped"), [(0, 5, True), (0, 0, False), (1, 5, False)])
def test_filters_that_leave_nothing(entries: int, excluded: int, stopped: bool) -> None:
    assert (nothing_left(A, entries, excluded) is not None) == stopped


def test_messages() -> None:
    refusals = [
        too_many_deletes(B, 80, 100, parse_max_delete("50%")),
        mirror_of_empty([A, B, C], [0, 7, 0]),
        unrelated_roots([A, B], [200, 300], [195, 295]),
        nothing_left(A, 0, 12),
    ]
    assert refusals == [
        Refusal(
            "host:b: expected at most 50 % deletes, but 80 of its 100 entries would go to the trash; "
            "to allow it: --max-delete 80",
            "--max-delete",
        ),
        Refusal(
            "/srv/a: expected entries, but this would be the mirror of an empty replica: everything in host:b (7) "
            "would go to the trash; to allow it: --allow-empty-root",
            "--allow-empty-root",
        ),
        Refusal(
            "/srv/a: expected a replica of host:b, but they have 5 of 200 paths in common and would be mixed; "
            "to allow it: --allow-unrelated-roots",
            "--allow-unrelated-roots",
        ),
        Refusal(
            "/srv/a: expected entries, but the filters leave nothing (12 excluded), so nothing would be compared; "
            "change --exclude, --include or .aefsyncignore",
            None,
        ),
    ]
