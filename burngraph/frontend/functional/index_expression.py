"""What x[index] selects, read once for reading it and for writing to it: NumPy's basic and advanced indexing."""

import operator
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

import numpy as np

from burngraph.errors import DTypeError, ShapeError, TraceError
from burngraph.frontend.functional.conversion import asarray
from burngraph.frontend.functional.elementwise import minimum
from burngraph.frontend.functional.shape import (
    astype,
    broadcast_shape,
    broadcast_to,
    concat,
    expand_dims,
    flip,
    permute_dims,
    reshape,
    sliced,
)
from burngraph.frontend.recording import TracedValue, apply, is_tensor, located, type_of
from burngraph.ir.ops.constant import MAX_CONSTANT_SIZE, Constant, Splat
from burngraph.ir.ops.index import GatherNd, Take
from burngraph.ir.ops.scatter import ScatterNd, SliceAssign
from burngraph.ir.types import BOOL, I32, I64, U32, U64, TensorType


@dataclass(frozen=True)
class Selection:
    """x[index] taken apart: a slice of x, reversed along some axes and reshaped, is the region; index arrays select from it.

    start, stop, step   the slice, one entry per axis of x, step >= 1
    flips               axes to reverse
    region              shape after dropping the axes of integers and adding those of None
    arrays              index arrays, by axis of the region
    block               where, among the other axes of the region, those of the arrays stand in the result
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]
    step: tuple[int, ...]
    flips: tuple[int, ...]
    region: tuple[int, ...]
    arrays: dict[int, Any]
    block: int

    def read_region(self, x: Any) -> Any:
        x = sliced(x, self.start, self.stop, self.step)
        return reshape(flip(x, self.flips) if self.flips else x, self.region)

    def write_region(self, x: Any, values: Any) -> Any:
        """`x` with the region replaced by `values`, of its shape."""
        op = SliceAssign(self.start, self.stop, self.step)
        part = op.cut().infer(type_of(x))
        values = reshape(values, part.shape)
        if self.flips:
            values = flip(values, self.flips)
        return values if part == type_of(x) and set(self.step) <= {1} else apply(op, x, values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of x[index]."""
        rest = [n for axis, n in enumerate(self.region) if axis not in self.arrays]
        together = broadcast_shape("indexing", list(self.arrays.values()))
        return (*rest[: self.block], *together, *rest[self.block :])

    @property
    def axes(self) -> tuple[int, ...]:
        return tuple(sorted(self.arrays))

    def read(self, x: Any) -> Any:
        """x[index]."""
        region = self.read_region(x)
        if not self.arrays:
            return region
        axes = self.axes
        if len(axes) == 1:
            ((axis, indices),) = self.arrays.items()
            return _moved(apply(Take(axis), region, indices), axis, type_of(indices).rank, self.block)
        tuples = index_tuples([self.arrays[axis] for axis in axes])
        return _moved(apply(GatherNd(axes), region, tuples), 0, type_of(tuples).rank - 1, self.block)

    def write(self, x: Any, values: Any, reduction: str) -> Any:
        """`x` with `values`, of the shape of x[index], scattered to the places of x[index]; there are index arrays."""
        tuples = index_tuples([self.arrays[axis] for axis in self.axes])
        values = _moved(values, self.block, type_of(tuples).rank - 1, 0)
        return self.write_region(x, apply(ScatterNd(self.axes, reduction), self.read_region(x), tuples, values))


def _moved(x: Any, source: int, n: int, target: int) -> Any:
    """The `n` axes from `source` on moved to `target`."""
    others = [a for a in range(type_of(x).rank) if not source <= a < source + n]
    return permute_dims(x, [*others[:target], *range(source, source + n), *others[target:]])


def index_tuples(arrays: list[Any]) -> Any:
    """Index arrays, broadcast together, as the columns of one integer array."""
    shape = broadcast_shape("indexing", arrays)
    dtypes = {type_of(a).dtype for a in arrays}
    if len(dtypes) > 1:  # promotion would make a float of u64 and i64
        wide = I64 if dtypes & {I64, U32, U64} else I32
        arrays = [astype(minimum(a, 2**30) if type_of(a).dtype is U64 else a, wide) for a in arrays]
    return concat([expand_dims(broadcast_to(a, shape), len(shape)) for a in arrays], len(shape))


def selection(x: Any, index: Any) -> Selection:
    """Read an index expression: integers, slices with any static step, None, Ellipsis and integer arrays, and NumPy's masks.

    Raises   ShapeError   too many indices, an integer out of range, a mask that does not fit;   TraceError   a traced mask
             DTypeError   an index of another type
    """
    items = _expanded(x, index if isinstance(index, tuple) else (index,))
    shape = type_of(x).shape
    start, stop, step = [0] * len(shape), list(shape), [1] * len(shape)
    flips: list[int] = []
    region: list[int] = []
    arrays: dict[int, Any] = {}
    has_arrays = any(is_tensor(item) for item in items)
    advanced: list[tuple[int, int]] = []  # place among the items, axes of the region before it
    axis = 0
    for place, item in enumerate(items):
        if item is None:
            region.append(1)
            continue
        if isinstance(item, EllipsisType):
            continue
        dim = shape[axis]
        if isinstance(item, slice):
            start[axis], stop[axis], step[axis], length, is_backwards = _range(item, dim)
            if is_backwards:
                flips.append(axis)
            region.append(length)
        else:
            if has_arrays:
                advanced.append((place, len(region) - len(arrays)))
            if is_tensor(item):
                arrays[len(region)] = item
                region.append(dim)
            else:
                at = _integer(item)
                if not -dim <= at < dim:
                    raise located(ShapeError(f"index {at} is out of range for axis {axis} of {type_of(x)}"))
                start[axis], stop[axis] = at % dim, at % dim + 1
        axis += 1
    is_together = bool(advanced) and advanced[-1][0] - advanced[0][0] == len(advanced) - 1
    block = advanced[0][1] if is_together else 0  # NumPy's rule; an integer beside arrays counts as one of them
    return Selection(tuple(start), tuple(stop), tuple(step), tuple(flips), tuple(region), arrays, block)


def _expanded(x: Any, items: tuple[Any, ...]) -> list[Any]:
    """`items` with sequences made arrays, and full slices for what an Ellipsis stands for or is missing at the end.

    The Ellipsis itself stays, in front of its slices: index arrays on both sides of it are apart.
    """
    found = [_read_item(item) for item in items]
    dots = [i for i, item in enumerate(found) if isinstance(item, EllipsisType)]
    used = sum(_axes_of(item) for item in found)
    rank = type_of(x).rank
    if len(dots) > 1 or used > rank:
        raise located(ShapeError(f"{used} indices and {len(dots)} ellipses do not fit {type_of(x)}"))
    at = dots[0] + 1 if dots else len(found)
    return _without_masks(x, [*found[:at], *[slice(None)] * (rank - used), *found[at:]])


def _axes_of(item: Any) -> int:
    """How many axes of x an item of an index stands for."""
    return item.ndim if _is_mask(item) else int(item is not None and not isinstance(item, EllipsisType))


def _is_mask(item: Any) -> bool:
    """Whether it is a mask whose entries are known, so that what it selects has a shape."""
    return isinstance(item, np.ndarray) and item.dtype == np.bool_ and item.ndim > 0


def _without_masks(x: Any, items: list[Any]) -> list[Any]:
    """`items` with each mask replaced by the positions where it is true, one array per axis of it, as NumPy does."""
    found: list[Any] = []
    axis = 0
    for item in items:
        if _is_mask(item):
            covered = type_of(x).shape[axis : axis + item.ndim]
            if item.shape != covered:
                raise located(
                    ShapeError(f"a mask of shape {list(item.shape)} does not fit axes of {list(covered)} of {type_of(x)}")
                )
            found += [_listed(positions.tolist()) for positions in np.nonzero(item)]
        else:
            found.append(item)
        axis += _axes_of(item)
    return found


def _read_item(item: Any) -> Any:
    if isinstance(item, np.integer):
        return int(item)
    if isinstance(item, list | tuple) and item and all(isinstance(entry, bool | np.bool_) for entry in item):
        return np.array(item)
    if _is_mask(item):
        return item
    if isinstance(item, list | tuple | range):
        item = _listed(list(item))
    if is_tensor(item) and type_of(item).dtype is BOOL:
        raise located(
            TraceError(
                f"an index is {type_of(item)}, a mask whose entries are not known while the graph is built",
                "what it selects has no fixed shape: use bg.where(mask, x, other)",
            )
        )
    if is_tensor(item) and not type_of(item).dtype.is_integer:
        raise located(DTypeError(f"an index is {type_of(item)}, not integers", "convert it with .astype('int32')"))
    return item


def _listed(items: list[Any]) -> Any:
    """A list as an array: written into the graph if it is short, so that its entries are known to be in range."""
    try:
        array = np.array(items)
    except ValueError:  # of uneven lengths
        return asarray(items)
    if not array.size:
        return apply(Splat(0, TensorType(I32, array.shape)))
    if array.dtype.kind != "i":
        return asarray(items)
    array = np.clip(array, -(2**31), 2**31 - 1)  # i32 would wrap; no axis is as long
    if array.size > MAX_CONSTANT_SIZE:
        return asarray(array.tolist())
    return apply(Constant(tuple(array.ravel().tolist()), TensorType(I32, array.shape)))


def _integer(item: Any) -> int:
    if isinstance(item, bool):
        raise located(TraceError("True and False are no index", "for a mask use bg.where(mask, x, other)"))
    try:
        return operator.index(item)
    except TypeError:
        raise located(DTypeError(f"an index is a {type(item).__name__}, not an integer, slice, None or array")) from None


def _range(item: slice, dim: int) -> tuple[int, int, int, int, bool]:
    """start, stop, step >= 1 of the entries of a slice in ascending order, how many, and whether they are then reversed."""
    for bound in (item.start, item.stop, item.step):
        if isinstance(bound, TracedValue):
            operator.index(bound)  # raises, and says why
    if item.step == 0:
        raise located(ShapeError("a slice has step 0"))
    positions = range(*item.indices(dim))
    if not positions:
        return 0, 0, 1, 0, False
    low, high = min(positions[0], positions[-1]), max(positions[0], positions[-1])
    return low, high + 1, abs(positions.step), len(positions), positions.step < 0
