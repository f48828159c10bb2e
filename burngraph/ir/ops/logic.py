"""Logic on bool, bits of integers, and questions about floats; none has a derivative."""

from dataclasses import dataclass

import numpy as np

from burngraph.ir.op import register
from burngraph.ir.ops.pointwise import BITS, FLOAT, INTEGER, Binary, Unary
from burngraph.ir.types import BOOL, TensorType


@register
@dataclass(frozen=True, eq=False)
class IsNan(Unary):
    """Whether each entry is nan, as bool."""

    name = "is_nan"
    ufunc = np.isnan
    kinds = FLOAT
    locally_constant = True

    def result_type(self, operand: TensorType) -> TensorType:
        return operand.with_dtype(BOOL)


@register
@dataclass(frozen=True, eq=False)
class IsInf(Unary):
    """Whether each entry is inf or -inf, as bool."""

    name = "is_inf"
    ufunc = np.isinf
    kinds = FLOAT
    locally_constant = True

    def result_type(self, operand: TensorType) -> TensorType:
        return operand.with_dtype(BOOL)


@register
@dataclass(frozen=True, eq=False)
class LogicalNot(Unary):
    """not x, of bool."""

    name = "logical_not"
    ufunc = np.logical_not
    kinds = ("bool",)
    locally_constant = True


@register
@dataclass(frozen=True, eq=False)
class LogicalAnd(Binary):
    """x and y, of bool."""

    name = "logical_and"
    ufunc = np.logical_and
    kinds = ("bool",)
    locally_constant = True


@register
@dataclass(frozen=True, eq=False)
class LogicalOr(Binary):
    """x or y, of bool."""

    name = "logical_or"
    ufunc = np.logical_or
    kinds = ("bool",)
    locally_constant = True


@register
@dataclass(frozen=True, eq=False)
class LogicalXor(Binary):
    """Whether x and y differ, of bool."""

    name = "logical_xor"
    ufunc = np.logical_xor
    kinds = ("bool",)
    locally_constant = True


@register
@dataclass(frozen=True, eq=False)
class BitwiseNot(Unary):
    """Every bit reversed; `not` for bool."""

    name = "bitwise_not"
    ufunc = np.invert
    kinds = BITS
    locally_constant = True


@register
@dataclass(frozen=True, eq=False)
class BitwiseAnd(Binary):
    """Bits set in x and in y."""

    name = "bitwise_and"
    ufunc = np.bitwise_and
    kinds = BITS
    locally_constant = True


@register
@dataclass(frozen=True, eq=False)
class BitwiseOr(Binary):
    """Bits set in x or in y."""

    name = "bitwise_or"
    ufunc = np.bitwise_or
    kinds = BITS
    locally_constant = True


@register
@dataclass(frozen=True, eq=False)
class BitwiseXor(Binary):
    """Bits set in one of x and y."""

    name = "bitwise_xor"
    ufunc = np.bitwise_xor
    kinds = BITS
    locally_constant = True


@register
@dataclass(frozen=True, eq=False)
class LeftShift(Binary):
    """x shifted up by y bits; 0 where y is negative or not below the number of bits."""

    name = "left_shift"
    ufunc = np.left_shift
    kinds = INTEGER
    locally_constant = True


@register
@dataclass(frozen=True, eq=False)
class RightShift(Binary):
    """x shifted down by y bits, signed x keeps its sign; y negative or not below the number of bits leaves only the sign."""

    name = "right_shift"
    ufunc = np.right_shift
    kinds = INTEGER
    locally_constant = True
