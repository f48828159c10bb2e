"""Functions of each entry beyond arithmetic and the elementary ones; promoted and broadcast alike."""

import math
from typing import Any

import numpy as np

from burngraph.errors import DTypeError
from burngraph.frontend.functional.comparison import equal, less_equal, logical_and, logical_not, logical_or, where
from burngraph.frontend.functional.elementwise import abs as absolute
from burngraph.frontend.functional.elementwise import add, isinf, isnan, multiply, negative, promoted, subtract
from burngraph.frontend.functional.reduction import all
from burngraph.frontend.functional.shape import as_float, as_operand, astype, computed_dtype, splat, tensor
from burngraph.frontend.recording import apply, is_tensor, located, type_of
from burngraph.ir.op import Op
from burngraph.ir.ops import special
from burngraph.ir.promotion import at_least_float
from burngraph.ir.types import BF16, BOOL, TensorType

__all__ = [
    "allclose",
    "copysign",
    "deg2rad",
    "erfinv",
    "exp2",
    "fmod",
    "hypot",
    "isclose",
    "isneginf",
    "isposinf",
    "log2",
    "log10",
    "logaddexp",
    "nan_to_num",
    "nextafter",
    "rad2deg",
    "signbit",
]


def _real_float(function: str, x: Any) -> Any:
    x = tensor(x)
    if type_of(x).dtype.kind == "complex":
        raise located(DTypeError(f"{function}: x is {type_of(x)}, takes real numbers"))
    return astype(x, at_least_float(type_of(x).dtype))


def _one(op: Op, x: Any) -> Any:
    return apply(op, _real_float(op.name, x))


def _two(op: Op, x: Any, y: Any) -> Any:
    xs = [as_operand(v) for v in (x, y)]
    dtype = at_least_float(computed_dtype(xs))
    if dtype.kind == "complex":
        raise located(DTypeError(f"{op.name}: takes real numbers", *(str(type_of(v)) for v in xs if is_tensor(v))))
    return apply(op, *promoted(op.name, *xs, dtype=dtype))


def log2(x: Any, /) -> Any:
    """Logarithm to base 2."""
    return apply(special.Log2(), as_float(x))


def log10(x: Any, /) -> Any:
    """Logarithm to base 10."""
    return apply(special.Log10(), as_float(x))


def exp2(x: Any) -> Any:
    """2 to the power x."""
    return _one(special.Exp2(), x)


def erfinv(x: Any) -> Any:
    """The y whose error function is x: inf at 1, -inf at -1, nan beyond."""
    return _one(special.Erfinv(), x)


def logaddexp(x1: Any, x2: Any, /) -> Any:
    """log(exp(x1) + exp(x2)), without overflow. Two equal infinities share the derivative evenly."""
    return _two(special.Logaddexp(), x1, x2)


def hypot(x1: Any, x2: Any, /) -> Any:
    """sqrt(x1 * x1 + x2 * x2) that neither overflows nor underflows on the way; its derivative at the origin is 0."""
    return _two(special.Hypot(), x1, x2)


def nextafter(x1: Any, x2: Any, /) -> Any:
    """The float that follows x1 on the way to x2; its derivative is that of x1."""
    return _two(special.Nextafter(), x1, x2)


def signbit(x: Any, /) -> Any:
    """Whether the sign is minus, as bool; True for -0.0."""
    return _one(special.Signbit(), x)


def copysign(x1: Any, x2: Any, /) -> Any:
    """The size of x1 with the sign of x2, -0.0 counting as negative. The derivative where x1 is 0 is 0."""
    x1, x2 = _two_promoted("copysign", x1, x2)
    size = absolute(x1)
    return where(signbit(x2), negative(size), size)


def _two_promoted(function: str, x: Any, y: Any) -> list[Any]:
    xs = [_real_float(function, v) if is_tensor(v) else v for v in (x, y)]
    return promoted(function, *xs, dtype=at_least_float(computed_dtype(xs)))


def fmod(x: Any, y: Any) -> Any:
    """What is left of x / y rounded towards zero, exactly; has the sign of x (remainder has that of y).

    Of integers with y = 0 it is x. Raises   DTypeError   bool or complex
    """
    values = promoted("fmod", x, y)
    if type_of(values[0]).dtype is BOOL or type_of(values[0]).dtype.kind == "complex":
        raise located(DTypeError(f"fmod: takes integers and floats, got {type_of(values[0])}"))
    return apply(special.Fmod(), *values)


def deg2rad(x: Any) -> Any:
    """Degrees as radians."""
    return multiply(_real_float("deg2rad", x), math.pi / 180)


def rad2deg(x: Any) -> Any:
    """Radians as degrees."""
    return multiply(_real_float("rad2deg", x), 180 / math.pi)


def isposinf(x: Any) -> Any:
    """Whether each entry is inf."""
    return equal(_real_float("isposinf", x), float("inf"))


def isneginf(x: Any) -> Any:
    """Whether each entry is -inf."""
    return equal(_real_float("isneginf", x), float("-inf"))


def isclose(x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether |x - y| <= atol + rtol * |y|; equal infinities are close, and nans if `equal_nan`."""
    x, y = _two_promoted("isclose", x, y)
    is_near = less_equal(absolute(subtract(x, y)), add(absolute(multiply(y, rtol)), atol))
    is_finite = logical_not(logical_or(isinf(x), isinf(y)))  # else inf <= inf
    found = logical_or(equal(x, y), logical_and(is_finite, is_near))
    return logical_or(found, logical_and(isnan(x), isnan(y))) if equal_nan else found


def allclose(x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether isclose holds everywhere, as a bool array of rank 0."""
    return all(isclose(x, y, rtol, atol, equal_nan))


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """x with nan replaced by `nan`, inf by `posinf`, -inf by `neginf`; None is the greatest or least number of the dtype.

    Raises   DTypeError   x is complex
    """
    x = tensor(x)
    if not type_of(x).dtype.is_inexact:
        return x
    x = _real_float("nan_to_num", x)
    greatest = largest(type_of(x))
    x = where(isnan(x), _like(x, nan), x)
    x = where(isposinf(x), _like(x, greatest if posinf is None else posinf), x)
    return where(isneginf(x), _like(x, -greatest if neginf is None else neginf), x)


def _like(x: Any, value: float) -> Any:
    return splat(value, TensorType(type_of(x).dtype, ()))


def largest(type: TensorType) -> float:
    """The greatest finite number of a float dtype."""
    return (2 - 2**-7) * 2.0**127 if type.dtype is BF16 else float(np.finfo(type.dtype.numpy).max)
