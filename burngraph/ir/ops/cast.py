"""Change of dtype."""

from dataclasses import dataclass

import numpy as np

from burngraph.ir.op import Cost, Op, Permuted, Tangent, register
from burngraph.ir.permutation import Perm
from burngraph.ir.types import BF16, F16, Array, DType, TensorType
from burngraph.ir.value import Emit, Value


@register
@dataclass(frozen=True, eq=False)
class Cast(Op):
    """Each entry in another dtype.

    to bool                 whether it is not 0; nan is not
    float to integer        cut towards 0; out of range, the nearest integer of the dtype; nan is 0
    integer to integer      what fits in the low bits: it wraps
    to float                the nearest, halves to even; beyond the largest, inf; an integer goes to bf16 through f32
    complex to real         the real part, then as a float
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
        is_float = x.dtype.kind in "fV"
        if is_float and self.dtype.is_integer:
            return _to_integer(x.astype(np.float64), self.dtype)
        if x.dtype == np.float64 and self.dtype in (F16, BF16):
            return _to_odd_f32(x).astype(self.dtype.numpy)
        return np.asarray((x != 0) if self.dtype.kind == "bool" else x.astype(self.dtype.numpy))

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


def _to_integer(x: Array, dtype: DType) -> Array:
    """f64 to the nearest integer of `dtype` towards 0."""
    limits = np.iinfo(dtype.numpy)
    above, below = x >= float(limits.max) + (limits.bits < 64), x <= float(limits.min)
    inside = np.where(np.isnan(x) | above | below, 0, x).astype(dtype.numpy)
    return np.where(above, dtype.numpy.type(limits.max), np.where(below, dtype.numpy.type(limits.min), inside))


def _to_odd_f32(x: Array) -> Array:
    """f64 in f32, cut towards 0 and made odd where it is not exact, so that rounding it once more rounds x to nearest.

    Source   Boldo and Melquiond, Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd, 2008
    """
    near = x.astype(np.float32)
    bits = np.asarray(near).view(np.uint32)
    bits = bits - (np.abs(near.astype(np.float64)) > np.abs(x)).astype(np.uint32)
    is_exact = (near.astype(np.float64) == x) | np.isnan(x)
    return np.asarray(np.where(is_exact, near.view(np.uint32), bits | np.uint32(1)), np.uint32).view(np.float32)
