"""Samples of comparisons and select."""

import numpy as np

from burngraph.ir.ops import compare as c
from tests.samples import Sample, t

ALL = (c.Equal, c.NotEqual, c.Less, c.LessEqual, c.Greater, c.GreaterEqual)
NAN = (np.array([np.nan, 1.0, np.nan, -0.0, np.inf]), np.array([1.0, np.nan, np.nan, 0.0, np.inf]))

SAMPLES = [
    Sample(c.Equal(), (t("i32[2,3,4]"), t("i32[2,3,4]"))),
    Sample(c.NotEqual(), (t("i32[2,3,4]"), t("i32[2,3,4]"))),
    Sample(c.Less(), (t("i32[2,3,4]"), t("i32[2,3,4]"))),
    Sample(c.LessEqual(), (t("i32[2,3,4]"), t("i32[2,3,4]"))),
    Sample(c.Greater(), (t("i32[2,3,4]"), t("i32[2,3,4]"))),
    Sample(c.GreaterEqual(), (t("i32[2,3,4]"), t("i32[2,3,4]"))),
    Sample(c.Select(), (t("bool[2,3,4]"), t("f32[2,3,4]"), t("f32[2,3,4]"))),
    *(Sample(op(), (t(f"{d}[5]"),) * 2, arrays=NAN) for op in ALL for d in ("f32", "f16", "bf16")),
    *(Sample(op(), (t(f"{d}[2,3]"),) * 2) for op in ALL for d in ("bool", "u8", "i64", "u64")),
    *(
        Sample(c.Select(), (t("bool[2,3]"), t(f"{d}[2,3]"), t(f"{d}[2,3]")))
        for d in ("bool", "i8", "u64", "f16", "bf16", "c64")
    ),
    Sample(c.Equal(), (t("f32[0]"), t("f32[0]"))),
    Sample(c.Select(), (t("bool[]"), t("f32[]"), t("f32[]"))),
]
