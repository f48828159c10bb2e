"""Samples of movement."""

from burngraph.ir.ops import movement as m
from tests.samples import Sample, t

SAMPLES = [
    Sample(m.Reshape((6, 4)), (t("f32[2,3,4]"),)),
    Sample(m.Reshape((1, 2, 12)), (t("f32[2,3,4]"),)),
    Sample(m.Reshape(()), (t("f32[1]"),)),
    Sample(m.Permute((2, 0, 1)), (t("f32[2,3,4]"),)),
    Sample(m.Broadcast((2, 5, 3, 4), (1,)), (t("f32[2,3,4]"),)),
    Sample(m.Broadcast((2, 3), (0, 1)), (t("f32[]"),)),
    Sample(m.Concat(1), (t("f32[2,3,4]"), t("f32[2,1,4]"))),
    Sample(m.Slice((0, 1, 0), (2, 3, 4), (1, 1, 3)), (t("f32[2,3,4]"),)),
    Sample(m.Slice((1, 0), (1, 3), (1, 2)), (t("f32[2,3]"),)),
    Sample(m.Pad((1, 0, 2), (0, 1, 1), (0, 1, 2)), (t("f32[2,3,4]"), t("f32[]"))),
    Sample(m.Flip((0, 2)), (t("f32[2,3,4]"),)),
]
