"""Reading and adding at positions given by an integer array, clamped into range; positions.py says what an index means."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from burngraph.errors import ShapeError
from burngraph.ir.op import OPS, Cost, IndexOperand, Op, Permuted, register, zeros
from burngraph.ir.ops.broadcast import Broadcast, add_leading_axis, extended, repeat_leading, without
from burngraph.ir.ops.movement import Permute, Reshape
from burngraph.ir.ops.pointwise import widened
from burngraph.ir.ops.positions import along, by_column, check_integers, clamped, positions, with_leading_column
from burngraph.ir.permutation import Perm, identity, inverse, restrict
from burngraph.ir.types import Array, TensorType
from burngraph.ir.value import Emit, Value


def _check(op: Op, axis: int, x: TensorType, size: int, indices: TensorType) -> None:
    check_integers(op, indices)
    if not 0 <= axis < x.rank:
        raise ShapeError(f"{op.name}: {x} has no axis {axis}")
    if size == 0 and indices.size:
        raise ShapeError(f"{op.name}: axis {axis} is empty, so there is no entry for indices {indices}", f"operand: {x}")


def _taken(op: Op, axis: int, rank: int, n: int, index: str, perm: Perm) -> tuple[int, Perm, Perm, Perm] | None:
    """Permutations around take: of x (of `rank`), of the indices (rank n), of y where x's `axis` became n axes.

    index   which of "x", "indices", "y" is given as permuted
    """
    x_perm, at = identity(rank), identity(n)
    if index == "x":
        x_perm = perm
    elif index == "indices":
        at = perm
    else:
        block = [a for a in perm if axis <= a < axis + n]
        first = next((i for i, a in enumerate(perm) if axis <= a < axis + n), axis)
        if list(perm[first : first + n]) != block:
            return None  # the axes of the indices would be apart
        at = tuple(a - axis for a in block)
        others = [a if a < axis else a - n + 1 for a in perm if not axis <= a < axis + n]
        x_perm = (*others[:first], axis, *others[first:])
    y_perm: list[int] = []
    for a in x_perm:
        y_perm.extend((axis + i for i in at) if a == axis else (a if a < axis else a + n - 1,))
    return inverse(x_perm)[axis], x_perm, at, tuple(y_perm)


def _along(emit: Emit, indices: Value, rest: tuple[int, ...]) -> Value:
    """Indices [b, *I] as [b, size of I, *rest], repeated over rest."""
    flat = emit(Reshape((indices.shape[0], math.prod(indices.shape[1:]))), indices)
    return emit(Broadcast((*flat.shape, *rest), tuple(range(2, 2 + len(rest)))), flat) if rest else flat


@register
@dataclass(frozen=True, eq=False)
class Take(Op):
    """The entries of `x` along `axis` at `indices`.

    x        T[...]
    indices  any integer dtype, any shape
    returns  T[dims before axis, dims of indices, dims after axis]
    """

    name = "take"
    operands = ("x", "indices")
    linear_in = (("x",),)
    axis: int

    def infer(self, x: TensorType, indices: TensorType) -> TensorType:
        _check(self, self.axis, x, x.shape[self.axis] if 0 <= self.axis < x.rank else 1, indices)
        return x.with_shape((*x.shape[: self.axis], *indices.shape, *x.shape[self.axis + 1 :]))

    def reference(self, x: Array, indices: Array) -> Array:
        return np.asarray(np.take(x, positions(indices, x.shape[self.axis]), axis=self.axis))

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, indices: Value) -> Value:
        return emit(AddAt(self.axis, x.shape[self.axis]), y_bar, indices)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted | None:
        """Any order of x's axes or of the indices'; of the result's, as long as the axes of the indices stay together."""
        x, indices = operand_types
        found = _taken(self, self.axis, x.rank, indices.rank, ("x", "indices", "y")[index], perm)
        if found is None:
            return None
        axis, x_perm, at, y_perm = found
        return Permuted(Take(axis), (x_perm, at), (y_perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        x, indices = operands
        if not is_batched[1]:
            return emit(Take(self.axis + 1), x, indices)
        if not is_batched[0]:
            out = emit(Take(self.axis), x, indices)
            return emit(Permute((self.axis, *without((self.axis,), len(out.shape)))), out)
        axis = self.axis + 1
        others = without((0, axis), len(x.shape))
        rest = tuple(x.shape[a] for a in others)
        rows = emit(TakeAlong(1), emit(Permute((0, axis, *others)), x), _along(emit, indices, rest))
        out = emit(Reshape((*indices.shape, *rest)), rows)
        n = len(indices.shape)  # the axes before `axis` come after the indices' and go before them
        return emit(Permute((0, *range(n, n + self.axis), *range(1, n), *range(n + self.axis, len(out.shape)))), out)

    def index_operands(self, x: TensorType, indices: TensorType) -> tuple[IndexOperand, ...]:
        return (along(1, self.axis, x.shape[self.axis]),)

    def cost(self, x: TensorType, indices: TensorType) -> Cost:
        result = self.infer(x, indices)
        return Cost(0, result.bytes + indices.bytes, result.bytes)


@register
@dataclass(frozen=True, eq=False)
class AddAt(Op):
    """Zeros, with `updates` added along `axis` at `indices`: the transpose of take.

    updates  T[dims before axis, dims of indices, dims after axis]; equal indices add up
    indices  any integer dtype, any shape
    returns  T[dims before axis, size, dims after axis]
    """

    name = "add_at"
    operands = ("updates", "indices")
    linear_in = (("updates",),)
    axis: int
    size: int

    def infer(self, updates: TensorType, indices: TensorType) -> TensorType:
        after = self.axis + indices.rank
        if not 0 <= self.axis <= updates.rank or updates.shape[self.axis : after] != indices.shape:
            raise ShapeError(f"add_at: updates are {updates}; from axis {self.axis} on they must be as {indices}")
        result = updates.with_shape((*updates.shape[: self.axis], self.size, *updates.shape[after:]))
        _check(self, self.axis, result, self.size, indices)
        return result

    def reference(self, updates: Array, indices: Array) -> Array:
        after = self.axis + indices.ndim
        updates = widened(updates)
        out = np.zeros((*updates.shape[: self.axis], self.size, *updates.shape[after:]), updates.dtype)
        if updates.size:
            at: Any = (*(slice(None),) * self.axis, positions(indices, self.size))
            np.add.at(out, at, updates)
        return out

    def transpose(self, emit: Emit, into: int, y_bar: Value, updates: Value, indices: Value) -> Value:
        return emit(Take(self.axis), y_bar, indices)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted | None:
        """As take's, with the parts of x and the result exchanged."""
        updates, indices = operand_types
        rank = updates.rank - indices.rank + 1
        found = _taken(self, self.axis, rank, indices.rank, ("y", "indices", "x")[index], perm)
        if found is None:
            return None
        axis, x_perm, at, y_perm = found
        return Permuted(AddAt(axis, self.size), (y_perm, at), (x_perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        updates, indices = operands
        if not is_batched[1]:
            return emit(AddAt(self.axis + 1, self.size), updates, indices)
        if not is_batched[0]:
            updates = repeat_leading(emit, updates, indices.shape[0])
        n = len(indices.shape) - 1
        others = without((0, *range(self.axis + 1, self.axis + 1 + n)), len(updates.shape))
        rest = tuple(updates.shape[a] for a in others)
        first = emit(Permute((0, *range(self.axis + 1, self.axis + 1 + n), *others)), updates)
        rows = emit(Reshape((updates.shape[0], math.prod(indices.shape[1:]), *rest)), first)
        out = emit(AddAlong(1, self.size), rows, _along(emit, indices, rest))
        return emit(Permute((0, *range(2, 2 + self.axis), 1, *range(2 + self.axis, len(out.shape)))), out)

    def index_operands(self, updates: TensorType, indices: TensorType) -> tuple[IndexOperand, ...]:
        return (along(1, self.axis, self.size),)

    def cost(self, updates: TensorType, indices: TensorType) -> Cost:
        return Cost(updates.size, updates.bytes + indices.bytes, self.infer(updates, indices).bytes)


def _check_alike(op: Op, axis: int, x: TensorType, indices: TensorType) -> None:
    a, b = ((*t.shape[:axis], *t.shape[axis + 1 :]) for t in (x, indices))
    if x.rank != indices.rank or a != b:
        raise ShapeError(f"{op.name}: operands may differ only in axis {axis}", f"{op.operands[0]}: {x}", f"indices: {indices}")


@register
@dataclass(frozen=True, eq=False)
class TakeAlong(Op):
    """For each position, the entry of `x` that differs from it only along `axis`, where `indices` says.

    x        T[...]
    indices  any integer dtype, x's shape except along `axis`
    returns  T[shape of indices]
    """

    name = "take_along"
    operands = ("x", "indices")
    linear_in = (("x",),)
    axis: int

    def infer(self, x: TensorType, indices: TensorType) -> TensorType:
        _check(self, self.axis, x, x.shape[self.axis] if 0 <= self.axis < x.rank else 1, indices)
        _check_alike(self, self.axis, x, indices)
        return x.with_shape(indices.shape)

    def reference(self, x: Array, indices: Array) -> Array:
        return np.take_along_axis(x, positions(indices, x.shape[self.axis]), axis=self.axis)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, indices: Value) -> Value:
        return emit(AddAlong(self.axis, x.shape[self.axis]), y_bar, indices)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(TakeAlong(inverse(perm)[self.axis]), (perm, perm), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(TakeAlong(self.axis + 1), *add_leading_axis(emit, operands, is_batched))

    def index_operands(self, x: TensorType, indices: TensorType) -> tuple[IndexOperand, ...]:
        return (along(1, self.axis, x.shape[self.axis]),)

    def cost(self, x: TensorType, indices: TensorType) -> Cost:
        result = self.infer(x, indices)
        return Cost(0, result.bytes + indices.bytes, result.bytes)


@register
@dataclass(frozen=True, eq=False)
class AddAlong(Op):
    """Zeros of `size` along `axis`, with each of `updates` added where `indices` says: the transpose of take_along.

    updates  T[...]     equal indices add up
    indices  any integer dtype, the shape of updates
    returns  T[shape of updates, with `size` along `axis`]
    """

    name = "add_along"
    operands = ("updates", "indices")
    linear_in = (("updates",),)
    axis: int
    size: int

    def infer(self, updates: TensorType, indices: TensorType) -> TensorType:
        _check(self, self.axis, updates, self.size, indices)
        if updates.shape != indices.shape:
            raise ShapeError("add_along: operands differ in shape", f"updates: {updates}", f"indices: {indices}")
        return updates.with_shape((*updates.shape[: self.axis], self.size, *updates.shape[self.axis + 1 :]))

    def reference(self, updates: Array, indices: Array) -> Array:
        updates = widened(updates)
        out = np.zeros((*updates.shape[: self.axis], self.size, *updates.shape[self.axis + 1 :]), updates.dtype)
        at: list[Any] = list(np.indices(updates.shape, sparse=True))
        at[self.axis] = positions(indices, self.size)
        np.add.at(out, tuple(at), updates)
        return out

    def transpose(self, emit: Emit, into: int, y_bar: Value, updates: Value, indices: Value) -> Value:
        return emit(TakeAlong(self.axis), y_bar, indices)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(AddAlong(inverse(perm)[self.axis], self.size), (perm, perm), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(AddAlong(self.axis + 1, self.size), *add_leading_axis(emit, operands, is_batched))

    def index_operands(self, updates: TensorType, indices: TensorType) -> tuple[IndexOperand, ...]:
        return (along(1, self.axis, self.size),)

    def cost(self, updates: TensorType, indices: TensorType) -> Cost:
        return Cost(updates.size, updates.bytes + indices.bytes, self.infer(updates, indices).bytes)


def permuted_nd(
    axes: tuple[int, ...], rank: int, n: int, given: str, perm: Perm
) -> tuple[tuple[int, ...], Perm, Perm, Perm] | None:
    """Permutations around gather_nd and scatter_nd: the new axes, and of x, of the indices, of the parts.

    rank    of x
    n       axes of the indices that are not the last
    given   which of "x", "indices", "parts" is permuted by `perm`
    """
    kept = without(axes, rank)
    of_x, of_n, of_rest = identity(rank), identity(n), identity(len(kept))
    if given == "x":
        of_x = perm
        of_rest = restrict(perm, kept)
        axes = tuple(inverse(perm)[a] for a in axes)
    elif given == "indices":
        if perm[n] != n:
            return None  # the last axis holds the columns
        of_n = perm[:n]
    else:
        if any(a >= n for a in perm[:n]):
            return None  # the axes of the indices come first
        of_n, of_rest = perm[:n], tuple(a - n for a in perm[n:])
        of_x = extended(of_rest, kept, rank)
    return axes, of_x, (*of_n, n), (*of_n, *(n + a for a in of_rest))


def check_tuples(op: Op, axes: tuple[int, ...], x: TensorType, indices: TensorType) -> tuple[int, ...]:
    """The shape of the parts of `x` that index tuples select. Raises ShapeError and DTypeError."""
    check_integers(op, indices)
    if not axes or len(set(axes)) != len(axes) or not all(0 <= a < x.rank for a in axes):
        raise ShapeError(f"{op.name}: axes {axes} are not distinct axes of {x}")
    if indices.rank == 0 or indices.shape[-1] != len(axes):
        raise ShapeError(f"{op.name}: the last axis of indices {indices} must have one entry for each of the axes {axes}")
    return (*indices.shape[:-1], *(x.shape[a] for a in without(axes, x.rank)))


@register
@dataclass(frozen=True, eq=False)
class GatherNd(Op):
    """The parts of `x` at tuples of positions: out[n, rest] = x[indices[n, 0], indices[n, 1], ..., rest].

    x        T[...]
    indices  any integer dtype [*N, K]
    returns  T[*N, dims of x that are not in axes]

    axes     the K axes of x that the columns of the indices count along, in any order
    """

    name = "gather_nd"
    operands = ("x", "indices")
    linear_in = (("x",),)
    axes: tuple[int, ...]

    def infer(self, x: TensorType, indices: TensorType) -> TensorType:
        result = x.with_shape(check_tuples(self, self.axes, x, indices))
        if indices.size and any(x.shape[a] == 0 for a in self.axes):
            raise ShapeError(f"gather_nd: x is {x}, of which an indexed axis is empty, so there is no entry for {indices}")
        return result

    def reference(self, x: Array, indices: Array) -> Array:
        first = x.transpose((*self.axes, *without(self.axes, x.ndim)))
        if not indices.size:
            return np.empty((*indices.shape[:-1], *first.shape[len(self.axes) :]), x.dtype)
        return np.asarray(first[tuple(positions(indices[..., k], x.shape[a]) for k, a in enumerate(self.axes))])

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, indices: Value) -> Value:
        scatter: Any = OPS["scatter_nd"]  # its module imports this one
        read = clamped(emit, indices, tuple(x.shape[a] for a in self.axes))
        return emit(scatter(self.axes, "add"), zeros(emit, x.type), read, y_bar)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted | None:
        """Any order of x's axes; of the indices' but the last; of the result's, if those of the indices stay in front."""
        x, indices = operand_types
        found = permuted_nd(self.axes, x.rank, indices.rank - 1, ("x", "indices", "parts")[index], perm)
        if found is None:
            return None
        axes, of_x, of_indices, of_parts = found
        return Permuted(GatherNd(axes), (of_x, of_indices), (of_parts,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        x, indices = operands
        shifted = tuple(a + 1 for a in self.axes)
        if not is_batched[0]:
            return emit(self, x, indices)
        if is_batched[1]:
            return emit(GatherNd((0, *shifted)), x, with_leading_column(emit, indices))
        out = emit(GatherNd(shifted), x, indices)  # the batch is the first axis after those of the indices
        n = len(indices.shape) - 1
        return emit(Permute((n, *without((n,), len(out.shape)))), out)

    def index_operands(self, x: TensorType, indices: TensorType) -> tuple[IndexOperand, ...]:
        return (by_column(1, self.axes, tuple(x.shape[a] for a in self.axes)),)

    def cost(self, x: TensorType, indices: TensorType) -> Cost:
        result = self.infer(x, indices)
        return Cost(0, result.bytes + indices.bytes, result.bytes)
