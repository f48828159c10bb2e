"""Samples of losses: class axis last, first and in the middle; targets of several integer dtypes."""

from burngraph.ir.ops.loss import CrossEntropy
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
