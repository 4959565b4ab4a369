from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.action import Act, Action, StageFile
from aefsync.core.entry import UNKNOWN, Entry, Kind
from aefsync.core.growth import Grows, Learned
from aefsync.core.members import Encounter, Known, Mark, Member, Memory, Remembers
from aefsync.core.past import TrashItem
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Missing, Open, Phase, Piece, Replica, Scan, Scanned
from aefsync.core.problem import Problem
from aefsync.core.rot import Scrubs
from aefsync.core.tree import KeyRange, Question
from aefsync.core.unsettled import Sighting, StandingPath
from aefsync.core.version import FOUND, MOST_DOTS, Dot, Version
from aefsync.core.view import STAT, View
from aefsync.wire import messages
from aefsync.wire.dialogue import Call, Failed, Message, Method, Progress, Reply
from aefsync.wire.messages import MessageError, decode_answer, decode_call, encode
from aefsync.wire.messages.rows import MAX_ENTRIES, MAX_READ
from tests.support import values

pack = msgspec.msgpack.encode
ROW = [1, 0o644, 3, 1, 0, 0, UNKNOWN]
A, B = b"A" * 16, b"B" * 16
VERSIONS = [[A], [[1, 0, 5]], [1]]
ONE, TWO = [[0], [b"a"]], [[0, 0], [b"a", b"b"]]
STATS = (0o100644, 3, 1, 0, 0)


def columns(*rows: tuple[int, ...], targets: Sequence[bytes] = ()) -> list[Any]:
    """Entries with these stats."""
    return [b"".join(STAT.pack(*row) for row in rows), UNKNOWN * len(rows), list(targets)]


FILE = Entry(RelPath(b"docs/a.txt"), Kind.FILE, 0o644, 3, 1, 2, 3, UNKNOWN)


def test_there_is_a_message_for_every_method_of_the_port() -> None:
    methods = {name for part in (Replica, Grows, Remembers, Scrubs) for name in vars(part) if not name.startswith("_")}
    assert methods == set(Method) == {*values.arguments} == {*values.results}


@given(values.calls)
def test_calls_come_back(call: Call) -> None:
    assert decode_call(encode(call)) == call


@given(values.server_messages)
def test_answers_come_back(message: Message) -> None:
    assert decode_answer(encode(message)) == message


@given(values.calls)
def test_types_come_back(call: Call) -> None:
    """Enumerations and paths compare equal to what they wrap; here the types are looked at."""
    assert repr(copied_out(decode_call(encode(call)))) == repr(copied_out(call))


def copied_out(value: Any) -> Any:
    """A value whose bulky parts are bytes, not views of what was received."""
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, tuple):
        parts = map(copied_out, value)
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


@given(values.calls, st.data())
def test_cut_calls_are_refused(call: Call, data: st.DataObject) -> None:
    payload = encode(call)
    with pytest.raises(MessageError):
        decode_call(payload[: data.draw(st.integers(0, len(payload) - 1))])


@given(values.calls | values.server_messages, st.data())
def test_damaged_messages_are_refused_or_are_messages(message: Message, data: st.DataObject) -> None:
    payload = bytearray(encode(message))
    position = data.draw(st.integers(0, len(payload) - 1))
    payload[position] ^= data.draw(st.integers(1, 255))
    for decode in (decode_call, decode_answer):
        try:
            decode(bytes(payload))
        except MessageError:
            pass


@given(st.binary(max_size=200))
def test_garbage_is_refused(garbage: bytes) -> None:
    for decode in (decode_call, decode_answer):
        with pytest.raises(MessageError):
            decode(garbage)


@pytest.mark.parametrize(
    "path",
    [b"", b"..", b".", b"/etc/passwd", b"a/../b", b"a//b", b"a/", b"a\0b", b".aefsync", b"a/.AEFSYNC/id", b"x" * 256],
)
@pytest.mark.parametrize(
    "form",
    [
        lambda path: ["read", [[0], [path]], [[0, 1]], b""],
        lambda path: ["write", [[0], [path]], [[0, 1, 1]], b"x"],
        lambda path: ["stage", [[0], [path]], None, columns(STATS), None],
        lambda path: ["stage", [[0], [b"good"]], [[0], [path]], columns(STATS), None],
        lambda path: ["apply", [[0], [path]], ["create"], b"\1", columns(STATS)],
        lambda path: ["apply", [[0, 0], [b"good", path]], ["move"], b"\3", columns(STATS, STATS)],
        lambda path: ["learn", [[0], [path]], [b"x"], [UNKNOWN]] if path else None,
        lambda path: ["learn", [[0], [b"good"]], [path], [UNKNOWN]],
        lambda path: (
            ["gather", [[[0], [path]], [b"x"], [STAT.pack(0o100644, 0, 0, 0, 0)], [UNKNOWN], []]] if path else 0
        ),
        lambda path: ["gather", [[[0], [b"good"]], [path], [STAT.pack(0o100644, 0, 0, 0, 0)], [UNKNOWN], []]],
        lambda path: ["restore", [[0], [path]], [["run", "deleted", False, 0]]],
    ],
    ids=[
        "read",
        "write",
        "stage",
        "stage source",
        "apply",
        "move source",
        "learn in",
        "learn",
        "grow in",
        "grow",
        "restore",
    ],
)
def test_paths_that_lead_elsewhere_are_refused(form: Any, path: bytes) -> None:
    decode_call(pack(form(b"good")))
    with pytest.raises(MessageError):
        decode_call(pack(form(path)))


def test_paths_put_together_from_parts_are_checked_whole() -> None:
    with pytest.raises(MessageError):
        decode_call(pack(["read", [[0, 2], [b"a/b", b".."]], [[0, 1, b""], [0, 1, b""]]]))


NONCE = bytes(32)


@pytest.mark.parametrize(
    "form",
    [
        ["hello", [b"/r", "run", b"short", 0, 0, b""]],
        ["hello", [b"/r", "../run", NONCE, 0, 0, b""]],
        ["hello", [b"/r", "..", NONCE, 0, 0, b""]],
        ["hello", [b"/r", "run\n/", NONCE, 0, 0, b""]],
        ["hello", [b"/r\0", "run", NONCE, 0, 0, b""]],
        ["hello", [b"/r", "run", NONCE, 0, 0, b"/c\0"]],
        ["restore", [[], []], [], b"/t\0"],
        ["restore", [[], []], [], b"t" * (1 << 17)],
        ["hello", [b"/r", "run", NONCE, 7, 0, b""]],
        ["hello", [b"/r", "run", NONCE, 0, 0, b"", 10**6]],
        ["fingerprints", 0, 0, 1 << 60, [[], []]],
        ["fingerprints", 0, 1 << 60, 8, [[], []]],
        ["fingerprints", 9, 0, 8, [[], []]],
        ["fingerprints", 0, 0, 8, [[0], [b"a"]]],
        ["fingerprints", 0, 1, 8, [[0, 0, 0, 0], [b"a", b"c", b"b", b"d"]]],
        ["fingerprints", 0, 1, 8, [[0, 0, 0, 0], [b"a", b"c", b"a", b"c"]]],
        ["fingerprints", 0, 1, 8, [[0, 0], [b"c", b"a"]]],
        ["entries", [0, MAX_ENTRIES + 1]],
        ["scan", [], False, False, False, [[], []], None, False, [0o10000, True, 1, 0, 0, 0, False, False, 0, True, 0]],
        ["scan", [], False, False, False, [[], []], None, False, [0, True, 0, 0, 0, 0, False, False, 0, True, 0]],
        ["scan", [], False, False, False, [[], []], None, False, [0, True, 1, 1, 0, 0, False, False, 0, True, 0]],
        ["scan", [], False, False, False, [[], []], None, False, [0, True, 1, 0, 0, -1, False, False, 0, True, 0]],
        ["entries", [-1, 5]],
        ["entries", [1 << 63, 5]],
        ["read", [[0], [b"a"]], [[0, MAX_READ + 1, b""]]],
        ["read", [[0, 0], [b"a", b"b"]], [[0, MAX_READ, b""], [0, 1, b""]]],
        ["read", [[0], [b"a"]], [[-1, 1, b""]]],
        ["read", [[0], [b"a"]], []],
        ["write", [[0], [b"a"]], [[0, 2, b"x"]]],
        ["stage", ONE, None, columns(), None],
        ["stage", ONE, None, columns(STATS, STATS), None],
        ["stage", ONE, TWO, columns(STATS), None],
        ["stage", ONE, TWO, columns(STATS, STATS), None],
        ["stage", ONE, None, columns((0o110755, *STATS[1:])), None],
        ["stage", ONE, None, columns((0o020644, *STATS[1:])), None],
        ["stage", ONE, None, columns((-1, *STATS[1:])), None],
        ["stage", ONE, None, columns((0o100644, -1, *STATS[2:])), None],
        ["stage", ONE, None, columns((*STATS[:4], -1)), None],
        ["stage", ONE, None, [STAT.pack(*STATS)[1:], UNKNOWN, []], None],
        ["stage", ONE, None, [STAT.pack(*STATS), b"short", []], None],
        ["stage", ONE, None, columns(STATS, targets=[b"of a file"]), None],
        ["stage", ONE, None, columns((0o120000, *STATS[1:])), None],
        ["stage", ONE, None, columns(STATS), -1],
        ["apply", ONE, ["create"], b"\0", columns()],
        ["apply", ONE, ["delete"], b"\3", columns(STATS, STATS)],
        ["apply", ONE, ["move"], b"\3", columns(STATS, STATS)],
        ["apply", TWO, ["create"], b"\1", columns(STATS)],
        ["apply", ONE, ["create"], b"\1\1", columns(STATS, STATS)],
        ["apply", ONE, ["create"], b"\1", columns(STATS, STATS)],
        ["apply", ONE, ["create"], b"\5", columns(STATS, STATS)],
        ["apply", ONE, ["create"], b"\11", columns(STATS)],
        ["apply", ONE, ["create"], b"\1", columns(STATS), ["", ""]],
        ["apply", ONE, ["create"], b"\1", columns(STATS), ["../x"]],
        ["apply", ONE, ["chown"], b"\1", columns(STATS)],
        ["apply", ONE, ["link"], b"\1", columns((0o120000, *STATS[1:]), targets=[b"a\0b"])],
        ["restore", [[0], [b"a"]], [["..", "deleted", False, 0]]],
        ["restore", [[0], [b"a"]], [["run", "../../x", False, 0]]],
        ["allocated", [[0], [b"../a"]]],
        ["tombstones", [0, MAX_ENTRIES + 1]],
        ["search", b"", 0],
        ["search", b"x" * 256, 0],
        ["search", b"x", -1],
        ["search", b"x", (1 << 63) - 1],
        ["apply", ONE, ["version"], b"\3", columns(STATS, STATS)],
        ["apply", ONE, ["version"], b"\2", columns(STATS), [], [], VERSIONS],
        ["apply", ONE, ["version"], b"\1", columns(STATS), [], [], VERSIONS],
        ["apply", TWO, ["create", "create"], b"\1\1", columns(STATS, STATS), [], [], VERSIONS],
        ["remember", [], [[0, "x", 0, 0, [], 0, 0, 0]], []],
        ["remember", [A], [[0, "x\n", 0, 0, [], 0, 0, 0]], []],
        ["remember", [A], [[0, "x\x9b", 0, 0, [], 0, 0, 0]], []],
        ["remember", [A], [[0, "x" * 65, 0, 0, [], 0, 0, 0]], []],
        ["remember", [A], [[0, "x", 0, 3, [], 0, 0, 0]], []],
        ["remember", [A], [[0, "x", -1, 0, [], 0, 0, 0]], []],
        ["remember", [A, B], [[1, "", 0, 0, [], 0, 0, 0], [0, "", 0, 0, [], 0, 0, 0]], []],
        ["remember", [A], [[0, "", 0, 0, [], 0, 0, 0]] * 2, []],
        ["remember", [A], [[0, "x", 0, 0, [], 0, 2, 0]], []],
        ["remember", [A], [], [[0, 1, b"seven b", 0]]],
        ["remember", [A], [], [[0, 1, b"8 bytes.", 0]] * 2],
        ["remember", [A], [[0, "", 0, 0, [], 0, 0, 0]] * 5000, []],
        ["purge", ["a/b"]],
        ["purge", [""]],
        ["purge", [5]],
        ["format"],
        ["progress", "scan", 1, 1],
        {"method": "scan"},
        None,
    ],
)
def test_calls_that_no_honest_client_makes_are_refused(form: Any) -> None:
    with pytest.raises(MessageError):
        decode_call(pack(form))


@pytest.mark.parametrize(
    "row",
    [
        [[b"fifteen bytes.."], [[1]], [1]],
        [[b"seventeen bytes.."], [[1]], [1]],
        [[A], [[2]], [1]],
        [[A], [[1, 1, 5]], [1]],
        [[A], [[1, 0]], [1]],
        [[A], [[]], [1]],
        [[A], [[1, 0, -1]], [1]],
        [[A], [[1, 0, 1 << 63]], [1]],
        [[A], [[1, 0, 5, 0, 6]], [1]],
        [[A, B], [[1, 1, 5, 0, 6]], [1]],
        [[A], [[1]], [2]],
        [[A], [[1]], [1, 1]],
        [[A], [[1]], []],
        [[A], [[0, *range(2 * MOST_DOTS + 2)]], [1]],
        [[A], [[1, *[0] * MOST_DOTS]] * 4200, [1]],
    ],
    ids=[
        "short author",
        "long author",
        "unknown author",
        "unknown author in the vector",
        "half a component",
        "nothing",
        "negative counter",
        "huge counter",
        "author twice",
        "authors out of order",
        "unknown version",
        "more versions than entries",
        "fewer versions than entries",
        "too many components",
        "too many components together",
    ],
)
def test_versions_that_are_none_are_refused(row: Any) -> None:
    decode_answer(pack(["entries", [[0], [b"a"]], [ROW], [], [[A, B], [[1, 0, 5, 1, 0]], [1]]]))
    with pytest.raises(MessageError):
        decode_answer(pack(["entries", [[0], [b"a"]], [ROW], [], row]))
    with pytest.raises(MessageError):
        decode_answer(pack(["tombstones", [[0], [b"a"]], row]))


def test_who_is_known_is_known_by_an_id() -> None:
    known = Known(b"8 bytes.", ("f" * 32,))
    payload = encode(Call(Method.HELLO, (Open(b"/r", "run", NONCE, Access.READ, Missing.REFUSE, b"", known=known),)))
    assert decode_call(payload).arguments[0].known == known  # type: ignore[attr-defined]
    with pytest.raises(MessageError):
        decode_call(payload.replace(b"f" * 32, b"../" + b"f" * 29))


@pytest.mark.parametrize(
    "form",
    [
        ["stage", ONE, None, columns(STATS), None],
        ["stage", TWO, TWO, columns(STATS, (0o120000, *STATS[1:]), targets=[b"to"]), 0],
        ["apply", ONE, ["create"], b"\1", columns(STATS)],
        ["apply", TWO, ["move"], b"\7", columns(STATS, STATS, STATS), ["rot"]],
        ["apply", ONE, ["version"], b"\3", columns(STATS, STATS), [], [], VERSIONS],
        ["apply", ONE, ["version"], b"\0", columns(), [], [], VERSIONS],
    ],
)
def test_entries_in_columns_as_an_honest_client_has_them(form: Any) -> None:
    call = decode_call(pack(form))
    assert decode_call(encode(call)) == call


def test_members_as_an_honest_client_has_them() -> None:
    """The control of all that is refused above."""
    call = decode_call(pack(["remember", [A, B], [[0, "x", 0, 0, [0, 5, 1, 0], 6, 2, 4]], [[1, 7, b"8 bytes.", 3]]]))
    member = Member(A.hex(), "x", seen=(Dot(A, 5), Dot(B, 0)), last_s=6, author=B, whole_s=4)
    assert call.arguments == (Memory((member,), (Encounter(B.hex(), Mark(7, b"8 bytes."), 3),)),)


@pytest.mark.parametrize(
    "seen",
    [
        [[[0], [b"x"]], [], [[], []], True, [0]],
        [[[0], [b"../x"]], [True], [[], []], True, [0]],
        [[[0], [b"x"]], [True], [[], []], True, [1]],
        [[[0], [b"x"]], [True] * 4097, [[], []], True, [0]],
    ],
)
def test_what_nobody_can_have_left_standing_is_refused(seen: list[object]) -> None:
    honest = [[[0], [b"x"]], [True], [[], []], True, [0]]
    (memory,) = decode_call(pack(["remember", [A], [], [], honest])).arguments
    assert memory.seen == Sighting((StandingPath(RelPath(b"x"), is_suspect=True),), (), True, frozenset({A.hex()}))  # type: ignore[attr-defined]
    with pytest.raises(MessageError):
        decode_call(pack(["remember", [A], [], [], seen]))


def test_more_that_no_honest_server_says() -> None:
    for form in (
        ["mint", A, 0],
        ["mint", A[1:], 1],
        ["tombstones", [[0], [b"a"]], None],
        ["tombstones", [[0], [b"a"]], [[A], [[1]], [0]]],
        ["tombstones", [[0], [b"../a"]], VERSIONS],
    ):
        with pytest.raises(MessageError):
            decode_answer(pack(form))


def test_lengths_are_refused_before_anything_is_allocated() -> None:
    huge = b"\x7f\xff\xff\xff"
    payloads = [
        b"\x92\xa5purge\xdd" + huge,
        b"\x92\xa7entries\xdd" + huge,
        b"\x94\xa5learn\x92\xdd" + huge,
        b"\x92\xa5hello\x96\xc6" + huge,
        b"\xdd" + huge,
    ]
    tracemalloc.start()
    try:
        for payload in payloads:
            with pytest.raises(MessageError):
                decode_call(payload)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("opener", [b"\x91", b"\x81\xa1a", b"\x81"], ids=["arrays", "maps", "keys"])
def test_nesting_is_refused(opener: bytes) -> None:
    for payload in (opener * 100_000, b"\x92\xa4scan" + opener * 100_000, b"\x9f\xa5close" + opener * 100_000):
        with pytest.raises(MessageError):
            decode_call(payload)


@pytest.mark.parametrize(
    "action",
    [
        Action(Act.CREATE, RelPath(b"a"), Entry(RelPath(b"b"), Kind.FILE, 0, 0, 0, 0, 0, UNKNOWN), None),
        Action(Act.MOVE, RelPath(b"a"), Entry(RelPath(b"a"), Kind.FILE, 0, 0, 0, 0, 0, UNKNOWN), None),
        Action(Act.DELETE, RelPath(b"a"), None, None, RelPath(b"b")),
        Action(Act.RECORD, FILE.path, FILE, FILE, tombstone=FOUND),
    ],
    ids=["entry of another path", "move without source", "delete with source", "entry with tombstone"],
)
def test_actions_that_contradict_themselves_are_not_sent(action: Action) -> None:
    with pytest.raises(ValueError, match="with"):
        encode(Call(Method.APPLY, ([action],)))


VERSION = Version((Dot(A, 1000), Dot(B, 2000)), B)
FOUR = tuple(FILE._replace(path=RelPath(b"docs/%d" % number)) for number in range(4))
SIZES: dict[str, tuple[Message, int]] = {
    "scan": (Call(Method.SCAN, (Scan(),)), 20),
    "scanned": (Reply(Method.SCAN, Scanned(bytes(16), 10**6, 0, 0, 12, 3, ())), 50),
    "progress": (Progress(Phase.READ, 1 << 31, 1 << 40), 30),
    "close": (Call(Method.CLOSE), 10),
    "mint": (Call(Method.MINT), 10),
    "scan with versions": (Call(Method.SCAN, (Scan(versions=True, watermark=VERSION.vector),)), 65),
    "question": (Call(Method.FINGERPRINTS, (Question(View.FULL, (KeyRange(b"a" * 99, b"a" * 99 + b"b"),), 0),)), 130),
}


@pytest.mark.parametrize("name", SIZES)
def test_messages_are_small(name: str) -> None:
    message, size = SIZES[name]
    assert len(encode(message)) <= size


def test_each_version_is_written_once_for_all_that_have_it() -> None:
    plain, few, many = (
        len(encode(Reply(Method.ENTRIES, tuple(each._replace(version=version) for each in FOUR) * number)))
        for version, number in ((None, 1), (VERSION, 1), (VERSION, 10))
    )
    assert few - plain <= 60
    assert many - 10 * plain <= 60 + 4 * 10
    # Without versions there is nothing of them.
    assert plain == len(pack(["entries", *_columns(FOUR)]))


def _columns(entries: tuple[Entry, ...]) -> tuple[Any, ...]:
    paths = [[0, 5, 5, 5], [b"docs/0", b"1", b"2", b"3"]]
    return paths, [[int(each.kind), *each[2:9]] for each in entries]


def test_what_is_not_utf8_comes_through() -> None:
    rule = b"caf\xe9".decode("utf-8", "surrogateescape")
    scan = Call(Method.SCAN, (Scan((rule,)),))
    assert decode_call(encode(scan)) == scan
    for message in (Failed("RootError", rule, rule), Reply(Method.LEARN, None)):
        assert decode_answer(encode(message)) == message


def test_a_path_may_stand_where_bytes_are_due() -> None:
    """`RelPath` is a subclass of bytes, which msgspec does not take for bytes by itself."""
    path = RelPath(b"docs/a")
    scanned = Scanned(b"", 0, 0, 0, 0, 0, (Problem(path, "odd"),), (path,))
    assert decode_answer(encode(Reply(Method.SCAN, scanned))) == Reply(Method.SCAN, scanned)


def test_examples_of_each_call_with_rows() -> None:
    for arguments in (
        (Method.HELLO, (Open(b"/r", "run", NONCE, Access.WRITE, Missing.CREATE, b"/c", 2),)),
        (Method.WRITE, ((Piece(FILE.path, 5, 3, b"abc"),),)),
        (Method.STAGE, ((StageFile(FILE, RelPath(b"docs/b.txt")),), 1)),
        (Method.LEARN, ((Learned(b"docs\0", b"a.txt", bytes(32)),),)),
        (Method.RESTORE, ((TrashItem("run", "replaced", FILE.path, False, 3),), b"/d")),
    ):
        call = Call(*arguments)
        assert decode_call(encode(call)) == call


def test_one_decoder_is_made_at_a_time_and_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bool] = []
    alone, patience, original = threading.Lock(), threading.Event(), msgspec.msgpack.Decoder

    def make(forms: Any) -> Any:
        made.append(alone.acquire(blocking=False))
        patience.wait(0.02)  # for whoever is not kept out
        alone.release()
        return original(forms)

    monkeypatch.setattr(msgspec.msgpack, "Decoder", make)
    for maker in (messages._call_decoder, messages._answer_decoder):
        maker.cache_clear()
    call, answer = encode(Call(Method.CLOSE, ())), encode(Progress(Phase.SCAN, 1, 0))
    threads = [threading.Thread(target=task) for task in (lambda: decode_call(call), lambda: decode_answer(answer)) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [True, True]
