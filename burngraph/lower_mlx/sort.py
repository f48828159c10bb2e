"""Sorting and searching in MLX, whose sorts are ascending, stable and put nan last."""

from typing import Any

from burngraph.ir.ops.sort import ArgSort, ArgTopk, SearchSorted, Sort
from burngraph.lower_mlx.elementwise import is_float
from burngraph.lower_mlx.table import lowers


def _backwards(x: Any, rank: int, axis: int) -> Any:
    return x[(*(slice(None),) * axis, slice(None, None, -1), *(slice(None),) * (rank - axis - 1))]


def _positions(mx: Any, x: Any, axis: int, descending: bool) -> Any:
    """Stable argsort, i32. Descending is ascending read from the other end, so that no key is negated."""
    rank, last = len(x.shape), x.shape[axis] - 1
    if not descending:
        return mx.argsort(x, axis=axis).astype(mx.int32)
    found = mx.argsort(_backwards(x, rank, axis), axis=axis).astype(mx.int32)
    return last - _backwards(found, rank, axis)


@lowers(Sort)
def lower_sort(mx: Any, op: Sort, x: Any) -> Any:
    if not op.descending:
        return mx.sort(x, axis=op.axis)
    rank = len(x.shape)
    return _backwards(mx.sort(_backwards(x, rank, op.axis), axis=op.axis), rank, op.axis)


@lowers(ArgSort)
def lower_arg_sort(mx: Any, op: ArgSort, x: Any) -> Any:
    return _positions(mx, x, op.axis, op.descending)


@lowers(ArgTopk)
def lower_arg_topk(mx: Any, op: ArgTopk, x: Any) -> Any:
    first = (*(slice(None),) * op.axis, slice(0, op.k))
    return _positions(mx, x, op.axis, op.largest)[first]


NARROW = "bool_ int8 int16 int32 uint8 uint16 uint32 float16 bfloat16 float32".split()  # their order fits into 32 bits


@lowers(ArgTopk, target="cpu")
def lower_arg_topk_on_cpu(mx: Any, op: ArgTopk, x: Any) -> Any:
    """Entry and position in one 64-bit key, so that a partition, four times as fast as a sort, keeps ties in order."""
    n = x.shape[op.axis]
    if not 0 < 4 * op.k <= n or x.dtype not in [getattr(mx, name) for name in NARROW]:
        return lower_arg_topk(mx, op, x)
    rank = _ranks(mx, x)
    place = mx.arange(n, dtype=mx.int64).reshape((n, *(1,) * (len(x.shape) - op.axis - 1)))
    key = ((~rank if op.largest else rank) << 32) | place
    first = (*(slice(None),) * op.axis, slice(0, op.k))
    chosen = mx.sort(mx.partition(key, op.k - 1, axis=op.axis)[first], axis=op.axis)
    return (chosen & 0xFFFFFFFF).astype(mx.int32)


def _ranks(mx: Any, x: Any) -> Any:
    """int64 numbers in the order of the entries of a NARROW dtype."""
    if not is_float(mx, x.dtype):
        wide = x.astype(mx.int64)
        return wide - 2**31 if x.dtype == mx.uint32 else wide  # in the range of int32, so that 32 bits are left for the place
    wide = x.astype(mx.float32) + 0.0  # -0.0 + 0.0 is 0.0
    bits = wide.view(mx.int32)
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # the larger a negative number, the smaller its other bits
    return mx.where(mx.isnan(wide), 0x7FFFFFFF, ordered).astype(mx.int64)


@lowers(SearchSorted)
def lower_search_sorted(mx: Any, op: SearchSorted, sequence: Any, values: Any) -> Any:
    n = sequence.shape[-1]
    if len(sequence.shape) == 1:
        return mx.searchsorted(sequence, values, side="right" if op.right else "left").astype(mx.int32)
    counts = mx.zeros(values.shape, dtype=mx.int32)
    for bit in reversed(range(n.bit_length())):  # as many entries are before it as bits can be set
        more = counts + (1 << bit)
        entry = mx.take_along_axis(sequence, mx.minimum(more, n) - 1, axis=-1)
        is_before = entry <= values if op.right else entry < values
        if is_float(mx, values.dtype):
            is_nan = mx.isnan(values)
            is_before = is_before | (is_nan if op.right else is_nan & ~mx.isnan(entry))
        counts = mx.where((more <= n) & is_before, more, counts)
    return counts
