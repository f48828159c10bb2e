"""Writing at indices in MLX, which checks no index: an update out of range is turned into one that changes nothing."""

import math
from typing import Any

from burngraph.ir.bounds import dtype_bounds
from burngraph.ir.ops.broadcast import without
from burngraph.ir.ops.scatter import ScatterAlong, ScatterNd, SliceAssign
from burngraph.ir.permutation import inverse, is_identity
from burngraph.ir.types import DType, as_dtype
from burngraph.lower_mlx.index import counts, places
from burngraph.lower_mlx.table import lowers


def _neutral(mx: Any, reduction: str, dtype: DType) -> Any:
    """What leaves every entry of `dtype` as it is, bit for bit: x + -0.0 is x, x + 0.0 is not for x = -0.0."""
    if reduction == "multiply":
        return True if dtype.kind == "bool" else 1
    if reduction == "add":
        return {"bool": False, "float": -0.0, "complex": complex(-0.0, -0.0)}.get(dtype.kind, 0)
    if dtype.kind == "float":
        return math.inf if reduction == "minimum" else -math.inf
    low, high = dtype_bounds(dtype)
    number = high if reduction == "minimum" else low
    if dtype.kind == "bool":
        return bool(number)
    if number >= 2**63:  # no Python int that large becomes an array
        return mx.array(-1, dtype=mx.int64).view(mx.uint64)
    return mx.array(number, dtype=getattr(mx, dtype.long_name)) if dtype.bytes >= 4 else number


def _bits(mx: Any, dtype: Any) -> Any:
    """The integers as wide as `dtype`."""
    return getattr(mx, f"uint{8 * as_dtype(dtype).bytes}")


def _combined(mx: Any, reduction: str, x: Any, at: tuple[Any, ...], updates: Any, dtype: Any) -> Any:
    """x.at[at] of the reduction; 16-bit floats are added and multiplied in f32, and bool as bytes of 0 and 1."""
    method = {"add": "add", "multiply": "multiply", "minimum": "minimum", "maximum": "maximum"}[reduction]
    wide = dtype
    if dtype in (mx.float16, mx.bfloat16) and reduction in ("add", "multiply"):
        wide = mx.float32
    if dtype == mx.bool_:
        wide, method = mx.uint8, {"add": "maximum", "multiply": "minimum"}.get(reduction, method)
    if wide == dtype:
        return getattr(x.at[at], method)(updates)
    return getattr(x.astype(wide).at[at], method)(updates.astype(wide)).astype(dtype)


def _replaced(mx: Any, x: Any, at: tuple[Any, ...], updates: Any, valid: Any, dtype: Any) -> Any:
    """x with the entries `at`, no two of which are one place, replaced: made 0 and added to, as integers of the same bits."""
    bits = _bits(mx, dtype)
    whole, new = x.view(bits), updates.view(bits)
    kept: Any = 0
    if valid is not None:
        kept, new = (~valid).astype(bits), mx.where(valid, new, 0)
    return whole.at[at].multiply(kept).at[at].add(new).view(dtype)


@lowers(ScatterAlong)
def lower_scatter_along(mx: Any, op: ScatterAlong, x: Any, indices: Any, updates: Any) -> Any:
    shape, axis, dtype = updates.shape, op.axis, updates.dtype
    if 0 in shape or 0 in x.shape:
        return x
    place, valid = places(mx, indices, x.shape[axis])
    at = tuple(place if a == axis else counts(mx, shape, a) for a in range(len(shape)))
    if op.reduction != "set":
        if valid is not None:
            updates = mx.where(valid, updates, _neutral(mx, op.reduction, as_dtype(dtype)))
        return _combined(mx, op.reduction, x, at, updates, dtype)
    if shape[axis] == 1 and as_dtype(dtype).bytes < 8:  # no GPU scatters 8 bytes
        return _replaced(mx, x, at, updates, valid, dtype)
    number = counts(mx, shape, axis) if valid is None else mx.where(valid, counts(mx, shape, axis), -1)
    winner = mx.full(x.shape, -1, dtype=mx.int32).at[at].maximum(mx.broadcast_to(number, shape))
    taken = mx.take_along_axis(updates, mx.maximum(winner, 0), axis=axis)
    return mx.where(winner < 0, x, taken)


@lowers(ScatterNd)
def lower_scatter_nd(mx: Any, op: ScatterNd, x: Any, indices: Any, updates: Any) -> Any:
    dtype = updates.dtype
    if 0 in updates.shape or 0 in x.shape:
        return x
    order = (*op.axes, *without(op.axes, len(x.shape)))
    sizes = tuple(x.shape[a] for a in op.axes)
    outer = indices.shape[:-1]
    rest = updates.shape[len(outer) :]
    found = [places(mx, indices, n, k) for k, n in enumerate(sizes)]
    at = tuple(place for place, _ in found)
    valid = None
    for _, ok in found:
        valid = ok if valid is None or ok is None else valid & ok
    first = x if is_identity(order) else mx.transpose(x, order)
    out = _written_at_tuples(mx, op.reduction, first, at, updates, valid, dtype, sizes, outer, rest)
    return out if is_identity(order) else mx.transpose(out, inverse(order))


def _written_at_tuples(
    mx: Any, reduction: str, x: Any, at: tuple[Any, ...], updates: Any, valid: Any, dtype: Any,
    sizes: tuple[int, ...], outer: tuple[int, ...], rest: tuple[int, ...],
) -> Any:  # fmt: skip
    mask = valid if valid is None or not rest else valid.reshape((*outer, *(1,) * len(rest)))
    if reduction != "set":
        if mask is not None:
            updates = mx.where(mask, updates, _neutral(mx, reduction, as_dtype(dtype)))
        return _combined(mx, reduction, x, at, updates, dtype)
    count = math.prod(outer)
    if count == 1 and as_dtype(dtype).bytes < 8:  # no GPU scatters 8 bytes
        return _replaced(mx, x, at, updates, mask, dtype)
    number, parts = mx.arange(count, dtype=mx.int32), updates
    if len(outer) != 1:
        number, parts = number.reshape(outer), updates.reshape((count, *rest))
    if valid is not None:
        number = mx.where(valid, number, -1)
    winner = mx.full(sizes, -1, dtype=mx.int32).at[at].maximum(number)
    taken = mx.take(parts, mx.maximum(winner, 0), axis=0)
    untouched = winner < 0
    return mx.where(untouched.reshape((*sizes, *(1,) * len(rest))) if rest else untouched, x, taken)


@lowers(SliceAssign)
def lower_slice_assign(mx: Any, op: SliceAssign, x: Any, updates: Any) -> Any:
    if updates.shape == x.shape:
        return updates
    if 0 in updates.shape:
        return x
    if all(step == 1 for step in op.step):
        axes = tuple(a for a, n in enumerate(updates.shape) if n != x.shape[a])
        return mx.slice_update(x, updates, mx.array([op.start[a] for a in axes], dtype=mx.int32), axes)
    at = tuple(
        slice(None) if n == size else slice(start, stop, step)
        for n, size, start, stop, step in zip(updates.shape, x.shape, op.start, op.stop, op.step, strict=True)
    )
    return _replaced(mx, x, at, updates, None, x.dtype)
