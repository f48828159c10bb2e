"""Functions of each entry alone. Arguments are promoted as MLX does and broadcast as NumPy does."""

import builtins
from typing import Any

import numpy as np

from burngraph.errors import DTypeError
from burngraph.frontend.functional_shape import as_type, astype, broadcast_shape, computed_dtype, tensor
from burngraph.frontend.recording import apply, is_tensor, located, type_of
from burngraph.ir.op import Op
from burngraph.ir.ops import compare, elementwise
from burngraph.ir.ops.complex import Modulus
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
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "ceil",
    "clip",
    "cos",
    "cosh",
    "divide",
    "equal",
    "erf",
    "exp",
    "expm1",
    "floor",
    "floor_divide",
    "greater",
    "greater_equal",
    "isfinite",
    "isinf",
    "isnan",
    "less",
    "less_equal",
    "log",
    "log1p",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
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
    "where",
]


def promoted(name: str, *xs: Any, dtype: DType | None = None) -> list[Any]:
    """`xs` cast to one dtype (`dtype`, or what they promote to) and broadcast to one shape."""
    xs = tuple(x if is_tensor(x) or isinstance(x, bool | int | float | complex) else tensor(x) for x in xs)
    found = computed_dtype(xs) if dtype is None else dtype
    shape = broadcast_shape(name, xs)
    return [as_type(x, found, shape) for x in xs]


def _of_float(op: Op, x: Any) -> Any:
    x = tensor(x)
    return apply(op, astype(x, at_least_float(type_of(x).dtype)))


def _same(op: Op, x: Any) -> Any:
    return apply(op, tensor(x))


def _two(op: Op, x: Any, y: Any, on_bools: Op | None = None) -> Any:
    a, b = promoted(op.name, x, y)
    return apply(on_bools if on_bools is not None and type_of(a).dtype is BOOL else op, a, b)


def _two_float(op: Op, x: Any, y: Any) -> Any:
    values = [v if is_tensor(v) or isinstance(v, bool | int | float | complex) else tensor(v) for v in (x, y)]
    return apply(op, *promoted(op.name, x, y, dtype=at_least_float(computed_dtype(values))))


def add(x: Any, y: Any) -> Any:
    return _two(elementwise.Add(), x, y, elementwise.LogicalOr())


def subtract(x: Any, y: Any) -> Any:
    return _two(elementwise.Sub(), x, y)


def multiply(x: Any, y: Any) -> Any:
    return _two(elementwise.Mul(), x, y, elementwise.LogicalAnd())


def divide(x: Any, y: Any) -> Any:
    """x / y; integers are divided in f32."""
    return _two_float(elementwise.Div(), x, y)


def pow(x: Any, y: Any) -> Any:
    """x to the power y. A static exponent 2 is a square."""
    if isinstance(y, int | float) and not isinstance(y, bool) and y == 2 and is_tensor(x):
        (base,) = promoted("pow", x, dtype=computed_dtype([x, y]))
        return apply(elementwise.Square(), base)
    return _two(elementwise.Pow(), x, y)


def remainder(x: Any, y: Any) -> Any:
    """What is left of x / y rounded down; has the sign of y."""
    return _two(elementwise.Remainder(), x, y)


def floor_divide(x: Any, y: Any) -> Any:
    return _two(elementwise.FloorDivide(), x, y)


def maximum(x: Any, y: Any) -> Any:
    return _two(elementwise.Maximum(), x, y, elementwise.LogicalOr())


def minimum(x: Any, y: Any) -> Any:
    return _two(elementwise.Minimum(), x, y, elementwise.LogicalAnd())


def atan2(x: Any, y: Any) -> Any:
    return _two_float(elementwise.Arctan2(), x, y)


def clip(x: Any, min: Any = None, max: Any = None) -> Any:
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


def negative(x: Any) -> Any:
    return _same(elementwise.Neg(), x)


def positive(x: Any) -> Any:
    """`x` itself, if it is numbers.

    Raises   DTypeError   bool
    """
    x = tensor(x)
    if type_of(x).dtype is BOOL:
        raise located(DTypeError(f"positive: x is {type_of(x)}, takes numbers", "cast it with x.astype('int32')"))
    return x


def abs(x: Any) -> Any:
    """|x|; of complex entries their modulus, f32."""
    x = tensor(x)
    return apply(Modulus() if type_of(x).dtype.kind == "complex" else elementwise.Abs(), x)


def sign(x: Any) -> Any:
    return _same(elementwise.Sign(), x)


def square(x: Any) -> Any:
    return _same(elementwise.Square(), x)


def sqrt(x: Any) -> Any:
    return _of_float(elementwise.Sqrt(), x)


def rsqrt(x: Any) -> Any:
    return _of_float(elementwise.Rsqrt(), x)


def reciprocal(x: Any) -> Any:
    return _of_float(elementwise.Reciprocal(), x)


def exp(x: Any) -> Any:
    return _of_float(elementwise.Exp(), x)


def expm1(x: Any) -> Any:
    return _of_float(elementwise.Expm1(), x)


def log(x: Any) -> Any:
    return _of_float(elementwise.Log(), x)


def log1p(x: Any) -> Any:
    return _of_float(elementwise.Log1p(), x)


def sin(x: Any) -> Any:
    return _of_float(elementwise.Sin(), x)


def cos(x: Any) -> Any:
    return _of_float(elementwise.Cos(), x)


def tan(x: Any) -> Any:
    return _of_float(elementwise.Tan(), x)


def sinh(x: Any) -> Any:
    return _of_float(elementwise.Sinh(), x)


def cosh(x: Any) -> Any:
    return _of_float(elementwise.Cosh(), x)


def tanh(x: Any) -> Any:
    return _of_float(elementwise.Tanh(), x)


def asin(x: Any) -> Any:
    return _of_float(elementwise.Arcsin(), x)


def acos(x: Any) -> Any:
    return _of_float(elementwise.Arccos(), x)


def atan(x: Any) -> Any:
    return _of_float(elementwise.Arctan(), x)


def asinh(x: Any) -> Any:
    return _of_float(elementwise.Arcsinh(), x)


def acosh(x: Any) -> Any:
    return _of_float(elementwise.Arccosh(), x)


def atanh(x: Any) -> Any:
    return _of_float(elementwise.Arctanh(), x)


def erf(x: Any) -> Any:
    return _of_float(elementwise.Erf(), x)


def sigmoid(x: Any) -> Any:
    return _of_float(elementwise.Sigmoid(), x)


def relu(x: Any) -> Any:
    return _same(elementwise.Relu(), x)


def _rounding(op: Op, x: Any) -> Any:
    x = tensor(x)
    return apply(op, x) if type_of(x).dtype.is_inexact else x


def floor(x: Any) -> Any:
    return _rounding(elementwise.Floor(), x)


def ceil(x: Any) -> Any:
    return _rounding(elementwise.Ceil(), x)


def round(x: Any) -> Any:
    """To the nearest integer, halves to the even one."""
    return _rounding(elementwise.Round(), x)


def trunc(x: Any) -> Any:
    return _rounding(elementwise.Trunc(), x)


def isnan(x: Any) -> Any:
    return _of_float(elementwise.IsNan(), x)


def isinf(x: Any) -> Any:
    return _of_float(elementwise.IsInf(), x)


def isfinite(x: Any) -> Any:
    return logical_not(logical_or(isnan(x), isinf(x)))


def equal(x: Any, y: Any) -> Any:
    return _two(compare.Equal(), x, y)


def not_equal(x: Any, y: Any) -> Any:
    return _two(compare.NotEqual(), x, y)


def less(x: Any, y: Any) -> Any:
    return _two(compare.Less(), x, y)


def less_equal(x: Any, y: Any) -> Any:
    return _two(compare.LessEqual(), x, y)


def greater(x: Any, y: Any) -> Any:
    return _two(compare.Greater(), x, y)


def greater_equal(x: Any, y: Any) -> Any:
    return _two(compare.GreaterEqual(), x, y)


def as_bool(x: Any) -> Any:
    """True where an entry is not zero."""
    x = tensor(x)
    return x if type_of(x).dtype is BOOL else not_equal(x, 0)


def where(condition: Any, x: Any, y: Any) -> Any:
    """x where `condition` is true (not zero), else y; all three broadcast."""
    condition = as_bool(condition)
    xs = [v if is_tensor(v) or isinstance(v, bool | int | float | complex) else tensor(v) for v in (x, y)]
    dtype = computed_dtype(xs)
    shape = broadcast_shape("where", [condition, *xs])
    return apply(compare.Select(), as_type(condition, BOOL, shape), *(as_type(v, dtype, shape) for v in xs))


def logical_not(x: Any) -> Any:
    return apply(elementwise.LogicalNot(), as_bool(x))


def logical_and(x: Any, y: Any) -> Any:
    return apply(elementwise.LogicalAnd(), *promoted("logical_and", as_bool(x), as_bool(y)))


def logical_or(x: Any, y: Any) -> Any:
    return apply(elementwise.LogicalOr(), *promoted("logical_or", as_bool(x), as_bool(y)))


def logical_xor(x: Any, y: Any) -> Any:
    return apply(elementwise.LogicalXor(), *promoted("logical_xor", as_bool(x), as_bool(y)))


def bitwise_and(x: Any, y: Any) -> Any:
    return _two(elementwise.BitwiseAnd(), x, y, elementwise.LogicalAnd())


def bitwise_or(x: Any, y: Any) -> Any:
    return _two(elementwise.BitwiseOr(), x, y, elementwise.LogicalOr())


def bitwise_xor(x: Any, y: Any) -> Any:
    return _two(elementwise.BitwiseXor(), x, y, elementwise.LogicalXor())


def bitwise_left_shift(x: Any, y: Any) -> Any:
    return _two(elementwise.LeftShift(), x, y)


def bitwise_right_shift(x: Any, y: Any) -> Any:
    return _two(elementwise.RightShift(), x, y)


def bitwise_invert(x: Any) -> Any:
    """Every bit flipped; for bool, logical_not.

    Raises   DTypeError   a float
    """
    x = tensor(x)
    if type_of(x).dtype is BOOL:
        return logical_not(x)
    if not type_of(x).dtype.is_integer:
        raise located(DTypeError(f"bitwise_invert: takes bool or integers, got {type_of(x)}"))
    return apply(elementwise.BitwiseNot(), x)


power = pow  # MLX's name for it

arctan2 = atan2  # MLX's name for it
