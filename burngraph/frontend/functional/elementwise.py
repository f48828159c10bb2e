"""Functions of each entry alone. Arguments are promoted as MLX does and broadcast as NumPy does."""

import builtins
import math
from typing import Any

import numpy as np

from burngraph.errors import DTypeError
from burngraph.frontend.functional.shape import as_float, as_operand, as_type, broadcast_shape, computed_dtype, tensor
from burngraph.frontend.functional.spelling import takes_inplace
from burngraph.frontend.recording import apply, is_tensor, located, type_of
from burngraph.ir.op import Op
from burngraph.ir.ops import compare, elementwise
from burngraph.ir.ops.complex import Complex, Imag, Modulus, Real
from burngraph.ir.promotion import at_least_float
from burngraph.ir.types import BOOL, DType

__all__ = [
    "abs",
    "acos",
    "acosh",
    "add",
    "arctan2",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "ceil",
    "clip",
    "cos",
    "cosh",
    "divide",
    "erf",
    "exp",
    "expm1",
    "floor",
    "floor_divide",
    "isinf",
    "isnan",
    "log",
    "log1p",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "positive",
    "pow",
    "power",
    "reciprocal",
    "relu",
    "remainder",
    "round",
    "rsqrt",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
    "trunc",
]

LEAST_NORMAL = 2.0**-126  # of f32


def promoted(name: str, *xs: Any, dtype: DType | None = None) -> list[Any]:
    """`xs` cast to one dtype (`dtype`, or what they promote to) and broadcast to one shape."""
    xs = tuple(map(as_operand, xs))
    found = computed_dtype(xs) if dtype is None else dtype
    shape = broadcast_shape(name, xs)
    return [as_type(x, found, shape) for x in xs]


def _of_float(op: Op, x: Any) -> Any:
    return apply(op, as_float(x))


def _same(op: Op, x: Any) -> Any:
    return apply(op, tensor(x))


def two(op: Op, x: Any, y: Any, on_bools: Op | None = None) -> Any:
    a, b = promoted(op.name, x, y)
    return apply(on_bools if on_bools is not None and type_of(a).dtype is BOOL else op, a, b)


def _two_float(op: Op, x: Any, y: Any) -> Any:
    return apply(op, *promoted(op.name, x, y, dtype=at_least_float(computed_dtype([as_operand(x), as_operand(y)]))))


def add(x1: Any, x2: Any, /) -> Any:
    """x1 + x2; of bool, or."""
    return two(elementwise.Add(), x1, x2, elementwise.LogicalOr())


def subtract(x1: Any, x2: Any, /) -> Any:
    """x1 - x2; not of bool."""
    return two(elementwise.Sub(), x1, x2)


def multiply(x1: Any, x2: Any, /) -> Any:
    """x1 * x2; of bool, and."""
    return two(elementwise.Mul(), x1, x2, elementwise.LogicalAnd())


def divide(x1: Any, x2: Any, /) -> Any:
    """x1 / x2; integers are divided in f32."""
    return _two_float(elementwise.Div(), x1, x2)


def pow(x1: Any, x2: Any, /) -> Any:
    """x1 to the power x2. A static exponent 2 is a square."""
    if isinstance(x2, int | float) and not isinstance(x2, bool) and x2 == 2 and is_tensor(x1):
        (base,) = promoted("pow", x1, dtype=computed_dtype([x1, x2]))
        return apply(elementwise.Square(), base)
    return two(elementwise.Pow(), x1, x2)


def remainder(x1: Any, x2: Any, /) -> Any:
    """What is left of x1 / x2 rounded down; has the sign of x2."""
    return two(elementwise.Remainder(), x1, x2)


def floor_divide(x1: Any, x2: Any, /) -> Any:
    """x1 / x2 rounded down. Integers over 0 give 0, and the least integer over -1 wraps."""
    return two(elementwise.FloorDivide(), x1, x2)


def maximum(x1: Any, x2: Any, /) -> Any:
    """The larger of two entries; nan if either is. On a tie the derivative goes to x1. Of bool, or."""
    return two(elementwise.Maximum(), x1, x2, elementwise.LogicalOr())


def minimum(x1: Any, x2: Any, /) -> Any:
    """The smaller of two entries; nan if either is. On a tie the derivative goes to x1. Of bool, and."""
    return two(elementwise.Minimum(), x1, x2, elementwise.LogicalAnd())


def atan2(x1: Any, x2: Any, /) -> Any:
    """The inverse tangent of x1 / x2 in the quadrant of the point (x2, x1): radians, -pi to pi; signed zeros as in IEEE 754."""
    return _two_float(elementwise.Arctan2(), x1, x2)


def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    """Entries below `min` raised to it, then those above `max` lowered to it; None is no bound. nan stays.

    Where min > max the result is max. On a bound the derivative is 1. An int beyond the range of x's dtype bounds nothing.
    """
    x = tensor(x)
    x = x if min is None else maximum(x, _in_range(min, x))
    return x if max is None else minimum(x, _in_range(max, x))


def _in_range(bound: Any, x: Any) -> Any:
    """A Python int as the nearest one that an integer dtype holds; anything else as it is."""
    dtype = type_of(x).dtype
    if not dtype.is_integer or isinstance(bound, bool) or not isinstance(bound, int):
        return bound
    limits = np.iinfo(dtype.numpy)
    return builtins.max(limits.min, builtins.min(bound, limits.max))


def negative(x: Any, /) -> Any:
    """-x. The least integer of a dtype stays, as nothing else holds its negative."""
    return _same(elementwise.Neg(), x)


def positive(x: Any, /) -> Any:
    """`x` itself, if it is numbers.

    Raises   DTypeError   bool
    """
    x = tensor(x)
    if type_of(x).dtype is BOOL:
        raise located(DTypeError(f"positive: x is {type_of(x)}, takes numbers", "cast it with x.astype('int32')"))
    return x


def abs(x: Any, /) -> Any:
    """|x|; of complex entries their modulus, f32."""
    x = tensor(x)
    return apply(Modulus() if type_of(x).dtype.kind == "complex" else elementwise.Abs(), x)


def sign(x: Any, /) -> Any:
    """-1, 0 or 1; nan stays nan. Its derivative is 0. Of complex numbers x / |x|, and 0 at 0."""
    x = tensor(x)
    if type_of(x).dtype.kind == "complex":
        return add(divide(x, maximum(abs(x), LEAST_NORMAL)), 0.0)  # -0.0 becomes 0.0
    return apply(elementwise.Sign(), x)


def square(x: Any, /) -> Any:
    """x * x."""
    return _same(elementwise.Square(), x)


def sqrt(x: Any, /) -> Any:
    """Square root, nan below 0; integers in f32."""
    return _of_float(elementwise.Sqrt(), x)


def rsqrt(x: Any) -> Any:
    """1 / sqrt(x); integers in f32."""
    return _of_float(elementwise.Rsqrt(), x)


def reciprocal(x: Any, /) -> Any:
    """1 / x; integers in f32."""
    return _of_float(elementwise.Reciprocal(), x)


def exp(x: Any, /) -> Any:
    """e to the power x; integers in f32."""
    return _of_float(elementwise.Exp(), x)


def expm1(x: Any, /) -> Any:
    """exp(x) - 1, exact near 0; integers in f32."""
    x = as_float(x)
    return _complex_expm1(x) if type_of(x).dtype.kind == "complex" else apply(elementwise.Expm1(), x)


def _complex_expm1(z: Any) -> Any:
    """expm1(a) cos(b) - 2 sin(b / 2)^2 + i exp(a) sin(b), for z = a + i b: nothing cancels near 0."""
    a, b = apply(Real(), z), apply(Imag(), z)
    re = add(subtract(multiply(expm1(a), cos(b)), multiply(square(sin(multiply(b, 0.5))), 2.0)), 0.0)  # -0.0 becomes 0.0
    im = multiply(exp(a), sin(b))
    # where a is infinite and b has no sine: -1 on the left; inf, in no known direction, on the right
    left, right = (two(compare.Equal(), a, end) for end in (-math.inf, math.inf))
    has_no_sine = two(compare.NotEqual(), subtract(b, b), 0.0)
    re = apply(compare.Select(), apply(elementwise.LogicalAnd(), right, has_no_sine), *promoted("expm1", math.inf, re))
    re = apply(compare.Select(), left, *promoted("expm1", -1.0, re))
    im = apply(compare.Select(), left, *promoted("expm1", 0.0, im))
    return apply(Complex(), re, apply(compare.Select(), two(compare.Equal(), b, 0.0), b, im))


def log(x: Any, /) -> Any:
    """Natural logarithm: -inf at 0, nan below; integers in f32."""
    return _of_float(elementwise.Log(), x)


def log1p(x: Any, /) -> Any:
    """log(1 + x), exact near 0; integers in f32."""
    return _of_float(elementwise.Log1p(), x)


def sin(x: Any, /) -> Any:
    """Sine of x in radians; integers in f32."""
    return _of_float(elementwise.Sin(), x)


def cos(x: Any, /) -> Any:
    """Cosine of x in radians; integers in f32."""
    return _of_float(elementwise.Cos(), x)


def tan(x: Any, /) -> Any:
    """Tangent of x in radians; integers in f32."""
    return _of_float(elementwise.Tan(), x)


def sinh(x: Any, /) -> Any:
    """Hyperbolic sine; integers in f32."""
    return _of_float(elementwise.Sinh(), x)


def cosh(x: Any, /) -> Any:
    """Hyperbolic cosine; integers in f32."""
    return _of_float(elementwise.Cosh(), x)


def tanh(x: Any, /) -> Any:
    """Hyperbolic tangent; integers in f32."""
    return _of_float(elementwise.Tanh(), x)


def asin(x: Any, /) -> Any:
    """Inverse sine, in radians; nan outside -1 to 1; integers in f32."""
    return _of_float(elementwise.Arcsin(), x)


def acos(x: Any, /) -> Any:
    """Inverse cosine, in radians; nan outside -1 to 1; integers in f32."""
    return _of_float(elementwise.Arccos(), x)


def atan(x: Any, /) -> Any:
    """Inverse tangent, in radians; integers in f32."""
    return _of_float(elementwise.Arctan(), x)


def asinh(x: Any, /) -> Any:
    """Inverse hyperbolic sine; integers in f32."""
    return _of_float(elementwise.Arcsinh(), x)


def acosh(x: Any, /) -> Any:
    """Inverse hyperbolic cosine; nan below 1; integers in f32."""
    return _of_float(elementwise.Arccosh(), x)


def atanh(x: Any, /) -> Any:
    """Inverse hyperbolic tangent; nan outside -1 to 1; integers in f32."""
    return _of_float(elementwise.Arctanh(), x)


def erf(x: Any) -> Any:
    """The error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x; integers in f32."""
    return _of_float(elementwise.Erf(), x)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), without overflow; integers in f32."""
    return _of_float(elementwise.Sigmoid(), x)


@takes_inplace
def relu(x: Any) -> Any:
    """x where it is positive, else 0; nan stays. Its derivative at 0 is 0."""
    return _same(elementwise.Relu(), x)


def _rounding(op: Op, x: Any) -> Any:
    x = tensor(x)
    return apply(op, x) if type_of(x).dtype.is_inexact else x


def floor(x: Any, /) -> Any:
    """The largest integer not above x, in x's dtype."""
    return _rounding(elementwise.Floor(), x)


def ceil(x: Any, /) -> Any:
    """The smallest integer not below x, in x's dtype."""
    return _rounding(elementwise.Ceil(), x)


def round(x: Any, /) -> Any:
    """To the nearest integer, halves to the even one."""
    return _rounding(elementwise.Round(), x)


def trunc(x: Any, /) -> Any:
    """x without its fraction, in x's dtype."""
    return _rounding(elementwise.Trunc(), x)


def isnan(x: Any, /) -> Any:
    """Whether an entry is nan; bool."""
    return _of_float(elementwise.IsNan(), x)


def isinf(x: Any, /) -> Any:
    """Whether an entry is inf or -inf; bool."""
    return _of_float(elementwise.IsInf(), x)


power = pow  # MLX's name for it

arctan2 = atan2  # MLX's name for it
