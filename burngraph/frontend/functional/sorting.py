"""Sorting, searching and selecting by order. nan is larger than every number, and -0.0 equals 0.0."""

from typing import Any, NoReturn

from burngraph.errors import DTypeError, InputError, RefusedError, ShapeError
from burngraph.frontend.functional.comparison import equal, logical_not, where
from burngraph.frontend.functional.creation import full
from burngraph.frontend.functional.elementwise import isnan, minimum
from burngraph.frontend.functional.indexing import take
from burngraph.frontend.functional.reduction import any, argmax
from burngraph.frontend.functional.shape import (
    as_operand,
    as_type,
    astype,
    computed_dtype,
    cut,
    expand_dims,
    normal_axis,
    reshape,
    tensor,
)
from burngraph.frontend.functional.spelling import also_spelled, other_than_torch
from burngraph.frontend.recording import apply, is_tensor, located, type_of
from burngraph.ir.ops.index import TakeAlong
from burngraph.ir.ops.sort import ArgSort, ArgTopk, SearchSorted, Sort
from burngraph.ir.types import BOOL

__all__ = [
    "argsort",
    "argtopk",
    "isin",
    "median",
    "median_with_indices",
    "nonzero",
    "searchsorted",
    "sort",
    "sort_with_indices",
    "topk",
    "unique",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
]


def _sortable(function: str, x: Any, axis: int) -> tuple[Any, int]:
    x = tensor(x)
    if type_of(x).dtype.kind == "complex":
        raise located(DTypeError(f"{function}: x is {type_of(x)}; complex numbers have no order", "sort bg.abs(x), or a part"))
    return x, normal_axis(function, axis, type_of(x).rank)


@other_than_torch("write axis=, which gives values; bg.sort_with_indices gives both")
def sort(x: Any, /, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Any:
    """The entries along `axis` in ascending order, nan last; or in descending order, nan first.

    stable   equal entries (-0.0 and 0.0 are equal) keep their order; here they do in any case
    Raises   ShapeError   rank 0, or no such axis;   DTypeError   x is complex
    """
    x, at = _sortable("sort", x, axis)
    return apply(Sort(at, bool(descending)), x)


@also_spelled(dim="axis")
def argsort(x: Any, /, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Any:
    """The positions (i32) along `axis` from which sort takes its entries; equal entries in the order in which they stand."""
    x, at = _sortable("argsort", x, axis)
    return apply(ArgSort(at, bool(descending)), x)


def sort_with_indices(x: Any, axis: int = -1, *, descending: bool = False) -> tuple[Any, Any]:
    """The results of sort and of argsort, as torch.sort(stable=True)."""
    x, at = _sortable("sort_with_indices", x, axis)
    indices = apply(ArgSort(at, bool(descending)), x)
    return apply(TakeAlong(at), x, indices), indices


def _top(function: str, x: Any, k: int, axis: int, largest: bool) -> tuple[Any, Any, int]:
    x, at = _sortable(function, x, axis)
    n = type_of(x).shape[at]
    if isinstance(k, bool) or not isinstance(k, int) or not 0 <= k <= n:
        raise located(ShapeError(f"{function}: k = {k} must be an int in 0 ... {n}, the size of axis {at} of {type_of(x)}"))
    return x, apply(ArgTopk(k, at, bool(largest)), x), at


@also_spelled(dim="axis")
def topk(x: Any, k: int, axis: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Any, Any]:
    """The k largest entries along `axis`, largest first, and their positions (i32); or the k smallest, smallest first.

    nan counts as largest. Of equal entries the one that stands first comes first.
    sorted   they are in order in any case

    Raises   ShapeError   k is over the size of the axis;   DTypeError   x is complex
    """
    x, indices, at = _top("topk", x, k, axis, largest)
    return apply(TakeAlong(at), x, indices), indices


def argtopk(x: Any, k: int, axis: int = -1, largest: bool = True) -> Any:
    """The positions that topk gives, i32."""
    return _top("argtopk", x, k, axis, largest)[1]


def median_with_indices(x: Any, axis: int = -1, keepdims: bool = False) -> tuple[Any, Any]:
    """The lower of the middle entries along `axis`, as torch.median, and its position (i32).

    If there is a nan it is the median. Of equal entries the position is that of one of them; it alone has the derivative.
    Raises   ShapeError   there is no entry along the axis;   DTypeError   x is complex
    """
    x, at = _sortable("median", x, axis)
    n = type_of(x).shape[at]
    if n == 0:
        raise located(ShapeError(f"median: x is {type_of(x)}; along axis {at}, which is empty, there is no median"))
    middle = cut(apply(ArgSort(at, False), x), at, (n - 1) // 2, (n - 1) // 2 + 1)
    if type_of(x).dtype.is_inexact:
        missing = isnan(x)
        middle = where(any(missing, at, keepdims=True), argmax(missing, at, keepdims=True), middle)
    values = apply(TakeAlong(at), x, middle)
    if keepdims:
        return values, middle
    shape = type_of(x).shape[:at] + type_of(x).shape[at + 1 :]
    return reshape(values, shape), reshape(middle, shape)


@other_than_torch("write axis= and keepdims=, which give values; indices are those of bg.argsort")
def median(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The lower of the middle entries along `axis`, or of all entries if None; nan if there is one.

    torch's rule; NumPy's and MLX's medians average the two middle entries of an even number.
    Raises   ShapeError   there is no entry;   DTypeError   x is complex
    """
    x = tensor(x)
    if axis is not None:
        return median_with_indices(x, axis, keepdims)[0]
    found = median_with_indices(reshape(x, (type_of(x).size,)), 0)[0]
    return reshape(found, (1,) * type_of(x).rank) if keepdims else found


def searchsorted(x1: Any, x2: Any, /, *, side: str = "left", sorter: Any = None) -> Any:
    """Where each entry of x2 would be put into x1 to keep it sorted, i32, of x2's shape.

    x1       ascending along its last axis, nan last: [n]; or [*B, n] with x2 [*B, m]
    side     "left": before entries equal to it; "right": after them
    sorter   the positions (integers) that sort x1, of rank 1, if x1 itself is not sorted

    Raises   ShapeError   x1 has rank 0, or more than one axis and other leading dims than x2
             InputError   another side;   DTypeError   x1 or x2 is complex
    """
    if side not in ("left", "right"):
        raise located(InputError(f'searchsorted: side = {side!r} is not "left" or "right"'))
    x1, x2 = tensor(x1), tensor(x2)
    if sorter is not None:
        x1 = take(x1, sorter, axis=0)
    a, b = type_of(x1), type_of(x2)
    if a.rank == 0 or (a.rank > 1 and a.shape[:-1] != b.shape[:-1]):
        raise located(ShapeError("searchsorted: x1 must be [n], or have x2's leading dims", f"x1: {a}", f"x2: {b}"))
    dtype = computed_dtype([x1, x2])
    if dtype.kind == "complex":
        raise located(DTypeError("searchsorted: complex numbers have no order", f"x1: {a}", f"x2: {b}"))
    values = reshape(x2, (b.size,)) if a.rank == 1 else x2
    return reshape(apply(SearchSorted(side == "right"), astype(x1, dtype), astype(values, dtype)), b.shape)


def isin(x1: Any, x2: Any, /, *, invert: bool = False) -> Any:
    """Whether each entry of x1 equals an entry of x2; bool, of x1's shape. nan equals nothing.

    invert   whether it equals none
    """
    xs = [as_operand(x) for x in (x1, x2)]
    dtype = computed_dtype(xs)
    x1, x2 = (as_type(x, dtype, type_of(x).shape if is_tensor(x) else ()) for x in xs)
    n = type_of(x2).size
    if n == 0:
        return full(type_of(x1).shape, bool(invert), BOOL)
    x2 = reshape(x2, (n,))
    if dtype.kind == "complex":  # no order: all pairs
        found = any(equal(expand_dims(x1, -1), x2), axis=-1)
    else:
        x2 = sort(x2)
        found = equal(take(x2, minimum(searchsorted(x2, x1), n - 1)), x1)
    return logical_not(found) if invert else found


def _refuse(function: str) -> NoReturn:
    raise located(
        RefusedError(
            f"{function}: how many entries it gives depends on their values, and a graph has fixed shapes",
            "sort with bg.sort(x) and mark the first of each with x[1:] != x[:-1]; or call it on the result, outside the graph",
        )
    )


def nonzero(x: Any, /) -> NoReturn:
    """Refused: how many positions there are depends on the values of x."""
    raise located(
        RefusedError(
            "nonzero: how many positions it gives depends on the values of x, and a graph has fixed shapes",
            "choose with bg.where(mask, a, b), count with bg.count_nonzero(x), or call it on the result, outside the graph",
        )
    )


def unique(x: Any, /) -> NoReturn:
    """Refused: the shape of the result depends on the values of x."""
    _refuse("unique")


def unique_values(x: Any, /) -> NoReturn:
    """Refused, as unique."""
    _refuse("unique_values")


def unique_counts(x: Any, /) -> NoReturn:
    """Refused, as unique."""
    _refuse("unique_counts")


def unique_inverse(x: Any, /) -> NoReturn:
    """Refused, as unique."""
    _refuse("unique_inverse")


def unique_all(x: Any, /) -> NoReturn:
    """Refused, as unique."""
    _refuse("unique_all")
