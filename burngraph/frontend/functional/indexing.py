"""Functions that select entries: take, gather and what `x[...]` means.

A negative index counts from the end, once; an index array's entry that is then out of range is clamped into it, and
`bg.compile(..., checks=True)` raises IndexRangeError instead.
"""

from typing import Any

from burngraph.errors import DTypeError, ShapeError
from burngraph.frontend.functional.index_expression import selection
from burngraph.frontend.functional.shape import broadcast_to, normal_axis, reshape, sliced, tensor
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.index import GatherNd, Take, TakeAlong

__all__ = ["gather", "gather_nd", "index_select", "take", "take_along_axis"]


def integers(function: str, indices: Any) -> Any:
    """`indices` as a traced value or array. Raises DTypeError: they are not integers."""
    indices = tensor(indices)
    if not type_of(indices).dtype.is_integer:
        raise located(DTypeError(f"{function}: indices are {type_of(indices)}, not integers"))
    return indices


def take(x: Any, indices: Any, /, axis: int | None = None) -> Any:
    """The entries of `x` along `axis` at `indices` (any shape, which replaces the axis); None takes from x flattened.

    A negative index counts from the end; one out of range is clamped.
    Raises   DTypeError   indices are not integers
    """
    x, indices = tensor(x), integers("take", indices)
    if axis is None:
        x, axis = reshape(x, -1), 0
    return apply(Take(normal_axis("take", axis, type_of(x).rank)), x, indices)


def take_along_axis(x: Any, indices: Any, /, axis: int = -1) -> Any:
    """result[.., i, ..] = x[.., indices[.., i, ..], ..]; the other axes of the two broadcast.

    Raises   ShapeError   the ranks differ;   DTypeError   indices are not integers
    """
    x, indices = tensor(x), integers("take_along_axis", indices)
    a, b = type_of(x), type_of(indices)
    if a.rank != b.rank:
        raise located(ShapeError(f"take_along_axis: x is {a} and indices are {b}, of another rank"))
    axis = normal_axis("take_along_axis", axis, a.rank)
    one_x, one_i = (list(t.shape) for t in (a, b))
    one_x[axis] = one_i[axis] = 1
    shape = tuple(n if m == 1 else m for m, n in zip(one_x, one_i, strict=True))
    x = broadcast_to(x, (*shape[:axis], a.shape[axis], *shape[axis + 1 :]))
    indices = broadcast_to(indices, (*shape[:axis], b.shape[axis], *shape[axis + 1 :]))
    return apply(TakeAlong(axis), x, indices)


def check_within(function: str, dim: int, x: Any, index: Any) -> None:
    """Raise ShapeError unless `index` is of x's rank and, apart from `dim`, nowhere larger."""
    a, b = type_of(x), type_of(index)
    if a.rank != b.rank or any(n > m for i, (m, n) in enumerate(zip(a.shape, b.shape, strict=True)) if i != dim):
        raise located(
            ShapeError(f"{function}: x is {a} and index is {b}; it must have x's rank, and be no larger but in dim {dim}")
        )


def gather(x: Any, dim: int, index: Any) -> Any:
    """torch.gather: result[i][j][k] = x[index[i][j][k]][j][k] for dim 0, of index's shape.

    Raises   ShapeError   index has another rank, or is larger than x in another dim;   DTypeError   it is not integers
    """
    x, index = tensor(x), integers("gather", index)
    if not type_of(x).rank and not type_of(index).rank:
        return reshape(gather(reshape(x, (1,)), dim, reshape(index, (1,))), ())
    dim = normal_axis("gather", dim, type_of(x).rank)
    check_within("gather", dim, x, index)
    shape = type_of(index).shape
    stop = (*shape[:dim], type_of(x).shape[dim], *shape[dim + 1 :])
    return apply(TakeAlong(dim), sliced(x, (0,) * len(shape), stop, (1,) * len(shape)), index)


def index_select(x: Any, dim: int, index: Any) -> Any:
    """torch.index_select: the entries of `x` along `dim` at `index`, of rank 1 (or 0, which is one entry).

    Raises   ShapeError   index has a higher rank
    """
    index = integers("index_select", index)
    if type_of(index).rank > 1:
        raise located(ShapeError(f"index_select: index is {type_of(index)}, must have rank 1", "bg.take takes any rank"))
    return take(x, reshape(index, (type_of(index).size,)), dim)


def gather_nd(x: Any, indices: Any) -> Any:
    """The parts of `x` at index tuples: result[n, rest] = x[indices[n, 0], ..., indices[n, K - 1], rest], for K leading axes.

    Raises   ShapeError   indices have no last axis, or more columns than x has axes;   DTypeError   they are not integers
    """
    x, indices = tensor(x), integers("gather_nd", indices)
    return apply(GatherNd(leading_axes("gather_nd", x, indices)), x, indices)


def leading_axes(function: str, x: Any, indices: Any) -> tuple[int, ...]:
    """The axes of `x` that the columns of `indices` count along."""
    a, b = type_of(x), type_of(indices)
    if not b.rank or not 1 <= b.shape[-1] <= a.rank:
        raise located(ShapeError(f"{function}: the last axis of indices {b} must have 1 to {a.rank} entries", f"x: {a}"))
    return tuple(range(b.shape[-1]))


def getitem(x: Any, index: Any) -> Any:
    """x[index] as in NumPy: integers, slices with any static step, None, Ellipsis and integer arrays.

    An integer out of range raises ShapeError; an entry of an index array is clamped.
    Raises   TraceError   a boolean mask, whose result has no static shape
    """
    return selection(x, index).read(x)
