"""Samples of products."""

from burngraph.ir.ops.matmul import Dot, Matmul
from tests.samples import Sample, t

SAMPLES = [
    Sample(Matmul(), (t("f32[2,3]"), t("f32[3,4]"))),
    Sample(Matmul(), (t("f32[2,5,3,4]"), t("f32[2,5,4,6]"))),
    Sample(Dot((1, 0), (0, 2)), (t("f32[2,3,4]"), t("f32[3,5,2]"))),
    Sample(Dot((), ()), (t("f32[2]"), t("f32[3]"))),
]
