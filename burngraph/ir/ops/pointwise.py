"""What all ops that act on each entry alone share. Operands have one shape; broadcasts and casts are ops of their own."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Op, Permuted
from burngraph.ir.ops.broadcast import add_leading_axis
from burngraph.ir.ops.constant import Splat
from burngraph.ir.permutation import Perm
from burngraph.ir.types import Array, TensorType
from burngraph.ir.value import Emit, Value

REAL_FLOAT = ("float",)
FLOAT = ("float", "complex")
REAL = ("int", "uint", "float")
NUMBER = ("int", "uint", "float", "complex")
BITS = ("bool", "int", "uint")
INTEGER = ("int", "uint")
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
        return np.asarray(type(self).ufunc(*map(widened, arrays)))

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(self, (perm,) * len(operand_types), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(self, *add_leading_axis(emit, operands, is_batched))

    def cost(self, *types: TensorType) -> Cost:
        result = self.result_type(types[0])
        return Cost(self.flops_per_element * result.size, sum(t.bytes for t in types), result.bytes)


def _listed(op: Op, types: tuple[TensorType, ...]) -> list[str]:
    return [f"{spec}: {t}" for spec, t in zip(op.operands, types, strict=True)]


def widened(array: Array) -> Array:
    """f16 and bf16 as f32, so that a rule of several steps rounds once; others as they are."""
    return array.astype(np.float32) if array.dtype.kind in "fV" and array.dtype.itemsize == 2 else array


class Unary(Elementwise):
    operands = ("x",)


class Binary(Elementwise):
    operands = ("x", "y")


def splat_like(emit: Emit, value: float, like: Value) -> Value:
    """`value` in the type of `like`."""
    return emit(Splat(value, like.type))
