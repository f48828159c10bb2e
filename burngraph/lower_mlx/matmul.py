"""Products of matrices and general contractions in MLX."""

from math import prod
from typing import Any

from burngraph.ir.ops.matmul import Dot, Matmul
from burngraph.lower_mlx.elementwise import is_float
from burngraph.lower_mlx.table import lowers


@lowers(Matmul)
def lower_matmul(mx: Any, op: Matmul, x: Any, y: Any) -> Any:
    if is_float(mx, x.dtype) or x.dtype == mx.complex64:
        return x @ y
    return mx.sum(mx.expand_dims(x, -1) * mx.expand_dims(y, -3), axis=-2).astype(x.dtype)  # MLX's takes no integers


@lowers(Dot)
def lower_dot(mx: Any, op: Dot, x: Any, y: Any) -> Any:
    kept_x = tuple(a for a in range(len(x.shape)) if a not in op.x_axes)
    kept_y = tuple(a for a in range(len(y.shape)) if a not in op.y_axes)
    if is_float(mx, x.dtype) or x.dtype == mx.complex64:
        if op.x_axes == (len(x.shape) - 1,) and kept_x and len(y.shape) == 2:  # a linear layer
            return x @ (y if op.y_axes == (0,) else y.T)
        if len(x.shape) == len(y.shape) == 2 and len(op.x_axes) == 1:
            return x.T @ (y if op.y_axes == (0,) else y.T)
        pairs = sorted(zip(op.x_axes, op.y_axes, strict=True))  # in x's own order, or tensordot would permute x
        return mx.tensordot(x, y, axes=[[a for a, _ in pairs], [b for _, b in pairs]])
    k = prod(x.shape[a] for a in op.x_axes)
    outs = tuple(x.shape[a] for a in kept_x), tuple(y.shape[a] for a in kept_y)
    left = mx.transpose(x, (*kept_x, *op.x_axes)).reshape((prod(outs[0]), 1, k))
    right = mx.transpose(y, (*kept_y, *op.y_axes)).reshape((1, prod(outs[1]), k))
    return mx.sum(left * right, axis=-1).astype(x.dtype).reshape((*outs[0], *outs[1]))
