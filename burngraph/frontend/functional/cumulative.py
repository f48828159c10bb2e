"""Running sums, products, maxima, minima and log-sum-exps along an axis, from either end."""

from typing import Any

from burngraph.errors import DTypeError, ShapeError
from burngraph.frontend.functional.comparison import equal, logical_or, where
from burngraph.frontend.functional.creation import full
from burngraph.frontend.functional.elementwise import isnan
from burngraph.frontend.functional.reduction import accumulator
from burngraph.frontend.functional.shape import as_float, astype, concat, normal_axis, tensor
from burngraph.frontend.functional.spelling import also_spelled
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.constant import Iota
from burngraph.ir.ops.cumulative import Cumprod, Cumsum, Logcumsumexp
from burngraph.ir.ops.cumulative_extremum import Cummax, Cummin
from burngraph.ir.types import BOOL, I32, TensorType

__all__ = ["cummax", "cummin", "cumprod", "cumsum", "cumulative_prod", "cumulative_sum", "logcumsumexp"]


def _axis(function: str, x: Any, axis: int | None) -> int:
    rank = type_of(x).rank
    if axis is None and rank != 1:
        raise located(ShapeError(f"{function}: {type_of(x)} needs an axis"))
    return normal_axis(function, 0 if axis is None else axis, rank)


def _accumulated(
    function: str, op: Any, start: int, x: Any, axis: int | None, reverse: bool, dtype: Any, include_initial: bool
) -> Any:
    x = tensor(x)
    at = _axis(function, x, axis)
    x = astype(x, accumulator(type_of(x).dtype) if dtype is None else dtype)
    if type_of(x).dtype is BOOL:
        raise located(DTypeError(f"{function}: dtype = bool holds no sum or product", "leave dtype out, or give a number's"))
    result = apply(op(at, bool(reverse)), x)
    if not include_initial:
        return result
    shape = type_of(x).shape
    first = full((*shape[:at], 1, *shape[at + 1 :]), start, type_of(x).dtype)
    return concat([result, first] if reverse else [first, result], at)


def cumulative_sum(
    x: Any, /, axis: int | None = None, *, dtype: Any = None, include_initial: bool = False, reverse: bool = False
) -> Any:
    """Running sums along `axis`, which may be left out for rank 1.

    dtype             what is added in, and the result's; None keeps x's, but i32 or u32 for bool and narrower integers
    include_initial   the sum of nothing, 0, comes first (last if reverse), so that the axis is one longer
    reverse           from the end of the axis to its start

    Raises   ShapeError   no axis, and the rank is not 1
    """
    return _accumulated("cumulative_sum", Cumsum, 0, x, axis, reverse, dtype, include_initial)


def cumulative_prod(
    x: Any, /, axis: int | None = None, *, dtype: Any = None, include_initial: bool = False, reverse: bool = False
) -> Any:
    """Running products along `axis`; the rest is as for cumulative_sum, and the product of nothing is 1.

    The derivative is exact at zeros too, and so is its own derivative.
    """
    return _accumulated("cumulative_prod", Cumprod, 1, x, axis, reverse, dtype, include_initial)


def _extremum(function: str, op: Any, x: Any, axis: int | None, reverse: bool) -> tuple[Any, Any]:
    x = tensor(x)
    at = _axis(function, x, axis)
    if type_of(x).dtype is BOOL:
        raise located(DTypeError(f"{function}: x is {type_of(x)}, takes numbers", "cast with .astype(...)"))
    reverse = bool(reverse)
    values = apply(op(at, reverse), x)
    counts = TensorType(I32, type_of(x).shape)
    is_met = logical_or(equal(x, values), isnan(x)) if type_of(x).dtype.is_inexact else equal(x, values)
    # The first entry is always met, so that the number for "not met" stands nowhere.
    none = max(counts.shape[at] - 1, 0) if reverse else 0
    latest = (Cummin if reverse else Cummax)(at, reverse)
    return values, apply(latest, where(is_met, apply(Iota(at, counts)), none))


@also_spelled(dim="axis")
def cummax(x: Any, axis: int | None = None, reverse: bool = False) -> tuple[Any, Any]:
    """Running maxima along `axis`, and the positions (i32) of the latest entries that equal them, as torch.cummax.

    Once a nan was met, the rest is nan, and the position is that of the latest nan. The derivative is that of the entry at
    the position. `axis` may be left out for rank 1.
    Raises   ShapeError   no axis, and the rank is not 1;   DTypeError   x is bool or complex
    """
    return _extremum("cummax", Cummax, x, axis, reverse)


@also_spelled(dim="axis")
def cummin(x: Any, axis: int | None = None, reverse: bool = False) -> tuple[Any, Any]:
    """Running minima along `axis`, and the positions (i32) of the latest entries that equal them; the rest as for cummax."""
    return _extremum("cummin", Cummin, x, axis, reverse)


@also_spelled(dim="axis")
def logcumsumexp(x: Any, axis: int | None = None, reverse: bool = False) -> Any:
    """log(cumulative_sum(exp(x))) along `axis`, without overflow; where it is -inf its derivative is 0.

    Raises   ShapeError   no axis, and the rank is not 1
    """
    x = as_float(x)
    return apply(Logcumsumexp(_axis("logcumsumexp", x, axis), bool(reverse)), x)


cumsum, cumprod = (also_spelled(dim="axis")(fn) for fn in (cumulative_sum, cumulative_prod))  # torch's and MLX's names
