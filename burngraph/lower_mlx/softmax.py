"""Softmax and log-sum-exp in MLX."""

import math
from typing import Any

from burngraph.ir.ops.softmax import Logsumexp, Softmax
from burngraph.lower_mlx.table import lowers


@lowers(Softmax)
def lower_softmax(mx: Any, op: Softmax, x: Any) -> Any:
    if x.dtype in (mx.float16, mx.bfloat16):  # MLX would add up in 16 bits: 70000 equal entries came to 34 times their share
        return mx.softmax(x, axis=op.axis, precise=True)
    return mx.softmax(x, axis=op.axis)


@lowers(Logsumexp)
def lower_logsumexp(mx: Any, op: Logsumexp, x: Any) -> Any:
    if x.shape[op.axis] == 0:  # MLX refuses it
        return mx.full((*x.shape[: op.axis], *x.shape[op.axis + 1 :]), -math.inf, dtype=x.dtype)
    return mx.logsumexp(x, axis=op.axis)
