"""Burn's ways of cutting, repeating and writing at indices."""

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from burngraph.errors import InputError, ShapeError
from burngraph.frontend.functional.indexing import getitem, take_along_axis
from burngraph.frontend.functional.rearrange import tile
from burngraph.frontend.functional.scattering import At
from burngraph.frontend.functional.scattering import scatter_nd as scatter_at_tuples
from burngraph.frontend.functional.shape import expand_dims, moveaxis, normal_axis, tensor
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.scatter import ScatterAlong, ScatterNd

__all__ = ["gather", "repeat_dim", "scatter", "scatter_nd", "select_assign", "slice", "slice_assign"]

Range = tuple[int, int | None, int] | tuple[int, int | None] | builtins.slice
UPDATES = {"Assign": "set", "Add": "add", "Mul": "multiply", "Min": "minimum", "Max": "maximum"}


def _places(tensor: Any, slices: Sequence[Range]) -> tuple[Any, ...]:
    """Python's slices for Burn's: the bounds choose the set, the sign of the step only the direction it is walked in.

    start, end   counted from the back where negative, clamped to the axis; no end is the axis's
    step         not 0; -s walks start..end from its last entry downwards

    Raises   ShapeError   more slices than axes, or a step of 0
    """
    shape = type_of(tensor).shape
    if len(slices) > len(shape):
        raise located(ShapeError(f"slice: {len(slices)} slices for {type_of(tensor)}"))
    found = []
    for given, size in zip(slices, shape, strict=False):
        start, end, step = _triple(given)
        if step == 0:
            raise located(ShapeError("slice: a step is 0"))
        first, last = (min(max(i + size if i < 0 else i, 0), size) for i in (start, size if end is None else end))
        if step > 0:
            found.append(builtins.slice(first, max(first, last), step))
        elif last <= first:
            found.append(builtins.slice(0, 0, 1))
        else:
            found.append(builtins.slice(last - 1, first - 1 if first else None, step))
    return tuple(found)


def _triple(given: Any) -> tuple[int, int | None, int]:
    parts = (given.start, given.stop, given.step) if isinstance(given, builtins.slice) else given
    is_known = isinstance(parts, list | tuple) and len(parts) in (2, 3)
    if not is_known or not all(n is None or isinstance(n, int | np.integer) for n in parts):
        raise located(
            InputError(f"slice: slices has {given!s:.80}", "one (start, end, step) or (start, end) of ints for each axis")
        )
    start, end, step = (*parts, None)[:3]
    if isinstance(given, builtins.slice) and step is not None and step < 0:
        way_out = "write (start, end, step), of which a step of -1 walks the entries start..end from the last to the first"
        raise located(InputError(f"slice: {given} walks backwards, which Burn and Python read in two ways", way_out))
    return 0 if start is None else int(start), end, 1 if step is None else int(step)


def slice(tensor: Any, slices: Sequence[Range]) -> Any:
    """The entries that `slices`, one (start, end, step) per leading axis, choose; other axes are whole.

    (start, end) has step 1, and an end of None is the axis's. A Python slice serves too, unless its step is negative.
    Unlike NumPy's, a negative step walks the same entries start..end backwards: (0, 5, -1) gives 4 3 2 1 0.

    Raises   ShapeError   more slices than axes, or a step of 0
             InputError   one is none of these
    """
    return getitem(tensor, _places(tensor, slices))


def slice_assign(tensor: Any, value: Any, slices: Sequence[Range]) -> Any:
    """`tensor` with the entries that `slice` would give replaced by `value`, in the order it would give them.

    Raises   ShapeError   value is not of that shape
    """
    chosen = slice(tensor, slices)
    if type_of(value) != type_of(chosen):
        raise located(ShapeError(f"slice_assign: value is {type_of(value)}, must be {type_of(chosen)}"))
    return At(tensor)[_places(tensor, slices)].set(value) if type_of(chosen).size else tensor


def repeat_dim(tensor: Any, dim: int, times: int) -> Any:
    """`tensor` `times` times in a row along `dim` (abab)."""
    rank = type_of(tensor).rank
    return tile(tensor, [times if axis == normal_axis("repeat_dim", dim, rank) else 1 for axis in range(rank)])


def _update(function: str, update: str) -> str:
    if update not in UPDATES:
        raise located(InputError(f"{function}: no update {update!r}", "updates: " + ", ".join(UPDATES)))
    return UPDATES[update]


def _same_but(function: str, tensor: Any, indices: Any, dim: int) -> int:
    """`dim` counted from the front, where the two agree in every other dim, which Burn asks and PyTorch does not."""
    a, b = type_of(tensor), type_of(indices)
    dim = normal_axis(function, dim, a.rank)
    if a.rank != b.rank or any(m != n for axis, (m, n) in enumerate(zip(a.shape, b.shape, strict=True)) if axis != dim):
        raise located(ShapeError(f"{function}: tensor {a} and indices {b} differ in a dim other than {dim}"))
    return dim


def gather(tensor: Any, indices: Any, dim: int) -> Any:
    """out[i][j][k] = tensor[indices[i][j][k]][j][k] for dim 0.

    Raises   ShapeError   tensor and indices differ in a dim other than `dim`
    """
    return take_along_axis(tensor, indices, _same_but("gather", tensor, indices, dim))


def scatter(tensor: Any, indices: Any, value: Any, dim: int, update: str) -> Any:
    """`tensor` with value[i][j][k] combined into place [indices[i][j][k]][j][k], for dim 0.

    update   "Assign" (the last wins), "Add", "Mul", "Min" or "Max"; Add of bool is or

    Raises   ShapeError   tensor and indices differ in a dim other than `dim`, or value is not of indices' shape
             InputError   another update
    """
    dim = _same_but("scatter", tensor, indices, dim)
    return apply(ScatterAlong(dim, _update("scatter", update)), tensor, indices, value)


def select_assign(tensor: Any, indices: Any, value: Any, dim: int, update: str) -> Any:
    """`tensor` with value[.., k, ..] combined into position indices[k] of `dim`, for each k.

    update   "Assign" (the last wins), "Add", "Mul", "Min" or "Max"; Add of bool is or

    Raises   ShapeError   value is not of tensor's shape with the number of indices along `dim`;   InputError   another update
    """
    dim = normal_axis("select_assign", dim, type_of(tensor).rank)
    op = ScatterNd((dim,), _update("select_assign", update))
    return apply(op, tensor, expand_dims(indices, 1), moveaxis(value, dim, 0))


def scatter_nd(data: Any, indices: Any, values: Any, reduction: str) -> Any:
    """`data` with values[n, rest] combined into data[indices[n, 0], ..., indices[n, K - 1], rest].

    reduction   "Assign" (the last wins), "Add", "Mul", "Min" or "Max"

    Raises   InputError   another reduction
    """
    return scatter_at_tuples(tensor(data), indices, values, _update("scatter_nd", reduction))
