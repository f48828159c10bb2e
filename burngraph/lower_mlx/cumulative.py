"""Running sums, products, extrema and log-sum-exps in MLX."""

from typing import Any

from burngraph.ir.op import Op
from burngraph.ir.ops.cumulative import Cumprod, Cumsum, Logcumsumexp
from burngraph.ir.ops.cumulative_extremum import Cummax, Cummin
from burngraph.lower_mlx.table import lowers


def _running(op_class: type[Op], name: str) -> None:
    @lowers(op_class)
    def rule(mx: Any, op: Any, x: Any) -> Any:
        scan, along = getattr(mx, name), {"axis": op.axis} | ({"reverse": True} if op.reverse else {})
        if x.dtype in (mx.float16, mx.bfloat16):
            # MLX 0.32 accumulates sums in 16 bits, and its cummax and cummin of 16-bit floats forget a nan and go on from 0
            return scan(x.astype(mx.float32), **along).astype(x.dtype)
        return scan(x, **along)


for _class, _name in (
    (Cumsum, "cumsum"),
    (Cumprod, "cumprod"),
    (Cummax, "cummax"),
    (Cummin, "cummin"),
    (Logcumsumexp, "logcumsumexp"),
):
    _running(_class, _name)
