"""Functions that reduce along axes, and products of matrices."""

import math
from typing import Any

from burngraph.errors import DTypeError, ShapeError
from burngraph.frontend.functional.comparison import as_bool, equal, logical_not, where
from burngraph.frontend.functional.creation import full
from burngraph.frontend.functional.elementwise import abs as absolute
from burngraph.frontend.functional.elementwise import divide, isnan, sqrt, square, subtract
from burngraph.frontend.functional.shape import (
    Axes,
    as_float,
    astype,
    broadcast_to,
    computed_dtype,
    expand_dims,
    normal_axes,
    normal_axis,
    permute_dims,
    reshape,
    tensor,
)
from burngraph.frontend.functional.spelling import also_spelled, other_than_torch
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.index import TakeAlong
from burngraph.ir.ops.matmul import Dot, Matmul
from burngraph.ir.ops.reduce import All, ArgMax, ArgMin, Max, Min, Prod, Sum
from burngraph.ir.ops.reduce import Any as AnyOp
from burngraph.ir.ops.softmax import Logsumexp
from burngraph.ir.types import BOOL, F32, I32, U8, U32, DType

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "logsumexp",
    "matmul",
    "max",
    "max_abs",
    "max_with_indices",
    "mean",
    "min",
    "min_with_indices",
    "nanmax",
    "nanmean",
    "nanmin",
    "nansum",
    "prod",
    "std",
    "sum",
    "tensordot",
    "var",
]


def _kept(x: Any, result: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if not keepdims:
        return result
    return reshape(result, [1 if i in axes else d for i, d in enumerate(type_of(x).shape)])


def _reduced(op: Any, x: Any, axis: Axes, keepdims: bool, function: str | None = None) -> Any:
    axes = normal_axes(function or op.name, axis, type_of(x).rank)
    return _kept(x, apply(op(axes), x) if axes else x, axes, keepdims)


def accumulator(dtype: DType) -> DType:
    """The dtype sums are kept in: bool and integers narrower than 32 bits are widened, as in MLX."""
    if dtype is BOOL or (dtype.kind == "int" and dtype.bytes < I32.bytes):
        return I32
    return U32 if dtype.kind == "uint" and dtype.bytes < U32.bytes else dtype


def _accumulated(x: Any, dtype: Any) -> Any:
    x = tensor(x)
    return astype(x, accumulator(type_of(x).dtype) if dtype is None else dtype)


@also_spelled(dim="axis", keepdim="keepdims")
def sum(x: Any, /, axis: Axes = None, keepdims: bool = False, *, dtype: Any = None) -> Any:
    """Entries added along `axis`; 0 where there are none.

    axis     an int, several, None for all, () for none
    dtype    what is added in, and the result's; None keeps x's, but i32 or u32 for bool and narrower integers
    """
    return _reduced(Sum, _accumulated(x, dtype), axis, keepdims)


@also_spelled(dim="axis", keepdim="keepdims")
def prod(x: Any, /, axis: Axes = None, keepdims: bool = False, *, dtype: Any = None) -> Any:
    """Entries multiplied along `axis`; 1 where there are none. axis and dtype as in sum.

    The derivative is exact at zeros too, and so is its own derivative.
    """
    return _reduced(Prod, _accumulated(x, dtype), axis, keepdims)


def _count(function: str, x: Any, axis: Axes) -> int:
    return math.prod(type_of(x).shape[i] for i in normal_axes(function, axis, type_of(x).rank))


def widened(x: Any) -> tuple[Any, DType]:
    """`x` in f32 if its floats have 16 bits, whose squares and sums soon overflow, and the dtype that a mean of x has."""
    x = as_float(x)
    dtype = type_of(x).dtype
    return (astype(x, F32), dtype) if dtype.bytes == 2 else (x, dtype)


@also_spelled(dim="axis", keepdim="keepdims")
def mean(x: Any, /, axis: Axes = None, keepdims: bool = False) -> Any:
    """Sum divided by the number of entries, in f32 for integers; nan where there are none."""
    x, dtype = widened(x)
    return astype(_mean(x, axis, keepdims), dtype)


def _mean(x: Any, axis: Axes, keepdims: bool, function: str = "mean") -> Any:
    return divide(_reduced(Sum, x, axis, keepdims, function), float(_count(function, x, axis)))


@other_than_torch("write axis= and keepdims=, and correction=1, as PyTorch divides by n - 1 and the array API by n")
def var(x: Any, /, axis: Axes = None, keepdims: bool = False, *, correction: float = 0.0) -> Any:
    """Mean square distance from the mean, with count - correction (at least 0) as divisor; in f32 for integers and c64."""
    return astype(*_var("var", x, axis, keepdims, correction))


def _var(function: str, x: Any, axis: Axes, keepdims: bool, correction: float) -> tuple[Any, DType]:
    """The variance, in f32 for 16-bit floats, and the dtype that it is to have."""
    x, dtype = widened(x)
    distance = subtract(x, _mean(x, axis, True, function))
    if type_of(x).dtype.kind == "complex":
        distance = absolute(distance)
        dtype = type_of(distance).dtype
    squares = square(distance)
    divisor = float(_count(function, x, axis) - correction)
    return divide(_reduced(Sum, squares, axis, keepdims, function), divisor if divisor > 0 else 0.0), dtype


@other_than_torch("write axis= and keepdims=, and correction=1, as PyTorch divides by n - 1 and the array API by n")
def std(x: Any, /, axis: Axes = None, keepdims: bool = False, *, correction: float = 0.0) -> Any:
    """Square root of var. Where all entries are equal it is 0, and so is its derivative."""
    squares, dtype = _var("std", x, axis, keepdims, correction)
    is_zero = equal(squares, 0)
    return astype(where(is_zero, 0.0, sqrt(where(is_zero, 1.0, squares))), dtype)


@other_than_torch("write axis= and keepdims=, which give values; bg.max_with_indices and bg.min_with_indices give both")
def max(x: Any, /, axis: Axes = None, keepdims: bool = False) -> Any:
    """The largest entry along `axis`; nan if any is nan. Equal entries share the derivative evenly.

    Raises   ShapeError   there is no entry along an axis
    """
    x = tensor(x)
    return any(x, axis, keepdims) if type_of(x).dtype is BOOL else _reduced(Max, x, axis, keepdims)


@other_than_torch("write axis= and keepdims=, which give values; bg.max_with_indices and bg.min_with_indices give both")
def min(x: Any, /, axis: Axes = None, keepdims: bool = False) -> Any:
    """The smallest entry along `axis`; nan if any is nan. Equal entries share the derivative evenly.

    Raises   ShapeError   there is no entry along an axis
    """
    x = tensor(x)
    return all(x, axis, keepdims) if type_of(x).dtype is BOOL else _reduced(Min, x, axis, keepdims)


def max_abs(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The largest size of an entry along `axis`; nan if any is nan. The least integer of a dtype has itself as size."""
    return max(absolute(x), axis, keepdims)


def _with_indices(op: Any, function: str, x: Any, axis: int, keepdims: bool) -> tuple[Any, Any]:
    x = tensor(x)
    found = normal_axis(function, axis, type_of(x).rank)
    indices = _pointed(op, x, found)
    at = expand_dims(indices, found)
    values = apply(TakeAlong(found), x, at)
    return (values, at) if keepdims else (reshape(values, type_of(indices).shape), indices)


def max_with_indices(x: Any, axis: int, keepdims: bool = False) -> tuple[Any, Any]:
    """The largest entries along `axis` and their positions (i32), as torch.max(x, dim).

    Of equal entries the first counts, a nan before all others; it alone has the derivative.
    Raises   ShapeError   there is no entry along the axis
    """
    return _with_indices(ArgMax, "max_with_indices", x, axis, keepdims)


def min_with_indices(x: Any, axis: int, keepdims: bool = False) -> tuple[Any, Any]:
    """The smallest entries along `axis` and their positions (i32), as torch.min(x, dim); ties and nan as max_with_indices."""
    return _with_indices(ArgMin, "min_with_indices", x, axis, keepdims)


@also_spelled(dim="axis", keepdim="keepdims")
def all(x: Any, /, axis: Axes = None, keepdims: bool = False) -> Any:
    """Whether no entry along `axis` is 0 (nan is not 0); True where there are none."""
    return _reduced(All, as_bool(x), axis, keepdims)


@also_spelled(dim="axis", keepdim="keepdims")
def any(x: Any, /, axis: Axes = None, keepdims: bool = False) -> Any:
    """Whether an entry along `axis` is not 0 (nan is not 0); False where there are none."""
    return _reduced(AnyOp, as_bool(x), axis, keepdims)


@also_spelled(dim="axis", keepdim="keepdims")
def count_nonzero(x: Any, /, axis: Axes = None, keepdims: bool = False) -> Any:
    """How many entries along `axis` are not 0, i32."""
    return _reduced(Sum, astype(as_bool(x), I32), axis, keepdims, "count_nonzero")


@also_spelled(dim="axis", keepdim="keepdims")
def nansum(x: Any, axis: Axes = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """sum of the entries that are not nan."""
    x = tensor(x)
    return sum(where(isnan(x), 0, x) if type_of(x).dtype.is_inexact else x, axis, keepdims, dtype=dtype)


@also_spelled(dim="axis", keepdim="keepdims")
def nanmean(x: Any, axis: Axes = None, keepdims: bool = False, *, dtype: Any = None) -> Any:
    """mean of the entries that are not nan, in `dtype`, that of x if None; nan where there are none."""
    x, dtype = widened(x if dtype is None else astype(tensor(x), dtype))
    counts = count_nonzero(logical_not(isnan(x)), axis, keepdims)
    return astype(divide(nansum(x, axis, keepdims), astype(counts, type_of(x).dtype)), dtype)


def _nan_extremum(op: Any, lowest: float, x: Any, axis: Axes, keepdims: bool) -> Any:
    x = tensor(x)
    if not type_of(x).dtype.is_inexact:
        return _reduced(op, x, axis, keepdims)
    missing = isnan(x)
    found = _reduced(op, where(missing, lowest, x), axis, keepdims)
    return where(all(missing, axis, keepdims), float("nan"), found)


def nanmax(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """max of the entries that are not nan; nan where there are none."""
    return _nan_extremum(Max, float("-inf"), x, axis, keepdims)


def nanmin(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """min of the entries that are not nan; nan where there are none."""
    return _nan_extremum(Min, float("inf"), x, axis, keepdims)


@also_spelled(dim="axis", keepdim="keepdims")
def logsumexp(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """log(sum(exp(x))) along `axis` (all axes if None), without overflow; -inf of nothing."""
    x = as_float(x)
    type = type_of(x)
    axes = normal_axes("logsumexp", axis, type.rank)
    if not axes:
        return x
    kept = tuple(i for i in range(type.rank) if i not in axes)
    shape = tuple(type.shape[i] for i in kept)
    if type.size == 0:
        return _kept(x, full(shape, float("-inf"), type.dtype), axes, keepdims)
    if len(axes) == 1:
        return _kept(x, apply(Logsumexp(axes[0]), x), axes, keepdims)
    if axes != tuple(range(axes[0], axes[-1] + 1)):  # apart, so that they must be brought together
        x, axes_now = permute_dims(x, (*kept, *axes)), tuple(range(len(kept), type.rank))
    else:
        axes_now = axes
    before, after = type_of(x).shape[: axes_now[0]], type_of(x).shape[axes_now[-1] + 1 :]
    merged = reshape(x, (*before, type.size // math.prod(shape), *after))
    result = reshape(apply(Logsumexp(axes_now[0]), merged), shape)
    return result if not keepdims else reshape(result, [1 if i in axes else d for i, d in enumerate(type.shape)])


def _pointed(op: Any, x: Any, axis: int) -> Any:
    x = astype(x, U8) if type_of(x).dtype is BOOL else x
    return astype(apply(op(axis), x), I32)


def _arg(op: Any, function: str, x: Any, axis: int | None, keepdims: bool) -> Any:
    x = tensor(x)
    rank = type_of(x).rank
    if axis is None:
        result = _pointed(op, reshape(x, -1), 0)
        return reshape(result, (1,) * rank) if keepdims else result
    axis = normal_axis(function, axis, rank)
    return _kept(x, _pointed(op, x, axis), (axis,), keepdims)


@also_spelled(dim="axis", keepdim="keepdims")
def argmax(x: Any, /, axis: int | None = None, keepdims: bool = False) -> Any:
    """Index (i32) of the first largest entry along `axis`, or in row-major order if None; a nan is larger than all.

    Raises   ShapeError   there is no entry
    """
    return _arg(ArgMax, "argmax", x, axis, keepdims)


@also_spelled(dim="axis", keepdim="keepdims")
def argmin(x: Any, /, axis: int | None = None, keepdims: bool = False) -> Any:
    """Index (i32) of the first smallest entry along `axis`, or in row-major order if None; a nan is smaller than all.

    Raises   ShapeError   there is no entry
    """
    return _arg(ArgMin, "argmin", x, axis, keepdims)


def _numbers(name: str, x: Any, y: Any) -> tuple[Any, Any]:
    x, y = tensor(x), tensor(y)
    dtype = computed_dtype([x, y])
    if dtype is BOOL:
        raise located(DTypeError(f"{name}: takes numbers, got {type_of(x)} and {type_of(y)}", "cast with .astype(...)"))
    return astype(x, dtype), astype(y, dtype)


def matmul(x1: Any, x2: Any, /) -> Any:
    """Matrix product x1[..., M, K] @ x2[..., K, N], leading axes broadcast; a vector x1 is a row, a vector x2 a column.

    Raises   ShapeError   rank 0, or the contracted dims differ
    """
    x1, x2 = _numbers("matmul", x1, x2)
    a, b = type_of(x1), type_of(x2)
    if not a.rank or not b.rank or a.shape[-1] != b.shape[-1 if b.rank == 1 else -2]:
        raise located(ShapeError("matmul: the last axis of x1 and the second last of x2 differ", f"x1: {a}", f"x2: {b}"))
    if b.rank <= 2:
        return apply(Dot((a.rank - 1,), (0,)), x1, x2)
    if a.rank == 1:
        return apply(Dot((0,), (b.rank - 2,)), x1, x2)
    return _batched_matmul(x1, x2)


def _batched_matmul(x: Any, y: Any) -> Any:
    a, b = type_of(x).shape, type_of(y).shape
    a, b = (1,) * (len(b) - len(a)) + a, (1,) * (len(a) - len(b)) + b
    batch: list[int] = []
    for m, n in zip(a[:-2], b[:-2], strict=True):
        if m != n and 1 not in (m, n):
            types = (f"x1: {type_of(x)}", f"x2: {type_of(y)}")
            raise located(ShapeError("matmul: leading axes do not broadcast", *types))
        batch.append(n if m == 1 else m)
    return apply(Matmul(), broadcast_to(x, (*batch, *a[-2:])), broadcast_to(y, (*batch, *b[-2:])))


def tensordot(x1: Any, x2: Any, /, axes: int | Any = 2) -> Any:
    """Contraction of the listed axes of x1 with those of x2; an int n means the last n of x1 with the first n of x2.

    Raises   ShapeError   contracted dims differ
    """
    x1, x2 = _numbers("tensordot", x1, x2)
    a, b = type_of(x1), type_of(x2)
    if isinstance(axes, int):
        if axes < 0 or axes > a.rank or axes > b.rank:
            raise located(ShapeError(f"tensordot: there are no {axes} axes to contract", f"x1: {a}", f"x2: {b}"))
        x1_axes, x2_axes = tuple(range(a.rank - axes, a.rank)), tuple(range(axes))
    else:
        x1_axes, x2_axes = ((s,) if isinstance(s, int) else tuple(s) for s in axes)
    x1_axes = tuple(normal_axis("tensordot", i, a.rank) for i in x1_axes)
    x2_axes = tuple(normal_axis("tensordot", i, b.rank) for i in x2_axes)
    if [a.shape[i] for i in x1_axes] != [b.shape[i] for i in x2_axes]:
        raise located(ShapeError(f"tensordot: axes {x1_axes} of {a} do not match axes {x2_axes} of {b}"))
    return apply(Dot(x1_axes, x2_axes), x1, x2)


amax, amin = (also_spelled(dim="axis", keepdim="keepdims")(fn.__wrapped__) for fn in (max, min))  # torch's names for them
