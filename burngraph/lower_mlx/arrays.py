"""Movement, reductions, products, indexing, random bits, windows, pools, convolutions and softmax in MLX."""

from math import prod
from typing import Any

from burngraph.errors import LoweringError
from burngraph.ir.ops.broadcast import Broadcast, Sum
from burngraph.ir.ops.conv import Conv, ConvWeightGrad
from burngraph.ir.ops.index import AddAlong, AddAt, Take, TakeAlong
from burngraph.ir.ops.matmul import Dot, Matmul
from burngraph.ir.ops.movement import Concat, Flip, Pad, Permute, Reshape, Slice
from burngraph.ir.ops.random import RandomBits, RandomSplit, threefry
from burngraph.ir.ops.reduce import All, ArgMax, ArgMin, Cumsum, Max, Min, Prod
from burngraph.ir.ops.reduce import Any as AnyOp
from burngraph.ir.ops.softmax import Logsumexp, Softmax
from burngraph.ir.ops.window import Fold, Windows, window_counts
from burngraph.lower_mlx.elementwise import is_float
from burngraph.lower_mlx.table import lowers


@lowers(Reshape)
def lower_reshape(mx: Any, op: Reshape, x: Any) -> Any:
    return x.reshape(op.shape)


@lowers(Permute)
def lower_permute(mx: Any, op: Permute, x: Any) -> Any:
    return mx.transpose(x, op.axes)


@lowers(Broadcast)
def lower_broadcast(mx: Any, op: Broadcast, x: Any) -> Any:
    ones = tuple(1 if axis in op.axes else n for axis, n in enumerate(op.shape))
    return mx.broadcast_to(x.reshape(ones), op.shape)


@lowers(Concat)
def lower_concat(mx: Any, op: Concat, *xs: Any) -> Any:
    return mx.concatenate(list(xs), axis=op.axis)


@lowers(Slice)
def lower_slice(mx: Any, op: Slice, x: Any) -> Any:
    return x[tuple(map(slice, op.start, op.stop, op.step))] if op.start else x


@lowers(Pad)
def lower_pad(mx: Any, op: Pad, x: Any, fill: Any) -> Any:
    if any(op.interior):
        return _pad_interior(mx, op, x, fill)
    return mx.pad(x, list(zip(op.low, op.high, strict=True)), constant_values=fill)


def _pad_interior(mx: Any, op: Pad, x: Any, fill: Any) -> Any:
    """Write x into an array of `fill` with steps."""
    inner = tuple(max(n - 1, 0) * g + n for n, g in zip(x.shape, op.interior, strict=True))
    shape = tuple(a + n + b for a, n, b in zip(op.low, inner, op.high, strict=True))
    zero = mx.zeros(shape, dtype=x.dtype)
    at = tuple(slice(a, a + n, g + 1) for a, n, g in zip(op.low, inner, op.interior, strict=True))
    inside = zero.at[at].add(mx.ones(x.shape, dtype=x.dtype)) != 0
    return mx.where(inside, zero.at[at].add(x), fill)


@lowers(Flip)
def lower_flip(mx: Any, op: Flip, x: Any) -> Any:
    flips = tuple(slice(None, None, -1) if a in op.axes else slice(None) for a in range(len(x.shape)))
    return x[flips] if op.axes else x


def _reducing(op_class: type, name: str) -> None:
    @lowers(op_class)
    def rule(mx: Any, op: Any, x: Any) -> Any:
        if not op.axes:
            return x
        if 0 in x.shape and name in _EMPTY:  # MLX 0.32's reductions of nothing sometimes never return on a CPU
            kept = tuple(n for axis, n in enumerate(x.shape) if axis not in op.axes)
            return mx.full(kept, _EMPTY[name], dtype=x.dtype)
        if name in ("sum", "prod") and x.dtype in (mx.float16, mx.bfloat16):  # MLX would accumulate in 16 bits
            return getattr(mx, name)(x.astype(mx.float32), axis=op.axes).astype(x.dtype)
        out = getattr(mx, name)(x, axis=op.axes)
        is_widened = name in ("sum", "prod") and x.dtype in (mx.int8, mx.int16, mx.uint8, mx.uint16)
        return out.astype(x.dtype) if is_widened else out


_EMPTY = {"sum": 0, "prod": 1, "all": True, "any": False}

for _class, _name in ((Sum, "sum"), (Prod, "prod"), (Max, "max"), (Min, "min"), (All, "all"), (AnyOp, "any")):
    _reducing(_class, _name)


@lowers(ArgMax)
def lower_argmax(mx: Any, op: ArgMax, x: Any) -> Any:
    return mx.argmax(x, axis=op.axis)


@lowers(ArgMin)
def lower_argmin(mx: Any, op: ArgMin, x: Any) -> Any:
    return mx.argmin(x, axis=op.axis)


@lowers(Cumsum)
def lower_cumsum(mx: Any, op: Cumsum, x: Any) -> Any:
    return mx.cumsum(x, axis=op.axis, reverse=op.reverse)


@lowers(Matmul)
def lower_matmul(mx: Any, op: Matmul, x: Any, y: Any) -> Any:
    if is_float(mx, x.dtype) or x.dtype == mx.complex64:
        return x @ y
    return mx.sum(mx.expand_dims(x, -1) * mx.expand_dims(y, -3), axis=-2).astype(x.dtype)  # MLX's takes no integers


@lowers(Dot)
def lower_dot(mx: Any, op: Dot, x: Any, y: Any) -> Any:
    kept_x = tuple(a for a in range(len(x.shape)) if a not in op.x_axes)
    kept_y = tuple(a for a in range(len(y.shape)) if a not in op.y_axes)
    if is_float(mx, x.dtype) or x.dtype == mx.complex64:
        if op.x_axes == (len(x.shape) - 1,) and kept_x and len(y.shape) == 2:  # a linear layer
            return x @ (y if op.y_axes == (0,) else mx.transpose(y, (1, 0)))
        pairs = sorted(zip(op.x_axes, op.y_axes, strict=True))  # in x's own order, or tensordot would permute x
        return mx.tensordot(x, y, axes=[[a for a, _ in pairs], [b for _, b in pairs]])
    k = prod(x.shape[a] for a in op.x_axes)
    outs = tuple(x.shape[a] for a in kept_x), tuple(y.shape[a] for a in kept_y)
    left = mx.transpose(x, (*kept_x, *op.x_axes)).reshape((prod(outs[0]), 1, k))
    right = mx.transpose(y, (*kept_y, *op.y_axes)).reshape((1, prod(outs[1]), k))
    return mx.sum(left * right, axis=-1).astype(x.dtype).reshape((*outs[0], *outs[1]))


def _positions(mx: Any, indices: Any, size: int) -> Any:
    """Negative indices wrapped once, then all clamped: MLX reads and writes outside otherwise."""
    if indices.dtype in (mx.uint8, mx.uint16, mx.uint32, mx.uint64):
        return mx.minimum(indices.astype(mx.uint64), mx.array(max(size - 1, 0), dtype=mx.uint64)).astype(mx.int64)
    wide = indices if indices.dtype in (mx.int32, mx.int64) else indices.astype(mx.int32)
    return mx.clip(mx.where(wide < 0, wide + size, wide), 0, max(size - 1, 0))


@lowers(Take)
def lower_take(mx: Any, op: Take, x: Any, indices: Any) -> Any:
    return mx.take(x, _positions(mx, indices, x.shape[op.axis]), axis=op.axis)


@lowers(TakeAlong)
def lower_take_along(mx: Any, op: TakeAlong, x: Any, indices: Any) -> Any:
    return mx.take_along_axis(x, _positions(mx, indices, x.shape[op.axis]), axis=op.axis)


@lowers(AddAt)
def lower_add_at(mx: Any, op: AddAt, updates: Any, indices: Any) -> Any:
    n, axis, shape = len(indices.shape), op.axis, updates.shape
    result = (*shape[:axis], op.size, *shape[axis + n :])
    at = (*(slice(None),) * axis, _positions(mx, indices, op.size))
    return mx.zeros(result, dtype=updates.dtype).at[at].add(updates)


@lowers(AddAlong)
def lower_add_along(mx: Any, op: AddAlong, updates: Any, indices: Any) -> Any:
    shape, axis = updates.shape, op.axis
    result = (*shape[:axis], op.size, *shape[axis + 1 :])
    if shape[axis] == 1:  # one update in each row: nothing to add up
        return mx.put_along_axis(mx.zeros(result, dtype=updates.dtype), _positions(mx, indices, op.size), updates, axis)
    at = []
    for a, n in enumerate(shape):
        counts = mx.arange(n, dtype=mx.int64).reshape(tuple(n if i == a else 1 for i in range(len(shape))))
        at.append(_positions(mx, indices, op.size) if a == axis else counts)
    return mx.zeros(result, dtype=updates.dtype).at[tuple(at)].add(updates)


@lowers(RandomBits)
def lower_random_bits(mx: Any, op: RandomBits, key: Any) -> Any:
    _one_key(op, key)
    n = prod(op.shape)
    if n % 2 == 0:  # splitting is how MLX shows its raw words, always an even number of them
        return mx.random.split(key, n // 2).reshape(op.shape)
    half = n // 2
    first = mx.arange(half + 1, dtype=mx.uint32)
    second = mx.concatenate([mx.arange(half + 1, n, dtype=mx.uint32), mx.zeros((1,), dtype=mx.uint32)])
    a, b = threefry(key, first, second)
    return mx.concatenate([a, b[:half]]).reshape(op.shape)


@lowers(RandomSplit)
def lower_random_split(mx: Any, op: RandomSplit, key: Any) -> Any:
    _one_key(op, key)
    return mx.random.split(key, op.num)


def _one_key(op: Any, key: Any) -> None:
    if len(key.shape) != 1:
        raise LoweringError(f"{op.name}: MLX draws from one key at a time", f"key: u32{list(key.shape)}")


def window_taps(op: Any, shape: tuple[int, ...], steps: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """For each window entry in row-major order, where it lies in an array of `shape`."""
    counts = window_counts(op, shape, steps)
    found = [[slice(None)] * len(shape)]
    for axis, size, stride, step in zip(op.axes, op.size, op.stride, steps, strict=True):
        found = [
            [*index[:axis], slice(i * step, i * step + (counts[axis] - 1) * stride + 1, stride), *index[axis + 1 :]]
            for index in found
            for i in range(size)
        ]
    return [tuple(index) for index in found]


@lowers(Windows)
def lower_windows(mx: Any, op: Windows, x: Any) -> Any:
    stacked = mx.stack([x[tap] for tap in window_taps(op, x.shape, op.dilation)], axis=-1)
    return stacked.reshape(op.windows_shape(x.shape))


@lowers(Fold)
def lower_fold(mx: Any, op: Fold, x: Any) -> Any:
    rank = len(op.shape)
    flat = x.reshape((*x.shape[:rank], prod(op.size)))
    total = mx.zeros(op.shape, dtype=x.dtype)
    for i, tap in enumerate(window_taps(op, op.shape, op.dilation)):
        total = total.at[tap].add(flat[..., i])
    return total


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


@lowers(Softmax)
def lower_softmax(mx: Any, op: Softmax, x: Any) -> Any:
    return mx.softmax(x, axis=op.axis)


@lowers(Logsumexp)
def lower_logsumexp(mx: Any, op: Logsumexp, x: Any) -> Any:
    return mx.logsumexp(x, axis=op.axis)
