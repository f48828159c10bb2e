"""Reductions along axes, which disappear. `Sum` itself is in broadcast.py, beside its transpose."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from burngraph.errors import ShapeError
from burngraph.ir.op import Cost, Op, Permuted, Tangent, register, zeros
from burngraph.ir.ops.along_axis import AlongAxis, check_kind
from burngraph.ir.ops.arithmetic import Div, Mul
from burngraph.ir.ops.broadcast import Broadcast, Sum, check_axes, extended, renumbered, without
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.compare import Equal, Select
from burngraph.ir.ops.cumulative import Cumprod, shifted
from burngraph.ir.ops.movement import Permute, Reshape
from burngraph.ir.ops.pointwise import NUMBER, REAL, widened
from burngraph.ir.permutation import Perm, inverse, restrict
from burngraph.ir.types import U32, Array, TensorType
from burngraph.ir.value import Emit, Value

__all__ = ["All", "Any", "ArgMax", "ArgMin", "Max", "Min", "Prod", "Reduction", "Sum"]


class Reduction(Op):
    """Base: `axes`, ascending, disappear from `x`; the dtype stays.

    has_identity   whether an empty axis has an answer
    """

    operands = ("x",)
    kinds: ClassVar[tuple[str, ...]] = REAL
    has_identity: ClassVar[bool] = True
    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        check_axes(self, self.axes, x.rank)
        check_kind(self, x, self.kinds)
        empty = [a for a in self.axes if x.shape[a] == 0]
        if empty and not self.has_identity:
            raise ShapeError(f"{self.name}: x is {x}; along axis {empty[0]}, which is empty, there is no {self.name}")
        return x.with_shape(tuple(x.shape[a] for a in without(self.axes, x.rank)))

    def with_axes(self, axes: tuple[int, ...]) -> Op:
        return type(self)(axes)  # type: ignore[call-arg]

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        rank = operand_types[0].rank
        kept = without(self.axes, rank)
        full = perm if index == 0 else extended(perm, kept, rank)
        return Permuted(self.with_axes(renumbered(self.axes, full)), (full,), (restrict(full, kept),))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(self.with_axes(tuple(a + 1 for a in self.axes)), operands[0])

    def cost(self, x: TensorType) -> Cost:
        return Cost(x.size, x.bytes, self.infer(x).bytes)


@register
@dataclass(frozen=True, eq=False)
class Prod(Reduction):
    """Multiply the entries along `axes`; the derivative also holds where entries are 0, since it divides nothing."""

    name = "prod"
    kinds = NUMBER
    axes: tuple[int, ...]

    def reference(self, x: Array) -> Array:
        x = widened(x)
        return np.asarray(np.prod(x, axis=self.axes, dtype=x.dtype))

    def linearize(self, emit: Emit, x: Value, y: Value, x_dot: Tangent) -> Tangent:
        """Each tangent times the product of the entries before its own and the product of those after it."""
        n = math.prod(x.shape[a] for a in self.axes)
        if x_dot is None or n == 0:
            return None
        axis = len(y.shape)
        last = Permute((*without(self.axes, len(x.shape)), *self.axes))
        rows, tangents = (emit(Reshape((*y.shape, n)), emit(last, v)) for v in (x, x_dot))
        before, after = (shifted(emit, emit(Cumprod(axis, reverse), rows), axis, 1, 1, reverse) for reverse in (False, True))
        return emit(Sum((axis,)), emit(Mul(), emit(Mul(), before, after), tangents))


class Extremum(Reduction):
    """Base of max and min; the derivative is shared evenly among equal entries."""

    has_identity = False

    def linearize(self, emit: Emit, x: Value, y: Value, x_dot: Tangent) -> Tangent:
        if x_dot is None:
            return None
        is_chosen = emit(Equal(), x, emit(Broadcast(x.shape, self.axes), y))
        total = emit(Sum(self.axes), emit(Select(), is_chosen, x_dot, zeros(emit, x_dot.type)))
        return emit(Div(), total, emit(Sum(self.axes), emit(Cast(x.type.dtype), is_chosen)))


@register
@dataclass(frozen=True, eq=False)
class Max(Extremum):
    """The largest entry along `axes`, which must not be empty; nan if any entry is."""

    name = "max"
    axes: tuple[int, ...]

    def reference(self, x: Array) -> Array:
        return np.asarray(np.max(widened(x), axis=self.axes))


@register
@dataclass(frozen=True, eq=False)
class Min(Extremum):
    """The smallest entry along `axes`, which must not be empty; nan if any entry is."""

    name = "min"
    axes: tuple[int, ...]

    def reference(self, x: Array) -> Array:
        return np.asarray(np.min(widened(x), axis=self.axes))


@register
@dataclass(frozen=True, eq=False)
class All(Reduction):
    """Whether all entries of a bool array along `axes` are True."""

    name = "all"
    kinds = ("bool",)
    locally_constant = True
    axes: tuple[int, ...]

    def reference(self, x: Array) -> Array:
        return np.asarray(np.all(x, axis=self.axes))


@register
@dataclass(frozen=True, eq=False)
class Any(Reduction):
    """Whether one entry of a bool array along `axes` is True."""

    name = "any"
    kinds = ("bool",)
    locally_constant = True
    axes: tuple[int, ...]

    def reference(self, x: Array) -> Array:
        return np.asarray(np.any(x, axis=self.axes))


class ArgExtremum(AlongAxis):
    """Base: along `axis`, which disappears, the position of the first largest or smallest entry, u32."""

    locally_constant = True

    def infer(self, x: TensorType) -> TensorType:
        self.check(x, REAL)
        if x.shape[self.axis] == 0:
            raise ShapeError(f"{self.name}: x is {x}; along axis {self.axis}, which is empty, there is no entry to point at")
        return TensorType(U32, (*x.shape[: self.axis], *x.shape[self.axis + 1 :]))

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        rank = operand_types[0].rank
        kept = without((self.axis,), rank)
        full = perm if index == 0 else extended(perm, kept, rank)
        op = type(self)(inverse(full)[self.axis])  # type: ignore[call-arg]
        return Permuted(op, (full,), (restrict(full, kept),))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(type(self)(self.axis + 1), operands[0])  # type: ignore[call-arg]

    def cost(self, x: TensorType) -> Cost:
        return Cost(x.size, x.bytes, self.infer(x).bytes)


@register
@dataclass(frozen=True, eq=False)
class ArgMax(ArgExtremum):
    """Position of the first largest entry along `axis`; a nan counts as largest."""

    name = "arg_max"
    axis: int

    def reference(self, x: Array) -> Array:
        return np.asarray(np.argmax(widened(x), axis=self.axis)).astype(np.uint32)


@register
@dataclass(frozen=True, eq=False)
class ArgMin(ArgExtremum):
    """Position of the first smallest entry along `axis`; a nan counts as smallest."""

    name = "arg_min"
    axis: int

    def reference(self, x: Array) -> Array:
        return np.asarray(np.argmin(widened(x), axis=self.axis)).astype(np.uint32)
