"""Keywords as PyTorch spells them, for functions that mean what PyTorch's function of that name means."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from burngraph.errors import InputError
from burngraph.frontend.recording import located


def also_spelled(**ours: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The function with further keywords: `dim="axis"` takes dim=... for axis=...

    Not for functions of the array API whose namesake in PyTorch means something else, as max and sort do.
    """

    def decorate(fn: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(fn)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            for theirs in ours.keys() & kwargs.keys():
                name = ours[theirs]
                if name in kwargs:
                    raise located(InputError(f"{fn.__name__}: {theirs} and {name} are the same, and both are given"))
                kwargs[name] = kwargs.pop(theirs)
            return fn(*args, **kwargs)

        wrapped.spelled = ours  # type: ignore[attr-defined]
        return wrapped

    return decorate
