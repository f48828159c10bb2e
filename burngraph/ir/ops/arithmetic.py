"""Arithmetic on each entry: sums, products, powers, remainders, maxima."""

from dataclasses import dataclass

import numpy as np

from burngraph.ir.op import Tangent, register
from burngraph.ir.ops.compare import Equal, GreaterEqual, LessEqual, Select
from burngraph.ir.ops.pointwise import NUMBER, REAL, REAL_FLOAT, Binary, Unary, splat_like
from burngraph.ir.types import Array
from burngraph.ir.value import Emit, Value


def scaled(emit: Emit, factor: float, x: Value) -> Value:
    return emit(Mul(), splat_like(emit, factor, x), x)


def added(emit: Emit, x: Tangent, y: Tangent) -> Tangent:
    """x + y, where None is zero."""
    if x is None or y is None:
        return y if x is None else x
    return emit(Add(), x, y)


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
        return added(emit, x_dot, y_dot)

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
class Sub(Binary):
    """x - y; integers wrap."""

    name = "sub"
    ufunc = np.subtract
    kinds = NUMBER
    linear_in = (("x", "y"),)

    def linearize(self, emit: Emit, x: Value, y: Value, out: Value, x_dot: Tangent, y_dot: Tangent) -> Tangent:
        if y_dot is None:
            return x_dot
        return emit(Neg(), y_dot) if x_dot is None else emit(Sub(), x_dot, y_dot)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, y: Value) -> Value:
        return y_bar if into == 0 else emit(Neg(), y_bar)


@register
@dataclass(frozen=True, eq=False)
class Div(Binary):
    """x / y, of floats; what integers should give is the caller's choice: cast, or floor_divide."""

    name = "div"
    ufunc = np.divide
    linear_in = (("x",),)

    def linearize(self, emit: Emit, x: Value, y: Value, out: Value, x_dot: Tangent, y_dot: Tangent) -> Tangent:
        if y_dot is None:
            return None if x_dot is None else emit(Div(), x_dot, y)
        from_y = emit(Mul(), emit(Neg(), emit(Div(), out, y)), y_dot)
        return added(emit, None if x_dot is None else emit(Div(), x_dot, y), from_y)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, y: Value) -> Value:
        return emit(Div(), y_bar, y)


def _power(x: Array, y: Array) -> Array:
    if x.dtype.kind == "f":
        return np.asarray(np.power(x, y))
    result = np.power(x, np.maximum(y, 0))
    inverse = np.where((x == 1) | (x + 1 == 0) & (x < 0), np.where(y % 2 == 0, x * x, x), 0)
    return np.asarray(np.where(y < 0, inverse, result))


@register
@dataclass(frozen=True, eq=False)
class Pow(Binary):
    """x to the power y; of integers, a negative power is 0 unless x is 1 or -1."""

    name = "pow"
    ufunc = _power
    kinds = REAL
    flops_per_element = 16

    def linearize(self, emit: Emit, x: Value, y: Value, out: Value, x_dot: Tangent, y_dot: Tangent) -> Tangent:
        zero, one = splat_like(emit, 0, x), splat_like(emit, 1, x)
        from_x = from_y = None
        if x_dot is not None:
            slope = emit(Mul(), y, emit(Pow(), x, emit(Sub(), y, one)))
            from_x = emit(Mul(), emit(Select(), emit(Equal(), y, zero), zero, slope), x_dot)  # 0 ** -1 is inf
        if y_dot is not None:
            log_x = emit(Log(), emit(Select(), emit(Equal(), x, zero), one, x))
            from_y = emit(Mul(), emit(Mul(), out, log_x), y_dot)
        return added(emit, from_x, from_y)


@register
@dataclass(frozen=True, eq=False)
class Maximum(Binary):
    """The larger of x and y; nan if either is. Where equal, the derivative is x's."""

    name = "maximum"
    ufunc = np.maximum
    kinds = REAL

    def linearize(self, emit: Emit, x: Value, y: Value, out: Value, x_dot: Tangent, y_dot: Tangent) -> Tangent:
        if x_dot is None and y_dot is None:
            return None
        zero = splat_like(emit, 0, out)
        return emit(Select(), emit(GreaterEqual(), x, y), x_dot or zero, y_dot or zero)


@register
@dataclass(frozen=True, eq=False)
class Minimum(Binary):
    """The smaller of x and y; nan if either is. Where equal, the derivative is x's."""

    name = "minimum"
    ufunc = np.minimum
    kinds = REAL

    def linearize(self, emit: Emit, x: Value, y: Value, out: Value, x_dot: Tangent, y_dot: Tangent) -> Tangent:
        if x_dot is None and y_dot is None:
            return None
        zero = splat_like(emit, 0, out)
        return emit(Select(), emit(LessEqual(), x, y), x_dot or zero, y_dot or zero)


def _remainder(x: Array, y: Array) -> Array:
    if x.dtype.kind == "f":
        return np.asarray(np.remainder(x, y))
    return np.asarray(np.where(y == 0, x, np.remainder(x, y)))


@register
@dataclass(frozen=True, eq=False)
class Remainder(Binary):
    """x - floor(x / y) * y, of y's sign; x itself for integers where y = 0."""

    name = "remainder"
    ufunc = _remainder
    kinds = REAL
    flops_per_element = 4

    def linearize(self, emit: Emit, x: Value, y: Value, out: Value, x_dot: Tangent, y_dot: Tangent) -> Tangent:
        if y_dot is None:
            return x_dot
        from_y = emit(Mul(), emit(Neg(), emit(FloorDivide(), x, y)), y_dot)
        return added(emit, x_dot, from_y)


def _floor_divide(x: Array, y: Array) -> Array:
    if x.dtype.kind == "f":
        return np.asarray(np.floor(np.divide(x, y)))
    return np.asarray(np.floor_divide(x, y))  # by 0 it is 0, and the least integer by -1 wraps


@register
@dataclass(frozen=True, eq=False)
class FloorDivide(Binary):
    """floor(x / y); 0 for integers where y = 0."""

    name = "floor_divide"
    ufunc = _floor_divide
    kinds = REAL
    locally_constant = True
    flops_per_element = 4


@register
@dataclass(frozen=True, eq=False)
class Arctan2(Binary):
    """The angle of the point with ordinate x and abscissa y, in (-pi, pi]."""

    name = "arctan2"
    ufunc = np.arctan2
    kinds = REAL_FLOAT
    flops_per_element = 16

    def linearize(self, emit: Emit, x: Value, y: Value, out: Value, x_dot: Tangent, y_dot: Tangent) -> Tangent:
        norm = emit(Add(), emit(Mul(), x, x), emit(Mul(), y, y))
        from_x = None if x_dot is None else emit(Mul(), emit(Div(), y, norm), x_dot)
        from_y = None if y_dot is None else emit(Mul(), emit(Neg(), emit(Div(), x, norm)), y_dot)
        return added(emit, from_x, from_y)


@register
@dataclass(frozen=True, eq=False)
class Log(Unary):
    """Natural logarithm of each entry."""

    name = "log"
    ufunc = np.log
    flops_per_element = 8

    def linearize(self, emit: Emit, x: Value, y: Value, x_dot: Tangent) -> Tangent:
        return None if x_dot is None else emit(Div(), x_dot, x)
