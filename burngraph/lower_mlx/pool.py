"""Pools and their derivatives in MLX: strided slices, maxima and sums one axis after another, no scatter, no window copies."""

from collections.abc import Callable, Iterator
from typing import Any

from burngraph.ir.ops.pool_max import ArgMaxPool, MaxPool, PoolRoute, PoolSelect, lowest
from burngraph.ir.ops.pool_sum import SpreadPool, SumPool
from burngraph.ir.types import TensorType, as_dtype
from burngraph.lower_mlx.elementwise import BITS, is_float, keep_where
from burngraph.lower_mlx.table import lowers
from burngraph.lower_mlx.window import overlap_add, strided_windows, window_taps

LONGEST = 16  # entries of a window along one axis that are written out one by one


@lowers(MaxPool)
def lower_max_pool(mx: Any, op: MaxPool, x: Any) -> Any:
    return _one_axis_after_another(mx, op, x, lowest(as_dtype(x.dtype)), mx.maximum, mx.max)


@lowers(SumPool)
def lower_sum_pool(mx: Any, op: SumPool, x: Any) -> Any:
    if 0 in x.shape:  # an evaluation of MLX 0.32's sum of nothing was seen to hang on a CPU
        return mx.zeros(op.pooled(TensorType(as_dtype(x.dtype), tuple(x.shape))).shape, dtype=x.dtype)
    wide = x.astype(mx.float32) if x.dtype in (mx.float16, mx.bfloat16) else x
    total = _one_axis_after_another(mx, op, wide, 0, lambda a, b: a + b, mx.sum, x.shape)
    return total if wide is x else total.astype(x.dtype)


def _one_axis_after_another(
    mx: Any, op: Any, x: Any, fill: Any, join: Callable[[Any, Any], Any], reduce: Any, x_shape: Any = None
) -> Any:
    """Join the strided slices of the padded x along each axis in turn; windows longer than LONGEST through a view."""
    shape = list(op.padded_shape(x.shape if x_shape is None else x_shape))
    low, high = op.padding(len(shape))
    y = x
    if any((*low, *high)):
        y = mx.pad(x, list(zip(low, high, strict=True)), constant_values=fill)
    for axis, size, stride, step in zip(op.axes, op.size, op.stride, op.steps, strict=True):
        count = (shape[axis] - (size - 1) * step - 1) // stride + 1
        source = y
        if size > LONGEST and 0 not in shape:
            along = MaxPool((axis,), (size,), (stride,), (0,), (0,), (step,))
            y = reduce(strided_windows(mx, along, source, tuple(shape), (step,)), axis=-1)
        else:
            for i in range(size):
                cut = (*(slice(None),) * axis, slice(i * step, i * step + (count - 1) * stride + 1, stride))
                y = source[cut] if i == 0 else join(y, source[cut])
        shape[axis] = count
    return y


@lowers(SpreadPool)
def lower_spread_pool(mx: Any, op: SpreadPool, y_bar: Any) -> Any:
    """Windows that tile an axis repeat each entry; others are added up, one axis after another."""
    if 0 in (*y_bar.shape, *op.shape):
        return mx.zeros(op.shape, dtype=y_bar.dtype)
    wide = y_bar.astype(mx.float32) if y_bar.dtype in (mx.float16, mx.bfloat16) else y_bar
    whole, shape = wide, list(y_bar.shape)
    low, high = op.padding(len(shape))
    for axis, size, stride in zip(op.axes, op.size, op.stride, strict=True):
        length, count = low[axis] + op.shape[axis] + high[axis], shape[axis]
        if size == stride and length == count * size:  # windows tile the axis: repeat
            tiles = mx.expand_dims(whole, axis + 1)
            tiled = (*shape[:axis], count, size, *shape[axis + 1 :])
            whole = mx.broadcast_to(tiles, tiled).reshape((*shape[:axis], length, *shape[axis + 1 :]))
        else:
            whole = overlap_add(mx, [whole] * size, tuple(shape), axis, stride, 1, length)
        shape[axis] = length
    if any((*low, *high)):
        whole = whole[tuple(slice(a, a + n) for a, n in zip(low, op.shape, strict=True))]
    return whole if wide is y_bar else whole.astype(y_bar.dtype)


@lowers(ArgMaxPool)
def lower_arg_max_pool(mx: Any, op: ArgMaxPool, x: Any, y: Any) -> Any:
    """One axis after another, the last first: the larger of two entries brings its position along; the first one of a tie.

    A position in the padding is -1, and gives way to any other.
    """
    steps, rank, shape = op.plane_steps(x.shape), len(x.shape), list(op.padded_shape(x.shape))
    values, places = _padded_low(mx, op, x), None
    for k in reversed(range(len(op.axes))):
        axis, low, size = op.axes[k], op.pad_low[k], x.shape[op.axes[k]]
        along = mx.arange(-low, shape[axis] - low, dtype=mx.int32)
        along = along.reshape(tuple(shape[axis] if a == axis else 1 for a in range(rank)))
        scaled = along if steps[k] == 1 else along * steps[k]
        here = scaled if places is None else scaled + places
        if low or op.pad_high[k]:
            here = mx.where((along >= 0) & (along < size), here, -1)
        if places is not None and any((*op.pad_low[k + 1 :], *op.pad_high[k + 1 :])):
            here = mx.where(places < 0, -1, here)
        best = place = None
        for cut in _cuts(op, k, tuple(shape)):
            entry, at = values[cut], here[cut]
            if best is None:
                best, place = entry, at
                continue
            is_better = (entry > best) | ((entry != entry) & (best == best)) | (place < 0)
            place = mx.where(is_better, at, place)
            best = mx.maximum(best, entry)
        values, places = best, place
        shape[axis] = y.shape[axis]
    return mx.broadcast_to(places, y.shape)


def _padded_low(mx: Any, op: Any, x: Any) -> Any:
    """x with its padding, below every entry or equal to the lowest."""
    if not any((*op.pad_low, *op.pad_high)):
        return x
    pads = list(zip(*op.padding(len(x.shape)), strict=True))
    return mx.pad(x, pads, constant_values=lowest(as_dtype(x.dtype)))


def _chosen(mx: Any, op: Any, x: Any, y: Any) -> Iterator[tuple[tuple[slice, ...], Any]]:
    """Per window entry: where it lies in the padded x, and the bool mask of windows whose first maximum it is."""
    pads = list(zip(*op.padding(len(x.shape)), strict=True))
    is_padded = any((*op.pad_low, *op.pad_high))
    padded, inside = x, None
    if is_padded:
        padded = mx.pad(x, pads, constant_values=lowest(as_dtype(x.dtype)))
        inside = mx.pad(mx.ones(x.shape, dtype=mx.bool_), pads, constant_values=False)
    found = None
    for tap in window_taps(op, op.padded_shape(x.shape), op.dilation):
        entry = padded[tap]
        hit = (entry == y) | (entry != entry)
        if inside is not None:
            hit = hit & inside[tap]
        yield tap, hit if found is None else hit & ~found
        found = hit if found is None else found | hit


def _kept(mx: Any, mask: Any, x: Any, dtype: Any) -> Any:
    return keep_where(mx, mask, x, dtype) if is_float(mx, dtype) else mx.where(mask, x, 0)


@lowers(PoolSelect)
def lower_pool_select(mx: Any, op: PoolSelect, x: Any, y: Any, x_dot: Any) -> Any:
    pads = list(zip(*op.padding(len(x.shape)), strict=True))
    padded = mx.pad(x_dot, pads) if any((*op.pad_low, *op.pad_high)) else x_dot
    total = None
    for tap, mask in _chosen(mx, op, x, y):
        term = _kept(mx, mask, padded[tap], x_dot.dtype)
        total = term if total is None else total + term
    return total


@lowers(PoolRoute)
def lower_pool_route(mx: Any, op: PoolRoute, x: Any, y: Any, y_bar: Any) -> Any:
    if not is_float(mx, y_bar.dtype) or 0 in y_bar.shape:
        return _route_by_masks(mx, op, x, y, y_bar)
    # The maxima over the last axis, then the one before, ...: the first entry row by row is the first row that holds the
    # maximum, and in it the first entry. So the cotangent goes back one axis at a time, with size - 1 comparisons for each.
    shapes, pooled = [op.padded_shape(x.shape)], [_padded_low(mx, op, x)]
    for k in reversed(range(len(op.axes))):
        entries = _entries(op, k, pooled[-1], shapes[-1])
        pooled.append(_running_maxima(mx, entries)[-1])
        shapes.append(_shape_of(op, k, shapes[-1]))
    bits = getattr(mx, BITS[str(y_bar.dtype).rpartition(".")[2]])
    bar, is_bits = y_bar, False
    for k in range(len(op.axes)):
        shape = shapes[-2 - k]
        left = bar if is_bits else bar.view(bits)
        bar, is_bits = _route_along(mx, op, k, _entries(op, k, pooled[-2 - k], shape), left, shape, (bits, y_bar.dtype))
    bar = bar.view(y_bar.dtype) if is_bits else bar
    if any((*op.pad_low, *op.pad_high)):
        low, _ = op.padding(len(x.shape))
        bar = bar[tuple(slice(a, a + n) for a, n in zip(low, x.shape, strict=True))]
    return bar


def _shape_of(op: PoolRoute, k: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` with axes[k] pooled."""
    axis, reach = op.axes[k], (op.size[k] - 1) * op.dilation[k] + 1
    return (*shape[:axis], (shape[axis] - reach) // op.stride[k] + 1, *shape[axis + 1 :])


def _cuts(op: PoolRoute, k: int, shape: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """For each entry of a window along axes[k], where it lies in an array of `shape`."""
    axis, stride, step = op.axes[k], op.stride[k], op.dilation[k]
    reach = (_shape_of(op, k, shape)[axis] - 1) * stride + 1
    return [(*(slice(None),) * axis, slice(i * step, i * step + reach, stride)) for i in range(op.size[k])]


def _entries(op: PoolRoute, k: int, x: Any, shape: tuple[int, ...]) -> list[Any]:
    return [x[cut] for cut in _cuts(op, k, shape)]


def _running_maxima(mx: Any, entries: list[Any]) -> list[Any]:
    maxima = entries[:1]
    for entry in entries[1:]:
        maxima.append(mx.maximum(maxima[-1], entry))
    return maxima


def _route_along(
    mx: Any, op: PoolRoute, k: int, entries: list[Any], left: Any, shape: tuple[int, ...], dtypes: tuple[Any, Any]
) -> tuple[Any, bool]:
    """Cotangents of windows along axes[k] to the first largest of their `entries`, which lie in an array of `shape`.

    On bits, as `left` is: of g and a mask of ones or zeros, `g & mask` stays with the earlier entries, and the rest, by xor,
    is this one's. Whether the result is bits too comes second.
    """
    bits, dtype = dtypes
    maxima = _running_maxima(mx, entries)
    parts: list[Any] = []
    axis, size, stride, step, low = op.axes[k], op.size[k], op.stride[k], op.dilation[k], op.pad_low[k]
    windows = _shape_of(op, k, shape)
    for i in reversed(range(1, size)):
        earlier, entry = maxima[i - 1], entries[i]
        wins = (earlier >= entry) | (earlier != earlier)
        if (i - 1) * step < low:  # padding does not win, not even over -inf: the first windows have nothing earlier
            count = windows[axis]
            begun = mx.arange(count, dtype=mx.int32) * stride >= low - (i - 1) * step
            wins = wins & begun.reshape(tuple(count if a == axis else 1 for a in range(len(shape))))
        stays = mx.bitwise_and(left, mx.negative(wins.astype(bits)))
        parts.append(mx.bitwise_xor(left, stays))
        left = stays
    parts = [left, *reversed(parts)]
    if stride == size and step == 1 and shape[axis] % size == 0:  # windows tile: interleave
        return mx.stack(parts, axis=axis + 1).reshape(shape), True
    return overlap_add(mx, [part.view(dtype) for part in parts], windows, axis, stride, step, shape[axis]), False


def _route_by_masks(mx: Any, op: PoolRoute, x: Any, y: Any, y_bar: Any) -> Any:
    """One mask for each entry of a window."""
    low, _ = op.padding(len(x.shape))
    total = mx.zeros(op.padded_shape(x.shape), dtype=y_bar.dtype)
    for tap, mask in _chosen(mx, op, x, y):
        total = total.at[tap].add(_kept(mx, mask, y_bar, y_bar.dtype))
    return total[tuple(slice(a, a + n) for a, n in zip(low, x.shape, strict=True))]
