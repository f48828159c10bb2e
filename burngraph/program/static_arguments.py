"""Static arguments: which there are, what they are cached by, and what is said when one cannot be."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from burngraph.errors import InputError
from burngraph.frontend.recording import is_tensor


def static_names(fn: Callable[..., Any], names: str | Sequence[str]) -> tuple[str, ...]:
    """`names` as a tuple.

    Raises   InputError   `fn` takes no keyword argument of that name
    """
    found = (names,) if isinstance(names, str) else tuple(names)
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):  # built-in functions have no signature
        return found
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return found
    known = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    for name in found:
        if name not in known:
            raise InputError(f"static_argnames: the function takes no keyword {name!r}", "it takes: " + ", ".join(known))
    return found


def static_key(value: Any) -> Any:
    """`value` so that equal keys mean equal values: 1, 1.0 and True differ, and so do 0.0 and -0.0; nan equals nan."""
    if isinstance(value, tuple):
        return type(value), tuple(map(static_key, value))
    return type(value), repr(value) if isinstance(value, float | complex) else value


def check_static(static: Mapping[str, Any]) -> None:
    """Raises InputError: a keyword argument in static_argnames is an array, which is neither compared nor kept."""
    for name, value in static.items():
        if is_tensor(value):
            raise InputError(f"static argument {name!r} is an array", "leave it out of static_argnames")


def unhashable(static: Mapping[str, Any], leaves: Sequence[Any], paths: Sequence[str]) -> InputError:
    """The error for a call of which some static value does not hash; `paths` has a name per leaf."""
    for name, value in static.items():
        if not _hashes(value):
            way_out = "give it as a tuple" if isinstance(value, list) else "give it as a string, a number or a tuple of them"
            return InputError(f"static argument {name!r} is a {type(value).__name__}, which does not hash", way_out)
    for value, path in zip(leaves, paths, strict=True):
        if not _hashes(value):
            return InputError(
                f"argument {path} is a {type(value).__name__}, which is neither an array nor hashable",
                "arrays are traced; numbers, strings, None and hashable objects are static; dicts, lists and tuples hold these",
            )
    raise AssertionError("every static value hashes")


def _hashes(value: Any) -> bool:
    try:
        hash(static_key(value))
    except TypeError:
        return is_tensor(value)
    return True
