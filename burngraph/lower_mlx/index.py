"""Gathers and their transposes in MLX; no index ever reaches outside."""

from typing import Any

from burngraph.ir.ops.index import AddAlong, AddAt, Take, TakeAlong
from burngraph.lower_mlx.table import lowers


def _positions(mx: Any, indices: Any, size: int) -> Any:
    """Negative indices wrapped once, then all clamped: MLX reads and writes outside otherwise."""
    if indices.dtype in (mx.uint8, mx.uint16, mx.uint32, mx.uint64):
        return mx.minimum(indices.astype(mx.uint64), mx.array(max(size - 1, 0), dtype=mx.uint64)).astype(mx.int64)
    wide = indices if indices.dtype in (mx.int32, mx.int64) else indices.astype(mx.int32)
    return mx.clip(mx.where(wide < 0, wide + size, wide), 0, max(size - 1, 0))


@lowers(Take)
def lower_take(mx: Any, op: Take, x: Any, indices: Any) -> Any:
    return mx.take(x, _positions(mx, indices, x.shape[op.axis]), axis=op.axis)


@lowers(TakeAlong)
def lower_take_along(mx: Any, op: TakeAlong, x: Any, indices: Any) -> Any:
    return mx.take_along_axis(x, _positions(mx, indices, x.shape[op.axis]), axis=op.axis)


@lowers(AddAt)
def lower_add_at(mx: Any, op: AddAt, updates: Any, indices: Any) -> Any:
    n, axis, shape = len(indices.shape), op.axis, updates.shape
    result = (*shape[:axis], op.size, *shape[axis + n :])
    at = (*(slice(None),) * axis, _positions(mx, indices, op.size))
    return mx.zeros(result, dtype=updates.dtype).at[at].add(updates)


@lowers(AddAlong)
def lower_add_along(mx: Any, op: AddAlong, updates: Any, indices: Any) -> Any:
    shape, axis = updates.shape, op.axis
    result = (*shape[:axis], op.size, *shape[axis + 1 :])
    if shape[axis] == 1:  # one update in each row: nothing to add up
        return mx.put_along_axis(mx.zeros(result, dtype=updates.dtype), _positions(mx, indices, op.size), updates, axis)
    at = []
    for a, n in enumerate(shape):
        counts = mx.arange(n, dtype=mx.int64).reshape(tuple(n if i == a else 1 for i in range(len(shape))))
        at.append(_positions(mx, indices, op.size) if a == axis else counts)
    return mx.zeros(result, dtype=updates.dtype).at[tuple(at)].add(updates)
