from __future__ import annotations

import copy
import inspect
import pickle
import typing
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import pytest

from aefsync.core import named_tuple

T = TypeVar("T")


class Usual(NamedTuple):
    """What it is."""

    a: int
    b: tuple[bytes, ...] | None
    c: str = "c"
    d: Any = ()

    @property
    def both(self) -> str:
        return f"{self.a}{self.c}"


class Ours(named_tuple.NamedTuple):
    """What it is."""

    a: int
    b: tuple[bytes, ...] | None
    c: str = "c"
    d: Any = ()

    @property
    def both(self) -> str:
        return f"{self.a}{self.c}"


class Empty(named_tuple.NamedTuple):
    pass


class Held(named_tuple.NamedTuple, Generic[T]):
    what: T


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ((1, (b"b",)), {}),
        ((1,), {"b": None}),
        ((), {"b": None, "a": 2, "d": 3}),
        ((1, None, "x", "y"), {}),
    ],
)
def test_as_the_usual_one(given: tuple[Any, ...], named: dict[str, Any]) -> None:
    usual, ours = Usual(*given, **named), Ours(*given, **named)

    assert ours == usual
    assert hash(ours) == hash(usual)
    assert (ours.a, ours.b, ours.c, ours.d, ours.both) == (usual.a, usual.b, usual.c, usual.d, usual.both)
    assert repr(ours) == repr(usual).replace("Usual", "Ours")
    assert ours._asdict() == usual._asdict()
    assert ours._replace(c="z", d=1) == usual._replace(c="z", d=1)
    assert Ours._make(usual) == ours
    for another in (pickle.loads(pickle.dumps(ours)), copy.copy(ours), copy.deepcopy(ours)):
        assert type(another) is Ours
        assert another == ours


@pytest.mark.parametrize(
    ("given", "named"), [((1,), {}), ((1, 2, 3, 4, 5), {}), ((1, 2), {"e": 1}), ((1, 2), {"a": 1})]
)
def test_what_the_usual_one_refuses(given: tuple[Any, ...], named: dict[str, Any]) -> None:
    for kind in (Usual, Ours):
        with pytest.raises(TypeError, match="argument"):
            kind(*given, **named)


def test_more_that_is_refused() -> None:
    with pytest.raises(ValueError, match="no field e, f"):
        Ours(1, None)._replace(e=1, f=2)
    with pytest.raises(TypeError, match="4 fields, not 3"):
        Ours._make((1, 2, 3))
    with pytest.raises(AttributeError):
        Ours(1, None).a = 2
    with pytest.raises(AttributeError):
        Ours(1, None).e = 2
    with pytest.raises(TypeError, match="follows one with a default"):
        type(Ours)("Bad", (named_tuple.NamedTuple,), {"__annotations__": {"a": "int", "b": "int"}, "a": 1})


def test_seen_from_outside() -> None:
    assert Ours._fields == Ours.__match_args__ == Usual._fields
    assert Ours._field_defaults == Usual._field_defaults
    assert typing.get_type_hints(Ours) == typing.get_type_hints(Usual)
    assert list(inspect.signature(Ours).parameters) == ["a", "b", "c", "d"]
    assert (Ours.__doc__, Ours.__name__, Ours.__module__) == (Usual.__doc__, "Ours", __name__)
    match Ours(1, None):
        case Ours(a, None, "c"):
            assert a == 1
        case _:
            pytest.fail("not matched")


def test_none_and_any() -> None:
    assert Empty() == ()
    assert repr(Empty()) == "Empty()"
    assert Held(3).what == 3
    assert Held[int](3) == (3,)


def test_over_the_wire() -> None:
    ours = Ours(1, (b"b",), "c", None)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(ours), type=Ours) == ours
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(("x", None)), type=Ours)
