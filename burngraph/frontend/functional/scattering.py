"""Writing at indices: each function gives a new array, as nothing is ever changed in place.

An index out of range writes nothing, and `bg.compile(..., checks=True)` raises IndexRangeError instead. Where indices are
repeated, add, multiply, minimum and maximum take all updates; for set the last one, in row-major order, wins.
"""

import math
from typing import Any

from burngraph.errors import DTypeError, ShapeError
from burngraph.frontend.functional import comparison, elementwise
from burngraph.frontend.functional.creation import full_like, ones_like, zeros_like
from burngraph.frontend.functional.index_expression import selection
from burngraph.frontend.functional.indexing import check_within, integers, leading_axes
from burngraph.frontend.functional.shape import as_type, astype, broadcast_to, moveaxis, normal_axis, reshape, sliced, tensor
from burngraph.frontend.recording import apply, is_tensor, located, type_of
from burngraph.ir.ops.scatter import REDUCTIONS, ScatterAlong, ScatterNd
from burngraph.ir.promotion import scalar_dtype
from burngraph.ir.types import BOOL, I32, DType, TensorType

__all__ = [
    "index_add",
    "masked_fill",
    "scatter",
    "scatter_add",
    "scatter_nd",
    "scatter_reduce",
    "select_scatter",
    "slice_scatter",
]

_KINDS = ("bool", "uint", "int", "float", "complex")
_TORCH = {"sum": "add", "mean": "add", "prod": "multiply", "amax": "maximum", "amin": "minimum"}


def _fitting(function: str, x: Any, values: Any) -> Any:
    """`values` in x's dtype; a Python number stays one.

    Raises   DTypeError   it would lose what it is: a float into integers, a number into bool
    """
    if not is_tensor(values) and not isinstance(values, bool | int | float | complex):
        values = tensor(values)
    own = type_of(values).dtype if is_tensor(values) else scalar_dtype(values)
    into = type_of(x).dtype
    if _rank(own) > _rank(into):
        raise located(
            DTypeError(f"{function}: {own} does not go into {type_of(x)}", f"convert one: x.astype('{own.long_name}')")
        )
    return astype(values, into) if is_tensor(values) else values


def _rank(dtype: DType) -> int:
    return 1 if dtype.is_integer else _KINDS.index(dtype.kind)


class Place:
    """x.at[index]: the places that an update writes to. Each method gives the whole array with them updated."""

    def __init__(self, x: Any, index: Any) -> None:
        self._x = x
        self._index = index

    def set(self, values: Any) -> Any:
        """x with x[index] replaced by `values`, which broadcast; the index may be a mask if `values` is one number."""
        if _is_mask(self._index) and type_of(tensor(values)).rank == 0:
            trailing = (1,) * (type_of(self._x).rank - type_of(self._index).rank)
            return masked_fill(self._x, reshape(self._index, (*type_of(self._index).shape, *trailing)), values)
        return self._updated("set", values, lambda old, new: new)

    def add(self, values: Any) -> Any:
        return self._updated("add", values, elementwise.add)

    def subtract(self, values: Any) -> Any:
        values = values if is_tensor(values) else as_type(values, type_of(self._x).dtype, ())
        return self._updated("add", elementwise.negative(values), elementwise.add)

    def multiply(self, values: Any) -> Any:
        return self._updated("multiply", values, elementwise.multiply)

    def minimum(self, values: Any) -> Any:
        return self._updated("minimum", values, elementwise.minimum)

    def maximum(self, values: Any) -> Any:
        return self._updated("maximum", values, elementwise.maximum)

    def divide(self, values: Any) -> Any:
        """x / values at the places; by the product of all of a place's values where it is named more than once."""
        if not type_of(self._x).dtype.is_inexact:
            raise located(
                DTypeError(f"at[...].divide: x is {type_of(self._x)}, not floats", "convert it with x.astype('float32')")
            )
        divisor = Place(ones_like(self._x), self._index).multiply(values)
        return elementwise.divide(self._x, divisor)

    def _updated(self, reduction: str, values: Any, combine: Any) -> Any:
        found = selection(self._x, self._index)
        values = _fitting(f"at[...].{reduction}", self._x, values)
        values = as_type(values, type_of(self._x).dtype, found.shape)
        if found.arrays:
            return found.write(self._x, values, reduction)
        return found.write_region(self._x, combine(found.read_region(self._x), values))


class At:
    """x.at, which takes an index as x itself does."""

    def __init__(self, x: Any) -> None:
        self._x = x

    def __getitem__(self, index: Any) -> Place:
        return Place(self._x, index)


def _is_mask(index: Any) -> bool:
    return is_tensor(index) and type_of(index).dtype is BOOL


def _scattered(function: str, x: Any, dim: int, index: Any, src: Any, reduction: str) -> Any:
    """torch's rule: for each position of `index`, src's entry there goes to where `dim` is replaced by the index."""
    x, index = tensor(x), integers(function, index)
    if not type_of(x).rank and not type_of(index).rank:
        source = reshape(src, (1,)) if is_tensor(src) else src
        return reshape(_scattered(function, reshape(x, (1,)), dim, reshape(index, (1,)), source, reduction), ())
    dim = normal_axis(function, dim, type_of(x).rank)
    check_within(function, dim, x, index)
    shape = type_of(index).shape
    src = _fitting(function, x, src)
    if is_tensor(src):
        if type_of(src).rank != len(shape) or any(n > m for n, m in zip(shape, type_of(src).shape, strict=True)):
            raise located(ShapeError(f"{function}: src is {type_of(src)}, smaller than index {type_of(index)}"))
        src = sliced(src, (0,) * len(shape), shape, (1,) * len(shape))
    src = as_type(src, type_of(x).dtype, shape)
    part = selection(x, tuple(slice(None) if a == dim else slice(n) for a, n in enumerate(shape)))
    return part.write_region(x, apply(ScatterAlong(dim, reduction), part.read_region(x), index, src))


def scatter(x: Any, dim: int, index: Any, src: Any, reduce: str | None = None) -> Any:
    """torch.scatter: out[index[i][j]][j] = src[i][j] for dim 0; `src` is an array no smaller than `index`, or a number.

    reduce   None, or "add" or "multiply" to combine with what is there

    Raises   ShapeError   index is larger than x in another dim, or than src;   DTypeError   src does not go into x
    """
    if reduce not in (None, "add", "multiply"):
        raise located(ShapeError(f"scatter: no reduce {reduce!r}", "reduce: None, 'add', 'multiply'; see bg.scatter_reduce"))
    return _scattered("scatter", x, dim, index, src, reduce or "set")


def scatter_add(x: Any, dim: int, index: Any, src: Any) -> Any:
    """torch.scatter_add: out[index[i][j]][j] += src[i][j] for dim 0."""
    return _scattered("scatter_add", x, dim, index, src, "add")


def scatter_reduce(x: Any, dim: int, index: Any, src: Any, reduce: str, include_self: bool = True) -> Any:
    """torch.scatter_reduce: the entries of `src` that go to one place, and x's own unless not `include_self`, reduced.

    reduce   "sum", "prod", "mean", "amax" or "amin"; the mean of integers is rounded down

    The derivative of amax and amin goes to one of equal entries, x's own first (torch shares it evenly).
    Raises   ShapeError   as scatter, or no such reduce
    """
    if reduce not in _TORCH:
        raise located(ShapeError(f"scatter_reduce: no reduce {reduce!r}", "reduce: " + ", ".join(_TORCH)))
    x = tensor(x)
    name, reduction = "scatter_reduce", _TORCH[reduce]
    if not include_self:
        touched = _scattered(name, zeros_like(x, dtype=BOOL), dim, index, True, "maximum")
        x = comparison.where(touched, full_like(x, _start(reduction, type_of(x).dtype)), x)
    out = _scattered(name, x, dim, index, src, reduction)
    if reduce != "mean":
        return out
    base = zeros_like(x, dtype=I32) if not include_self else ones_like(x, dtype=I32)
    count = astype(elementwise.maximum(_scattered(name, base, dim, index, 1, "add"), 1), type_of(x).dtype)
    return elementwise.divide(out, count) if type_of(x).dtype.is_inexact else elementwise.floor_divide(out, count)


def _start(reduction: str, dtype: DType) -> Any:
    """What a reduction of nothing starts from."""
    if reduction in ("add", "multiply"):
        return int(reduction == "multiply")
    if dtype.is_inexact:
        return math.inf if reduction == "minimum" else -math.inf
    if dtype is BOOL:
        return reduction == "minimum"
    bits = 8 * dtype.bytes - (dtype.kind == "int")
    return 2**bits - 1 if reduction == "minimum" else (-(2**bits) if dtype.kind == "int" else 0)


def index_add(x: Any, dim: int, index: Any, source: Any, alpha: Any = 1) -> Any:
    """torch.index_add: x with alpha * source[.., k, ..] added at position index[k] of `dim`, for each k.

    Raises   ShapeError   source is not of x's shape with the length of index along `dim`
    """
    x, index, source = tensor(x), integers("index_add", index), _fitting("index_add", x, tensor(source))
    dim = normal_axis("index_add", dim, type_of(x).rank)
    if type_of(index).rank > 1:
        raise located(ShapeError(f"index_add: index is {type_of(index)}, must have rank 1"))
    index = reshape(index, (type_of(index).size, 1))
    wanted = (*type_of(x).shape[:dim], type_of(index).shape[0], *type_of(x).shape[dim + 1 :])
    if type_of(source).shape != wanted:
        raise located(ShapeError(f"index_add: source is {type_of(source)}, must have shape {list(wanted)}"))
    if is_tensor(alpha) or alpha != 1:
        source = _fitting("index_add", x, elementwise.multiply(source, alpha))
    return apply(ScatterNd((dim,), "add"), x, index, moveaxis(source, dim, 0))


def scatter_nd(x: Any, indices: Any, updates: Any, reduction: str = "set") -> Any:
    """x[indices[n, 0], ..., indices[n, K - 1], rest] updated by updates[n, rest], for index tuples of K leading axes.

    reduction   "set", "add", "multiply", "minimum" or "maximum"

    Raises   ShapeError   updates do not broadcast to the shape of gather_nd(x, indices), or no such reduction
    """
    x, indices = tensor(x), integers("scatter_nd", indices)
    if reduction not in REDUCTIONS:
        raise located(ShapeError(f"scatter_nd: no reduction {reduction!r}", "reductions: " + ", ".join(REDUCTIONS)))
    axes = leading_axes("scatter_nd", x, indices)
    shape = (*type_of(indices).shape[:-1], *type_of(x).shape[len(axes) :])
    updates = as_type(_fitting("scatter_nd", x, updates), type_of(x).dtype, shape)
    return apply(ScatterNd(axes, reduction), x, indices, updates)


def slice_scatter(x: Any, src: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Any:
    """torch.slice_scatter: x with x[start:end:step] along `dim` replaced by `src`, of that slice's shape; step >= 1.

    Raises   ShapeError   src has another shape
    """
    x = tensor(x)
    dim = normal_axis("slice_scatter", dim, type_of(x).rank)
    return _exactly("slice_scatter", x, (*(slice(None),) * dim, slice(start, end, step)), src)


def select_scatter(x: Any, src: Any, dim: int, index: int) -> Any:
    """torch.select_scatter: x with its part at position `index` of `dim` replaced by `src`, which lacks that axis.

    Raises   ShapeError   src has another shape, or index is out of range
    """
    x = tensor(x)
    dim = normal_axis("select_scatter", dim, type_of(x).rank)
    return _exactly("select_scatter", x, (*(slice(None),) * dim, index), src)


def _exactly(function: str, x: Any, index: tuple[Any, ...], src: Any) -> Any:
    """x.at[index].set(src), where src does not broadcast."""
    found = selection(x, index)
    src = _fitting(function, x, tensor(src))
    if type_of(src) != TensorType(type_of(x).dtype, found.region):
        raise located(
            ShapeError(f"{function}: src is {type_of(src)}, must have shape {list(found.region)}", f"x: {type_of(x)}")
        )
    return found.write_region(x, src)


def masked_fill(x: Any, mask: Any, value: Any) -> Any:
    """torch.masked_fill: `value`, a number or rank 0, where `mask` (bool, broadcasts to x) holds; x elsewhere."""
    x, mask = tensor(x), tensor(mask)
    if type_of(mask).dtype is not BOOL:
        raise located(DTypeError(f"masked_fill: mask is {type_of(mask)}, must be bool"))
    value = as_type(_fitting("masked_fill", x, value), type_of(x).dtype, ())
    return comparison.where(broadcast_to(mask, type_of(x).shape), value, x)
