"""Convolutions and their weight gradients in MLX."""

from math import prod
from typing import Any

from burngraph.ir.ops.conv import Conv, ConvWeightGrad
from burngraph.lower_mlx.table import lowers


def _insert_zeros(mx: Any, x: Any, shape: tuple[int, ...], step: tuple[int, ...]) -> tuple[Any, tuple[int, ...]]:
    """x[N, *S, C] with step-1 zeros between spatial entries."""
    if set(step) == {1}:
        return x, shape
    inner = (shape[0], *((n - 1) * e + 1 for n, e in zip(shape[1:-1], step, strict=True)), shape[-1])
    at = (slice(None), *(slice(None, None, e) for e in step))
    return mx.zeros(inner, dtype=x.dtype).at[at].add(x), inner


def _cropped(mx: Any, op: Any, x: Any) -> tuple[Any, tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """x with negative padding cut off; what is left: low and high padding, and input dilation."""
    step = op.input_dilation
    if min((*op.pad_low, *op.pad_high)) >= 0:
        return x, op.pad_low, op.pad_high, step
    y, shape = _insert_zeros(mx, x, x.shape, step)
    cuts = [slice(max(-a, 0), n - max(-b, 0)) for a, b, n in zip(op.pad_low, op.pad_high, shape[1:-1], strict=True)]
    low, high = (tuple(max(p, 0) for p in pads) for pads in (op.pad_low, op.pad_high))
    return y[(slice(None), *cuts)], low, high, (1,) * len(step)


@lowers(Conv)
def lower_conv(mx: Any, op: Conv, x: Any, w: Any) -> Any:
    ones = (1,) * len(op.stride)
    is_pointwise = w.shape[1:-1] == ones and not any((*op.pad_low, *op.pad_high))
    if is_pointwise and op.groups == 1 and op.input_dilation == ones:
        if op.stride != ones:
            x = x[(slice(None), *(slice(None, None, s) for s in op.stride))]
        return x @ mx.transpose(w.reshape((w.shape[0], w.shape[-1])), (1, 0))
    y, low, high, step = _cropped(mx, op, x)
    if op.groups > 1 and (len(w.shape) > 4 or op.groups <= 8):  # MLX has none in 3-D, and a slow one for few groups
        ci, co = x.shape[-1] // op.groups, w.shape[0] // op.groups
        parts = [
            mx.conv_general(
                y[..., g * ci : (g + 1) * ci], w[g * co : (g + 1) * co], stride=op.stride,
                padding=(list(low), list(high)), kernel_dilation=op.dilation, input_dilation=step, flip=op.flip,
            )
            for g in range(op.groups)
        ]  # fmt: skip
        return mx.concatenate(parts, axis=-1)
    return mx.conv_general(
        y, w, stride=op.stride, padding=(list(low), list(high)), kernel_dilation=op.dilation, input_dilation=step,
        groups=op.groups, flip=op.flip,
    )  # fmt: skip


@lowers(ConvWeightGrad)
def lower_conv_weight_grad(mx: Any, op: ConvWeightGrad, x: Any, y_bar: Any) -> Any:
    """The convolution of x with y_bar as its kernel, with batch and channels exchanged; stride becomes dilation."""
    rank = len(x.shape)
    swap = (rank - 1, *range(1, rank - 1), 0)
    y, low, high, step = _cropped(mx, op, x)
    per, out = x.shape[-1] // op.groups, y_bar.shape[-1] // op.groups
    parts = []
    for g in range(op.groups):
        own, bar = (y, y_bar) if op.groups == 1 else (y[..., g * per : (g + 1) * per], y_bar[..., g * out : (g + 1) * out])
        part = mx.conv_general(
            mx.transpose(own, swap), mx.transpose(bar, swap), stride=op.dilation, padding=(list(low), list(high)),
            kernel_dilation=op.stride, input_dilation=step,
        )[(slice(None), *(slice(0, k) for k in op.kernel))]  # fmt: skip
        parts.append(mx.transpose(part, swap))
    whole = parts[0] if op.groups == 1 else mx.concatenate(parts, axis=0)
    return whole[(slice(None), *(slice(None, None, -1) for _ in op.kernel))] if op.flip else whole


@lowers(ConvWeightGrad, target="cpu")
def lower_conv_weight_grad_on_cpu(mx: Any, op: ConvWeightGrad, x: Any, y_bar: Any) -> Any:
    """im2col and one matmul: a view of the padded x whose rows are windows, and y_bar as it lies in memory."""
    ones = (1,) * len(op.stride)
    if op.groups != 1 or op.input_dilation != ones or 0 in x.shape:
        return lower_conv_weight_grad(mx, op, x, y_bar)
    cropped, low, high, _ = _cropped(mx, op, x)
    is_padded = any((*low, *high))
    padded = mx.pad(cropped, [(0, 0), *zip(low, high, strict=True), (0, 0)]) if is_padded else cropped
    shape = (x.shape[0], *op.padded_shape(x.shape[1:-1]), x.shape[-1])
    steps = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
    across = [s * step for s, step in zip(op.stride, steps[1:-1], strict=True)]
    within = [d * step for d, step in zip(op.dilation, steps[1:-1], strict=True)]
    windows = (*y_bar.shape[:-1], *op.kernel, x.shape[-1])
    columns = mx.as_strided(padded, windows, (steps[0], *across, *within, 1))
    rows, depth, out = prod(y_bar.shape[:-1]), prod(windows[len(y_bar.shape) - 1 :]), y_bar.shape[-1]
    flat = mx.transpose(y_bar.reshape((rows, out)), (1, 0)) @ columns.reshape((rows, depth))
    whole = flat.reshape((out, *op.kernel, x.shape[-1]))
    return whole[(slice(None), *(slice(None, None, -1) for _ in op.kernel))] if op.flip else whole
