"""Samples of calls."""

from burngraph.ir.builder import Builder
from burngraph.ir.graph import Graph
from burngraph.ir.ops.call import Call
from burngraph.ir.ops.elementwise import Mul, Tanh
from tests.samples import Sample, t


def _product() -> Graph:
    builder = Builder("product")
    x = builder.param(t("f32[2,3]"))
    y = builder.param(t("f32[2,3]"))
    return builder.build([builder(Mul(), builder(Tanh(), x), y)])


SAMPLES = [Sample(Call(_product()), (t("f32[2,3]"), t("f32[2,3]")))]
