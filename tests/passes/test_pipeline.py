"""The pipeline as a whole: spelling does not reach the source, cost is close to linear."""

import re

import pytest

from burngraph.ir.builder import Builder
from burngraph.ir.graph import Graph
from burngraph.ir.ops.conv import Conv
from burngraph.ir.ops.elementwise import Add, Relu
from burngraph.ir.ops.movement import Permute
from burngraph.ir.ops.pool_max import MaxPool
from burngraph.ir.ops.reduce import Sum
from burngraph.ir.types import F32, TensorType
from burngraph.lower_mlx.lower import lower
from burngraph.passes.linearize import linearize
from burngraph.passes.pipeline import PIPELINE, run_pipeline
from burngraph.passes.transpose import vjp
from tests.linear_cost import assert_close_to_linear

CONV = Conv(stride=(1, 1), pad_low=(1, 1), pad_high=(1, 1), dilation=(1, 1), input_dilation=(1, 1))


def network(spelling: str) -> Graph:
    """Two convolutions with a residual add and a pool on an NHWC image, the rest spelled in NCHW or in NHWC."""
    b = Builder("network")
    image = b.param(TensorType(F32, (2, 8, 6, 3)), "image")
    w1, w2 = b.param(TensorType(F32, (4, 3, 3, 3)), "w1"), b.param(TensorType(F32, (4, 3, 3, 4)), "w2")
    to_last, to_first = (0, 2, 3, 1), (0, 3, 1, 2)
    if spelling == "NHWC":
        x = b(Relu(), b(CONV, image, w1))
        y = b(Add(), b(CONV, x, w2), x)
        return b.build([b(Sum((1, 2)), b(_pool((1, 2)), y))])
    x = b(Permute(to_first), image)
    x = b(Relu(), b(Permute(to_first), b(CONV, b(Permute(to_last), x), w1)))
    y = b(Add(), b(Permute(to_first), b(CONV, b(Permute(to_last), x), w2)), x)
    return b.build([b(Sum((2, 3)), b(_pool((2, 3)), y))])


def _pool(axes: tuple[int, int]) -> MaxPool:
    return MaxPool(axes=axes, size=(2, 2), stride=(2, 2), pad_low=(0, 0), pad_high=(0, 0), dilation=(1, 1))


@pytest.mark.parametrize("transform", [lambda g: g, lambda g: vjp(g, [0, 1, 2])], ids=["forward", "joint"])
def test_two_spellings_emit_the_same_source_after_renumbering(transform):
    first, last = (run_pipeline(transform(network(s)))[-1][1] for s in ("NCHW", "NHWC"))
    assert renumbered(lower(first).source) == renumbered(lower(last).source)


def renumbered(source: str) -> str:
    names: dict[str, str] = {}
    return re.sub(r"\b[vt]\d+\b", lambda m: names.setdefault(m[0], f"n{len(names)}"), source)


def chain(n: int) -> Graph:
    """n ops: convolutions wrapped in permutes, relus and adds."""
    b = Builder("chain")
    x = b.param(TensorType(F32, (1, 4, 3, 3)), "x")
    w = b.param(TensorType(F32, (4, 3, 3, 4)), "w")
    while len(b.nodes) < n:
        y = b(Permute((0, 3, 1, 2)), b(CONV, b(Permute((0, 2, 3, 1)), x), w))
        x = b(Add(), b(Relu(), y), x)
    return b.build([x])


WORKS = dict(PIPELINE) | {
    "linearize": lambda g: linearize(g, [0]),
    "vjp": lambda g: vjp(g, [0, 1]),
    "lower": lower,
}


@pytest.mark.parametrize("name", WORKS)
def test_cost_is_close_to_linear(name):
    assert_close_to_linear(WORKS[name], chain(1_000), chain(10_000))
