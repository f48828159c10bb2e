"""Samples of convolutions: strides with a remainder, cropping, dilations, groups, mirrored kernels, 1 to 3 axes."""

from burngraph.ir.ops.conv import Conv, ConvWeightGrad
from tests.samples import Sample, t

Ints = tuple[int, ...]


def conv(
    n: int,
    stride: Ints | int = 1,
    low: Ints | int = 0,
    high: Ints | int = 0,
    dilation: Ints | int = 1,
    input_dilation: Ints | int = 1,
    groups: int = 1,
    flip: bool = False,
) -> Conv:
    """A Conv over `n` spatial axes; an int stands for itself on every axis."""
    fields = (stride, low, high, dilation, input_dilation)
    each = [(field,) * n if isinstance(field, int) else field for field in fields]
    return Conv(*each, groups=groups, flip=flip)


def pair(op: Conv, x: str, w: str) -> list[Sample]:
    """The convolution and the weight gradient of the same geometry."""
    y = op.infer(t(x), t(w))
    grad = ConvWeightGrad(kernel=t(w).shape[1:-1], **op.geometry())
    return [Sample(op, (t(x), t(w))), Sample(grad, (t(x), y))]


SAMPLES = [
    *pair(conv(2), "f32[2,4,5,3]", "f32[2,3,2,3]"),
    *pair(conv(2, low=1, high=1), "f32[1,4,3,2]", "f32[3,3,3,2]"),
    *pair(conv(2), "f32[2,3,2,3]", "f32[4,1,1,3]"),
    *pair(conv(2, stride=(2, 3), low=(1, 0), high=(0, 2)), "f32[2,6,5,2]", "f32[3,2,3,2]"),
    *pair(conv(2, stride=2, low=(-1, 2), high=(1, -1)), "f32[1,5,6,2]", "f32[3,2,3,2]"),
    *pair(conv(2, dilation=(2, 1), low=1, high=1), "f32[2,5,4,2]", "f32[3,3,2,2]"),
    *pair(conv(2, input_dilation=(2, 3), low=(1, -1), high=(2, 0)), "f32[2,3,2,2]", "f32[3,2,3,2]"),
    *pair(conv(2, groups=2, low=1), "f32[2,3,4,4]", "f32[6,2,2,2]"),
    *pair(conv(2, groups=3, high=1, stride=2), "f32[2,4,3,3]", "f32[3,3,2,1]"),
    *pair(conv(2, groups=2, flip=True, stride=(1, 2)), "f32[1,3,4,2]", "f32[6,2,2,1]"),
    *pair(conv(2, flip=True, low=2, high=(1, 0), dilation=(1, 2), input_dilation=2), "f32[2,3,2,2]", "f32[3,2,2,2]"),
    *pair(conv(1, stride=2, low=1), "f32[2,6,3]", "f32[4,3,3]"),
    *pair(conv(1, stride=3, dilation=2, input_dilation=2, low=4, high=-2, groups=2), "f32[2,7,4]", "f32[2,2,2]"),
    *pair(conv(3, low=(1, 0, 0), stride=(1, 2, 1)), "f32[1,2,3,4,2]", "f32[3,2,2,3,2]"),
    *pair(conv(3, groups=2, flip=True), "f32[2,2,3,2,2]", "f32[4,2,1,2,1]"),
    *pair(conv(2, stride=2, groups=4, low=1), "f32[2,4,3,4]", "f32[8,3,2,1]"),
    *pair(conv(2, input_dilation=2, groups=2, flip=True, low=1, high=2), "f32[2,3,2,4]", "f32[4,3,2,2]"),
    *pair(conv(2, input_dilation=2, groups=3, flip=True, low=1), "f32[2,3,2,3]", "f32[6,2,3,1]"),
    *pair(conv(3, dilation=(2, 1, 1), groups=2), "f32[1,4,2,3,4]", "f32[2,2,1,2,2]"),
    *pair(conv(1, low=-6, high=6, input_dilation=4), "f32[2,1,3]", "f32[2,1,3]"),
    *pair(conv(2, low=1), "f32[0,3,4,2]", "f32[3,2,2,2]"),
    *pair(conv(2, low=1, dilation=2), "f16[2,3,4,2]", "f16[3,2,2,2]"),
    *pair(conv(2, groups=2), "bf16[2,3,4,2]", "bf16[2,2,2,1]"),
]
