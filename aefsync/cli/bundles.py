"""Options that several commands share, declared once: a parameter that is a NamedTuple of options stands for them all.

`def diff(locations: Locations, output: Output)` becomes, for typer, a function with one parameter for each field of
`Output`; the command gets them back in one value.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints


def unbundled(command: Callable[..., int]) -> Callable[..., int]:
    """`command` with its bundles of options spread out, as typer wants them."""
    signature = inspect.signature(command, eval_str=True)
    bundles = bundles_of(command)
    spread: list[inspect.Parameter] = []
    for name, each in signature.parameters.items():
        spread += _fields(bundles[name]) if name in bundles else [each.replace(kind=inspect.Parameter.KEYWORD_ONLY)]

    def gathered(**given: Any) -> int:
        for name, bundle in bundles.items():
            given[name] = bundle(**{field: given.pop(field) for field in bundle._fields})
        return command(**given)

    gathered.__name__ = command.__name__
    gathered.__doc__ = command.__doc__
    gathered.__signature__ = signature.replace(parameters=spread)  # type: ignore[attr-defined]
    return gathered


def bundles_of(command: Callable[..., int]) -> dict[str, Any]:
    """The bundles of a command by the names of their parameters."""
    parameters = inspect.signature(command, eval_str=True).parameters
    return {name: each.annotation for name, each in parameters.items() if _is_bundle(each.annotation)}


def _is_bundle(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, tuple) and hasattr(annotation, "_fields")


def _fields(bundle: Any) -> list[inspect.Parameter]:
    return [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=bundle._field_defaults[name], annotation=annotation
        )
        for name, annotation in get_type_hints(bundle, include_extras=True).items()
    ]
