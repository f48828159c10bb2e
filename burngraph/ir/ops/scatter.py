"""Writing at indices. An index out of range writes nothing; positions.py says what an index means.

Where several updates go to one place, the reduction combines them with the entry and with each other; for "set" the last
one in row-major order of the indices wins, on every device.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, IndexOperand, Op, Permuted, Tangent, linearize_by_linearity, register, zeros
from burngraph.ir.ops.arithmetic import Div, Minimum, Mul
from burngraph.ir.ops.broadcast import Broadcast, add_leading_axis, repeat_leading, without
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.compare import Equal, GreaterEqual, Less, NotEqual, Select
from burngraph.ir.ops.constant import Iota, Splat
from burngraph.ir.ops.index import GatherNd, TakeAlong, check_tuples, permuted_nd
from burngraph.ir.ops.logic import LogicalAnd
from burngraph.ir.ops.movement import Permute, Reshape, Slice
from burngraph.ir.ops.pointwise import splat_like, widened
from burngraph.ir.ops.positions import along, by_column, check_integers, in_range, places, tuples_in_range, with_leading_column
from burngraph.ir.permutation import Perm, identity, inverse
from burngraph.ir.types import I32, Array, TensorType
from burngraph.ir.value import Emit, Value

REDUCTIONS = {"set": None, "add": np.add, "multiply": np.multiply, "minimum": np.minimum, "maximum": np.maximum}
LINEAR = ("set", "add")


class Scatter(Op, ABC):
    """Base: `x` with `updates` put in at the places that `indices` say, by `reduction`.

    A subclass says which places those are: to NumPy (`numpy_places`), and to its derivatives, as IR: what is read there
    (`read`), whether they are in range (`in_range`), the number of each update in the order of writing (`numbers`), and the
    update of a given number (`pick`).
    """

    operands = ("x", "indices", "updates")
    reduction: str

    @abstractmethod
    def with_reduction(self, reduction: str) -> "Scatter": ...

    @abstractmethod
    def numpy_places(self, indices: Array, shape: tuple[int, ...], updates: Array) -> tuple[Any, Array]:
        """What to index an array of `shape` with, and the updates for it; those out of range are gone, the rest flat."""

    @abstractmethod
    def read(self, emit: Emit, y: Value, indices: Value) -> Value: ...

    @abstractmethod
    def in_range(self, emit: Emit, indices: Value, shape: tuple[int, ...], type: TensorType) -> Value: ...

    @abstractmethod
    def numbers(self, emit: Emit, indices: Value, updates: Value) -> tuple[int, Value]: ...

    @abstractmethod
    def pick(self, emit: Emit, updates: Value, numbers: Value) -> Value: ...

    def check(self, x: TensorType, updates: TensorType, shape: tuple[int, ...]) -> TensorType:
        if self.reduction not in REDUCTIONS:
            raise ShapeError(f"{self.name}: no reduction {self.reduction!r}", "reductions: " + ", ".join(REDUCTIONS))
        if updates.dtype is not x.dtype:
            raise DTypeError(f"{self.name}: x is {x}, updates are {updates}; they must have one dtype")
        if x.dtype.kind == "complex" and self.reduction in ("minimum", "maximum"):
            raise DTypeError(f"{self.name}: x is {x}; complex numbers have no {self.reduction}")
        if updates.shape != shape:
            raise ShapeError(f"{self.name}: updates are {updates}, must have shape {list(shape)}", f"x: {x}")
        return x

    def reference(self, x: Array, indices: Array, updates: Array) -> Array:
        out = np.array(widened(x))
        if not (out.size and updates.size):
            return out
        at, values = self.numpy_places(indices, x.shape, widened(updates))
        combine = REDUCTIONS[self.reduction]
        if combine is None:
            out[at] = values
        else:
            combine.at(out, at, values)
        return out

    def linear_positions(self, n_operands: int) -> list[tuple[int, ...]]:
        return [(0, 2)] if self.reduction in LINEAR else []

    def overwritten(self, emit: Emit, x: TensorType, indices: Value, updates: Value) -> Value:
        """Which entries of x "set" replaces."""
        winners = self._winners(emit, x, indices, updates)
        return emit(GreaterEqual(), winners, splat_like(emit, 0, winners))

    def lasting(self, emit: Emit, x: TensorType, indices: Value, updates: Value) -> Value:
        """Which updates "set" leaves in x: in range, and the last at their place."""
        _, numbers = self.numbers(emit, indices, updates)
        wins = emit(Equal(), self.read(emit, self._winners(emit, x, indices, updates), indices), numbers)
        return emit(LogicalAnd(), wins, self.in_range(emit, indices, x.shape, updates.type))

    def _winners(self, emit: Emit, x: TensorType, indices: Value, updates: Value) -> Value:
        """The number of the update that each entry of x is set to; -1 where none is."""
        _, numbers = self.numbers(emit, indices, updates)
        return emit(self.with_reduction("maximum"), emit(Splat(-1, x.with_dtype(I32))), indices, numbers)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, indices: Value, updates: Value) -> Value:
        """Into x: what was not overwritten. Into the updates: what is at their places, for "set" only to the last."""
        if self.reduction == "add" and into == 0:
            return y_bar
        zero = zeros(emit, y_bar.type if into == 0 else updates.type)
        if not y_bar.type.size:
            return zero
        if into == 0:
            return emit(Select(), self.overwritten(emit, x.type, indices, updates), zero, y_bar)
        if self.reduction == "set":
            takes_part = self.lasting(emit, x.type, indices, updates)
        else:
            takes_part = self.in_range(emit, indices, x.shape, updates.type)
        return emit(Select(), takes_part, self.read(emit, y_bar, indices), zero)

    def linearize(
        self, emit: Emit, x: Value, indices: Value, updates: Value, out: Value,
        x_dot: Tangent, _: Tangent, updates_dot: Tangent,
    ) -> Tangent:  # fmt: skip
        """For minimum and maximum the derivative is x's where x is the result, else the first update's that is; nan: x's.

        For multiply it is the product of all other factors, counted without dividing by 0. A further derivative treats the
        factors that are 0 as constants.
        """
        if x_dot is None and updates_dot is None:
            return None
        if self.reduction in LINEAR:
            return linearize_by_linearity(self, emit, (x, indices, updates, out, x_dot, None, updates_dot))  # type: ignore[no-any-return]
        if x_dot is None:
            x_dot = zeros(emit, x.type)
        if updates_dot is None:
            updates_dot = zeros(emit, updates.type)
        if not (x.type.size and updates.type.size):
            return x_dot
        if self.reduction == "multiply":
            return self._linearize_multiply(emit, x, indices, updates, x_dot, updates_dot)
        count, numbers = self.numbers(emit, indices, updates)
        wins = emit(LogicalAnd(), emit(Equal(), updates, self.read(emit, out, indices)),
                    self.in_range(emit, indices, x.shape, updates.type))  # fmt: skip
        candidates = emit(Select(), wins, numbers, splat_like(emit, count, numbers))
        none = emit(Splat(count, x.type.with_dtype(I32)))
        first = emit(self.with_reduction("minimum"), none, indices, candidates)
        picked = self.pick(emit, updates_dot, emit(Minimum(), first, splat_like(emit, count - 1, first)))
        is_update = emit(LogicalAnd(), emit(Less(), first, none), emit(NotEqual(), x, out))
        return emit(Select(), is_update, picked, x_dot)

    def _linearize_multiply(
        self, emit: Emit, x: Value, indices: Value, updates: Value, x_dot: Value, updates_dot: Value
    ) -> Value:
        def split(v: Value) -> tuple[Value, Value]:
            """v with 1 for 0, and 1 where it was 0, as i32."""
            is_zero = emit(Equal(), v, splat_like(emit, 0, v))
            return emit(Select(), is_zero, splat_like(emit, 1, v), v), emit(Cast(I32), is_zero)

        def without_one(product: Value, n_zeros: Value, factor: Value, is_zero: Value) -> Value:
            """The product of the others than `factor`."""
            others_zero = emit(NotEqual(), n_zeros, is_zero)
            return emit(Select(), others_zero, splat_like(emit, 0, product), emit(Div(), product, factor))

        x_factor, x_zero = split(x)
        factors, factors_zero = split(updates)
        product = emit(self, x_factor, indices, factors)
        n_zeros = emit(self.with_reduction("add"), x_zero, indices, factors_zero)
        from_x = without_one(product, n_zeros, x_factor, x_zero)
        there, zeros_there = self.read(emit, product, indices), self.read(emit, n_zeros, indices)
        from_updates = emit(Mul(), without_one(there, zeros_there, factors, factors_zero), updates_dot)
        return emit(self.with_reduction("add"), emit(Mul(), from_x, x_dot), indices, from_updates)

    def cost(self, x: TensorType, indices: TensorType, updates: TensorType) -> Cost:
        flops = 0 if self.reduction == "set" else updates.size
        return Cost(flops, x.bytes + indices.bytes + updates.bytes, x.bytes)


@register
@dataclass(frozen=True, eq=False)
class ScatterAlong(Scatter):
    """`x` with `updates` put in where, for each update, its position along `axis` is replaced by its index.

    x          T[...]
    indices    any integer dtype, x's shape except along `axis`
    updates    T[shape of indices]
    returns    T[shape of x]

    reduction  "set", "add", "multiply", "minimum" or "maximum"; of bool, add is or, multiply is and
    """

    name = "scatter_along"
    axis: int
    reduction: str

    def infer(self, x: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        check_integers(self, indices)
        if not 0 <= self.axis < x.rank or indices.rank != x.rank:
            raise ShapeError(f"{self.name}: along axis {self.axis}, x is {x} and indices are {indices}")
        wanted = (*x.shape[: self.axis], indices.shape[self.axis], *x.shape[self.axis + 1 :])
        if indices.shape != wanted:
            raise ShapeError(f"{self.name}: indices {indices} and x {x} may differ only in axis {self.axis}")
        return self.check(x, updates, indices.shape)

    def with_reduction(self, reduction: str) -> "ScatterAlong":
        return ScatterAlong(self.axis, reduction)

    def numpy_places(self, indices: Array, shape: tuple[int, ...], updates: Array) -> tuple[Any, Array]:
        at: list[Any] = list(np.indices(indices.shape))
        at[self.axis], valid = places(indices, shape[self.axis])
        return tuple(a[valid] for a in at), updates[valid]

    def read(self, emit: Emit, y: Value, indices: Value) -> Value:
        return emit(TakeAlong(self.axis), y, indices)

    def in_range(self, emit: Emit, indices: Value, shape: tuple[int, ...], type: TensorType) -> Value:
        return in_range(emit, indices, shape[self.axis])

    def numbers(self, emit: Emit, indices: Value, updates: Value) -> tuple[int, Value]:
        return updates.shape[self.axis], emit(Iota(self.axis, updates.type.with_dtype(I32)))

    def pick(self, emit: Emit, updates: Value, numbers: Value) -> Value:
        return emit(TakeAlong(self.axis), updates, numbers)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(ScatterAlong(inverse(perm)[self.axis], self.reduction), (perm, perm, perm), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(ScatterAlong(self.axis + 1, self.reduction), *add_leading_axis(emit, operands, is_batched))

    def index_operands(self, x: TensorType, indices: TensorType, updates: TensorType) -> tuple[IndexOperand, ...]:
        return (along(1, self.axis, x.shape[self.axis]),)


@register
@dataclass(frozen=True, eq=False)
class ScatterNd(Scatter):
    """`x` with `updates` put in at tuples of positions: x[indices[n, 0], indices[n, 1], ..., rest] by updates[n, rest].

    x          T[...]
    indices    any integer dtype [*N, K]
    updates    T[*N, dims of x that are not in axes]
    returns    T[shape of x]

    axes       the K axes of x that the columns of the indices count along, in any order
    reduction  "set", "add", "multiply", "minimum" or "maximum"; of bool, add is or, multiply is and
    """

    name = "scatter_nd"
    axes: tuple[int, ...]
    reduction: str

    def infer(self, x: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        return self.check(x, updates, check_tuples(self, self.axes, x, indices))

    def with_reduction(self, reduction: str) -> "ScatterNd":
        return ScatterNd(self.axes, reduction)

    def _sizes(self, shape: Sequence[int]) -> tuple[int, ...]:
        return tuple(shape[a] for a in self.axes)

    def numpy_places(self, indices: Array, shape: tuple[int, ...], updates: Array) -> tuple[Any, Array]:
        flat = indices.reshape(-1, len(self.axes))
        found = [places(flat[:, k], n) for k, n in enumerate(self._sizes(shape))]
        valid = np.logical_and.reduce([ok for _, ok in found])
        rest = without(self.axes, len(shape))
        grid = np.indices(tuple(shape[a] for a in rest), sparse=True)
        at: list[Any] = [None] * len(shape)
        for axis, (position, _) in zip(self.axes, found, strict=True):
            at[axis] = position[valid].reshape((-1, *(1,) * len(rest)))
        for axis, counts in zip(rest, grid, strict=True):
            at[axis] = counts[None]
        return tuple(at), updates.reshape((len(flat), *updates.shape[indices.ndim - 1 :]))[valid]

    def read(self, emit: Emit, y: Value, indices: Value) -> Value:
        return emit(GatherNd(self.axes), y, indices)

    def in_range(self, emit: Emit, indices: Value, shape: tuple[int, ...], type: TensorType) -> Value:
        valid = tuples_in_range(emit, indices, self._sizes(shape))
        return emit(Broadcast(type.shape, tuple(range(len(valid.shape), type.rank))), valid)

    def numbers(self, emit: Emit, indices: Value, updates: Value) -> tuple[int, Value]:
        n = len(indices.shape) - 1
        count = math.prod(indices.shape[:n])
        numbers = emit(Reshape(indices.shape[:n]), emit(Iota(0, TensorType(I32, (count,)))))
        return count, emit(Broadcast(updates.shape, tuple(range(n, len(updates.shape)))), numbers)

    def overwritten(self, emit: Emit, x: TensorType, indices: Value, updates: Value) -> Value:
        """As for every scatter, but found once for all entries of a part."""
        winners, _ = self._part_winners(emit, x.shape, indices)
        written = emit(GreaterEqual(), winners, splat_like(emit, 0, winners))
        in_order = emit(Permute(tuple(sorted(range(len(self.axes)), key=self.axes.__getitem__))), written)
        return emit(Broadcast(x.shape, without(self.axes, x.rank)), in_order)

    def lasting(self, emit: Emit, x: TensorType, indices: Value, updates: Value) -> Value:
        winners, numbers = self._part_winners(emit, x.shape, indices)
        wins = emit(Equal(), emit(GatherNd(identity(len(self.axes))), winners, indices), numbers)
        found = emit(LogicalAnd(), wins, tuples_in_range(emit, indices, self._sizes(x.shape)))
        return emit(Broadcast(updates.shape, tuple(range(len(found.shape), len(updates.shape)))), found)

    def _part_winners(self, emit: Emit, shape: tuple[int, ...], indices: Value) -> tuple[Value, Value]:
        """For each part of x the number of the update it is set to, or -1; and the numbers of the updates."""
        outer = indices.shape[:-1]
        numbers = emit(Reshape(outer), emit(Iota(0, TensorType(I32, (math.prod(outer),)))))
        none = emit(Splat(-1, TensorType(I32, self._sizes(shape))))
        return emit(ScatterNd(identity(len(self.axes)), "maximum"), none, indices, numbers), numbers

    def pick(self, emit: Emit, updates: Value, numbers: Value) -> Value:
        rest = without(self.axes, len(numbers.shape))
        order = (*self.axes, *rest)
        rest_shape = tuple(numbers.shape[a] for a in rest)
        first = emit(Permute(order), numbers)
        rows = emit(Reshape((math.prod(self._sizes(numbers.shape)), *rest_shape)), first)
        n = len(updates.shape) - len(rest)
        flat = emit(Reshape((math.prod(updates.shape[:n]), *rest_shape)), updates)
        taken = emit(Reshape(first.shape), emit(TakeAlong(0), flat, rows))
        return emit(Permute(inverse(order)), taken)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted | None:
        """Any order of x's axes; of the indices' but the last; of the updates', if those of the indices stay in front."""
        x, indices, _ = operand_types
        given = "x" if index in (0, ~0) else ("indices" if index == 1 else "parts")
        found = permuted_nd(self.axes, x.rank, indices.rank - 1, given, perm)
        if found is None:
            return None
        axes, of_x, of_indices, of_parts = found
        return Permuted(ScatterNd(axes, self.reduction), (of_x, of_indices, of_parts), (of_x,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        x, indices, updates = operands
        shifted = tuple(a + 1 for a in self.axes)
        if is_batched[1]:
            stacked = add_leading_axis(emit, operands, is_batched)
            x, indices, updates = (v for v in stacked if v is not None)
            return emit(ScatterNd((0, *shifted), self.reduction), x, with_leading_column(emit, indices), updates)
        size = x.shape[0] if is_batched[0] else updates.shape[0]
        x = x if is_batched[0] else repeat_leading(emit, x, size)
        updates = updates if is_batched[2] else repeat_leading(emit, updates, size)
        n = len(indices.shape) - 1  # the batch is the first of the axes after those of the indices
        updates = emit(Permute((*range(1, n + 1), 0, *range(n + 1, len(updates.shape)))), updates)
        return emit(ScatterNd(shifted, self.reduction), x, indices, updates)

    def index_operands(self, x: TensorType, indices: TensorType, updates: TensorType) -> tuple[IndexOperand, ...]:
        return (by_column(1, self.axes, self._sizes(x.shape)),)


@register
@dataclass(frozen=True, eq=False)
class SliceAssign(Op):
    """`x` with x[start:stop:step] replaced by `updates`.

    x                  T[...]
    updates            T[shape of that slice]
    returns            T[shape of x]

    start, stop, step  as in slice: one per axis, 0 <= start <= stop <= dim, step >= 1
    """

    name = "slice_assign"
    operands = ("x", "updates")
    linear_in = (("x", "updates"),)
    start: tuple[int, ...]
    stop: tuple[int, ...]
    step: tuple[int, ...]

    def infer(self, x: TensorType, updates: TensorType) -> TensorType:
        if updates.dtype is not x.dtype:
            raise DTypeError(f"slice_assign: x is {x}, updates are {updates}; they must have one dtype")
        part = self.cut().infer(x)
        if updates != part:
            raise ShapeError(f"slice_assign: updates are {updates}, the slice is {part}", f"x: {x}")
        return x

    def cut(self) -> Slice:
        """The slice that is replaced."""
        return Slice(self.start, self.stop, self.step)

    def reference(self, x: Array, updates: Array) -> Array:
        out = np.array(x)
        out[tuple(map(slice, self.start, self.stop, self.step))] = updates
        return out

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, updates: Value) -> Value:
        return emit(self.cut(), y_bar) if into == 1 else emit(self, y_bar, zeros(emit, updates.type))

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        fields = (tuple(field[a] for a in perm) for field in (self.start, self.stop, self.step))
        return Permuted(SliceAssign(*fields), (perm, perm), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        x, updates = (v for v in add_leading_axis(emit, operands, is_batched) if v is not None)
        return emit(SliceAssign((0, *self.start), (x.shape[0], *self.stop), (1, *self.step)), x, updates)

    def cost(self, x: TensorType, updates: TensorType) -> Cost:
        return Cost(0, x.bytes + updates.bytes, x.bytes)
