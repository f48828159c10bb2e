"""Samples of windows and folds: overlaps, gaps, dilation, axes out of order."""

from burngraph.ir.ops.window import Fold, Windows
from tests.samples import Sample, t

Ints = tuple[int, ...]


def pair(x: str, axes: Ints, size: Ints, stride: Ints, dilation: Ints) -> list[Sample]:
    """Windows of `x`, and the fold that undoes their shape."""
    op = Windows(axes, size, stride, dilation)
    fold = Fold(axes, size, stride, dilation, t(x).shape)
    return [Sample(op, (t(x),)), Sample(fold, (op.infer(t(x)),))]


SAMPLES = [
    *pair("f32[5]", (0,), (2,), (1,), (1,)),
    *pair("f32[7]", (0,), (2,), (2,), (3,)),
    *pair("f32[2,5,6,3]", (1, 2), (3, 2), (2, 1), (1, 2)),
    *pair("f32[2,3,4,5]", (3, 1), (2, 3), (3, 1), (1, 1)),
    *pair("f32[4,3]", (1,), (3,), (1,), (1,)),
    *pair("i32[4,5]", (0, 1), (2, 2), (1, 2), (2, 1)),
    Sample(Windows((1,), (2,), (2,), (1,)), (t("bool[2,5]"),)),
]
