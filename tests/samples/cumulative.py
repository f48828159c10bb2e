"""Samples of running sums and their like."""

import numpy as np

from burngraph.ir.ops.cumulative import Cumprod, Cumsum, Logcumsumexp
from burngraph.ir.ops.cumulative_extremum import Cummax, Cummin
from tests.samples import Sample, t

OPS = (Cumsum, Cumprod, Cummax, Cummin, Logcumsumexp)
FLAGS = (False, True)
NAN = (np.array([[3.0, np.nan, 1.0, 2.0], [1.0, 2.0, -np.inf, 5.0]]),)
ZEROS = (np.array([[1.5, 0.0, -2.0, 3.0], [0.0, 2.0, 0.0, 1.0], [1.0, 0.5, 2.0, 0.0]]),)
WIDE = (np.array([[-1000.0, 0.0, 500.0, 499.0], [1000.0, -1000.0, 3.0, 1001.0]]),)

SAMPLES = [
    *(Sample(op(axis, flag), (t("f32[2,3,4]"),), spread=True) for op in OPS for axis in range(3) for flag in FLAGS),
    *(Sample(op(1, flag), (t("f32[2,7]"),), spread=True) for op in OPS for flag in FLAGS),
    *(Sample(Cumprod(1, flag), (t("f32[3,4]"),), arrays=ZEROS) for flag in FLAGS),
    *(Sample(Logcumsumexp(1, flag), (t("f32[2,4]"),), arrays=WIDE) for flag in FLAGS),
    *(Sample(op(1, flag), (t(f"{d}[2,4]"),), arrays=NAN) for op in OPS[2:4] for d in ("f16", "bf16") for flag in FLAGS),
    *(Sample(op(0, False), (t(f"{d}[3,2]"),)) for op in OPS[:4] for d in ("i8", "i32", "u8", "u64", "f16", "bf16")),
    *(Sample(op(0, True), (t("c64[3,2]"),)) for op in OPS[:2]),
    *(Sample(Logcumsumexp(0, False), (t(f"{d}[3,2]"),)) for d in ("f16", "bf16")),
    *(Sample(op(axis, False), (t("f32[0,3]"),)) for op in OPS for axis in (0, 1)),
    *(Sample(op(0, False), (t("f32[1]"),)) for op in OPS),
]
