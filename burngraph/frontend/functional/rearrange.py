"""Repeating, turning and selecting by position: roll, tile, repeat, unstack, diagonal, tril and triu."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from burngraph.errors import ShapeError
from burngraph.frontend.functional.comparison import equal, greater_equal, less_equal, not_equal, where
from burngraph.frontend.functional.conversion import asarray
from burngraph.frontend.functional.creation import arange
from burngraph.frontend.functional.elementwise import multiply, subtract
from burngraph.frontend.functional.indexing import take
from burngraph.frontend.functional.padding import pad
from burngraph.frontend.functional.shape import (
    Axes,
    as_operand,
    as_type,
    astype,
    broadcast_shape,
    broadcast_to,
    check_device,
    concat,
    cut,
    expand_dims,
    normal_axis,
    permute_dims,
    reshape,
    shape_tuple,
    squeeze,
    tensor,
)
from burngraph.frontend.functional.spelling import also_spelled
from burngraph.frontend.recording import active_trace, is_array, located, type_of
from burngraph.ir.types import BOOL, F32, I32, as_dtype

__all__ = [
    "broadcast_arrays",
    "broadcast_shapes",
    "diag",
    "diagonal",
    "diff",
    "linspace",
    "meshgrid",
    "repeat",
    "roll",
    "tile",
    "tril",
    "triu",
    "unstack",
]


@also_spelled(shifts="shift", dims="axis")
def roll(x: Any, /, shift: int | Sequence[int], *, axis: Axes = None) -> Any:
    """Entries moved by `shift` places along `axis`; those that leave at one end come in at the other.

    shift   per axis of `axis`, or one for all of them; static
    axis    None moves in row-major order, over all entries

    Raises   ShapeError   as many shifts as axes, or an axis out of range
    """
    x = tensor(x)
    if axis is None:
        shifts = shape_tuple(shift)
        if len(shifts) != 1:
            raise located(ShapeError(f"roll: {len(shifts)} shifts without an axis", "name an axis for each"))
        return reshape(_rolled(reshape(x, (type_of(x).size,)), shifts[0], 0), type_of(x).shape)
    axes, shifts = shape_tuple(axis), shape_tuple(shift)
    shifts = shifts * len(axes) if len(shifts) == 1 else shifts
    if len(shifts) != len(axes):
        raise located(ShapeError(f"roll: {len(shifts)} shifts for {len(axes)} axes"))
    for one, where_ in zip(shifts, axes, strict=True):
        x = _rolled(x, one, normal_axis("roll", where_, type_of(x).rank))
    return x


def _rolled(x: Any, shift: int, axis: int) -> Any:
    n = type_of(x).shape[axis]
    at = -shift % n if n else 0
    return concat([cut(x, axis, at, n), cut(x, axis, 0, at)], axis=axis) if at else x


def repeat(x: Any, repeats: int | Sequence[int] | Any, /, *, axis: int | None = None) -> Any:
    """Each entry `repeats` times in a row (aabb).

    repeats  an int, or one per entry of the axis; static, since the result's shape depends on it: an MLX array is taken where
             no graph is recorded
    axis     None repeats the entries in row-major order

    Raises   ShapeError   a negative count, or not one count per entry
    """
    x = tensor(x)
    if axis is None:
        x, axis = reshape(x, -1), 0
    axis = normal_axis("repeat", axis, type_of(x).rank)
    n = type_of(x).shape[axis]
    if active_trace() is None and is_array(repeats):
        repeats = np.array(repeats).reshape(-1)
    counts = shape_tuple(repeats)
    counts = counts * n if len(counts) == 1 else counts
    if len(counts) != n or any(count < 0 for count in counts):
        raise located(ShapeError(f"repeat: needs {n} counts, each at least 0, for axis {axis} of {type_of(x)}: got {repeats}"))
    if len(set(counts)) <= 1:
        shape = type_of(x).shape
        times = counts[0] if counts else 1
        spread = broadcast_to(expand_dims(x, axis + 1), (*shape[: axis + 1], times, *shape[axis + 1 :]))
        return reshape(spread, (*shape[:axis], n * times, *shape[axis + 1 :]))
    return take(x, asarray([i for i, count in enumerate(counts) for _ in range(count)], I32), axis=axis)


def tile(x: Any, repetitions: int | Sequence[int], /) -> Any:
    """`x` laid side by side `repetitions` times along each axis (abab); axes are added in front if there are more counts.

    Raises   ShapeError   a negative count
    """
    x = tensor(x)
    counts = shape_tuple(repetitions)
    if any(count < 0 for count in counts):
        raise located(ShapeError(f"tile: a count is negative: {repetitions}"))
    shape = type_of(x).shape
    counts = (1,) * (len(shape) - len(counts)) + counts
    shape = (1,) * (len(counts) - len(shape)) + shape
    between = [dim for count, n in zip(counts, shape, strict=True) for dim in (1, n)]
    spread = broadcast_to(reshape(x, between), [dim for pair in zip(counts, shape, strict=True) for dim in pair])
    return reshape(spread, [count * n for count, n in zip(counts, shape, strict=True)])


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """The slices of `x` along `axis`, without that axis."""
    x = tensor(x)
    axis = normal_axis("unstack", axis, type_of(x).rank)
    return tuple(squeeze(cut(x, axis, i, i + 1), axis) for i in range(type_of(x).shape[axis]))


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The NumPy broadcast of shapes.

    Raises   ShapeError   they do not broadcast
    """
    result: list[int] = [1] * max(map(len, shapes), default=0)
    for shape in shapes:
        for i, dim in enumerate(shape, len(result) - len(shape)):
            if dim != 1 and result[i] not in (1, dim):
                raise located(ShapeError(f"broadcast_shapes: {', '.join(str(tuple(s)) for s in shapes)} do not broadcast"))
            result[i] = result[i] if dim == 1 else dim
    return tuple(result)


def broadcast_arrays(*arrays: Any) -> tuple[Any, ...]:
    """Each array stretched to the shape that all of them broadcast to."""
    tensors = [tensor(x) for x in arrays]
    shape = broadcast_shape("broadcast_arrays", tensors)
    return tuple(broadcast_to(x, shape) for x in tensors)


def meshgrid(*arrays: Any, indexing: str = "xy") -> tuple[Any, ...]:
    """Coordinates of a grid from the coordinates of its axes, each of rank 1 (or 0).

    indexing   "ij": axis k is array k; "xy": the first two axes change places

    Raises     ShapeError   an array of higher rank, or another word for `indexing`
    """
    tensors = [reshape(tensor(x), -1) if type_of(tensor(x)).rank == 0 else tensor(x) for x in arrays]
    if any(type_of(x).rank != 1 for x in tensors) or indexing not in ("xy", "ij"):
        types = [str(type_of(x)) for x in tensors]
        raise located(ShapeError(f"meshgrid: takes arrays of rank 1 and indexing 'xy' or 'ij': got {types}, {indexing!r}"))
    order = list(range(len(tensors)))
    if indexing == "xy" and len(order) > 1:
        order[:2] = 1, 0
    shape = [0] * len(order)
    for x, axis in zip(tensors, order, strict=True):
        shape[axis] = type_of(x).shape[0]
    return tuple(
        broadcast_to(reshape(x, [-1 if i == axis else 1 for i in range(len(order))]), shape)
        for x, axis in zip(tensors, order, strict=True)
    )


def linspace(start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None, endpoint: bool = True) -> Any:
    """`num` evenly spaced numbers from `start` to `stop`, which is left out unless `endpoint`; f32 unless given.

    Raises   ShapeError   num is negative
    """
    check_device("linspace", device)
    if num < 0:
        raise located(ShapeError(f"linspace: num is {num}"))
    wanted = F32 if dtype is None else as_dtype(dtype)
    made = wanted if wanted.is_inexact and wanted.bytes > 2 else F32  # 16 bits are rounded to once, at the end
    steps = num - 1 if endpoint else num
    share = multiply(arange(0, num, dtype=made), 1.0 / max(steps, 1))
    last = multiply(share, stop)
    # both ends are exact: share is 0 at the first, and `stop` itself is put at the last
    spaced = multiply(subtract(1.0, share), start) + last
    if endpoint and num > 1:
        spaced = where(less_equal(arange(num), num - 2), spaced, as_type(as_operand(stop), made, ()))
    return astype(spaced, wanted)


def diagonal(x: Any, /, *, offset: int = 0, axis1: int = -2, axis2: int = -1) -> Any:
    """The entries x[..., i, i + offset]; the two axes go, the diagonal is the last one.

    Raises   ShapeError   rank below 2, or one axis named twice
    """
    x = tensor(x)
    rank = type_of(x).rank
    first, second = normal_axis("diagonal", axis1, rank), normal_axis("diagonal", axis2, rank)
    if first == second:
        raise located(ShapeError(f"diagonal: axis {axis1} named twice, of {type_of(x)}"))
    x = permute_dims(x, [*(i for i in range(rank) if i not in (first, second)), first, second])
    *rest, n, m = type_of(x).shape
    offset = operator.index(offset)
    length = max(0, min(n, m - offset) if offset >= 0 else min(n + offset, m))
    start = offset if offset >= 0 else -offset * m
    flat = reshape(x, (*rest, n * m))
    if length == 0:
        return cut(flat, len(rest), 0, 0)
    return cut(flat, len(rest), start, start + (length - 1) * (m + 1) + 1, m + 1)


_diagonal = diagonal


def diag(x: Any, diagonal: int = 0) -> Any:
    """Of a vector [n], the matrix with it on a diagonal and zeros elsewhere; of a matrix, its diagonal, as torch.diag.

    diagonal   which: 0 the main one, k > 0 the k-th above it, k < 0 below

    Raises     ShapeError   x has neither one nor two axes
    """
    x = tensor(x)
    type = type_of(x)
    if type.rank == 2:
        return _diagonal(x, offset=diagonal)
    if type.rank != 1:
        raise located(ShapeError(f"diag: {type} has neither one nor two axes"))
    beside = abs(diagonal)
    whole = pad(x, (0, beside))
    n = type.shape[0] + beside
    rows = broadcast_to(expand_dims(whole, -1 if diagonal >= 0 else 0), (n, n))
    at = arange(n)
    return where(equal(subtract(at, expand_dims(at, -1)), diagonal), rows, 0)


def tril(x: Any, /, *, k: int = 0) -> Any:
    """`x` with zeros above diagonal `k` of its last two axes."""
    return _triangle("tril", x, k, less_equal)


def triu(x: Any, /, *, k: int = 0) -> Any:
    """`x` with zeros below diagonal `k` of its last two axes."""
    return _triangle("triu", x, k, greater_equal)


def _triangle(name: str, x: Any, k: int, keeps: Any) -> Any:
    x = tensor(x)
    type = type_of(x)
    if type.rank < 2:
        raise located(ShapeError(f"{name}: {type} has no last two axes"))
    n_rows, n_columns = type.shape[-2:]
    k = max(-n_rows, min(k, n_columns))  # further out there is no diagonal, and counting could overflow
    kept = keeps(arange(n_columns), expand_dims(arange(k, k + n_rows), 1))
    return where(kept, x, False if type.dtype is BOOL else 0)


def diff(x: Any, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Any:
    """The n-th differences of neighbours along `axis`; of bool, whether neighbours differ; for n = 0, `x` and nothing else.

    Raises   ShapeError   n is negative
    """
    x = tensor(x)
    axis = normal_axis("diff", axis, type_of(x).rank)
    if n < 0:
        raise located(ShapeError(f"diff: n is {n}"))
    if n == 0:
        return x
    ends = [end for end in (prepend, x, append) if end is not None]
    x = concat(ends, axis=axis) if len(ends) > 1 else x
    for _ in range(min(n, type_of(x).shape[axis])):  # then nothing is left
        size = type_of(x).shape[axis]
        later, earlier = cut(x, axis, min(1, size), size), cut(x, axis, 0, max(size - 1, 0))
        x = not_equal(later, earlier) if type_of(x).dtype is BOOL else subtract(later, earlier)
    return x
