"""Maximum pools and their derivatives in MLX: strided slices and maxima, no scatter and no window copies."""

from collections.abc import Iterator
from typing import Any

from burngraph.ir.ops.pool import MaxPool, PoolRoute, PoolSelect, lowest
from burngraph.ir.types import as_dtype
from burngraph.lower_mlx.elementwise import BITS, is_float, keep_where
from burngraph.lower_mlx.table import lowers
from burngraph.lower_mlx.window import window_taps


@lowers(MaxPool)
def lower_max_pool(mx: Any, op: MaxPool, x: Any) -> Any:
    """Maximum of strided slices, one axis after another."""
    shape = list(op.padded_shape(x.shape))
    low, high = op.padding(len(shape))
    fill = lowest(as_dtype(x.dtype))
    y = x
    if any((*low, *high)):
        y = mx.pad(x, list(zip(low, high, strict=True)), constant_values=mx.array(fill, dtype=x.dtype))
    for axis, size, stride, step in zip(op.axes, op.size, op.stride, op.dilation, strict=True):
        count = (shape[axis] - (size - 1) * step - 1) // stride + 1
        source = y
        for i in range(size):
            cut = (*(slice(None),) * axis, slice(i * step, i * step + (count - 1) * stride + 1, stride))
            y = source[cut] if i == 0 else mx.maximum(y, source[cut])
        shape[axis] = count
    return y


def _chosen(mx: Any, op: Any, x: Any, y: Any) -> Iterator[tuple[tuple[slice, ...], Any]]:
    """Per window entry: where it lies in the padded x, and the bool mask of windows whose first maximum it is."""
    pads = list(zip(*op.padding(len(x.shape)), strict=True))
    is_padded = any((*op.pad_low, *op.pad_high))
    padded, inside = x, None
    if is_padded:
        padded = mx.pad(x, pads, constant_values=mx.array(lowest(as_dtype(x.dtype)), dtype=x.dtype))
        inside = mx.pad(mx.ones(x.shape, dtype=mx.bool_), pads, constant_values=mx.array(False))
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
    is_padded = any((*op.pad_low, *op.pad_high))
    if is_padded or not is_float(mx, y_bar.dtype):
        return _route_by_masks(mx, op, x, y, y_bar)
    # The maxima over the last axis, then the one before, ...: the first entry row by row is the first row that holds the
    # maximum, and in it the first entry. So the cotangent goes back one axis at a time, with size - 1 comparisons for each.
    shapes, pooled = [tuple(x.shape)], [x]
    for k in reversed(range(len(op.axes))):
        entries = _entries(op, k, pooled[-1], shapes[-1])
        pooled.append(_running_maxima(mx, entries)[-1])
        shapes.append(_shape_of(op, k, shapes[-1]))
    bits = getattr(mx, BITS[str(y_bar.dtype).rpartition(".")[2]])
    bar = y_bar
    for k in range(len(op.axes)):
        shape = shapes[-2 - k]
        bar = _route_along(mx, op, k, _entries(op, k, pooled[-2 - k], shape), bar, shape, (bits, y_bar.dtype))
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
    mx: Any, op: PoolRoute, k: int, entries: list[Any], bar: Any, shape: tuple[int, ...], dtypes: tuple[Any, Any]
) -> Any:
    """Cotangents of windows along axes[k] to the first largest of their `entries`, which lie in an array of `shape`.

    On bits: of g and a mask of ones or zeros, `g & mask` stays with the earlier entries, and the rest, by xor, is this one's.
    """
    bits, dtype = dtypes
    maxima = _running_maxima(mx, entries)
    left = bar.view(bits)
    parts: list[Any] = []
    for earlier in reversed(maxima[:-1]):
        entry = entries[len(entries) - 1 - len(parts)]
        wins = (earlier >= entry) | (earlier != earlier)
        stays = mx.bitwise_and(left, mx.negative(wins.astype(bits)))
        parts.append(mx.bitwise_xor(left, stays))
        left = stays
    parts = [left, *reversed(parts)]
    axis, size = op.axes[k], op.size[k]
    if op.stride[k] == size and op.dilation[k] == 1 and shape[axis] % size == 0:  # windows tile: interleave
        return mx.stack(parts, axis=axis + 1).reshape(shape).view(dtype)
    total = mx.zeros(shape, dtype=dtype)
    for cut, part in zip(_cuts(op, k, shape), parts, strict=True):
        total = total.at[cut].add(part.view(dtype))
    return total


def _route_by_masks(mx: Any, op: PoolRoute, x: Any, y: Any, y_bar: Any) -> Any:
    """With padding, whose entries are never chosen: one mask for each entry of a window."""
    low, _ = op.padding(len(x.shape))
    total = mx.zeros(op.padded_shape(x.shape), dtype=y_bar.dtype)
    for tap, mask in _chosen(mx, op, x, y):
        total = total.at[tap].add(_kept(mx, mask, y_bar, y_bar.dtype))
    return total[tuple(slice(a, a + n) for a, n in zip(low, x.shape, strict=True))]
