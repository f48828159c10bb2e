"""Functions of one or two numbers, entry by entry, beyond arithmetic and the elementary functions."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from burngraph.ir.op import Tangent, register, zeros
from burngraph.ir.ops.arithmetic import Div, Mul, Neg, Sub, added, scaled
from burngraph.ir.ops.compare import Equal, Select
from burngraph.ir.ops.functions import Exp, Reciprocal, Sigmoid, Smooth, Trunc
from burngraph.ir.ops.logic import IsInf, LogicalAnd
from burngraph.ir.ops.pointwise import REAL, REAL_FLOAT, Binary, Unary, splat_like
from burngraph.ir.types import BOOL, Array, TensorType
from burngraph.ir.value import Emit, Value


@register
@dataclass(frozen=True, eq=False)
class Log2(Smooth):
    """Logarithm to base 2; exact at powers of 2."""

    name = "log2"
    ufunc = np.log2

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return scaled(emit, 1 / math.log(2), emit(Reciprocal(), x))


@register
@dataclass(frozen=True, eq=False)
class Log10(Smooth):
    """Logarithm to base 10."""

    name = "log10"
    ufunc = np.log10

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return scaled(emit, 1 / math.log(10), emit(Reciprocal(), x))


@register
@dataclass(frozen=True, eq=False)
class Exp2(Smooth):
    """2 to the power x; exact at integers."""

    name = "exp2"
    ufunc = np.exp2
    kinds = REAL_FLOAT

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return scaled(emit, math.log(2), y)


def _erfinv_of_one(x: float) -> float:
    if not -1 < x < 1:
        return math.copysign(math.inf, x) if abs(x) == 1 else math.nan
    size = abs(x)
    y = NormalDist().inv_cdf(0.5 + 0.5 * size) / math.sqrt(2) if size < 1 - 1e-12 else 5.0
    for _ in range(6):  # Newton; near 1 on the complement, which does not cancel
        gap = math.erf(y) - size if size < 0.5 else (1 - size) - math.erfc(y)
        y -= gap * math.sqrt(math.pi) / 2 * math.exp(y * y)
    return math.copysign(y, x)


def _erfinv(x: Array) -> Array:
    return np.asarray(np.vectorize(_erfinv_of_one, otypes=[np.float64])(x)).astype(x.dtype)


@register
@dataclass(frozen=True, eq=False)
class Erfinv(Smooth):
    """The y whose error function is x; inf at 1, -inf at -1, nan beyond."""

    name = "erfinv"
    ufunc = _erfinv
    kinds = REAL_FLOAT

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return scaled(emit, math.sqrt(math.pi) / 2, emit(Exp(), emit(Mul(), y, y)))


@register
@dataclass(frozen=True, eq=False)
class Signbit(Unary):
    """Whether the sign of each entry is minus; True for -0.0."""

    name = "signbit"
    ufunc = np.signbit
    kinds = REAL_FLOAT
    locally_constant = True

    def reference(self, *arrays: Array) -> Array:
        return np.asarray(np.signbit(*arrays))

    def result_type(self, operand: TensorType) -> TensorType:
        return operand.with_dtype(BOOL)


@register
@dataclass(frozen=True, eq=False)
class Nextafter(Binary):
    """The number of the dtype that follows x on the way to y; x itself where they are equal. Its derivative is x's."""

    name = "nextafter"
    ufunc = np.nextafter
    kinds = REAL_FLOAT
    constant_in = ("y",)

    def reference(self, *arrays: Array) -> Array:
        return np.asarray(np.nextafter(*arrays))  # not widened: the next one is another in f32

    def linearize(self, emit: Emit, x: Value, y: Value, out: Value, x_dot: Tangent, y_dot: Tangent) -> Tangent:
        return x_dot


@register
@dataclass(frozen=True, eq=False)
class Logaddexp(Binary):
    """log(exp(x) + exp(y)), without overflow. Where both are the same infinity, each has half of the derivative."""

    name = "logaddexp"
    ufunc = np.logaddexp
    kinds = REAL_FLOAT
    flops_per_element = 16

    def linearize(self, emit: Emit, x: Value, y: Value, out: Value, x_dot: Tangent, y_dot: Tangent) -> Tangent:
        if x_dot is None and y_dot is None:
            return None
        is_same_inf = emit(LogicalAnd(), emit(Equal(), x, y), emit(IsInf(), x))  # inf - inf would be nan
        gap = emit(Select(), is_same_inf, zeros(emit, x.type), emit(Sub(), x, y))
        from_x = None if x_dot is None else emit(Mul(), emit(Sigmoid(), gap), x_dot)
        from_y = None if y_dot is None else emit(Mul(), emit(Sigmoid(), emit(Neg(), gap)), y_dot)
        return added(emit, from_x, from_y)


@register
@dataclass(frozen=True, eq=False)
class Hypot(Binary):
    """sqrt(x * x + y * y) that neither overflows nor underflows on the way; inf if either is infinite, even beside a nan.

    Its derivative at the origin is 0.
    """

    name = "hypot"
    ufunc = np.hypot
    kinds = REAL_FLOAT
    flops_per_element = 8

    def linearize(self, emit: Emit, x: Value, y: Value, out: Value, x_dot: Tangent, y_dot: Tangent) -> Tangent:
        if x_dot is None and y_dot is None:
            return None
        one = splat_like(emit, 1, out)
        size = emit(Select(), emit(Equal(), out, zeros(emit, out.type)), one, out)
        from_x, from_y = (
            None if dot is None else emit(Mul(), emit(Div(), side, size), dot) for side, dot in ((x, x_dot), (y, y_dot))
        )
        return added(emit, from_x, from_y)


def _fmod(x: Array, y: Array) -> Array:
    if x.dtype.kind == "f":
        return np.asarray(np.fmod(x, y))
    return np.asarray(np.where(y == 0, x, np.fmod(x, np.where(y == 0, 1, y))))


@register
@dataclass(frozen=True, eq=False)
class Fmod(Binary):
    """x - trunc(x / y) * y exactly, of x's sign; for integers where y = 0 it is x."""

    name = "fmod"
    ufunc = _fmod
    kinds = REAL
    flops_per_element = 8

    def linearize(self, emit: Emit, x: Value, y: Value, out: Value, x_dot: Tangent, y_dot: Tangent) -> Tangent:
        if y_dot is None:
            return x_dot
        turns = emit(Trunc(), emit(Div(), x, y))
        return added(emit, x_dot, emit(Neg(), emit(Mul(), turns, y_dot)))
