"""Reductions and running sums in MLX."""

from typing import Any

from burngraph.ir.ops.broadcast import Sum
from burngraph.ir.ops.reduce import All, ArgMax, ArgMin, Cumsum, Max, Min, Prod
from burngraph.ir.ops.reduce import Any as AnyOp
from burngraph.lower_mlx.table import lowers


def _reducing(op_class: type, name: str) -> None:
    @lowers(op_class)
    def rule(mx: Any, op: Any, x: Any) -> Any:
        if not op.axes:
            return x
        if 0 in x.shape and name in _EMPTY:  # an evaluation of MLX 0.32's sum of nothing was seen to hang on a CPU
            kept = tuple(n for axis, n in enumerate(x.shape) if axis not in op.axes)
            return mx.full(kept, _EMPTY[name], dtype=x.dtype)
        if name in ("sum", "prod") and x.dtype in (mx.float16, mx.bfloat16):  # MLX would accumulate in 16 bits
            return getattr(mx, name)(x.astype(mx.float32), axis=op.axes).astype(x.dtype)
        out = getattr(mx, name)(x, axis=op.axes)
        is_widened = name in ("sum", "prod") and x.dtype in (mx.int8, mx.int16, mx.uint8, mx.uint16)
        return out.astype(x.dtype) if is_widened else out


_EMPTY = {"sum": 0, "prod": 1, "all": True, "any": False}

for _class, _name in ((Sum, "sum"), (Prod, "prod"), (Max, "max"), (Min, "min"), (All, "all"), (AnyOp, "any")):
    _reducing(_class, _name)


@lowers(ArgMax)
def lower_argmax(mx: Any, op: ArgMax, x: Any) -> Any:
    return mx.argmax(x, axis=op.axis)


@lowers(ArgMin)
def lower_argmin(mx: Any, op: ArgMin, x: Any) -> Any:
    return mx.argmin(x, axis=op.axis)


@lowers(Cumsum)
def lower_cumsum(mx: Any, op: Cumsum, x: Any) -> Any:
    return mx.cumsum(x, axis=op.axis, reverse=op.reverse)
