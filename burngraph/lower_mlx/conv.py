"""Convolutions and their weight gradients in MLX.

Elsewhere than on a CPU they are MLX's own, which has every attribute but groups in 3-D. On a CPU that is a matrix product
only where nothing is dilated and groups = 1, and a naive loop otherwise; there, in the letters of `ir/ops/conv.py`,

    d > 1            a strided view whose rows are windows, and one matrix product (im2col)
    e > 1            x times the weights of every tap, which are then added up where they belong
    one channel each one multiplication and addition per tap
    groups           the first of these for all groups at once, the second group by group
"""

from dataclasses import replace
from math import prod
from typing import Any, NamedTuple, TypeVar

from burngraph.ir.ops.conv import Conv, Convolution, ConvWeightGrad
from burngraph.lower_mlx.table import lowers
from burngraph.lower_mlx.window import balanced_sum, overlap_add

Ints = tuple[int, ...]
C = TypeVar("C", bound=Convolution)
MOST_TAPS = 128  # of a kernel written out tap by tap


class Known(NamedTuple):
    """An array with its shape and dtype: while source is recorded, only a rule's operands know theirs."""

    array: Any
    shape: Ints
    dtype: Any


def _known(x: Any) -> Known:
    return Known(x, x.shape, x.dtype)


def _in_f32(mx: Any, rule: Any, op: Convolution, x: Any, y: Any) -> Any:
    """rule(mx, op, x, y), 16-bit floats made f32 and the result narrowed: a CPU multiplies 16-bit matrices entry by entry."""
    if x.dtype not in (mx.float16, mx.bfloat16):
        return rule(mx, op, _known(x), _known(y))
    wide = (Known(a.astype(mx.float32), a.shape, mx.float32) for a in (x, y))
    return rule(mx, op, *wide).astype(x.dtype)


def _ones(op: Convolution) -> Ints:
    return (1,) * len(op.stride)


def _is_product(op: Conv, w: Any) -> bool:
    """Whether each output entry reads one input entry, so that the whole is a matrix product."""
    is_pointwise = w.shape[1:-1] == _ones(op) and not any((*op.pad_low, *op.pad_high))
    return is_pointwise and op.groups == 1 and op.input_dilation == _ones(op)


def _product(mx: Any, op: Conv, x: Known, w: Known) -> Any:
    entries = x.array
    if op.stride != _ones(op):
        entries = entries[(slice(None), *(slice(None, None, s) for s in op.stride))]
    return entries @ w.array.reshape((w.shape[0], w.shape[-1])).T


def _insert_zeros(mx: Any, x: Known, step: Ints) -> Known:
    """x[N, *S, C] with step-1 zeros between spatial entries."""
    shape = x.shape
    if set(step) == {1}:
        return x
    inner = (shape[0], *((n - 1) * e + 1 for n, e in zip(shape[1:-1], step, strict=True)), shape[-1])
    at = (slice(None), *(slice(None, None, e) for e in step))
    return Known(mx.zeros(inner, dtype=x.dtype).at[at].add(x.array), inner, x.dtype)


def _padded(mx: Any, x: Known, low: Ints, high: Ints) -> Known:
    """x[N, *S, C] with zeros around, cropped where negative. Padding first: a crop may reach into it."""
    y, shape, dtype = x
    added = [(max(a, 0), max(b, 0)) for a, b in zip(low, high, strict=True)]
    whole = [n + a + b for n, (a, b) in zip(shape[1:-1], added, strict=True)]
    if any(map(any, added)):
        y = mx.pad(y, [(0, 0), *added, (0, 0)])
    cuts = [(max(-a, 0), n - max(-b, 0)) for a, b, n in zip(low, high, whole, strict=True)]
    if cuts != [(0, n) for n in whole]:
        y = y[(slice(None), *(slice(a, b) for a, b in cuts))]
    return Known(y, (shape[0], *(b - a for a, b in cuts), shape[-1]), dtype)


def _cropped(mx: Any, op: Convolution, x: Known) -> tuple[Any, Ints, Ints, Ints]:
    """x without negative padding; what is left: low and high padding, and input dilation."""
    step = op.input_dilation
    if min((*op.pad_low, *op.pad_high)) >= 0:
        return x.array, op.pad_low, op.pad_high, step
    y = _padded(mx, _insert_zeros(mx, x, step), op.pad_low, op.pad_high)
    zeros = (0,) * len(step)
    return y.array, zeros, zeros, _ones(op)


def _general(mx: Any, op: Conv, x: Known, w: Any, groups: int = 1) -> Any:
    y, low, high, step = _cropped(mx, op, x)
    given = {"stride": op.stride, "padding": low if low == high else (list(low), list(high))}
    given |= {"kernel_dilation": op.dilation, "input_dilation": step, "groups": groups, "flip": op.flip}
    usual = {"kernel_dilation": (1,) * len(step), "input_dilation": (1,) * len(step), "groups": 1, "flip": False}
    return mx.conv_general(y, w, **{name: value for name, value in given.items() if value != usual.get(name)})


@lowers(Conv)
def lower_conv(mx: Any, op: Conv, x: Any, w: Any) -> Any:
    return _grouped(mx, op, _known(x), _known(w))


@lowers(Conv, target="cuda")
def lower_conv_on_cuda(mx: Any, op: Conv, x: Any, w: Any) -> Any:
    """Input dilation and flip written out: MLX 0.32 keeps cuDNN's plans under keys without them, and runs one for another."""
    source, plain = _undilated(mx, op, _known(x))
    mirrored = Known(_mirrored_if(op.flip, w, len(w.shape)), w.shape, w.dtype)
    return _grouped(mx, replace(plain, flip=False), source, mirrored)


def _undilated(mx: Any, op: C, x: Known) -> tuple[Known, C]:
    """x with the zeros that input dilation puts between its entries, and the op without it."""
    return _insert_zeros(mx, x, op.input_dilation), replace(op, input_dilation=_ones(op))


def _grouped(mx: Any, op: Conv, x: Known, w: Known) -> Any:
    if _is_product(op, w):
        return _product(mx, op, x, w)
    if op.groups == 1 or len(w.shape) <= 4:
        return _general(mx, op, x, w.array, op.groups)
    return _by_group(mx, op, x, w, _general_of_group)  # MLX has no groups in 3-D


def _general_of_group(mx: Any, op: Conv, x: Known, w: Known) -> Any:
    return _general(mx, op, x, w.array)


def _by_group(mx: Any, op: Conv, x: Known, w: Known, rule: Any) -> Any:
    """rule(mx, op, x, w) on the channels of each group, side by side."""
    ci, co = x.shape[-1] // op.groups, w.shape[0] // op.groups
    parts = []
    for g in range(op.groups):
        own = Known(x.array[..., g * ci : (g + 1) * ci], (*x.shape[:-1], ci), x.dtype)
        weights = Known(w.array[g * co : (g + 1) * co], (co, *w.shape[1:]), w.dtype)
        parts.append(rule(mx, op, own, weights))
    return mx.concatenate(parts, axis=-1)


@lowers(Conv, target="cpu")
def lower_conv_on_cpu(mx: Any, op: Conv, x: Any, w: Any) -> Any:
    return _in_f32(mx, _best, op, x, w)


def _best(mx: Any, op: Conv, x: Known, w: Known) -> Any:
    if _is_product(op, w):
        return _product(mx, op, x, w)
    is_small = prod(w.shape[1:-1]) <= MOST_TAPS
    if op.groups > 1 and w.shape[-1] == 1 and is_small:
        return _depthwise(mx, op, x, w)
    if op.input_dilation != _ones(op):
        rule = _taps_added if is_small else _general_of_group
        return rule(mx, op, x, w) if op.groups == 1 else _by_group(mx, op, x, w, rule)
    if op.groups == 1 and op.dilation == _ones(op):
        return _general(mx, op, x, w.array)
    return _from_columns(mx, op, x, w)


def _from_columns(mx: Any, op: Conv, x: Known, w: Known) -> Any:
    """Rows that are windows, times the weights: one matrix product, or one for each group."""
    kernel, output, groups = w.shape[1:-1], op.output_shape(x.shape[1:-1], w.shape[1:-1]), op.groups
    padded = _padded(mx, x, op.pad_low, op.pad_high)
    columns = _columns(mx, padded, output, kernel, op.stride, op.dilation, groups)
    flat = _mirrored_if(op.flip, w.array, len(w.shape))
    result, out, depth = (x.shape[0], *output, w.shape[0]), w.shape[0] // groups, prod(w.shape[1:])
    if groups == 1:
        return (columns @ flat.reshape((out, depth)).T).reshape(result)
    parts = columns @ mx.transpose(flat.reshape((groups, out, depth)), (0, 2, 1))
    return mx.transpose(parts, (1, 0, 2)).reshape(result)


def _mirrored_if(flag: bool, w: Any, rank: int) -> Any:
    """w[Co, *K, Ci], of `rank`, with every kernel axis reversed if `flag`."""
    return w[(slice(None), *(slice(None, None, -1),) * (rank - 2))] if flag else w


def _columns(mx: Any, x: Known, output: Ints, kernel: Ints, stride: Ints, dilation: Ints, groups: int) -> Any:
    """The windows of x[N, *S, C], each inside it, as rows: [N * prod(output), prod(kernel) * C], or [groups, ..] of those."""
    shape, per = x.shape, x.shape[-1] // groups
    steps = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
    across = [s * step for s, step in zip(stride, steps[1:-1], strict=True)]
    within = [d * step for d, step in zip(dilation, steps[1:-1], strict=True)]
    whole = mx.contiguous(x.array)  # a slice with steps may reach as_strided as it is, and is refused there
    by_group = (groups,) if groups > 1 else ()
    view = (*by_group, shape[0], *output, *kernel, per)
    windows = mx.as_strided(whole, view, ((per,) if groups > 1 else ()) + (steps[0], *across, *within, 1))
    return windows.reshape((*by_group, shape[0] * prod(output), prod(kernel) * per))


def _taps(kernel: Ints) -> list[Ints]:
    """Kernel positions, row by row."""
    found: list[Ints] = [()]
    for size in kernel:
        found = [(*tap, i) for tap in found for i in range(size)]
    return found


def _weight_at(op: Convolution, kernel: Ints, tap: Ints) -> Ints:
    return tuple(k - 1 - j for k, j in zip(kernel, tap, strict=True)) if op.flip else tap


def _taps_added(mx: Any, op: Conv, x: Known, w: Known) -> Any:
    """x times the weights of every tap in one matrix product; then each product is added where it belongs, axis by axis."""
    kernel, rank = w.shape[1:-1], len(w.shape)
    columns = mx.transpose(w.array, (rank - 1, *range(1, rank - 1), 0)).reshape((w.shape[-1], prod(w.shape[:-1])))
    products = x.array.reshape((prod(x.shape[:-1]), x.shape[-1])) @ columns
    shape = [*x.shape[:-1], *kernel, w.shape[0]]
    total = products.reshape(tuple(shape))
    for axis, size in enumerate(kernel, 1):
        places = range(size) if op.flip else reversed(range(size))
        terms = [total[(*(slice(None),) * (rank - 1), i)] for i in places]
        del shape[rank - 1]  # the first kernel axis that is left
        total, shape[axis] = _placed(mx, op, terms, tuple(shape), axis)
    return _of_placed(mx, op, Known(total, tuple(shape), x.dtype), x.shape, kernel)


def _placed(mx: Any, op: Conv, terms: list[Any], shape: Ints, axis: int) -> tuple[Any, int]:
    """Terms added up along a spatial axis, one for each place of the kernel; the first starts where y would begin if it were
    padded by kernel reach - pad_low. Also the length of that axis."""
    stride, step = op.input_dilation[axis - 1], op.dilation[axis - 1]
    length = (shape[axis] - 1) * stride + (len(terms) - 1) * step + 1
    return overlap_add(mx, terms, shape, axis, stride, step, length), length


def _of_placed(mx: Any, op: Conv, total: Known, x_shape: Ints, kernel: Ints) -> Any:
    """y, cut out of the sum of all products."""
    reach = [(k - 1) * d for k, d in zip(kernel, op.dilation, strict=True)]
    low = tuple(a - r for a, r in zip(op.pad_low, reach, strict=True))
    dense = (p - r for p, r in zip(op.padded_shape(x_shape[1:-1]), reach, strict=True))
    high = tuple(n - a - m for n, a, m in zip(dense, low, total.shape[1:-1], strict=True))
    y = _padded(mx, total, low, high).array
    return y if op.stride == _ones(op) else y[(slice(None), *(slice(None, None, s) for s in op.stride))]


def _depthwise(mx: Any, op: Conv, x: Known, w: Known) -> Any:
    """Groups of one input channel, which is repeated for each of its output channels: each tap multiplies the channels."""
    kernel, each = w.shape[1:-1], w.shape[0] // x.shape[-1]
    source = x if each == 1 else Known(mx.repeat(x.array, each, axis=-1), (*x.shape[:-1], w.shape[0]), x.dtype)

    def weights(tap: Ints) -> Any:
        return w.array[(slice(None), *_weight_at(op, kernel, tap), 0)]

    if op.input_dilation != _ones(op):
        total = _depthwise_placed(mx, op, source, kernel, weights, ())
        return _of_placed(mx, op, total, x.shape, kernel)
    output = op.output_shape(x.shape[1:-1], kernel)
    padded = _padded(mx, source, op.pad_low, op.pad_high).array
    return balanced_sum([padded[_window(tap, output, op.stride, op.dilation)] * weights(tap) for tap in _taps(kernel)])


def _depthwise_placed(mx: Any, op: Conv, x: Known, kernel: Ints, weights: Any, tap: Ints) -> Known:
    """x times the weights of every tap that starts with `tap`, each added where it belongs; later axes first."""
    if len(tap) == len(kernel):
        return Known(x.array * weights(tap), x.shape, x.dtype)
    axis = len(tap) + 1
    parts = [_depthwise_placed(mx, op, x, kernel, weights, (*tap, i)) for i in reversed(range(kernel[axis - 1]))]
    shape = parts[0].shape
    total, length = _placed(mx, op, [part.array for part in parts], shape, axis)
    return Known(total, (*shape[:axis], length, *shape[axis + 1 :]), x.dtype)


def _window(tap: Ints, output: Ints, stride: Ints, dilation: Ints) -> tuple[slice, ...]:
    """Where the entries that meet a kernel tap lie in a padded array."""
    each = zip(tap, output, stride, dilation, strict=True)
    return (slice(None), *(slice(j * d, j * d + (n - 1) * s + 1, s) for j, n, s, d in each))


@lowers(ConvWeightGrad)
def lower_conv_weight_grad(mx: Any, op: ConvWeightGrad, x: Any, y_bar: Any) -> Any:
    return _weight_grad(mx, op, _known(x), y_bar)


@lowers(ConvWeightGrad, target="cuda")
def lower_conv_weight_grad_on_cuda(mx: Any, op: ConvWeightGrad, x: Any, y_bar: Any) -> Any:
    source, plain = _undilated(mx, op, _known(x))
    return _weight_grad(mx, plain, source, y_bar)


def _weight_grad(mx: Any, op: ConvWeightGrad, x: Known, y_bar: Any) -> Any:
    """The convolution of x with y_bar as its kernel, with batch and channels exchanged; stride becomes dilation."""
    rank = len(x.shape)
    swap = (rank - 1, *range(1, rank - 1), 0)
    y, low, high, step = _cropped(mx, op, x)
    per, out = x.shape[-1] // op.groups, y_bar.shape[-1] // op.groups

    def product(own: Any, bar: Any, groups: int) -> Any:
        part = mx.conv_general(
            own, mx.transpose(bar, swap), stride=op.dilation, padding=(list(low), list(high)),
            kernel_dilation=op.stride, input_dilation=step, groups=groups,
        )[(slice(None), *(slice(0, k) for k in op.kernel))]  # fmt: skip
        return mx.transpose(part, swap)

    if op.groups == 1:
        whole = product(mx.transpose(y, swap), y_bar, 1)
    elif rank <= 4:  # the batch of each group stands for the channels of that group
        is_cropped = min((*op.pad_low, *op.pad_high)) < 0
        size = op.padded_shape(x.shape[1:-1]) if is_cropped else x.shape[1:-1]
        split = mx.transpose(y.reshape((x.shape[0], *size, op.groups, per)), (rank, *range(1, rank - 1), rank - 1, 0))
        whole = product(split.reshape((per, *size, op.groups * x.shape[0])), y_bar, op.groups)
    else:  # MLX has no groups in 3-D
        cut = [(slice(g * per, (g + 1) * per), slice(g * out, (g + 1) * out)) for g in range(op.groups)]
        whole = mx.concatenate([product(mx.transpose(y[..., a], swap), y_bar[..., b], 1) for a, b in cut], axis=0)
    return whole[(slice(None), *(slice(None, None, -1) for _ in op.kernel))] if op.flip else whole


@lowers(ConvWeightGrad, target="cpu")
def lower_conv_weight_grad_on_cpu(mx: Any, op: ConvWeightGrad, x: Any, y_bar: Any) -> Any:
    return _in_f32(mx, _best_weight_grad, op, x, y_bar)


def _best_weight_grad(mx: Any, op: ConvWeightGrad, x: Known, y_bar: Known) -> Any:
    """Windows of x meet the entries of y_bar. Where x is dilated, the other way round: y_bar's windows meet x's entries."""
    ones, kernel, rank = _ones(op), op.kernel, len(x.shape)
    is_swapped = op.input_dilation != ones and op.stride == ones
    if is_swapped:  # tap j of the mirrored kernel reads y_bar at i*e + j*d - low
        windowed, single, stride, counts = y_bar, x, op.input_dilation, x.shape[1:-1]
        low = tuple((k - 1) * d - a for k, d, a in zip(kernel, op.dilation, op.pad_low, strict=True))
    else:
        windowed, single, stride, counts = x, y_bar, op.stride, y_bar.shape[1:-1]
        windowed, low = _insert_zeros(mx, windowed, op.input_dilation), op.pad_low
    each = zip(counts, stride, kernel, op.dilation, low, windowed.shape[1:-1], strict=True)
    high = tuple((n - 1) * s + (k - 1) * d + 1 - a - size for n, s, k, d, a, size in each)
    padded = _padded(mx, windowed, low, high)
    if x.shape[-1] == op.groups > 1 and prod(kernel) <= MOST_TAPS:
        w_bar = _depthwise_weight_grad(mx, op, padded.array, single.array, stride, counts, is_swapped, y_bar.shape[-1])
        return _mirrored_if(op.flip != is_swapped, w_bar, rank)
    groups, rows = op.groups, x.shape[0] * prod(counts)
    per, rest = padded.shape[-1] // groups, single.shape[-1] // groups
    columns = _columns(mx, padded, counts, kernel, stride, op.dilation, groups)
    if groups == 1:
        bars = single.array.reshape((rows, rest)).T
    else:
        bars = mx.transpose(single.array.reshape((rows, groups, rest)), (1, 2, 0))
    flat = bars @ columns  # [groups, rest, kernel * per]
    if is_swapped:  # x's channels came first
        placed = mx.transpose(flat.reshape((groups, rest, prod(kernel), per)), (0, 3, 2, 1))
        w_bar = placed.reshape((groups * per, *kernel, rest))
    else:
        w_bar = flat.reshape((groups * rest, *kernel, per))
    return _mirrored_if(op.flip != is_swapped, w_bar, rank)


def _depthwise_weight_grad(
    mx: Any, op: ConvWeightGrad, padded: Any, single: Any, stride: Ints, counts: Ints, is_swapped: bool, channels_out: int
) -> Any:
    """[Co, *kernel, 1]: for each tap, the sum over examples and positions of windows' entries times the other operand's."""
    axes, each = tuple(range(len(counts) + 1)), channels_out // op.groups
    if each > 1:  # x is the operand with fewer channels
        padded, single = (padded, mx.repeat(single, each, -1)) if is_swapped else (mx.repeat(padded, each, -1), single)
    windows = (padded[_window(tap, counts, stride, op.dilation)] for tap in _taps(op.kernel))
    taps = [mx.sum(entries * single, axis=axes) for entries in windows]
    return mx.stack(taps, axis=-1).reshape((channels_out, *op.kernel, 1))
