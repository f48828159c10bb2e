"""Padding with entries of the array itself: mirrored, repeated at the edge, or wrapped around."""

from typing import Any

from burngraph.errors import InputError, ShapeError
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.movement import Broadcast, Concat, Flip, Reshape, Slice

NAMES = {"reflect": "reflect", "replicate": "replicate", "edge": "replicate", "circular": "circular", "wrap": "circular"}


def pad_with_entries(x: Any, pairs: tuple[tuple[int, int], ...], mode: str) -> Any:
    """x with `low` and `high` entries more before and after each axis, one axis after another.

    mode   "reflect" (mirrored, without the edge), "replicate" or "edge" (the edge entry), "circular" or "wrap" (from the
           other end)
    Raises   InputError   another mode;   ShapeError   an axis is too short
    """
    if mode not in NAMES:
        raise located(InputError(f'pad: mode = {mode!r} is not "constant" or one of {", ".join(map(repr, sorted(NAMES)))}'))
    for axis, (low, high) in enumerate(pairs):
        if not low and not high:
            continue
        n = type_of(x).shape[axis]
        most = {"reflect": n - 1, "replicate": max(low, high) if n else 0, "circular": n}[NAMES[mode]]
        if max(low, high) > most:
            raise located(ShapeError(f'pad: mode "{mode}" has {max(most, 0)} entries for padding {low, high} of axis {axis}',
                                     f"x: {type_of(x)}"))  # fmt: skip
        before, after = _beside(x, axis, n, low, high, NAMES[mode])
        x = apply(Concat(axis), *([before] if low else []), x, *([after] if high else []))
    return x


def _beside(x: Any, axis: int, n: int, low: int, high: int, mode: str) -> tuple[Any, Any]:
    """What goes before and after x along `axis`; None where nothing does."""
    if mode == "circular":
        return low and _cut(x, axis, n - low, n), high and _cut(x, axis, 0, high)
    if mode == "replicate":
        return low and _repeated(x, axis, 0, low), high and _repeated(x, axis, n - 1, high)
    before = low and apply(Flip((axis,)), _cut(x, axis, 1, low + 1))
    return before, high and apply(Flip((axis,)), _cut(x, axis, n - 1 - high, n - 1))


def _cut(x: Any, axis: int, start: int, stop: int) -> Any:
    shape = type_of(x).shape
    starts, stops = [0] * len(shape), list(shape)
    starts[axis], stops[axis] = start, stop
    return apply(Slice(tuple(starts), tuple(stops), (1,) * len(shape)), x)


def _repeated(x: Any, axis: int, at: int, count: int) -> Any:
    shape = type_of(x).shape
    entry = apply(Reshape((*shape[:axis], *shape[axis + 1 :])), _cut(x, axis, at, at + 1))
    return apply(Broadcast((*shape[:axis], count, *shape[axis + 1 :]), (axis,)), entry)
