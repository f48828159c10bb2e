"""Seeded random graphs in NCHW spelling: convolutions wrapped in permutes, elementwise ops, reductions, pools, concats."""

import numpy as np

from burngraph.ir.builder import Builder
from burngraph.ir.graph import Graph
from burngraph.ir.ops.activation import Gelu
from burngraph.ir.ops.constant import Splat
from burngraph.ir.ops.conv import Conv
from burngraph.ir.ops.elementwise import Add, Maximum, Mul, Neg, Relu, Sigmoid, Sub, Tanh
from burngraph.ir.ops.movement import Broadcast, Concat, Flip, Pad, Permute, Reshape, Slice
from burngraph.ir.ops.pool_max import MaxPool
from burngraph.ir.ops.reduce import Max, Sum
from burngraph.ir.ops.softmax import Softmax
from burngraph.ir.types import F32, TensorType
from burngraph.ir.value import Value

TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
UNARY = (Neg(), Tanh(), Sigmoid(), Relu(), Gelu("none"))
BINARY = (Add(), Sub(), Mul(), Maximum())


def random_graph(seed: int, n_ops: int = 12) -> Graph:
    """A graph over values of rank 4 (N,C,H,W) with one to three results of any rank."""
    rng = np.random.default_rng(seed)
    b = Builder(f"random{seed}")
    values = [b.param(TensorType(F32, (2, 3, 4, 6)), "x"), b.param(TensorType(F32, (2, 3, 4, 6)), "y")]
    for _ in range(rng.integers(3, n_ops + 1)):
        values.append(_grow(b, rng, values))
    results = [values[-1], *(values[i] for i in rng.integers(0, len(values), rng.integers(0, 2)))]
    if rng.random() < 0.5:
        axes = tuple(sorted(rng.choice(4, rng.integers(1, 4), replace=False).tolist()))
        results.append(b(Sum(axes) if rng.random() < 0.5 else Max(axes), values[-1]))
    if rng.random() < 0.4:
        n, *rest = values[-1].shape
        results.append(b(Reshape((n, int(np.prod(rest)))), values[-1]))
    return b.build(results)


def _grow(b: Builder, rng: np.random.Generator, values: list[Value]) -> Value:
    x = values[rng.integers(len(values))]
    n, c, h, w = x.shape
    kind = rng.integers(9)
    if kind == 0:
        return b(UNARY[rng.integers(len(UNARY))], x)
    if kind == 1:
        same = [v for v in values if v.shape == x.shape]
        return b(BINARY[rng.integers(len(BINARY))], x, same[rng.integers(len(same))])
    if kind == 2:
        co, k = int(rng.integers(1, 5)), int(rng.choice([1, 3]))
        weight = b(Splat(0.25, TensorType(F32, (co, k, k, c))))
        pad = (k // 2, k // 2)
        conv = Conv(stride=(1, 1), pad_low=pad, pad_high=pad, dilation=(1, 1), input_dilation=(1, 1))
        return b(Permute(TO_FIRST), b(conv, b(Permute(TO_LAST), x), weight))
    if kind == 3 and h > 1 and w > 1:
        pool = MaxPool(axes=(2, 3), size=(2, 2), stride=(1, 1), pad_low=(0, 1), pad_high=(0, 0), dilation=(1, 1))
        return b(pool, x)
    if kind == 4:
        row = b(Sum((0, 2, 3)), x)
        return b(Add(), x, b(Broadcast(x.shape, (0, 2, 3)), row))
    if kind == 5:
        return b(Concat(1), x, b(Flip((2,)), x)) if c < 8 else b(Flip((1, 3)), x)
    if kind == 6:
        return b(Softmax(int(rng.integers(4))), x)
    if kind == 7:
        zero = b(Splat(0.0, TensorType(F32, ())))
        return b(Pad((0, 0, 1, 0), (0, 0, 0, 1), (0, 0, 0, 0)), x, zero) if h < 8 else x
    return b(Slice((0, 0, 0, 0), (n, c, h, w), (1, 1, 1, 2)), x) if w > 2 else b(Permute((0, 1, 3, 2)), x)
