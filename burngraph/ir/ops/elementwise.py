"""Ops that act on each entry alone. All operands have one shape; broadcasts and casts are ops of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Op, Permuted, Tangent, register
from burngraph.ir.ops.constant import Splat
from burngraph.ir.ops.broadcast import add_leading_axis
from burngraph.ir.permutation import Perm
from burngraph.ir.types import Array, TensorType
from burngraph.ir.value import Emit, Value

FLOAT = ("float", "complex")
REAL = ("int", "uint", "float")
NUMBER = ("int", "uint", "float", "complex")
ANY = ("bool", "int", "uint", "float", "complex")


class Elementwise(Op):
    """Base: operands of one shape and dtype, a result of that shape, computed entry by entry.

    ufunc              the NumPy function of arrays that is the meaning
    kinds              dtype kinds it takes
    flops_per_element  arithmetic per entry, a transcendental function counted as 8
    """

    ufunc: ClassVar[Callable[..., Any]]
    kinds: ClassVar[tuple[str, ...]] = FLOAT
    flops_per_element: ClassVar[int] = 1

    def infer(self, *types: TensorType) -> TensorType:
        first = types[0]
        for spec, other in zip(self.operands, types, strict=True):
            if other.shape != first.shape:
                raise ShapeError(f"{self.name}: operands differ in shape", *_listed(self, types))
            if other.dtype is not first.dtype:
                raise DTypeError(f"{self.name}: operands differ in dtype", *_listed(self, types))
            if other.dtype.kind not in self.kinds:
                raise DTypeError(
                    f"{self.name}: operand {spec} is {other}, takes only {' or '.join(self.kinds)}",
                )
        return self.result_type(first)

    def result_type(self, operand: TensorType) -> TensorType:
        return operand

    def reference(self, *arrays: Array) -> Array:
        return type(self).ufunc(*arrays)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(self, (perm,) * len(operand_types), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(self, *add_leading_axis(emit, operands, is_batched))

    def cost(self, *types: TensorType) -> Cost:
        result = self.result_type(types[0])
        return Cost(self.flops_per_element * result.size, sum(t.bytes for t in types), result.bytes)


def _listed(op: Op, types: tuple[TensorType, ...]) -> list[str]:
    return [f"{spec}: {t}" for spec, t in zip(op.operands, types, strict=True)]


class Unary(Elementwise):
    operands = ("x",)


class Binary(Elementwise):
    operands = ("x", "y")


def splat_like(emit: Emit, value: float, like: Value) -> Value:
    """`value` in the type of `like`."""
    return emit(Splat(value, like.type))


def scaled(emit: Emit, factor: float, x: Value) -> Value:
    return emit(Mul(), splat_like(emit, factor, x), x)


@register
@dataclass(frozen=True, eq=False)
class Neg(Unary):
    """Minus each entry; unsigned integers wrap."""

    name = "neg"
    ufunc = np.negative
    kinds = NUMBER
    linear_in = (("x",),)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        return emit(Neg(), y_bar)


@register
@dataclass(frozen=True, eq=False)
class Add(Binary):
    """Sum of two arrays; integers wrap."""

    name = "add"
    ufunc = np.add
    kinds = NUMBER
    linear_in = (("x", "y"),)

    def linearize(self, emit: Emit, x: Value, y: Value, out: Value, x_dot: Tangent, y_dot: Tangent) -> Tangent:
        if x_dot is None or y_dot is None:
            return y_dot if x_dot is None else x_dot
        return emit(Add(), x_dot, y_dot)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, y: Value) -> Value:
        return y_bar


@register
@dataclass(frozen=True, eq=False)
class Mul(Binary):
    """Product of two arrays; integers wrap."""

    name = "mul"
    ufunc = np.multiply
    kinds = NUMBER
    linear_in = (("x",), ("y",))

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, y: Value) -> Value:
        return emit(Mul(), y_bar, y) if into == 0 else emit(Mul(), x, y_bar)


@register
@dataclass(frozen=True, eq=False)
class Tanh(Unary):
    """Hyperbolic tangent of each entry."""

    name = "tanh"
    ufunc = np.tanh
    flops_per_element = 8

    def linearize(self, emit: Emit, x: Value, y: Value, x_dot: Tangent) -> Tangent:
        if x_dot is None:
            return None
        return emit(Mul(), emit(Sub(), splat_like(emit, 1.0, y), emit(Mul(), y, y)), x_dot)
