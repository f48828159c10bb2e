"""Reductions in MLX."""

import math
from typing import Any

from burngraph.ir.ops.broadcast import Sum
from burngraph.ir.ops.reduce import All, ArgMax, ArgMin, Max, Min, Prod
from burngraph.ir.ops.reduce import Any as AnyOp
from burngraph.lower_mlx.table import LOWERINGS, lowers


def _reducing(op_class: type, name: str) -> None:
    @lowers(op_class)
    def rule(mx: Any, op: Any, x: Any) -> Any:
        if not op.axes:
            return x
        if 0 in x.shape and name in _EMPTY:  # an evaluation of MLX 0.32's sum of nothing was seen to hang on a CPU
            kept = tuple(n for axis, n in enumerate(x.shape) if axis not in op.axes)
            return mx.full(kept, _EMPTY[name], dtype=x.dtype)
        axis = op.axes if len(op.axes) > 1 else op.axes[0]
        if name in ("sum", "prod") and x.dtype in (mx.float16, mx.bfloat16):  # MLX would accumulate in 16 bits
            return getattr(mx, name)(x.astype(mx.float32), axis=axis).astype(x.dtype)
        out = getattr(mx, name)(x, axis=axis)
        is_widened = name in ("sum", "prod") and x.dtype in (mx.int8, mx.int16, mx.uint8, mx.uint16)
        return out.astype(x.dtype) if is_widened else out


_EMPTY = {"sum": 0, "prod": 1, "all": True, "any": False}

for _class, _name in ((Sum, "sum"), (Prod, "prod"), (Max, "max"), (Min, "min"), (All, "all"), (AnyOp, "any")):
    _reducing(_class, _name)


BLOCK = 1024  # entries added one after the other


@lowers(Sum, target="cpu")
def lower_sum_on_cpu(mx: Any, op: Sum, x: Any) -> Any:
    """MLX 0.32 adds one after the other on a CPU: a million times 0.1 is 1 % off. Sums of sums are not, and cost the same."""
    is_short = math.prod(x.shape[a] for a in op.axes) <= BLOCK
    if is_short or 0 in x.shape or x.dtype not in (mx.float16, mx.bfloat16, mx.float32, mx.complex64):
        return LOWERINGS[Sum, None](mx, op, x)
    if x.dtype in (mx.float16, mx.bfloat16):
        return _sum_of_sums(mx, x.astype(mx.float32), x.shape, op.axes).astype(x.dtype)
    return _sum_of_sums(mx, x, x.shape, op.axes)


def _sum_of_sums(mx: Any, x: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    """x, of `shape`, summed over `axes`: blocks of up to BLOCK entries of the last of them first."""
    whole, size = len(axes), 1  # axes[whole:] fit into a block
    while whole and size * shape[axes[whole - 1]] <= BLOCK:
        whole -= 1
        size *= shape[axes[whole]]
    if not whole:
        return mx.sum(x, axis=axes)
    inner, axis = axes[whole:], axes[whole - 1]
    n, width = shape[axis], BLOCK // size
    if width < 2:
        kept = tuple(d for a, d in enumerate(shape) if a not in inner)
        return _sum_of_sums(mx, mx.sum(x, axis=inner), kept, axes[:whole])
    divisor = max(d for d in range(1, width + 1) if n % d == 0)
    width = divisor if 4 * divisor >= width else width
    n_blocks, before = n // width, (slice(None),) * axis
    main = x[(*before, slice(0, n_blocks * width))] if n % width else x
    blocks = main.reshape((*shape[:axis], n_blocks, width, *shape[axis + 1 :]))
    sums = mx.sum(blocks, axis=(axis + 1, *(a + 1 for a in inner)))
    kept = tuple(n_blocks if a == axis else d for a, d in enumerate(shape) if a not in inner)
    total = _sum_of_sums(mx, sums, kept, axes[:whole])
    if n % width == 0:
        return total
    left = (*shape[:axis], n % width, *shape[axis + 1 :])
    return total + _sum_of_sums(mx, x[(*before, slice(n_blocks * width, n))], left, axes)


def _pointing(op_class: type, name: str) -> None:
    @lowers(op_class)
    def rule(mx: Any, op: Any, x: Any) -> Any:
        if 0 in x.shape:  # not along the axis itself; MLX refuses any array without entries
            return mx.zeros((*x.shape[: op.axis], *x.shape[op.axis + 1 :]), dtype=mx.uint32)
        return getattr(mx, name)(x, axis=op.axis)


for _class, _name in ((ArgMax, "argmax"), (ArgMin, "argmin")):
    _pointing(_class, _name)
