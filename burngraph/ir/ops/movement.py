"""Ops that move entries and compute nothing: reshape, permute, concat, slice, pad, flip, and broadcast from its own file."""

from dataclasses import dataclass

import numpy as np

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import FREE, Cost, Op, Permuted, register, zeros
from burngraph.ir.ops.broadcast import Broadcast, Sum, add_leading_axis, check_axes, renumbered, repeat_leading
from burngraph.ir.ops.compare import Select
from burngraph.ir.ops.constant import Splat
from burngraph.ir.permutation import Perm, compose, identity, inverse, is_permutation
from burngraph.ir.types import BOOL, Array, TensorType
from burngraph.ir.value import Emit, Value

__all__ = [
    "Broadcast", "Concat", "Flip", "Movement", "Pad", "Permute", "Reshape", "Slice", "add_leading_axis", "repeat_leading",
]  # fmt: skip


class Movement(Op):
    """Base of linear ops on one operand `x` that only move its entries."""

    operands = ("x",)
    linear_in = (("x",),)

    def cost(self, x: TensorType) -> Cost:
        result: TensorType = self.infer(x)
        return Cost(0, min(x.bytes, result.bytes), result.bytes)


@register
@dataclass(frozen=True, eq=False)
class Reshape(Movement):
    """The same entries in row-major order under another shape of the same size."""

    name = "reshape"
    shape: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        result = x.with_shape(self.shape)
        if result.size != x.size or any(d < 0 for d in self.shape):
            raise ShapeError(f"reshape: x is {x}, of {x.size} entries; {self.shape} has {result.size}")
        return result

    def reference(self, x: Array) -> Array:
        return np.reshape(x, self.shape)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        return emit(Reshape(x.shape), y_bar)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted | None:
        """Blocks of axes that are reshaped among themselves may trade places; within a block the order must stay."""
        shape = operand_types[0].shape
        if index == 0:
            given, follows = shape, self.shape
        else:
            given, follows = self.shape, shape
        other = _moved_blocks(given, follows, perm)
        if other is None:
            return None
        operand, result = (perm, other) if index == 0 else (other, perm)
        return Permuted(Reshape(tuple(self.shape[a] for a in result)), (operand,), (result,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(Reshape((operands[0].shape[0], *self.shape)), operands[0])

    def cost(self, x: TensorType) -> Cost:
        return FREE


Block = tuple[tuple[int, ...], tuple[int, ...]]


def reshape_blocks(a: tuple[int, ...], b: tuple[int, ...]) -> list[Block]:
    """Split a reshape from shape `a` to `b`, of one nonzero size, into the finest (axes of a, axes of b) of equal sizes.

    A dim of 1 is a block of its own unless it is inside a larger one.
    """
    blocks: list[Block] = []
    i = j = 0
    while i < len(a) or j < len(b):
        start_i, start_j = i, j
        if i < len(a) and a[i] == 1:
            i += 1
            j += j < len(b) and b[j] == 1
        elif j < len(b) and b[j] == 1:
            j += 1
        else:
            i, j = _equal_products(a, b, i, j)
        blocks.append((tuple(range(start_i, i)), tuple(range(start_j, j))))
    return blocks


def _equal_products(a: tuple[int, ...], b: tuple[int, ...], i: int, j: int) -> tuple[int, int]:
    """The ends of the shortest runs a[i:], b[j:] whose products agree."""
    size_a, size_b, i, j = a[i], b[j], i + 1, j + 1
    while size_a != size_b:
        if size_a < size_b:
            size_a, i = size_a * a[i], i + 1
        else:
            size_b, j = size_b * b[j], j + 1
    return i, j


def _moved_blocks(given: tuple[int, ...], follows: tuple[int, ...], perm: Perm) -> Perm | None:
    """The permutation of `follows` that goes with `perm` of `given`, or None if `perm` takes a block apart."""
    if perm == identity(len(given)):
        return identity(len(follows))
    if 0 in given:
        return None  # no entries, so no order of them to follow
    blocks = reshape_blocks(given, follows)
    start_of = {axes[0]: (axes, other) for axes, other in blocks if axes}
    result: list[int] = [a for axes, other in blocks if not axes for a in other]
    position = 0
    while position < len(perm):
        axes, other = start_of.get(perm[position], ((), ()))
        if not axes or perm[position : position + len(axes)] != axes:
            return None
        position += len(axes)
        result.extend(other)
    return tuple(result)


@register
@dataclass(frozen=True, eq=False)
class Permute(Movement):
    """Reorder axes: axis k of the result is axis axes[k] of x. The only op that changes layout."""

    name = "permute"
    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        if not is_permutation(self.axes, x.rank):
            raise ShapeError(f"permute: {self.axes} is not a permutation of the axes of {x}")
        return x.permuted(self.axes)

    def reference(self, x: Array) -> Array:
        return np.transpose(x, self.axes)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        return emit(Permute(inverse(self.axes)), y_bar)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        same = identity(len(perm))
        if index == 0:
            return Permuted(Permute(compose(inverse(perm), self.axes)), (perm,), (same,))
        return Permuted(Permute(compose(self.axes, perm)), (same,), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(Permute((0, *(a + 1 for a in self.axes))), operands[0])


@register
@dataclass(frozen=True, eq=False)
class Concat(Op):
    """Join arrays along `axis`; their other dims are equal. At least one operand."""

    name = "concat"
    operands = ("xs*",)
    linear_in = (("xs",),)
    axis: int

    def infer(self, *xs: TensorType) -> TensorType:
        if not xs:
            raise ShapeError("concat: takes at least one operand")
        first = xs[0]
        listed = ["operands: " + ", ".join(map(str, xs))]
        if not 0 <= self.axis < first.rank:
            raise ShapeError(f"concat: {first} has no axis {self.axis}", *listed)
        if any(x.dtype is not first.dtype for x in xs):
            raise DTypeError("concat: operands differ in dtype", *listed)
        if len({(x.rank, x.shape[: self.axis], x.shape[self.axis + 1 :]) for x in xs}) != 1:
            raise ShapeError(f"concat: operands differ in another dim than axis {self.axis}", *listed)
        total = sum(x.shape[self.axis] for x in xs)
        return first.with_shape((*first.shape[: self.axis], total, *first.shape[self.axis + 1 :]))

    def reference(self, *xs: Array) -> Array:
        return np.concatenate(xs, axis=self.axis)

    def transpose(self, emit: Emit, into: int, y_bar: Value, *xs: Value) -> Value:
        low = sum(x.shape[self.axis] for x in xs[:into])
        start, stop = [0] * len(y_bar.shape), list(y_bar.shape)
        start[self.axis], stop[self.axis] = low, low + xs[into].shape[self.axis]
        return emit(Slice(tuple(start), tuple(stop), (1,) * len(start)), y_bar)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(Concat(inverse(perm)[self.axis]), (perm,) * len(operand_types), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(Concat(self.axis + 1), *add_leading_axis(emit, operands, is_batched))

    def cost(self, *xs: TensorType) -> Cost:
        size = sum(x.bytes for x in xs)
        return Cost(0, size, size)


@register
@dataclass(frozen=True, eq=False)
class Slice(Movement):
    """Every step-th entry from start (included) to stop (excluded), on each axis.

    start, stop, step   one per axis; 0 <= start <= stop <= dim, step >= 1
    """

    name = "slice"
    start: tuple[int, ...]
    stop: tuple[int, ...]
    step: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        if not len(self.start) == len(self.stop) == len(self.step) == x.rank:
            raise ShapeError(f"slice: start, stop and step must have one entry per axis of {x}")
        for axis, (low, high, step, dim) in enumerate(zip(self.start, self.stop, self.step, x.shape, strict=True)):
            if not 0 <= low <= high <= dim or step < 1:
                raise ShapeError(f"slice: {low}:{high}:{step} does not fit axis {axis} of {x}")
        return x.with_shape(self._sizes())

    def _sizes(self) -> tuple[int, ...]:
        return tuple(-((low - high) // step) for low, high, step in zip(self.start, self.stop, self.step, strict=True))

    def reference(self, x: Array) -> Array:
        return np.asarray(x[tuple(map(slice, self.start, self.stop, self.step))])

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        low, high = list(self.start), list[int]()
        for axis, (size, step, dim) in enumerate(zip(self._sizes(), self.step, x.shape, strict=True)):
            high.append(dim - low[axis] - (1 + (size - 1) * step if size else 0))
        pad = Pad(tuple(low), tuple(high), tuple(s - 1 for s in self.step))
        return emit(pad, y_bar, emit(Splat(0, y_bar.type.with_shape(()))))

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(Slice(*(_reordered(f, perm) for f in (self.start, self.stop, self.step))), (perm,), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(Slice((0, *self.start), (operands[0].shape[0], *self.stop), (1, *self.step)), operands[0])


@register
@dataclass(frozen=True, eq=False)
class Pad(Op):
    """Surround `x` with `fill`, and put `interior` copies of it between neighbours.

    x                    T[d0, ..., dk]
    fill                 T[]
    returns              T[low + d + (d - 1) * interior + high]; low + high where d = 0

    low, high, interior  one per axis, not negative
    """

    name = "pad"
    operands = ("x", "fill")
    linear_in = (("x", "fill"),)
    low: tuple[int, ...]
    high: tuple[int, ...]
    interior: tuple[int, ...]

    def infer(self, x: TensorType, fill: TensorType) -> TensorType:
        if not len(self.low) == len(self.high) == len(self.interior) == x.rank:
            raise ShapeError(f"pad: low, high and interior must have one entry per axis of {x}")
        if any(n < 0 for n in (*self.low, *self.high, *self.interior)):
            raise ShapeError(f"pad: low {self.low}, high {self.high}, interior {self.interior}; none may be negative")
        if fill.rank != 0:
            raise ShapeError(f"pad: fill is {fill}, must have rank 0")
        if fill.dtype is not x.dtype:
            raise DTypeError(f"pad: x is {x}, fill is {fill}; they must have one dtype")
        each = zip(self.low, x.shape, self.interior, self.high, strict=True)
        return x.with_shape(tuple(low + (d and d + (d - 1) * gap) + high for low, d, gap, high in each))

    def reference(self, x: Array, fill: Array) -> Array:
        shape = tuple(
            low + (d and d + (d - 1) * gap) + high
            for low, d, gap, high in zip(self.low, x.shape, self.interior, self.high, strict=True)
        )
        result = np.full(shape, fill, x.dtype)
        cut = self._cut(x.shape)
        result[tuple(map(slice, cut.start, cut.stop, cut.step))] = x
        return result

    def _cut(self, shape: tuple[int, ...]) -> Slice:
        """The slice that takes an operand of `shape` back out of the result."""
        stop = tuple(low + (d and 1 + (d - 1) * (gap + 1)) for low, d, gap in zip(self.low, shape, self.interior, strict=True))
        return Slice(self.low, stop, tuple(gap + 1 for gap in self.interior))

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, fill: Value) -> Value:
        if into == 0:
            return emit(self._cut(x.shape), y_bar)
        is_fill = self._is_fill(emit, x.shape)
        kept = emit(Select(), is_fill, y_bar, zeros(emit, y_bar.type))
        return emit(Sum(identity(len(y_bar.shape))), kept)

    def _is_fill(self, emit: Emit, shape: tuple[int, ...]) -> Value:
        inside = emit(Splat(False, TensorType(BOOL, shape)))
        return emit(self, inside, emit(Splat(True, TensorType(BOOL, ()))))

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        if index == 1:
            perm = identity(len(self.low))
        op = Pad(*(_reordered(f, perm) for f in (self.low, self.high, self.interior)))
        return Permuted(op, (perm, ()), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        x, fill = operands
        pad = Pad((0, *self.low), (0, *self.high), (0, *self.interior))
        if not is_batched[1]:
            return emit(pad, x, fill)
        # One fill per example is beyond one pad: pad with zeros, then put the fills where the padding is.
        if not is_batched[0]:
            x = repeat_leading(emit, x, fill.shape[0])
        padded = emit(pad, x, zeros(emit, x.type.with_shape(())))
        fills = emit(Broadcast(padded.shape, tuple(range(1, len(padded.shape)))), fill)
        return emit(Select(), pad._is_fill(emit, x.shape), fills, padded)

    def cost(self, x: TensorType, fill: TensorType) -> Cost:
        return Cost(0, x.bytes + fill.bytes, self.infer(x, fill).bytes)


def _reordered(field: tuple[int, ...], perm: Perm) -> tuple[int, ...]:
    return tuple(field[a] for a in perm)


@register
@dataclass(frozen=True, eq=False)
class Flip(Movement):
    """Reverse the order of entries along `axes` (ascending)."""

    name = "flip"
    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        check_axes(self, self.axes, x.rank)
        return x

    def reference(self, x: Array) -> Array:
        return np.flip(x, self.axes)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        return emit(self, y_bar)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(Flip(renumbered(self.axes, perm)), (perm,), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(Flip(tuple(a + 1 for a in self.axes)), operands[0])
