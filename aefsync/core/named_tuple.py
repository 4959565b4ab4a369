"""`typing.NamedTuple` for the many of this package: a run imports 170 of them, which took a tenth of a short one.

What took the time: each annotation is compiled to see whether it is a type, and each class gets a constructor by `eval`
and five methods of its own.  Here annotations stay as they stand, one constructor for each number of fields is given
other names of arguments, and the methods are those of the base class.  Type checkers see `typing.NamedTuple`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple  # noqa: PLC0414, TID251  what others import
else:
    from collections import _tuplegetter
    from functools import cache
    from types import FunctionType

    @cache
    def _constructor(number):
        """The code of `lambda cls, f0, f1, …: new(cls, (f0, f1, …))`, and what it is called with."""
        fields = "".join(f"f{each}, " for each in range(number))
        return eval(f"lambda _cls, {fields}: _new(_cls, ({fields}))").__code__  # noqa: S307  of our own words

    _NAMES = {"_new": tuple.__new__, "__builtins__": {}, "__name__": __name__}

    class _Making(type):
        """Makes of a class body with annotations a tuple with named fields."""

        def __new__(making, name, bases, body):
            """Raises `TypeError` for a field without a default after one with a default."""
            fields = tuple(body.get("__annotations__", ()))
            defaults = {field: body.pop(field) for field in fields if field in body}
            if tuple(defaults) != fields[len(fields) - len(defaults) :]:
                raise TypeError(f"{name}: a field without a default follows one with a default")
            code = _constructor(len(fields)).replace(co_varnames=("_cls", *fields), co_qualname=f"{name}.__new__")
            body |= {field: _tuplegetter(index, field) for index, field in enumerate(fields)}
            body["__new__"] = FunctionType(code, _NAMES, "__new__", tuple(defaults.values()))
            body |= {"__slots__": (), "__match_args__": fields, "_fields": fields, "_field_defaults": defaults}
            return type.__new__(making, name, bases, body)

    class NamedTuple(tuple, metaclass=_Making):
        """What all have."""

        __slots__ = ()

        @classmethod
        def _make(cls, values):
            made = tuple.__new__(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"{cls.__name__} has {len(cls._fields)} fields, not {len(made)}")
            return made

        def _replace(self, /, **changes):
            made = tuple.__new__(type(self), map(changes.pop, self._fields, self))
            if changes:
                raise ValueError(f"{type(self).__name__} has no field {', '.join(changes)}")
            return made

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self._asdict().items())})"

        def __getnewargs__(self):
            return tuple(self)
