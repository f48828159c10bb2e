"""Samples of casts."""

import numpy as np

from burngraph.ir.ops.cast import Cast
from burngraph.ir.types import BOOL, C64, F32, F64, I8, I32, U8, U64
from tests.samples import Sample, t

SPECIAL = np.array([np.nan, np.inf, -np.inf, 3e38, -3e38, 2147483648.0, 255.9, -0.7])

SAMPLES = [
    Sample(Cast(F64), (t("f32[2,3,4]"),)),
    Sample(Cast(I32), (t("f32[]"),), spread=True),
    Sample(Cast(I32), (t("f32[8]"),), arrays=(SPECIAL,)),
    Sample(Cast(U8), (t("f32[8]"),), arrays=(SPECIAL,)),
    Sample(Cast(U64), (t("bf16[8]"),), arrays=(SPECIAL,)),
    Sample(Cast(BOOL), (t("f16[3]"),), arrays=(np.array([np.nan, 0.5, -0.0]),)),
    Sample(Cast(I8), (t("i32[3]"),), arrays=(np.array([300, -129, 128]),)),
    Sample(Cast(F32), (t("c64[2,3]"),)),
    Sample(Cast(C64), (t("f32[2,0]"),)),
]
