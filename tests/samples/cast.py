"""Samples of casts."""

from burngraph.ir.ops.cast import Cast
from burngraph.ir.types import F64, I32
from tests.samples import Sample, t

SAMPLES = [
    Sample(Cast(F64), (t("f32[2,3,4]"),)),
    Sample(Cast(I32), (t("f32[]"),), spread=True),
]
