"""A matrix along one axis in MLX; resample itself is rewritten into simpler ops."""

from math import prod
from typing import Any

from burngraph.ir.ops.resample import MatmulAlong
from burngraph.lower_mlx.elementwise import is_float
from burngraph.lower_mlx.table import lowers


@lowers(MatmulAlong)
def lower_matmul_along(mx: Any, op: MatmulAlong, x: Any, m: Any) -> Any:
    """The axes before and after are one each, so that the lines are the columns of a stack of matrices."""
    before, n, after = x.shape[: op.axis], x.shape[op.axis], x.shape[op.axis + 1 :]
    made = m.shape[op.is_transposed]
    result, rows = (*before, made, *after), (made, n)
    if 0 in (*x.shape, made):  # an empty product of 16-bit floats ends the process on CUDA
        return mx.zeros(result, dtype=x.dtype)
    if not is_float(mx, x.dtype) and x.dtype != mx.complex64:  # MLX's product takes no integers
        matrix = (m.T if op.is_transposed else m).reshape((1, *rows, 1))
        return mx.sum(matrix * x.reshape((prod(before), 1, n, prod(after))), axis=2).astype(x.dtype).reshape(result)
    if not after:
        return x @ (m if op.is_transposed else m.T)
    matrix = m.T if op.is_transposed else m
    lines = (n, prod(after)) if prod(before) == 1 else (prod(before), n, prod(after))
    y = matrix @ (x if x.shape == lines else x.reshape(lines))
    return y if (*lines[:-2], made, lines[-1]) == result else y.reshape(result)
