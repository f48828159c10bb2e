"""Keywords as PyTorch spells them: taken where the function means what PyTorch's of that name means, else explained."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from burngraph.errors import InputError
from burngraph.frontend.recording import located


def also_spelled(**ours: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The function with further keywords: `dim="axis"` takes dim=... for axis=...

    Of functions of the array API too, but not where PyTorch's namesake means something else: see `other_than_torch`.
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


def other_than_torch(way_out: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The function, which says so if it is called with `dim` or `keepdim`, as PyTorch's namesake that means something else."""

    def decorate(fn: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(fn)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            for name in ("dim", "keepdim"):
                if name in kwargs:
                    what = f"{fn.__name__}: {name} is PyTorch's, whose {fn.__name__} means something else"
                    raise located(InputError(what, way_out))
            return fn(*args, **kwargs)

        return wrapped

    return decorate


def takes_inplace(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function with PyTorch's `inplace`, which changes nothing here: no array is written into."""

    @wraps(fn)
    def wrapped(*args: Any, inplace: bool = False, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return wrapped
