"""Change of dtype."""

from dataclasses import dataclass

import numpy as np

from burngraph.ir.op import Cost, Op, Permuted, Tangent, register
from burngraph.ir.permutation import Perm
from burngraph.ir.types import Array, DType, TensorType
from burngraph.ir.value import Emit, Value


@register
@dataclass(frozen=True, eq=False)
class Cast(Op):
    """Each entry in another dtype: rounded to nearest, cut towards zero into integers, compared with 0 into bool.

    Floats beyond the range of an integer dtype give whatever the device gives. Complex to real keeps the real part.
    """

    name = "cast"
    operands = ("x",)
    linear_in = (("x",),)
    dtype: DType

    def infer(self, x: TensorType) -> TensorType:
        return x.with_dtype(self.dtype)

    def reference(self, x: Array) -> Array:
        if x.dtype.kind == "c" and self.dtype.kind not in ("complex", "bool"):
            x = np.real(x)
        return np.asarray(x.astype(self.dtype.numpy))

    def linearize(self, emit: Emit, x: Value, y: Value, x_dot: Tangent) -> Tangent:
        return emit(self, x_dot) if x_dot is not None and self.dtype.is_inexact else None

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        return emit(Cast(x.type.dtype), y_bar)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(self, (perm,), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(self, operands[0])

    def cost(self, x: TensorType) -> Cost:
        return Cost(x.size, x.bytes, self.infer(x).bytes)
