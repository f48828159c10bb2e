"""What Python says of an argument of the wrong kind as an error that names our function, what it was given and the user's line.

The functions check what their arguments must be to each other. That a string is no number, or that a number is no sequence, is
left to Python, whose words for it are about a line of ours that the user has never seen.
"""

import functools
import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any

from burngraph.errors import BurngraphError, InputError
from burngraph.frontend.recording import is_tensor, located, type_of

_LONGEST = 60  # characters of an argument that are shown
_NO_FIT = re.compile(r"(?:\w+\.)*\w+\(\) (?:takes|got|missing)\b")
_RAISED = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RuntimeError)


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, which raises InputError for what Python or MLX raises inside it. It must not call functions of the user."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except BurngraphError as error:
            if not any(detail.startswith("from ") for detail in error.details):
                located(error)
            raise
        except RecursionError:
            raise
        except _RAISED as error:
            if isinstance(error, TypeError) and _NO_FIT.match(str(error)):
                raise  # the call itself does not fit; Python names the function and the parameter
            raise _misfit(function, args, kwargs, error) from error

    return call


def guard_all(namespace: dict[str, Any], names: Iterable[str]) -> None:
    """Put the guarded functions in the places of those called `names`; classes and constants stay."""
    for name in names:
        if inspect.isfunction(namespace[name]):
            namespace[name] = guarded(namespace[name])
            namespace[name].__module__ = namespace["__name__"]  # where pickle finds it


def _misfit(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception) -> BurngraphError:
    signature = inspect.signature(function)
    names = (*signature.parameters, *(str(i) for i in range(len(signature.parameters), len(args))))
    given = [*zip(names, args, strict=False), *kwargs.items()]
    listed = [f"{name}: {_shown(value)}" for name, value in given]
    said = str(error).strip().partition("\n")[0] or type(error).__name__
    name = function.__name__
    written = f"{name}{signature}".replace("typing.", "").replace("collections.abc.", "")
    return located(InputError(f"{name}: {said}", *listed)).add(f"signature: {written}")


def _shown(value: Any) -> str:
    try:
        text = str(type_of(value)) if is_tensor(value) else repr(value)
    except (BurngraphError, ValueError, TypeError):  # an array of a dtype that there is not
        text = repr(value)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
