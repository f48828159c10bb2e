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
    """A strided view: `windows_shape` has checked that it stays inside x."""
    shape = op.windows_shape(x.shape)
    if 0 in shape:
        return mx.zeros(shape, dtype=x.dtype)
    return strided_windows(mx, op, x, x.shape, op.dilation)


def strided_windows(mx: Any, op: Any, x: Any, shape: tuple[int, ...], steps: tuple[int, ...]) -> Any:
    """The windows of x, an array of `shape`, as a view; window axes last."""
    counts = window_counts(op, shape, steps)
    strides = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
    across, within = list(strides), []
    for axis, stride, step in zip(op.axes, op.stride, steps, strict=True):
        across[axis], within = strides[axis] * stride, [*within, strides[axis] * step]
    view = (*(counts.get(axis, n) for axis, n in enumerate(shape)), *op.size)
    x = mx.contiguous(x)  # a slice with steps may reach as_strided as it is, and is refused there
    return mx.as_strided(x, view, (*across, *within))


@lowers(Fold)
def lower_fold(mx: Any, op: Fold, x: Any) -> Any:
    if 0 in x.shape:
        return mx.zeros(op.shape, dtype=x.dtype)
    rank, shape, folded = len(op.shape), list(x.shape), x
    for axis, size, stride, step in zip(op.axes, op.size, op.stride, op.dilation, strict=True):
        terms = [folded[(*(slice(None),) * rank, i)] for i in range(size)]
        del shape[rank]  # the first window axis that is left
        folded = overlap_add(mx, terms, tuple(shape), axis, stride, step, op.shape[axis])
        shape[axis] = op.shape[axis]
    return folded


def overlap_add(mx: Any, terms: list[Any], shape: tuple[int, ...], axis: int, stride: int, step: int, length: int) -> Any:
    """y with `length` entries along `axis`: y[o * stride + i * step] is the sum of all terms[i][o]; the rest is zero.

    Positions that agree modulo the stride are added up from shifted terms, and then interleaved: MLX's additions into a
    strided slice take two to three times as long.

    shape   of every term
    """
    count, rank = shape[axis], len(shape)
    last = (len(terms) - 1) * step
    rows = max(count + last // stride, -(-length // stride))
    moved: dict[tuple[int, int], Any] = {}

    def shifted(term: Any, by: int) -> Any:
        if (id(term), by) not in moved:
            edges = [(by, rows - count - by) if a == axis else (0, 0) for a in range(rank)]
            moved[id(term), by] = mx.pad(term, edges) if rows > count else term
        return moved[id(term), by]

    parts: list[list[Any]] = [[] for _ in range(stride)]
    for i, term in enumerate(terms):
        by, phase = divmod(i * step, stride)
        parts[phase].append(shifted(term, by))
    first = balanced_sum(parts[0])
    if stride == 1:
        whole = first
    else:
        empty = first if all(parts) else mx.zeros_like(first)
        phases = [first, *(balanced_sum(part) if part else empty for part in parts[1:])]
        whole = mx.stack(phases, axis=axis + 1).reshape((*shape[:axis], rows * stride, *shape[axis + 1 :]))
    if rows * stride > length:
        whole = whole[(*(slice(None),) * axis, slice(0, length))]
    return whole


def balanced_sum(terms: list[Any]) -> Any:
    """The terms added up in pairs of halves: a chain of some hundreds would be nested deeper than Python source may be."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return balanced_sum(terms[:half]) + balanced_sum(terms[half:])
