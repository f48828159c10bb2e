"""Cases for Burn's convolutions, their backward operations, deformable convolution and unfold4d."""

import math

import numpy as np

from tests.burn.harness import FLOATS, Case, T


def taps(image, kernel, made, stride, padding, dilation):
    """(o, k, i): output position o reads image position i with kernel position k."""
    for o in np.ndindex(*made):
        for k in np.ndindex(*kernel):
            i = tuple(a * s - p + b * d for a, s, p, b, d in zip(o, stride, padding, k, dilation, strict=True))
            if all(0 <= at < n for at, n in zip(i, image, strict=True)):
                yield o, k, i


def conv_size(image, kernel, stride, padding, dilation):
    each = zip(image, kernel, stride, padding, dilation, strict=True)
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in each)


def transposed_size(image, kernel, stride, padding, padding_out, dilation):
    each = zip(image, kernel, stride, padding, padding_out, dilation, strict=True)
    return tuple((n - 1) * s + d * (k - 1) + 1 + more - 2 * p for n, k, s, p, more, d in each)


def grouped(array, groups, axis):
    """One axis as [groups, the rest]."""
    return array.reshape(*array.shape[:axis], groups, array.shape[axis] // groups, *array.shape[axis + 1 :])


def with_bias(y, bias):
    return y if bias is None else y + bias.reshape(-1, *(1,) * (y.ndim - 2))


def conv(x, weight, bias, stride, padding, dilation, groups):
    image, kernel = x.shape[2:], weight.shape[2:]
    made = conv_size(image, kernel, stride, padding, dilation)
    xs, ws = grouped(x, groups, 1), grouped(weight, groups, 0)
    y = np.zeros((x.shape[0], groups, ws.shape[1], *made))
    for o, k, i in taps(image, kernel, made, stride, padding, dilation):
        y[:, :, :, *o] += np.einsum("ngi,goi->ngo", xs[:, :, :, *i], ws[:, :, :, *k])
    return with_bias(y.reshape(x.shape[0], weight.shape[0], *made), bias)


def spread_out(output_grad, weight, image, stride, padding, dilation, groups):
    """Each entry of output_grad adds its kernel, weight [O, C / groups, *K], to an image."""
    gs, ws = grouped(output_grad, groups, 1), grouped(weight, groups, 0)
    x = np.zeros((output_grad.shape[0], groups, ws.shape[2], *image))
    for o, k, i in taps(image, weight.shape[2:], output_grad.shape[2:], stride, padding, dilation):
        x[:, :, :, *i] += np.einsum("ngo,goi->ngi", gs[:, :, :, *o], ws[:, :, :, *k])
    return x.reshape(output_grad.shape[0], groups * ws.shape[2], *image)


def conv_x_backward(x, weight, output_grad, stride, padding, dilation, groups):
    return spread_out(output_grad, weight, x.shape[2:], stride, padding, dilation, groups)


def conv_weight_backward(x, weight, output_grad, stride, padding, dilation, groups):
    xs, gs = grouped(x, groups, 1), grouped(output_grad, groups, 1)
    found = np.zeros(grouped(weight, groups, 0).shape)
    for o, k, i in taps(x.shape[2:], weight.shape[2:], output_grad.shape[2:], stride, padding, dilation):
        found[:, :, :, *k] += np.einsum("ngo,ngi->goi", gs[:, :, :, *o], xs[:, :, :, *i])
    return found.reshape(weight.shape)


def conv_transpose(x, weight, bias, stride, padding, padding_out, dilation, groups):
    image = transposed_size(x.shape[2:], weight.shape[2:], stride, padding, padding_out, dilation)
    return with_bias(spread_out(x, weight, image, stride, padding, dilation, groups), bias)


def conv_transpose_weight_backward(x, weight, output_grad, stride, padding, padding_out, dilation, groups):
    return conv_weight_backward(output_grad, weight, x, stride, padding, dilation, groups)


def bias_backward(x, bias, output_grad):
    return output_grad.sum((0, *range(2, output_grad.ndim)))


def bilinear(plane, y, x):
    """plane [C, H, W] at a position; what is outside counts as zero."""
    low = math.floor(y), math.floor(x)
    total = np.zeros(plane.shape[0])
    for i in (low[0], low[0] + 1):
        for j in (low[1], low[1] + 1):
            if 0 <= i < plane.shape[1] and 0 <= j < plane.shape[2]:
                total += plane[:, i, j] * (1 - abs(y - i)) * (1 - abs(x - j))
    return total


def deformed(x, offset, shape, mask, stride, padding, dilation, offset_groups):
    """What the taps read: [N, C, KH, KW, H', W']."""
    (height, width), made, run = shape, offset.shape[2:], x.shape[1] // offset_groups
    found = np.zeros((*x.shape[:2], height, width, *made))
    for n, g, a, b, i, j in np.ndindex(x.shape[0], offset_groups, height, width, *made):
        tap = g * height * width + a * width + b
        at_y = i * stride[0] + a * dilation[0] - padding[0] + offset[n, 2 * tap, i, j]
        at_x = j * stride[1] + b * dilation[1] - padding[1] + offset[n, 2 * tap + 1, i, j]
        own = slice(g * run, (g + 1) * run)
        found[n, own, a, b, i, j] = bilinear(x[n, own], at_y, at_x) * (1 if mask is None else mask[n, tap, i, j])
    return found


def deform_conv2d(x, offset, weight, stride, padding, dilation, weight_groups, offset_groups, mask=None, bias=None):
    read = deformed(x, offset, weight.shape[2:], mask, stride, padding, dilation, offset_groups)
    y = np.einsum("ngcabij,gocab->ngoij", grouped(read, weight_groups, 1), grouped(weight, weight_groups, 0))
    return with_bias(y.reshape(x.shape[0], -1, *read.shape[4:]), bias)


def deform_conv2d_backward(x, offset, weight, mask, bias, out_grad, **options):
    """Of each operand, by central differences of the sum of the result times out_grad."""
    given, found = {"x": x, "offset": offset, "weight": weight, "mask": mask, "bias": bias}, []
    for name, array in given.items():
        slope = np.zeros(array.shape)
        for at in np.ndindex(*array.shape):
            step = np.zeros(array.shape)
            step[at] = 1e-4
            ahead, behind = (deform_conv2d(**(given | {name: array + sign * step}), **options) for sign in (1, -1))
            slope[at] = np.sum((ahead - behind) * out_grad) / 2e-4
        found.append(slope)
    return tuple(found)


def unfold4d(x, kernel_size, stride, padding, dilation):
    made = conv_size(x.shape[2:], kernel_size, stride, padding, dilation)
    y = np.zeros((*x.shape[:2], *kernel_size, *made))
    for o, k, i in taps(x.shape[2:], kernel_size, made, stride, padding, dilation):
        y[:, :, *k, *o] = x[:, :, *i]
    return y.reshape(x.shape[0], x.shape[1] * math.prod(kernel_size), math.prod(made))


# label: image, kernel, stride, padding, dilation, groups, input and output channels
GEOMETRIES = {
    1: {
        "": ((7,), (3,), (2,), (1,), (1,), 1, 3, 2),
        "groups": ((6,), (2,), (1,), (2,), (2,), 2, 4, 6),
        "rows left over": ((6,), (2,), (3,), (0,), (1,), 1, 2, 3),
    },
    2: {
        "": ((4, 5), (3, 2), (1, 1), (1, 0), (1, 1), 1, 3, 2),
        "strides, dilations": ((6, 5), (2, 3), (2, 1), (0, 2), (1, 2), 1, 2, 3),
        "groups": ((4, 3), (2, 2), (1, 2), (1, 1), (2, 1), 2, 4, 6),
        "each channel by itself": ((3, 4), (2, 3), (1, 1), (0, 1), (1, 1), 3, 3, 3),
    },
    3: {
        "": ((3, 4, 2), (2, 3, 1), (1, 2, 1), (1, 1, 0), (1, 1, 1), 1, 2, 3),
        "groups": ((2, 3, 4), (1, 2, 2), (1, 1, 2), (0, 1, 1), (1, 2, 1), 2, 4, 2),
    },
}


def conv_cases(rank, label, image, kernel, stride, padding, dilation, groups, channels, out):
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    x, weight = T(2, channels, *image), T(out, channels // groups, *kernel)
    output_grad = T(2, out, *conv_size(image, kernel, stride, padding, dilation))
    given = {"x": x, "weight": weight, "output_grad": output_grad}
    name = f"Module.Conv{rank}d"
    return [
        Case(name, {"x": x, "weight": weight, "bias": T(out)}, options, conv, FLOATS, label=label),
        Case(f"{name}XBackward", given, options, conv_x_backward, FLOATS, label=label),
        Case(f"{name}WeightBackward", given, options, conv_weight_backward, FLOATS, label=label),
        Case(f"{name}BiasBackward", {"x": x, "bias": T(out), "output_grad": output_grad}, {}, bias_backward, label=label),
    ]


def transposed_cases(rank, label, image, kernel, stride, padding, dilation, groups, channels, out, padding_out):
    options = {"stride": stride, "padding": padding, "padding_out": padding_out, "dilation": dilation, "groups": groups}
    x, weight = T(2, channels, *image), T(channels, out // groups, *kernel)
    output_grad = T(2, out, *transposed_size(image, kernel, stride, padding, padding_out, dilation))
    given = {"x": x, "weight": weight, "output_grad": output_grad}
    name = f"Module.ConvTranspose{rank}d"
    return [
        Case(name, {"x": x, "weight": weight, "bias": T(out)}, options, conv_transpose, FLOATS, label=label),
        Case(f"{name}WeightBackward", given, options, conv_transpose_weight_backward, FLOATS, label=label),
        Case(f"{name}BiasBackward", {"x": x, "bias": T(out), "output_grad": output_grad}, {}, bias_backward, label=label),
    ]


def without_bias(rank, name, want, extra=None):
    one = (1,) * rank
    options = {"bias": None, "stride": one, "padding": (0,) * rank, "dilation": one, "groups": 1} | (extra or {})
    operands = {"x": T(1, 2, *range(3, 3 + rank)), "weight": T(2, 2, *(2,) * rank)}
    empty = {"x": T(0, 2, *range(3, 3 + rank)), "weight": T(2, 2, *(2,) * rank)}
    return [
        Case(name, operands, options, want, FLOATS, label="no bias"),
        Case(name, empty, options, want, FLOATS, label="empty batch"),
    ]


DEFORMED = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)}  # [5, 6] and kernel [2, 3] make [3, 2]
# Offsets off tenths, so that no tap reads on a pixel's border, where the derivative jumps; some reach outside the image.
DEFORM_OPERANDS = {
    "x": T(2, 4, 5, 6),
    "offset": T(2, 2 * 12, 3, 2, limits=(-7.0, 8.0), spread=True),
    "weight": T(6, 2, 2, 3),
    "mask": T(2, 2 * 6, 3, 2),
    "bias": T(6),
}
SMALL_DEFORM = {
    "x": T(1, 2, 3, 4),
    "offset": T(1, 8, 2, 3, limits=(-2.0, 2.0), spread=True),
    "weight": T(2, 1, 2, 2),
    "mask": T(1, 4, 2, 3),
    "bias": T(2),
    "out_grad": T(1, 2, 2, 3),
}

CASES = [
    *(
        case
        for rank, geometries in GEOMETRIES.items()
        for label, geometry in geometries.items()
        for case in (
            *conv_cases(rank, label, *geometry),
            *transposed_cases(
                rank, label, *geometry, tuple(max(s, d) - 1 for s, d in zip(geometry[2], geometry[4], strict=True))
            ),
        )
    ),
    *(case for rank in (1, 2, 3) for case in without_bias(rank, f"Module.Conv{rank}d", conv)),
    *(
        case
        for rank in (1, 2, 3)
        for case in without_bias(rank, f"Module.ConvTranspose{rank}d", conv_transpose, {"padding_out": (0,) * rank})
    ),
    *(
        case
        for rank in (1, 2, 3)
        for case in transposed_cases(
            rank, "long padding_out", (3,) * rank, (2,) * rank, (2,) * rank, (1,) * rank, (1,) * rank, 1, 2, 3, (4,) * rank
        )
    ),
    Case(
        "Module.DeformableConv2d", DEFORM_OPERANDS, DEFORMED | {"weight_groups": 2, "offset_groups": 2}, deform_conv2d, FLOATS
    ),
    Case(
        "Module.DeformableConv2d",
        {"x": T(1, 2, 3, 4), "offset": T(1, 8, 2, 3, limits=(-2.0, 2.0), spread=True), "weight": T(3, 2, 2, 2)},
        {"mask": None, "bias": None, "stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
        | {"weight_groups": 1, "offset_groups": 1},
        deform_conv2d,
        FLOATS,
        label="no mask, no bias",
    ),
    Case(
        "Module.DeformableConv2dBackward",
        SMALL_DEFORM,
        {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "weight_groups": 2, "offset_groups": 1},
        deform_conv2d_backward,
        FLOATS,
        ("T",) * 5,
    ),
    *(
        Case(
            "Module.Unfold4d",
            {"x": T(*shape)},
            {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation},
            unfold4d,
            FLOATS,
            label=label,
        )
        for label, shape, kernel, stride, padding, dilation in (
            ("", (2, 3, 4, 5), (2, 3), (1, 1), (0, 0), (1, 1)),
            ("strides, padding, dilation", (2, 2, 5, 4), (3, 2), (1, 2), (2, 1), (2, 1)),
            ("empty batch", (0, 2, 3, 4), (2, 2), (1, 1), (0, 0), (1, 1)),
        )
    ),
]
