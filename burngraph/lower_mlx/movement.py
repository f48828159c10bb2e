"""Movement of entries in MLX."""

from typing import Any

from burngraph.ir.ops.broadcast import Broadcast
from burngraph.ir.ops.movement import Concat, Flip, Pad, Permute, Reshape, Slice
from burngraph.ir.types import as_dtype
from burngraph.lower_mlx.table import lowers


@lowers(Reshape)
def lower_reshape(mx: Any, op: Reshape, x: Any) -> Any:
    return x.reshape(op.shape)


@lowers(Permute)
def lower_permute(mx: Any, op: Permute, x: Any) -> Any:
    return x.T if op.axes == (1, 0) else mx.transpose(x, op.axes)


@lowers(Broadcast)
def lower_broadcast(mx: Any, op: Broadcast, x: Any) -> Any:
    ones = tuple(1 if axis in op.axes else n for axis, n in enumerate(op.shape))
    return mx.broadcast_to(x.reshape(ones), op.shape)


@lowers(Concat)
def lower_concat(mx: Any, op: Concat, *xs: Any) -> Any:
    return mx.concatenate(list(xs), axis=op.axis)


@lowers(Slice)
def lower_slice(mx: Any, op: Slice, x: Any) -> Any:
    each = zip(op.start, op.stop, op.step, x.shape, strict=True)
    cuts = [slice(None) if (a, b, step) == (0, n, 1) else slice(a, b, step) for a, b, step, n in each]
    while cuts and cuts[-1] == slice(None):
        cuts.pop()
    return x[tuple(cuts)] if cuts else x


@lowers(Pad)
def lower_pad(mx: Any, op: Pad, x: Any, fill: Any) -> Any:
    if any(op.interior):
        return _pad_interior(mx, op, x, fill)
    return mx.pad(x, list(zip(op.low, op.high, strict=True)), constant_values=fill)


def _pad_interior(mx: Any, op: Pad, x: Any, fill: Any) -> Any:
    """Write x into an array of `fill` with steps."""
    inner = tuple(max(n - 1, 0) * g + n for n, g in zip(x.shape, op.interior, strict=True))
    shape = tuple(a + n + b for a, n, b in zip(op.low, inner, op.high, strict=True))
    nothing = {"float": -0.0, "complex": complex(-0.0, -0.0)}.get(as_dtype(x.dtype).kind)  # 0.0 + -0.0 is not -0.0
    zero = mx.zeros(shape, dtype=x.dtype) if nothing is None else mx.full(shape, nothing, dtype=x.dtype)
    at = tuple(slice(a, a + n, g + 1) for a, n, g in zip(op.low, inner, op.interior, strict=True))
    inside = zero.at[at].add(mx.ones(x.shape, dtype=x.dtype)) != 0
    return mx.where(inside, zero.at[at].add(x), fill)


@lowers(Flip)
def lower_flip(mx: Any, op: Flip, x: Any) -> Any:
    flips = tuple(slice(None, None, -1) if a in op.axes else slice(None) for a in range(len(x.shape)))
    return x[flips] if op.axes else x
