"""Samples of losses: class axis last, first and in the middle; targets of several integer dtypes."""

from burngraph.ir.ops.loss import ClassNumbers, CrossEntropy
from tests.samples import Sample, t

SAMPLES = [
    Sample(CrossEntropy(axis), (t(logits), t(targets)), ranges=(None, (0, 3)), spread=True)
    for axis, logits, targets in (
        (1, "f32[4,3]", "i32[4]"),
        (0, "f32[3]", "i64[]"),
        (1, "f32[2,3,4]", "u32[2,4]"),
        (0, "f32[3,2]", "i32[2]"),
    )
]
SAMPLES += [
    Sample(ClassNumbers(3, 1), (t(targets),), ranges=((0, 3),)) for targets in ("i32[2,3,4]", "u8[3]", "i64[]", "i16[0,3]")
]
