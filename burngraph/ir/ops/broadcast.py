"""Broadcast and sum, each the transpose of the other, and what every op's batching rule needs of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import FREE, Cost, Op, Permuted, register
from burngraph.ir.permutation import Perm, restrict
from burngraph.ir.types import Array, TensorType
from burngraph.ir.value import Emit, Value


def check_axes(op: Op, axes: tuple[int, ...], rank: int) -> None:
    """Raise ShapeError unless `axes` are ascending and within `rank`: one spelling for one set of axes."""
    if any(not 0 <= a < rank for a in axes) or any(a >= b for a, b in pairwise(axes)):
        raise ShapeError(f"{op.name}: axes {axes} are not ascending axes of an array of rank {rank}")


def without(axes: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """The axes of an array of `rank` that are not in `axes`, ascending."""
    return tuple(i for i in range(rank) if i not in axes)


def renumbered(axes: tuple[int, ...], perm: Perm) -> tuple[int, ...]:
    """Where the axes of x in `axes` are in permute(x, perm), ascending."""
    return tuple(i for i, a in enumerate(perm) if a in axes)


def extended(perm: Perm, kept: tuple[int, ...], rank: int) -> Perm:
    """A permutation of `rank` axes that leaves all in place but those in `kept`, which it moves among themselves by `perm`."""
    result = list(range(rank))
    for position, k in zip(kept, perm, strict=True):
        result[position] = kept[k]
    return tuple(result)


@register
@dataclass(frozen=True, eq=False)
class Broadcast(Op):
    """Repeat `x` along new axes.

    x        T[...]     its dims, in order, are those of `shape` that are not at `axes`
    returns  T[shape]

    shape    the result's shape
    axes     ascending axes of the result that are new; nothing else stretches, not even dims of 1
    """

    name = "broadcast"
    operands = ("x",)
    linear_in = (("x",),)
    shape: tuple[int, ...]
    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        check_axes(self, self.axes, len(self.shape))
        if tuple(self.shape[a] for a in without(self.axes, len(self.shape))) != x.shape:
            raise ShapeError(f"broadcast: x is {x}; {self.shape} without axes {self.axes} is another shape")
        return x.with_shape(self.shape)

    def reference(self, x: Array) -> Array:
        return np.broadcast_to(np.expand_dims(x, self.axes), self.shape)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        return emit(Sum(self.axes), y_bar)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        kept = without(self.axes, len(self.shape))
        full = extended(perm, kept, len(self.shape)) if index == 0 else perm
        op = Broadcast(tuple(self.shape[a] for a in full), renumbered(self.axes, full))
        return Permuted(op, (restrict(full, kept),), (full,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        shape = (operands[0].shape[0], *self.shape)
        return emit(Broadcast(shape, tuple(a + 1 for a in self.axes)), operands[0])

    def cost(self, x: TensorType) -> Cost:
        return FREE  # readers repeat the entries as they read them


@register
@dataclass(frozen=True, eq=False)
class Sum(Op):
    """Add the entries of `x` along `axes`; those axes disappear.

    x        T[d0, ..., dk]           any number dtype T; 16-bit floats are added up in f32, integers wrap
    returns  T[d_i : i not in axes]

    axes     ascending
    """

    name = "sum"
    operands = ("x",)
    linear_in = (("x",),)
    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        check_axes(self, self.axes, x.rank)
        if x.dtype.kind == "bool":
            raise DTypeError(f"sum: x is {x}, takes numbers", "cast it to i32 first")
        return x.with_shape(tuple(x.shape[a] for a in without(self.axes, x.rank)))

    def reference(self, x: Array) -> Array:
        wide = np.float32 if x.dtype.kind in "fV" and x.dtype.itemsize == 2 else x.dtype
        return np.asarray(np.sum(x, axis=self.axes, dtype=wide))

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        return emit(Broadcast(x.shape, self.axes), y_bar)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        rank = operand_types[0].rank
        kept = without(self.axes, rank)
        full = perm if index == 0 else extended(perm, kept, rank)
        return Permuted(Sum(renumbered(self.axes, full)), (full,), (restrict(full, kept),))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(Sum(tuple(a + 1 for a in self.axes)), operands[0])

    def cost(self, x: TensorType) -> Cost:
        return Cost(x.size, x.bytes, self.infer(x).bytes)


def repeat_leading(emit: Emit, value: Value, size: int) -> Value:
    """`value` repeated along a new leading axis of `size`."""
    return emit(Broadcast((size, *value.shape), (0,)), value)


def add_leading_axis(emit: Emit, operands: Sequence[Value | None], is_batched: Sequence[bool]) -> tuple[Value | None, ...]:
    """The operands, all with the leading batch axis: those that lack it are repeated. Absent ones stay None."""
    sizes = {v.shape[0] for v, flag in zip(operands, is_batched, strict=True) if flag and v is not None}
    (size,) = sizes
    return tuple(
        v if flag or v is None else repeat_leading(emit, v, size) for v, flag in zip(operands, is_batched, strict=True)
    )
