"""Samples of ops without operands."""

import numpy as np

from burngraph.ir.ops import constant as c
from tests.samples import Sample, t

SAMPLES = [
    Sample(c.Splat(2.0, t("f32[2,3]")), ()),
    Sample(c.Constant((1, 2, 3, 4, 5, 6), t("i32[2,3]")), ()),
    Sample(c.Weight("w", t("f32[2,3]"), np.ones((2, 3), np.float32)), ()),
    Sample(c.Iota(1, t("i32[2,3,4]")), ()),
]
