"""Comparing, choosing, logic and bits. Arguments are promoted as MLX does and broadcast as NumPy does."""

from typing import Any

from burngraph.errors import DTypeError
from burngraph.frontend.functional.elementwise import isinf, isnan, promoted, two
from burngraph.frontend.functional.shape import as_operand, as_type, broadcast_shape, computed_dtype, tensor
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops import compare, elementwise
from burngraph.ir.types import BOOL

__all__ = [
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "equal",
    "greater",
    "greater_equal",
    "isfinite",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "not_equal",
    "where",
]


def equal(x1: Any, x2: Any, /) -> Any:
    """x1 == x2; bool. nan equals nothing."""
    return two(compare.Equal(), x1, x2)


def not_equal(x1: Any, x2: Any, /) -> Any:
    """x1 != x2; bool. nan differs from everything."""
    return two(compare.NotEqual(), x1, x2)


def less(x1: Any, x2: Any, /) -> Any:
    """x1 < x2; bool."""
    return two(compare.Less(), x1, x2)


def less_equal(x1: Any, x2: Any, /) -> Any:
    """x1 <= x2; bool."""
    return two(compare.LessEqual(), x1, x2)


def greater(x1: Any, x2: Any, /) -> Any:
    """x1 > x2; bool."""
    return two(compare.Greater(), x1, x2)


def greater_equal(x1: Any, x2: Any, /) -> Any:
    """x1 >= x2; bool."""
    return two(compare.GreaterEqual(), x1, x2)


def as_bool(x: Any) -> Any:
    """True where an entry is not zero."""
    x = tensor(x)
    return x if type_of(x).dtype is BOOL else not_equal(x, 0)


def where(condition: Any, x1: Any, x2: Any, /) -> Any:
    """x1 where `condition` is true (not zero), else x2; all three broadcast."""
    condition = as_bool(condition)
    xs = [as_operand(v) for v in (x1, x2)]
    dtype = computed_dtype(xs)
    shape = broadcast_shape("where", [condition, *xs])
    return apply(compare.Select(), as_type(condition, BOOL, shape), *(as_type(v, dtype, shape) for v in xs))


def logical_not(x: Any, /) -> Any:
    """Whether an entry is zero; bool."""
    return apply(elementwise.LogicalNot(), as_bool(x))


def logical_and(x1: Any, x2: Any, /) -> Any:
    """Whether both entries are other than zero; bool."""
    return apply(elementwise.LogicalAnd(), *promoted("logical_and", as_bool(x1), as_bool(x2)))


def logical_or(x1: Any, x2: Any, /) -> Any:
    """Whether either entry is other than zero; bool."""
    return apply(elementwise.LogicalOr(), *promoted("logical_or", as_bool(x1), as_bool(x2)))


def logical_xor(x1: Any, x2: Any, /) -> Any:
    """Whether exactly one entry is other than zero; bool."""
    return apply(elementwise.LogicalXor(), *promoted("logical_xor", as_bool(x1), as_bool(x2)))


def bitwise_and(x1: Any, x2: Any, /) -> Any:
    """The bits set in both of two integers; of bool, and."""
    return two(elementwise.BitwiseAnd(), x1, x2, elementwise.LogicalAnd())


def bitwise_or(x1: Any, x2: Any, /) -> Any:
    """The bits set in either of two integers; of bool, or."""
    return two(elementwise.BitwiseOr(), x1, x2, elementwise.LogicalOr())


def bitwise_xor(x1: Any, x2: Any, /) -> Any:
    """The bits set in one of two integers; of bool, exclusive or."""
    return two(elementwise.BitwiseXor(), x1, x2, elementwise.LogicalXor())


def bitwise_left_shift(x1: Any, x2: Any, /) -> Any:
    """x1 with its bits moved up by x2 places; 0 for x2 of the width or more, and for x2 below 0."""
    return two(elementwise.LeftShift(), x1, x2)


def bitwise_right_shift(x1: Any, x2: Any, /) -> Any:
    """x1 with its bits moved down by x2 places, filled with its sign; all sign for x2 of the width or more."""
    return two(elementwise.RightShift(), x1, x2)


def bitwise_invert(x: Any, /) -> Any:
    """Every bit flipped; for bool, logical_not.

    Raises   DTypeError   a float
    """
    x = tensor(x)
    if type_of(x).dtype is BOOL:
        return logical_not(x)
    if not type_of(x).dtype.is_integer:
        raise located(DTypeError(f"bitwise_invert: takes bool or integers, got {type_of(x)}"))
    return apply(elementwise.BitwiseNot(), x)


def isfinite(x: Any, /) -> Any:
    """Whether an entry is neither nan nor infinite; bool."""
    return logical_not(logical_or(isnan(x), isinf(x)))
