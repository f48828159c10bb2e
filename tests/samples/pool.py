"""Samples of pools: padding on one side, overlap, dilation, axes out of order, ties."""

import numpy as np

from burngraph.ir.ops.pool_max import ArgMaxPool, MaxPool, PoolRoute, PoolSelect
from burngraph.ir.ops.pool_sum import AvgPool, SpreadPool, SumPool
from burngraph.ir.types import Array
from tests.samples import Sample, t

Ints = tuple[int, ...]


def maximum(axes: Ints, size: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints) -> MaxPool:
    return MaxPool(axes=axes, size=size, stride=stride, pad_low=low, pad_high=high, dilation=dilation)


def with_derivatives(op: MaxPool, x: Array) -> list[Sample]:
    """The pool at `x`, and its companions, whose operand y must be the pool's result."""
    fields = {k: v for k, v in op.__dict__.items() if not k.startswith("_")}
    y = np.asarray(op.reference(x))
    rng = np.random.default_rng(0)
    x_dot, y_bar = rng.uniform(-2, 2, x.shape), rng.uniform(-2, 2, y.shape)
    types = t(f"f32{list(x.shape)}".replace(" ", "")), t(f"f32{list(y.shape)}".replace(" ", ""))
    return [
        Sample(op, types[:1], arrays=(x,)),
        Sample(PoolSelect(**fields), (*types, types[0]), arrays=(x, y, x_dot)),
        Sample(PoolRoute(**fields), (*types, types[1]), arrays=(x, y, y_bar)),
        Sample(ArgMaxPool(**fields), types, arrays=(x, y)),
    ]


def distinct(*shape: int) -> Array:
    """All entries distinct, a tenth apart, exact in f32's first digits."""
    n = int(np.prod(shape))
    return (np.random.default_rng(n).permutation(n).reshape(shape) * 0.125 - 2).astype(np.float32)


def ties(*shape: int) -> Array:
    """Small integers, so that most windows hold their maximum twice."""
    return np.random.default_rng(1).integers(0, 2, shape).astype(np.float32)


def lows(*shape: int) -> Array:
    """Mostly -inf, with a few numbers."""
    return np.where(np.random.default_rng(2).random(shape) < 0.8, -np.inf, ties(*shape)).astype(np.float32)


def average(axes: Ints, size: Ints, stride: Ints, low: Ints, high: Ints, count_include_pad: bool) -> AvgPool:
    return AvgPool(axes, size, stride, low, high, count_include_pad)


def sums(x: str, axes: Ints, size: Ints, stride: Ints, low: Ints, high: Ints) -> list[Sample]:
    """Sums over windows of `x`, and their transpose."""
    op = SumPool(axes, size, stride, low, high)
    spread = SpreadPool(axes, size, stride, low, high, t(x).shape)
    return [Sample(op, (t(x),)), Sample(spread, (op.infer(t(x)),))]


OVERLAPPING = maximum((1, 2), (3, 2), (2, 1), (1, 0), (0, 1), (1, 2))

SAMPLES = [
    *with_derivatives(maximum((1, 2), (2, 2), (2, 2), (0, 0), (0, 0), (1, 1)), distinct(2, 4, 5, 3)),
    *with_derivatives(OVERLAPPING, distinct(2, 5, 4, 2)),
    *with_derivatives(maximum((2, 1), (2, 3), (1, 2), (0, 1), (1, 0), (1, 1)), distinct(2, 4, 3)),
    *with_derivatives(maximum((0,), (3,), (1,), (1,), (1,), (1,)), distinct(5)),
    # Ties: no derivative of the pool there, but the two linear ops must agree on the first entry.
    *with_derivatives(maximum((1, 2), (2, 2), (1, 1), (0, 0), (0, 0), (1, 1)), ties(2, 3, 4))[1:],
    *with_derivatives(maximum((2, 1), (2, 2), (1, 1), (1, 0), (0, 0), (1, 1)), ties(2, 3, 4))[1:],
    Sample(maximum((1,), (2,), (1,), (1,), (0,), (1,)), (t("i32[2,5]"),)),
    Sample(average((1, 2), (2, 2), (2, 2), (0, 0), (0, 0), True), (t("f32[2,4,5,3]"),)),
    Sample(average((1, 2), (3, 2), (2, 1), (1, 0), (1, 1), True), (t("f32[2,5,4,2]"),)),
    Sample(average((1, 2), (3, 2), (2, 1), (1, 0), (1, 1), False), (t("f32[2,5,4,2]"),)),
    Sample(average((2, 0), (2, 3), (1, 1), (1, 1), (0, 2), False), (t("f32[4,2,3]"),)),
    # A window of nothing but padding, and a NaN, which counts as largest.
    *with_derivatives(maximum((1,), (2,), (2,), (2,), (3,), (1,)), distinct(2, 3))[1:],
    *with_derivatives(maximum((0,), (2,), (1,), (1,), (0,), (1,)), np.array([1, np.nan, 2, 3], np.float32))[1:],
    # Entries that are -inf, which padding does not win over.
    *with_derivatives(maximum((1, 2), (3, 3), (2, 1), (1, 1), (1, 1), (1, 1)), lows(2, 4, 4))[1:],
    *with_derivatives(maximum((1,), (3,), (1,), (4,), (3,), (2,)), lows(2, 4))[1:],
    Sample(maximum((1,), (20,), (3,), (2,), (1,), (1,)), (t("f32[2,24]"),), spread=True),
    Sample(maximum((1,), (2,), (2,), (0,), (0,), (1,)), (t("f32[0,4]"),)),
    Sample(maximum((1,), (2,), (1,), (1,), (0,), (2,)), (t("bf16[2,5]"),)),
    *sums("f32[2,4,5,3]", (1, 2), (2, 2), (2, 2), (0, 0), (0, 0)),
    *sums("f32[2,4,6]", (2, 1), (3, 2), (3, 2), (0, 0), (0, 0)),
    *sums("f32[2,5,4,2]", (1, 2), (3, 2), (2, 1), (1, 0), (0, 2)),
    *sums("f32[2,24]", (1,), (20,), (3,), (2,), (1,)),
    *sums("f32[0,4]", (1,), (2,), (1,), (0,), (0,)),
    *sums("f16[3,5]", (1,), (3,), (1,), (1,), (0,)),
]
