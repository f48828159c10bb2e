"""Windows and their transpose in MLX."""

from math import prod
from typing import Any

from burngraph.ir.ops.window import Fold, Windows, window_counts
from burngraph.lower_mlx.table import lowers


def window_taps(op: Any, shape: tuple[int, ...], steps: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """For each window entry in row-major order, where it lies in an array of `shape`."""
    counts = window_counts(op, shape, steps)
    found = [[slice(None)] * len(shape)]
    for axis, size, stride, step in zip(op.axes, op.size, op.stride, steps, strict=True):
        found = [
            [*index[:axis], slice(i * step, i * step + (counts[axis] - 1) * stride + 1, stride), *index[axis + 1 :]]
            for index in found
            for i in range(size)
        ]
    return [tuple(index) for index in found]


@lowers(Windows)
def lower_windows(mx: Any, op: Windows, x: Any) -> Any:
    stacked = mx.stack([x[tap] for tap in window_taps(op, x.shape, op.dilation)], axis=-1)
    return stacked.reshape(op.windows_shape(x.shape))


@lowers(Fold)
def lower_fold(mx: Any, op: Fold, x: Any) -> Any:
    rank = len(op.shape)
    flat = x.reshape((*x.shape[:rank], prod(op.size)))
    total = mx.zeros(op.shape, dtype=x.dtype)
    for i, tap in enumerate(window_taps(op, op.shape, op.dilation)):
        total = total.at[tap].add(flat[..., i])
    return total
