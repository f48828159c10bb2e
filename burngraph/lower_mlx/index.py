"""Gathers and their transposes in MLX, which checks no index: each is proved in range, or clamped."""

from typing import Any, NamedTuple

from burngraph.ir.bounds import dtype_bounds
from burngraph.ir.ops.broadcast import without
from burngraph.ir.ops.index import AddAlong, AddAt, GatherNd, Take, TakeAlong
from burngraph.ir.types import as_dtype
from burngraph.lower_mlx.table import lowers


class Places(NamedTuple):
    """at: positions that are all inside. valid: which indices were in range; None where all are proved to be."""

    at: Any
    valid: Any


def places(mx: Any, indices: Any, size: int, column: int | None = None) -> Places:
    """Indices, or one column of their last axis, as places along an axis of `size`: wrapped once, then clamped."""
    dtype = indices.dtype
    low, high = getattr(indices, "bounds", None) or dtype_bounds(as_dtype(dtype))
    i = indices if column is None else indices[..., column]
    if 0 <= low and high < size:  # u64 beside a signed index array would be promoted to a float
        return Places(i.astype(mx.int64) if dtype == mx.uint64 else i, None)
    if low >= 0:
        if dtype not in (mx.int32, mx.int64):  # the scalar would not fit, or not be signed
            i = mx.minimum(i.astype(mx.uint64), mx.array(size, dtype=mx.uint64)).astype(mx.int64)
        at = mx.minimum(i, max(size - 1, 0))
        return Places(at, at == i)
    wide = mx.int64 if size >= 2**31 else mx.int32
    if dtype not in (wide, mx.int64):  # before the size is added, which may be beyond a smaller dtype
        i = i.astype(wide)
    i = mx.where(i < 0, i + size, i)
    if -size <= low and high < size:
        return Places(i, None)
    at = mx.clip(i, 0, max(size - 1, 0))
    return Places(at, at == i)


def positions(mx: Any, indices: Any, size: int) -> Any:
    """What to read at: indices wrapped once, then clamped."""
    return places(mx, indices, size).at


def counts(mx: Any, shape: tuple[int, ...], axis: int) -> Any:
    """0, 1, 2, ... along `axis`, of size 1 along the others."""
    return mx.arange(shape[axis], dtype=mx.int32).reshape(tuple(n if i == axis else 1 for i, n in enumerate(shape)))


@lowers(Take)
def lower_take(mx: Any, op: Take, x: Any, indices: Any) -> Any:
    return mx.take(x, positions(mx, indices, x.shape[op.axis]), axis=op.axis)


@lowers(TakeAlong)
def lower_take_along(mx: Any, op: TakeAlong, x: Any, indices: Any) -> Any:
    return mx.take_along_axis(x, positions(mx, indices, x.shape[op.axis]), axis=op.axis)


@lowers(GatherNd)
def lower_gather_nd(mx: Any, op: GatherNd, x: Any, indices: Any) -> Any:
    rest = without(op.axes, len(x.shape))
    at = tuple(places(mx, indices, x.shape[axis], k).at for k, axis in enumerate(op.axes))
    if 0 in indices.shape:
        return mx.zeros((*indices.shape[:-1], *(x.shape[a] for a in rest)), dtype=x.dtype)
    first = x if op.axes == tuple(range(len(at))) else mx.transpose(x, (*op.axes, *rest))
    return first[at]


def _accumulator(mx: Any, dtype: Any) -> Any:
    """The dtype to add up in: MLX would round every single sum of 16-bit floats."""
    return mx.float32 if dtype in (mx.float16, mx.bfloat16) else dtype


@lowers(AddAt)
def lower_add_at(mx: Any, op: AddAt, updates: Any, indices: Any) -> Any:
    n, axis, shape = len(indices.shape), op.axis, updates.shape
    result = (*shape[:axis], op.size, *shape[axis + n :])
    if 0 in shape or 0 in result:  # MLX refuses to scatter nothing
        return mx.zeros(result, dtype=updates.dtype)
    wide = _accumulator(mx, updates.dtype)
    at = (*(slice(None),) * axis, positions(mx, indices, op.size))
    added = mx.zeros(result, dtype=wide).at[at].add(updates if wide == updates.dtype else updates.astype(wide))
    return added if wide == updates.dtype else added.astype(updates.dtype)


@lowers(AddAlong)
def lower_add_along(mx: Any, op: AddAlong, updates: Any, indices: Any) -> Any:
    shape, axis = updates.shape, op.axis
    result = (*shape[:axis], op.size, *shape[axis + 1 :])
    if 0 in shape or 0 in result:  # MLX refuses to scatter nothing
        return mx.zeros(result, dtype=updates.dtype)
    at = positions(mx, indices, op.size)
    if shape[axis] == 1 and updates.dtype != mx.complex64:  # one update in each row: nothing to add up; c64 adds on Metal
        return mx.put_along_axis(mx.zeros(result, dtype=updates.dtype), at, updates, axis)
    wide = _accumulator(mx, updates.dtype)
    where = tuple(at if a == axis else counts(mx, shape, a) for a in range(len(shape)))
    added = mx.zeros(result, dtype=wide).at[where].add(updates if wide == updates.dtype else updates.astype(wide))
    return added if wide == updates.dtype else added.astype(updates.dtype)
