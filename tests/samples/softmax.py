"""Samples of softmax and its relatives, along first, middle and last axes."""

from burngraph.ir.ops.softmax import LogSoftmax, Logsumexp, Softmax
from tests.samples import Sample, t

SAMPLES = [
    Sample(op_class(axis), (t(x),), spread=True)
    for op_class in (Softmax, LogSoftmax, Logsumexp)
    for axis, x in ((0, "f32[5]"), (0, "f32[2,3]"), (1, "f32[2,3,4]"), (2, "f32[2,3,4]"), (1, "f32[2,1,3]"))
]
