"""Functions of one real (some: complex) number, applied to each entry."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from burngraph.ir.op import Tangent, register, zeros
from burngraph.ir.ops.arithmetic import Add, Div, Mul, Neg, Sub, scaled
from burngraph.ir.ops.compare import Greater, Select
from burngraph.ir.ops.pointwise import NUMBER, REAL, REAL_FLOAT, Unary, splat_like
from burngraph.ir.types import Array
from burngraph.ir.value import Emit, Value


class Smooth(Unary, ABC):
    """Base: the derivative is `slope`, a factor on the tangent."""

    flops_per_element = 8

    @abstractmethod
    def slope(self, emit: Emit, x: Value, y: Value) -> Value: ...

    def linearize(self, emit: Emit, x: Value, y: Value, x_dot: Tangent) -> Tangent:
        return None if x_dot is None else emit(Mul(), self.slope(emit, x, y), x_dot)


def _one_plus(emit: Emit, x: Value) -> Value:
    return emit(Add(), splat_like(emit, 1, x), x)


def _one_minus(emit: Emit, x: Value) -> Value:
    return emit(Sub(), splat_like(emit, 1, x), x)


def _log1p(x: Array) -> Array:
    """NumPy adds 1 to complex numbers, which loses the digits of small ones."""
    return np.log1p(x.astype(np.complex128)).astype(x.dtype) if x.dtype.kind == "c" else np.asarray(np.log1p(x))


def _reciprocal(x: Array) -> Array:
    return np.asarray(1 / x)


def _rsqrt(x: Array) -> Array:
    return np.asarray(1 / np.sqrt(x))


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def _relu(x: Array) -> Array:
    return np.asarray(np.maximum(x, np.zeros((), x.dtype)))


def _erf(x: Array) -> Array:
    return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x)).astype(x.dtype)


@register
@dataclass(frozen=True, eq=False)
class Abs(Smooth):
    """Size of each entry, |x|; its derivative at 0 is 0."""

    name = "abs"
    ufunc = np.absolute
    kinds = REAL
    flops_per_element = 1

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return emit(Sign(), x)


@register
@dataclass(frozen=True, eq=False)
class Square(Smooth):
    """x * x; integers wrap."""

    name = "square"
    ufunc = np.square
    kinds = NUMBER
    flops_per_element = 1

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return scaled(emit, 2, x)


@register
@dataclass(frozen=True, eq=False)
class Sqrt(Smooth):
    """Square root; nan below 0."""

    name = "sqrt"
    ufunc = np.sqrt
    flops_per_element = 4

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return emit(Div(), splat_like(emit, 0.5, y), y)


@register
@dataclass(frozen=True, eq=False)
class Rsqrt(Smooth):
    """1 / sqrt(x)."""

    name = "rsqrt"
    ufunc = _rsqrt
    flops_per_element = 4

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return scaled(emit, -0.5, emit(Mul(), y, emit(Mul(), y, y)))


@register
@dataclass(frozen=True, eq=False)
class Reciprocal(Smooth):
    """1 / x."""

    name = "reciprocal"
    ufunc = _reciprocal
    flops_per_element = 1

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return emit(Neg(), emit(Mul(), y, y))


@register
@dataclass(frozen=True, eq=False)
class Exp(Smooth):
    """e to the power x."""

    name = "exp"
    ufunc = np.exp

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return y


@register
@dataclass(frozen=True, eq=False)
class Expm1(Smooth):
    """exp(x) - 1, accurate near 0."""

    name = "expm1"
    ufunc = np.expm1
    kinds = REAL_FLOAT

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return _one_plus(emit, y)


@register
@dataclass(frozen=True, eq=False)
class Log1p(Smooth):
    """log(1 + x), accurate near 0."""

    name = "log1p"
    ufunc = _log1p

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return emit(Reciprocal(), _one_plus(emit, x))


@register
@dataclass(frozen=True, eq=False)
class Sin(Smooth):
    """Sine."""

    name = "sin"
    ufunc = np.sin

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return emit(Cos(), x)


@register
@dataclass(frozen=True, eq=False)
class Cos(Smooth):
    """Cosine."""

    name = "cos"
    ufunc = np.cos

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return emit(Neg(), emit(Sin(), x))


@register
@dataclass(frozen=True, eq=False)
class Tan(Smooth):
    """Tangent."""

    name = "tan"
    ufunc = np.tan

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return _one_plus(emit, emit(Mul(), y, y))


@register
@dataclass(frozen=True, eq=False)
class Sinh(Smooth):
    """Hyperbolic sine."""

    name = "sinh"
    ufunc = np.sinh

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return emit(Cosh(), x)


@register
@dataclass(frozen=True, eq=False)
class Cosh(Smooth):
    """Hyperbolic cosine."""

    name = "cosh"
    ufunc = np.cosh

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return emit(Sinh(), x)


@register
@dataclass(frozen=True, eq=False)
class Tanh(Smooth):
    """Hyperbolic tangent."""

    name = "tanh"
    ufunc = np.tanh

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return _one_minus(emit, emit(Mul(), y, y))


@register
@dataclass(frozen=True, eq=False)
class Arcsin(Smooth):
    """Inverse sine, in [-pi/2, pi/2]; nan outside [-1, 1]."""

    name = "arcsin"
    ufunc = np.arcsin

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return emit(Rsqrt(), _one_minus(emit, emit(Mul(), x, x)))


@register
@dataclass(frozen=True, eq=False)
class Arccos(Smooth):
    """Inverse cosine, in [0, pi]; nan outside [-1, 1]."""

    name = "arccos"
    ufunc = np.arccos

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return emit(Neg(), emit(Rsqrt(), _one_minus(emit, emit(Mul(), x, x))))


@register
@dataclass(frozen=True, eq=False)
class Arctan(Smooth):
    """Inverse tangent, in (-pi/2, pi/2)."""

    name = "arctan"
    ufunc = np.arctan

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return emit(Reciprocal(), _one_plus(emit, emit(Mul(), x, x)))


@register
@dataclass(frozen=True, eq=False)
class Arcsinh(Smooth):
    """Inverse hyperbolic sine."""

    name = "arcsinh"
    ufunc = np.arcsinh

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return emit(Rsqrt(), _one_plus(emit, emit(Mul(), x, x)))


@register
@dataclass(frozen=True, eq=False)
class Arccosh(Smooth):
    """Inverse hyperbolic cosine; nan below 1."""

    name = "arccosh"
    ufunc = np.arccosh

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        one = splat_like(emit, 1, x)
        if x.type.dtype.kind == "float":
            return emit(Rsqrt(), emit(Sub(), emit(Mul(), x, x), one))
        return emit(Mul(), emit(Rsqrt(), emit(Sub(), x, one)), emit(Rsqrt(), emit(Add(), x, one)))  # on one branch


@register
@dataclass(frozen=True, eq=False)
class Arctanh(Smooth):
    """Inverse hyperbolic tangent; nan outside [-1, 1]."""

    name = "arctanh"
    ufunc = np.arctanh

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return emit(Reciprocal(), _one_minus(emit, emit(Mul(), x, x)))


@register
@dataclass(frozen=True, eq=False)
class Erf(Smooth):
    """The error function, 2 / sqrt(pi) times the integral of exp(-t * t) from 0 to x."""

    name = "erf"
    ufunc = _erf
    kinds = REAL_FLOAT

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return scaled(emit, 2 / math.sqrt(math.pi), emit(Exp(), emit(Neg(), emit(Mul(), x, x))))


@register
@dataclass(frozen=True, eq=False)
class Sigmoid(Smooth):
    """1 / (1 + exp(-x))."""

    name = "sigmoid"
    ufunc = _sigmoid
    kinds = REAL_FLOAT

    def slope(self, emit: Emit, x: Value, y: Value) -> Value:
        return emit(Mul(), y, _one_minus(emit, y))


@register
@dataclass(frozen=True, eq=False)
class Relu(Unary):
    """x where it is positive, else 0; nan stays. Its derivative at 0 is 0."""

    name = "relu"
    ufunc = _relu
    kinds = REAL

    def linearize(self, emit: Emit, x: Value, y: Value, x_dot: Tangent) -> Tangent:
        if x_dot is None:
            return None
        zero = zeros(emit, y.type)  # y and not x is compared, so that x need not be kept
        return emit(Select(), emit(Greater(), y, zero), x_dot, zero)


@register
@dataclass(frozen=True, eq=False)
class Sign(Unary):
    """-1, 0 or 1, as x is negative, zero or positive; nan stays."""

    name = "sign"
    ufunc = np.sign
    kinds = REAL
    locally_constant = True


@register
@dataclass(frozen=True, eq=False)
class Floor(Unary):
    """The greatest whole number <= x."""

    name = "floor"
    ufunc = np.floor
    kinds = REAL_FLOAT
    locally_constant = True


@register
@dataclass(frozen=True, eq=False)
class Ceil(Unary):
    """The least whole number >= x."""

    name = "ceil"
    ufunc = np.ceil
    kinds = REAL_FLOAT
    locally_constant = True


@register
@dataclass(frozen=True, eq=False)
class Round(Unary):
    """The nearest whole number; halves go to the even one."""

    name = "round"
    ufunc = np.rint
    kinds = REAL_FLOAT
    locally_constant = True


@register
@dataclass(frozen=True, eq=False)
class Trunc(Unary):
    """x without its fraction."""

    name = "trunc"
    ufunc = np.trunc
    kinds = REAL_FLOAT
    locally_constant = True
