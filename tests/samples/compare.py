"""Samples of comparisons and select."""

from burngraph.ir.ops import compare as c
from tests.samples import Sample, t

SAMPLES = [
    Sample(c.Equal(), (t("i32[2,3,4]"), t("i32[2,3,4]"))),
    Sample(c.NotEqual(), (t("i32[2,3,4]"), t("i32[2,3,4]"))),
    Sample(c.Less(), (t("i32[2,3,4]"), t("i32[2,3,4]"))),
    Sample(c.LessEqual(), (t("i32[2,3,4]"), t("i32[2,3,4]"))),
    Sample(c.Greater(), (t("i32[2,3,4]"), t("i32[2,3,4]"))),
    Sample(c.GreaterEqual(), (t("i32[2,3,4]"), t("i32[2,3,4]"))),
    Sample(c.Select(), (t("bool[2,3,4]"), t("f32[2,3,4]"), t("f32[2,3,4]"))),
]
