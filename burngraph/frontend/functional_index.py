"""Functions that select entries: take and what `x[...]` means."""

import operator
from collections.abc import Sequence
from types import EllipsisType
from typing import Any

from burngraph.errors import DTypeError, ShapeError, TraceError
from burngraph.frontend.functional_elementwise import add, clip, less, multiply, where
from burngraph.frontend.functional_shape import (
    asarray,
    astype,
    broadcast_shape,
    broadcast_to,
    flip,
    normal_axis,
    permute_dims,
    reshape,
    sliced,
    tensor,
)
from burngraph.frontend.recording import TracedValue, apply, is_tensor, located, type_of
from burngraph.ir.ops.index import Take, TakeAlong
from burngraph.ir.types import I32

__all__ = ["take", "take_along_axis"]


def _indices(function: str, indices: Any) -> Any:
    indices = tensor(indices)
    if not type_of(indices).dtype.is_integer:
        raise located(DTypeError(f"{function}: indices are {type_of(indices)}, not integers"))
    return indices


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The entries of `x` along `axis` at `indices` (any shape, which replaces the axis); None takes from x flattened.

    A negative index counts from the end; one out of range is clamped.
    Raises   DTypeError   indices are not integers
    """
    x, indices = tensor(x), _indices("take", indices)
    if axis is None:
        x, axis = reshape(x, -1), 0
    return apply(Take(normal_axis("take", axis, type_of(x).rank)), x, indices)


def take_along_axis(x: Any, indices: Any, axis: int) -> Any:
    """result[.., i, ..] = x[.., indices[.., i, ..], ..]; the other axes of the two broadcast.

    Raises   ShapeError   the ranks differ;   DTypeError   indices are not integers
    """
    x, indices = tensor(x), _indices("take_along_axis", indices)
    a, b = type_of(x), type_of(indices)
    if a.rank != b.rank:
        raise located(ShapeError(f"take_along_axis: x is {a} and indices are {b}, of another rank"))
    axis = normal_axis("take_along_axis", axis, a.rank)
    one_x, one_i = (list(t.shape) for t in (a, b))
    one_x[axis] = one_i[axis] = 1
    shape = tuple(n if m == 1 else m for m, n in zip(one_x, one_i, strict=True))
    x = broadcast_to(x, (*shape[:axis], a.shape[axis], *shape[axis + 1 :]))
    indices = broadcast_to(indices, (*shape[:axis], b.shape[axis], *shape[axis + 1 :]))
    return apply(TakeAlong(axis), x, indices)


def getitem(x: Any, index: Any) -> Any:
    """x[index] as in NumPy: integers, slices with any static step, None, Ellipsis and integer arrays.

    An integer out of range raises ShapeError; an entry of an index array is clamped.
    Raises   TraceError   a boolean mask, whose result has no static shape
    """
    items = _expanded(x, index if isinstance(index, tuple) else (index,))
    shape = type_of(x).shape
    start, stop, step = [0] * len(shape), list(shape), [1] * len(shape)
    flipped: list[int] = []
    result_shape: list[int] = []
    arrays: dict[int, Any] = {}  # by axis of the sliced, reshaped x
    axis = 0
    for item in items:
        if item is None:
            result_shape.append(1)
            continue
        dim = shape[axis]
        if isinstance(item, slice):
            start[axis], stop[axis], step[axis], length, backwards = _range(item, dim)
            if backwards:
                flipped.append(axis)
            result_shape.append(length)
        elif is_tensor(item):
            arrays[len(result_shape)] = item
            result_shape.append(dim)
        else:
            at = _integer(item)
            if not -dim <= at < dim:
                raise located(ShapeError(f"index {at} is out of range for axis {axis} of {type_of(x)}"))
            start[axis], stop[axis] = at % dim, at % dim + 1
        axis += 1
    x = sliced(x, start, stop, step)
    x = reshape(flip(x, flipped) if flipped else x, result_shape)
    return _take_several(x, arrays) if arrays else x


def _expanded(x: Any, items: Sequence[Any]) -> list[Any]:
    """`items` with lists made arrays and an Ellipsis (or what is missing at the end) replaced by full slices."""
    found: list[Any] = [asarray(item) if isinstance(item, list) else item for item in items]
    for item in found:
        if is_tensor(item) and not type_of(item).dtype.is_integer:
            _refuse_mask(item)
    dots = [i for i, item in enumerate(found) if isinstance(item, EllipsisType)]
    used = sum(1 for item in found if item is not None and not isinstance(item, EllipsisType))
    rank = type_of(x).rank
    if len(dots) > 1 or used > rank:
        raise located(ShapeError(f"{used} indices and {len(dots)} ellipses do not fit {type_of(x)}"))
    at = dots[0] if dots else len(found)
    return [*found[:at], *[slice(None)] * (rank - used), *found[at + 1 :]]


def _refuse_mask(mask: Any) -> None:
    raise located(
        TraceError(
            f"an index is {type_of(mask)}; only integer arrays select entries",
            "for a mask, whose result has no static shape, use bg.where(mask, x, other)",
        )
    )


def _integer(item: Any) -> int:
    if isinstance(item, bool):
        raise located(TraceError("True and False are no index", "for a mask use bg.where(mask, x, other)"))
    try:
        return operator.index(item)
    except TypeError:
        raise located(DTypeError(f"an index is a {type(item).__name__}, not an integer, slice, None or array")) from None


def _range(item: slice, dim: int) -> tuple[int, int, int, int, bool]:
    """start, stop, step >= 1 of the entries of a slice in ascending order, how many, and whether they are then reversed."""
    for bound in (item.start, item.stop, item.step):
        if isinstance(bound, TracedValue):
            operator.index(bound)  # raises, and says why
    positions = range(*item.indices(dim))
    if not positions:
        return 0, 0, 1, 0, False
    low, high = min(positions[0], positions[-1]), max(positions[0], positions[-1])
    return low, high + 1, abs(positions.step), len(positions), positions.step < 0


def _take_several(x: Any, arrays: dict[int, Any]) -> Any:
    """Index arrays on several axes: broadcast together, and their shape stands where they are, or first if they are apart."""
    axes = sorted(arrays)
    if len(axes) == 1:
        return apply(Take(axes[0]), x, arrays[axes[0]])
    if axes != list(range(axes[0], axes[-1] + 1)):
        x = permute_dims(x, [*axes, *(i for i in range(type_of(x).rank) if i not in axes)])
        arrays = {k: arrays[axis] for k, axis in enumerate(axes)}
        axes = list(range(len(axes)))
    shape = type_of(x).shape
    together = broadcast_shape("indexing", list(arrays.values()))
    flat: Any = None
    for axis in axes:
        dim = shape[axis]
        entry = astype(arrays[axis], I32)
        entry = clip(where(less(entry, 0), add(entry, dim), entry), 0, dim - 1)
        flat = entry if flat is None else add(multiply(flat, dim), entry)
    merged = reshape(x, (*shape[: axes[0]], -1, *shape[axes[-1] + 1 :]))
    return apply(Take(axes[0]), merged, broadcast_to(flat, together))
