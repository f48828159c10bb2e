"""Samples of reductions."""

from burngraph.ir.ops import reduce as r
from tests.samples import Sample, t

SAMPLES = [
    Sample(r.Sum((0, 2)), (t("f32[2,3,4]"),), spread=False),
    Sample(r.Prod((0, 2)), (t("f32[2,3,4]"),), spread=False),
    Sample(r.Max((0, 2)), (t("f32[2,3,4]"),), spread=True),
    Sample(r.Min((0, 2)), (t("f32[2,3,4]"),), spread=True),
    Sample(r.All((1,)), (t("bool[2,3,4]"),)),
    Sample(r.Any((1,)), (t("bool[2,3,4]"),)),
    Sample(r.ArgMax(1), (t("f32[2,3,4]"),), spread=True),
    Sample(r.ArgMin(2), (t("f32[2,3,4]"),), spread=True),
    Sample(r.Cumsum(1, False), (t("f32[2,3,4]"),)),
    Sample(r.Cumsum(2, True), (t("f32[2,3,4]"),)),
    Sample(r.Sum((1,)), (t("f32[2,0]"),)),
    Sample(r.Sum(()), (t("f32[]"),)),
]
