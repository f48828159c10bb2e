"""Comparisons, which give bool, and select, which takes it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Op, Permuted, Tangent, register, zeros
from burngraph.ir.ops.broadcast import add_leading_axis
from burngraph.ir.ops.pointwise import ANY, REAL, Binary
from burngraph.ir.permutation import Perm
from burngraph.ir.types import BOOL, Array, TensorType
from burngraph.ir.value import Emit, Value


class Comparison(Binary):
    """Base: two arrays of one shape and dtype give bool of that shape. With a nan every answer but not_equal's is False."""

    kinds: ClassVar[tuple[str, ...]] = ("bool", *REAL)
    locally_constant = True

    def result_type(self, operand: TensorType) -> TensorType:
        return operand.with_dtype(BOOL)


@register
@dataclass(frozen=True, eq=False)
class Equal(Comparison):
    """Whether x = y."""

    name = "equal"
    ufunc = np.equal
    kinds: ClassVar[tuple[str, ...]] = ANY


@register
@dataclass(frozen=True, eq=False)
class NotEqual(Comparison):
    """Whether x and y differ; True where either is nan."""

    name = "not_equal"
    ufunc = np.not_equal
    kinds: ClassVar[tuple[str, ...]] = ANY


@register
@dataclass(frozen=True, eq=False)
class Less(Comparison):
    """Whether x < y."""

    name = "less"
    ufunc = np.less


@register
@dataclass(frozen=True, eq=False)
class LessEqual(Comparison):
    """Whether x <= y."""

    name = "less_equal"
    ufunc = np.less_equal


@register
@dataclass(frozen=True, eq=False)
class Greater(Comparison):
    """Whether x > y."""

    name = "greater"
    ufunc = np.greater


@register
@dataclass(frozen=True, eq=False)
class GreaterEqual(Comparison):
    """Whether x >= y."""

    name = "greater_equal"
    ufunc = np.greater_equal


@register
@dataclass(frozen=True, eq=False)
class Select(Op):
    """x where cond is True, y elsewhere; all of one shape.

    cond     bool[S]
    x, y     T[S]
    """

    name = "select"
    operands = ("cond", "x", "y")
    linear_in = (("x", "y"),)

    def infer(self, cond: TensorType, x: TensorType, y: TensorType) -> TensorType:
        listed = (f"cond: {cond}", f"x: {x}", f"y: {y}")
        if cond.dtype is not BOOL or x.dtype is not y.dtype:
            raise DTypeError("select: cond must be bool, x and y of one dtype", *listed)
        if not cond.shape == x.shape == y.shape:
            raise ShapeError("select: operands differ in shape", *listed)
        return x

    def reference(self, cond: Array, x: Array, y: Array) -> Array:
        return np.where(cond, x, y)

    def transpose(self, emit: Emit, into: int, y_bar: Value, cond: Value, x: Value, y: Value) -> Value:
        zero = zeros(emit, y_bar.type)
        return emit(Select(), cond, y_bar, zero) if into == 1 else emit(Select(), cond, zero, y_bar)

    def linearize(
        self, emit: Emit, cond: Value, x: Value, y: Value, out: Value,
        cond_dot: Tangent, x_dot: Tangent, y_dot: Tangent,
    ) -> Tangent:  # fmt: skip
        if x_dot is None and y_dot is None:
            return None
        zero = zeros(emit, out.type) if x_dot is None or y_dot is None else None
        return emit(Select(), cond, x_dot or zero, y_dot or zero)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(self, (perm, perm, perm), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(self, *add_leading_axis(emit, operands, is_batched))

    def cost(self, cond: TensorType, x: TensorType, y: TensorType) -> Cost:
        return Cost(x.size, cond.bytes + x.bytes + y.bytes, x.bytes)
