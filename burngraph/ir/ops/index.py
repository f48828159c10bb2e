"""Reading and adding at positions given by an integer array. A negative index counts from the end, once; then all are
clamped into range, so that no index reads outside."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Op, Permuted, register
from burngraph.ir.ops.broadcast import Broadcast, add_leading_axis, repeat_leading, without
from burngraph.ir.ops.movement import Permute, Reshape
from burngraph.ir.ops.pointwise import widened
from burngraph.ir.permutation import Perm, identity, inverse
from burngraph.ir.types import Array, TensorType
from burngraph.ir.value import Emit, Value


def positions(indices: Array, size: int) -> Array:
    """Indices as positions in 0 ... size - 1, i64."""
    capped = np.minimum(indices, size - 1).astype(np.int64) if indices.dtype.kind == "u" else indices.astype(np.int64)
    return np.clip(np.where(capped < 0, capped + size, capped), 0, max(size - 1, 0))


def _check(op: Op, axis: int, x: TensorType, size: int, indices: TensorType) -> None:
    if not indices.dtype.is_integer:
        raise DTypeError(f"{op.name}: indices are {indices}, must be integers")
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

    def cost(self, updates: TensorType, indices: TensorType) -> Cost:
        return Cost(updates.size, updates.bytes + indices.bytes, self.infer(updates, indices).bytes)
