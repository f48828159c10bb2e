"""Pools to a given size over the last one, two or three axes, with torch.nn.functional's names and arguments."""

import math
from typing import Any

import numpy as np

from burngraph.errors import ShapeError
from burngraph.frontend.functional.comparison import less, where
from burngraph.frontend.functional.conv import floats, per_axis
from burngraph.frontend.functional.creation import arange, zeros
from burngraph.frontend.functional.elementwise import add, divide, floor_divide, minimum, multiply, remainder, subtract
from burngraph.frontend.functional.indexing import take
from burngraph.frontend.functional.reduction import mean, widened
from burngraph.frontend.functional.shape import astype, concat, cut, expand_dims, reshape, tensor
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.pool_max import ArgMaxPool, MaxPool
from burngraph.ir.ops.pool_sum import AvgPool, SumPool

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
]

_MOST_SLICES = 16  # of an axis, one for each distinct place and size of a window


def _output_size(function: str, x: Any, n: int, output_size: Any) -> tuple[int, ...]:
    """The sizes asked for; None keeps that of x."""
    shape = type_of(x).shape
    if len(shape) < n:
        raise located(ShapeError(f"{function}: x is {type_of(x)}, needs {n} spatial axes at the end"))
    given = (output_size,) * n if output_size is None or isinstance(output_size, int | np.integer) else tuple(output_size)
    if len(given) != n:
        raise located(ShapeError(f"{function}: output_size = {output_size} must be an int or {n} of them"))
    sizes = per_axis(function, "output_size", [d if o is None else o for o, d in zip(given, shape[-n:], strict=True)], n, 0)
    if 0 in shape[-n:] and 0 not in sizes:
        raise located(ShapeError(f"{function}: x is {type_of(x)}, whose windows would be empty"))
    return sizes


def _adaptive_bounds(size: int, out: int) -> list[tuple[int, int]]:
    """Where each of `out` windows over `size` entries starts and ends: floor(o * size / out), ceil((o + 1) * size / out)."""
    return [(o * size // out, -(-(o + 1) * size // out)) for o in range(out)]


def _adaptive_avg(function: str, n: int, x: Any, output_size: Any) -> Any:
    (x,) = floats(x)
    out = _output_size(function, x, n, output_size)
    rank, image = type_of(x).rank, type_of(x).shape[type_of(x).rank - n :]
    axes = tuple(range(rank - n, rank))
    if 0 in out:
        return zeros((*type_of(x).shape[: rank - n], *out), type_of(x).dtype)
    if set(out) == {1}:
        return mean(x, axes, keepdims=True)
    if all(not m % o for m, o in zip(image, out, strict=True)):
        size = tuple(m // o for m, o in zip(image, out, strict=True))
        return apply(AvgPool(axes, size, size, (0,) * n, (0,) * n, True), x)
    for axis, o in zip(axes, out, strict=True):
        x = _adaptive_avg_along(x, axis, o)
    return x


def _adaptive_avg_along(x: Any, axis: int, out: int) -> Any:
    """The means of the adaptive windows along one axis.

    With g the greatest common divisor of the sizes, windows out / g apart differ only by where they start, so that each
    such set is one regular pool.
    """
    size = type_of(x).shape[axis]
    if out == size:
        return x
    repeats = math.gcd(size, out)
    if out // repeats > _MOST_SLICES:
        return _adaptive_avg_by_take(x, axis, out)
    step, parts = size // repeats, []
    for low, high in _adaptive_bounds(size, out)[: out // repeats]:
        part = cut(x, axis, low, low + (repeats - 1) * step + high - low)
        parts.append(expand_dims(apply(AvgPool((axis,), (high - low,), (step,), (0,), (0,), True), part), axis + 1))
    shape = type_of(x).shape
    return reshape(concat(parts, axis + 1), (*shape[:axis], out, *shape[axis + 1 :]))


def _spread(size: int, out: int) -> tuple[int, Any, Any]:
    """The longest adaptive window, and i32[out, longest] each: the entries of every window, and whether they are repeats.

    A shorter window repeats its last entry.
    """
    longest = max(high - low for low, high in _adaptive_bounds(size, out))
    o = expand_dims(arange(out, dtype="int32"), 1)
    low, high = floor_divide(multiply(o, size), out), floor_divide(add(multiply(add(o, 1), size), out - 1), out)
    entries = add(low, expand_dims(arange(longest, dtype="int32"), 0))
    return longest, minimum(entries, subtract(high, 1)), less(entries, high)


def _adaptive_avg_by_take(x: Any, axis: int, out: int) -> Any:
    size, shape = type_of(x).shape[axis], type_of(x).shape
    longest, entries, is_own = _spread(size, out)
    x, dtype = widened(x)
    along = (out * longest,) + (1,) * (len(shape) - axis - 1)
    tiles = where(reshape(is_own, along), take(x, reshape(entries, -1), axis), 0.0)
    sums = apply(SumPool((axis,), (longest,), (longest,), (0,), (0,)), tiles)
    o = arange(out, dtype="int32")
    counts = subtract(floor_divide(add(multiply(add(o, 1), size), out - 1), out), floor_divide(multiply(o, size), out))
    counts = reshape(astype(counts, type_of(x).dtype), (out,) + (1,) * (len(shape) - axis - 1))
    return astype(divide(sums, counts), dtype)


def adaptive_avg_pool1d(x: Any, output_size: Any) -> Any:
    """adaptive_avg_pool2d over the last axis."""
    return _adaptive_avg("adaptive_avg_pool1d", 1, x, output_size)


def adaptive_avg_pool2d(x: Any, output_size: Any) -> Any:
    """[..., H, W] averaged to [..., *output_size]; None keeps a size.

    Window o along H covers rows floor(o * H / out) up to, not including, ceil((o + 1) * H / out): windows overlap where
    out does not divide H, and out may be larger than H.
    """
    return _adaptive_avg("adaptive_avg_pool2d", 2, x, output_size)


def adaptive_avg_pool3d(x: Any, output_size: Any) -> Any:
    """adaptive_avg_pool2d over the last three axes."""
    return _adaptive_avg("adaptive_avg_pool3d", 3, x, output_size)


def _adaptive_max(function: str, n: int, x: Any, output_size: Any, return_indices: bool) -> Any:
    """Each axis becomes its windows side by side, repeats last; then windows tile, and a repeat is never first."""
    x = tensor(x)
    out = _output_size(function, x, n, output_size)
    rank, image = type_of(x).rank, type_of(x).shape[type_of(x).rank - n :]
    axes = tuple(range(rank - n, rank))
    if 0 in out:
        y = zeros((*type_of(x).shape[: rank - n], *out), type_of(x).dtype)
        return (y, astype(y, "int32")) if return_indices else y
    tiles: list[int] = []
    spread: dict[int, Any] = {}
    for axis, m, o in zip(axes, image, out, strict=True):
        if not m % o:
            tiles.append(m // o)
        else:
            longest, entries, _ = _spread(m, o)
            spread[axis] = reshape(entries, -1)
            x = take(x, spread[axis], axis)
            tiles.append(longest)
    attributes = (axes, tuple(tiles), tuple(tiles), (0,) * n, (0,) * n, (1,) * n)
    y = apply(MaxPool(*attributes), x)
    if not return_indices:
        return y
    rest, index, step = apply(ArgMaxPool(*attributes), x, y), None, 1
    for axis, m in zip(reversed(axes), reversed(image), strict=True):
        length = type_of(x).shape[axis]
        at, rest = remainder(rest, length), floor_divide(rest, length)
        place = multiply(take(spread[axis], at, 0) if axis in spread else at, step)
        index, step = place if index is None else add(index, place), step * m
    return y, index


def adaptive_max_pool1d(x: Any, output_size: Any, return_indices: bool = False) -> Any:
    """adaptive_max_pool2d over the last axis."""
    return _adaptive_max("adaptive_max_pool1d", 1, x, output_size, return_indices)


def adaptive_max_pool2d(x: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The largest entries of the windows of adaptive_avg_pool2d; indices as in max_pool2d."""
    return _adaptive_max("adaptive_max_pool2d", 2, x, output_size, return_indices)


def adaptive_max_pool3d(x: Any, output_size: Any, return_indices: bool = False) -> Any:
    """adaptive_max_pool2d over the last three axes."""
    return _adaptive_max("adaptive_max_pool3d", 3, x, output_size, return_indices)
