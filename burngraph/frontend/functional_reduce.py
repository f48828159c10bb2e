"""Functions that reduce along axes, and products of matrices."""

from typing import Any

from burngraph.errors import DTypeError, ShapeError
from burngraph.frontend.functional_elementwise import as_bool, divide, sqrt, square, subtract
from burngraph.frontend.functional_shape import (
    Axes,
    astype,
    broadcast_to,
    computed_dtype,
    normal_axes,
    normal_axis,
    reshape,
    tensor,
)
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.matmul import Dot, Matmul
from burngraph.ir.ops.reduce import All, ArgMax, ArgMin, Cumsum, Max, Min, Prod, Sum
from burngraph.ir.ops.reduce import Any as AnyOp
from burngraph.ir.promotion import at_least_float
from burngraph.ir.types import BOOL, I32, U32, DType

__all__ = [
    "all",
    "any",
    "argmax",
    "argmin",
    "cumsum",
    "cumulative_sum",
    "matmul",
    "max",
    "mean",
    "min",
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


def _reduced(op: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    axes = normal_axes(op.name, axis, type_of(x).rank)
    return _kept(x, apply(op(axes), x) if axes else x, axes, keepdims)


def _accumulator(dtype: DType) -> DType:
    """The dtype sums are kept in: bool and integers narrower than 32 bits are widened, as in MLX."""
    if dtype is BOOL or (dtype.kind == "int" and dtype.bytes < I32.bytes):
        return I32
    return U32 if dtype.kind == "uint" and dtype.bytes < U32.bytes else dtype


def sum(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Entries added along `axis`; bool and small integers are summed in 32 bits."""
    x = tensor(x)
    return _reduced(Sum, astype(x, _accumulator(type_of(x).dtype)), axis, keepdims)


def prod(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    x = tensor(x)
    return _reduced(Prod, astype(x, _accumulator(type_of(x).dtype)), axis, keepdims)


def _count(x: Any, axis: Axes) -> int:
    count = 1
    for i in normal_axes("mean", axis, type_of(x).rank):
        count *= type_of(x).shape[i]
    return count


def mean(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Sum divided by the number of entries, in f32 for integers."""
    x = tensor(x)
    x = astype(x, at_least_float(type_of(x).dtype))
    return divide(_reduced(Sum, x, axis, keepdims), float(_count(x, axis)))


def var(x: Any, axis: Axes = None, keepdims: bool = False, correction: float = 0) -> Any:
    """Mean square distance from the mean, with count - correction as divisor."""
    x = tensor(x)
    x = astype(x, at_least_float(type_of(x).dtype))
    squares = square(subtract(x, mean(x, axis, keepdims=True)))
    return divide(_reduced(Sum, squares, axis, keepdims), float(_count(x, axis) - correction))


def std(x: Any, axis: Axes = None, keepdims: bool = False, correction: float = 0) -> Any:
    return sqrt(var(x, axis, keepdims, correction))


def max(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    x = tensor(x)
    return any(x, axis, keepdims) if type_of(x).dtype is BOOL else _reduced(Max, x, axis, keepdims)


def min(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    x = tensor(x)
    return all(x, axis, keepdims) if type_of(x).dtype is BOOL else _reduced(Min, x, axis, keepdims)


def all(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    return _reduced(All, as_bool(x), axis, keepdims)


def any(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    return _reduced(AnyOp, as_bool(x), axis, keepdims)


def _arg(op: Any, x: Any, axis: int | None, keepdims: bool) -> Any:
    x = tensor(x)
    rank = type_of(x).rank
    if axis is None:
        result = apply(op(0), reshape(x, -1))
        return reshape(result, (1,) * rank) if keepdims else result
    axis = normal_axis(op.name, axis, rank)
    return _kept(x, apply(op(axis), x), (axis,), keepdims)


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Index (u32) of the first greatest entry along `axis`, or in row-major order if None."""
    return _arg(ArgMax, x, axis, keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Index (u32) of the first least entry along `axis`, or in row-major order if None."""
    return _arg(ArgMin, x, axis, keepdims)


def cumulative_sum(x: Any, axis: int | None = None, reverse: bool = False) -> Any:
    """Running sums along `axis`, which may be left out for rank 1.

    Raises   ShapeError   no axis, and the rank is not 1
    """
    x = tensor(x)
    rank = type_of(x).rank
    if axis is None and rank != 1:
        raise located(ShapeError(f"cumulative_sum: {type_of(x)} needs an axis"))
    x = astype(x, I32) if type_of(x).dtype is BOOL else x
    return apply(Cumsum(normal_axis("cumulative_sum", axis or 0, rank), reverse), x)


def _numbers(name: str, x: Any, y: Any) -> tuple[Any, Any]:
    x, y = tensor(x), tensor(y)
    dtype = computed_dtype([x, y])
    if dtype is BOOL:
        raise located(DTypeError(f"{name}: takes numbers, got {type_of(x)} and {type_of(y)}", "cast with .astype(...)"))
    return astype(x, dtype), astype(y, dtype)


def matmul(x: Any, y: Any) -> Any:
    """Matrix product x[..., M, K] @ y[..., K, N], leading axes broadcast; a vector is a row on the left, a column on the right.

    Raises   ShapeError   rank 0, or the contracted dims differ
    """
    x, y = _numbers("matmul", x, y)
    a, b = type_of(x), type_of(y)
    if not a.rank or not b.rank or a.shape[-1] != b.shape[-1 if b.rank == 1 else -2]:
        raise located(ShapeError("matmul: the last axis of x and the second last of y differ", f"x: {a}", f"y: {b}"))
    if b.rank <= 2:
        return apply(Dot((a.rank - 1,), (0,)), x, y)
    if a.rank == 1:
        return apply(Dot((0,), (b.rank - 2,)), x, y)
    return _batched_matmul(x, y)


def _batched_matmul(x: Any, y: Any) -> Any:
    a, b = type_of(x).shape, type_of(y).shape
    a, b = (1,) * (len(b) - len(a)) + a, (1,) * (len(a) - len(b)) + b
    batch: list[int] = []
    for m, n in zip(a[:-2], b[:-2], strict=True):
        if m != n and 1 not in (m, n):
            types = (f"x: {type_of(x)}", f"y: {type_of(y)}")
            raise located(ShapeError("matmul: leading axes do not broadcast", *types))
        batch.append(n if m == 1 else m)
    return apply(Matmul(), broadcast_to(x, (*batch, *a[-2:])), broadcast_to(y, (*batch, *b[-2:])))


def tensordot(x: Any, y: Any, axes: int | Any = 2) -> Any:
    """Contraction of the listed axes of x with those of y; an int n means the last n of x with the first n of y.

    Raises   ShapeError   contracted dims differ
    """
    x, y = _numbers("tensordot", x, y)
    a, b = type_of(x), type_of(y)
    if isinstance(axes, int):
        x_axes, y_axes = tuple(range(a.rank - axes, a.rank)), tuple(range(axes))
    else:
        x_axes, y_axes = ((s,) if isinstance(s, int) else tuple(s) for s in axes)
    x_axes = tuple(normal_axis("tensordot", i, a.rank) for i in x_axes)
    y_axes = tuple(normal_axis("tensordot", i, b.rank) for i in y_axes)
    if [a.shape[i] for i in x_axes] != [b.shape[i] for i in y_axes]:
        raise located(ShapeError(f"tensordot: axes {x_axes} of {a} do not match axes {y_axes} of {b}"))
    return apply(Dot(x_axes, y_axes), x, y)


cumsum = cumulative_sum  # MLX's name for it
