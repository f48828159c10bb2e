"""Saying which argument makes a program trace again and again: a Python number is part of the signature, an array is not."""

import warnings
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from burngraph.errors import RetraceWarning
from burngraph.frontend.recording import user_source
from burngraph.ir.types import TensorType

PATIENCE = 8  # traces alike but for one number, after which it is named
REMEMBERED = 64


class Traced(NamedTuple):
    """One trace: what was static besides the leaves, and per leaf the type of an array, or the static value itself."""

    rest: Any
    leaves: tuple[Any, ...]


class Retraces:
    """The last traces of one program."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._seen: deque[Traced] = deque(maxlen=REMEMBERED)
        self._named: set[str] = set()

    def note(self, traced: Traced, paths: Sequence[str]) -> None:
        """Remember a trace, and warn once per leaf that was the only difference to PATIENCE others.

        paths   a name per leaf
        """
        found = [_only_difference(traced, other) for other in self._seen]
        self._seen.append(traced)
        for place in {place for place in found if place is not None}:
            if found.count(place) >= PATIENCE and paths[place] not in self._named:
                self._named.add(paths[place])
                self._warn(paths[place], traced.leaves[place])

    def _warn(self, path: str, value: Any) -> None:
        message = (
            f"{self._name} was traced {PATIENCE + 1} times for calls that differ only in {path}, now {value!r}: each value of "
            f"a Python number is a program of its own. Pass a 0-d array, as in bg.asarray({value!r})"
        )
        where = user_source()
        if where is None:
            warnings.warn(message, RetraceWarning, stacklevel=2)
        else:
            warnings.warn_explicit(message, RetraceWarning, where.file, where.line)


def _only_difference(one: Traced, other: Traced) -> int | None:
    """The place of the one leaf, a Python number, in which two traces differ."""
    if one.rest != other.rest or len(one.leaves) != len(other.leaves):
        return None
    places = [i for i, (a, b) in enumerate(zip(one.leaves, other.leaves, strict=True)) if not _same(a, b)]
    return places[0] if len(places) == 1 and _is_number(one.leaves[places[0]]) else None


def _same(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and (a == b if isinstance(a, TensorType | str) or _is_number(a) else False))


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float | complex) and not isinstance(x, bool)
