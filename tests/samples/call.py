"""Samples of calls."""

from burngraph.ir.builder import Builder
from burngraph.ir.graph import Graph
from burngraph.ir.ops.call import Call
from burngraph.ir.ops.elementwise import Mul, Tanh
from tests.samples import Sample, t


def _product(type: str) -> Graph:
    builder = Builder("product")
    x = builder.param(t(type))
    y = builder.param(t(type))
    return builder.build([builder(Mul(), builder(Tanh(), x), y)])


SAMPLES = [Sample(Call(_product(type)), (t(type), t(type))) for type in ("f32[2,3]", "f64[2,3]")]
