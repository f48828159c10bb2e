"""Samples of reductions."""

import numpy as np

from burngraph.ir.ops import reduce as r
from tests.samples import Sample, t

ZEROS = (np.array([[1.5, 0.0, -2.0, 3.0], [0.0, 2.0, 0.0, 1.0], [1.0, 0.5, 2.0, 4.0]]),)
NAN = (np.array([[3.0, np.nan, 1.0], [1.0, 2.0, 3.0], [np.nan, np.nan, 0.0]]),)
TIES = (np.array([[2, 0, 2], [0, 0, 3]]),)

SAMPLES = [
    Sample(r.Sum((0, 2)), (t("f32[2,3,4]"),), spread=False),
    Sample(r.Prod((0, 2)), (t("f32[2,3,4]"),), spread=False),
    Sample(r.Max((0, 2)), (t("f32[2,3,4]"),), spread=True),
    Sample(r.Min((0, 2)), (t("f32[2,3,4]"),), spread=True),
    Sample(r.All((1,)), (t("bool[2,3,4]"),)),
    Sample(r.Any((1,)), (t("bool[2,3,4]"),)),
    Sample(r.ArgMax(1), (t("f32[2,3,4]"),), spread=True),
    Sample(r.ArgMin(2), (t("f32[2,3,4]"),), spread=True),
    Sample(r.Sum((1,)), (t("f32[2,0]"),)),
    Sample(r.Sum(()), (t("f32[]"),)),
    *(Sample(op((0, 1)), (t("f32[2,0]"),)) for op in (r.Sum, r.Prod)),
    *(Sample(op((1,)), (t("bool[2,0]"),)) for op in (r.All, r.Any)),
    *(Sample(op(()), (t("f32[]"),)) for op in (r.Prod, r.Max, r.Min)),
    *(Sample(op((0,)), (t("f32[2,0]"),)) for op in (r.Max, r.Min)),
    *(Sample(op(0), (t("f32[2,0]"),)) for op in (r.ArgMax, r.ArgMin)),
    Sample(r.Prod((1,)), (t("f32[3,4]"),), arrays=ZEROS),
    Sample(r.Prod((0,)), (t("f32[1,3]"),)),
    *(Sample(op((a,)), (t(f"{d}[3,3]"),), arrays=NAN) for op in (r.Max, r.Min) for a in (0, 1) for d in ("f16", "bf16")),
    *(Sample(op(a), (t(f"{d}[3,3]"),), arrays=NAN) for op in (r.ArgMax, r.ArgMin) for a in (0, 1) for d in ("f32", "bf16")),
    *(Sample(op(a), (t(f"{d}[2,3]"),), arrays=TIES) for op in (r.ArgMax, r.ArgMin) for a in (0, 1) for d in ("f32", "u8")),
    *(Sample(op((1,)), (t(f"{d}[2,3]"),)) for op in (r.Sum, r.Prod, r.Max, r.Min) for d in ("i8", "u8", "i64", "f16", "bf16")),
    *(Sample(r.Sum(axes), (t("f32[3,1031,2]"),)) for axes in ((1,), (0, 1), (1, 2), (0, 1, 2))),
    Sample(r.Sum((0, 2)), (t("f32[50,2,60]"),)),
    Sample(r.Sum((0,)), (t("f16[1500]"),)),
]
