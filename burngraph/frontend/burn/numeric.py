"""Burn's arithmetic, reductions and random numbers, where integers or dtypes are treated differently."""

import math
from collections.abc import Sequence
from typing import Any

from burngraph.errors import DTypeError, InputError
from burngraph.frontend.functional.comparison import bitwise_and, equal, less, not_equal, where
from burngraph.frontend.functional.creation import full_like
from burngraph.frontend.functional.elementwise import abs as magnitude
from burngraph.frontend.functional.elementwise import add, divide, floor_divide, maximum, multiply, pow, remainder
from burngraph.frontend.functional.random import bernoulli, normal, uniform
from burngraph.frontend.functional.reduction import mean as float_mean
from burngraph.frontend.functional.reduction import prod as widened_prod
from burngraph.frontend.functional.reduction import sum as widened_sum
from burngraph.frontend.functional.shape import Axes, astype, shape_tuple, tensor
from burngraph.frontend.recording import located, type_of
from burngraph.ir.types import F32, I32, as_dtype

__all__ = ["div", "max_pair", "mean", "min_pair", "powi", "prod", "random", "sum"]


_DISTRIBUTIONS = {"Default": (0,), "Uniform": (0, 2), "Bernoulli": (1,), "Normal": (2,)}  # numbers of parameters


def div(lhs: Any, rhs: Any) -> Any:
    """lhs / rhs; of integers, rounded toward zero. Integers over 0 are 0, as bg.floor_divide says."""
    dtype = type_of(tensor(lhs)).dtype
    if not dtype.is_integer:
        return divide(lhs, rhs)
    quotient = floor_divide(lhs, rhs)
    if dtype.kind == "uint":
        return quotient
    # floor is one too low where it is negative and there is a remainder
    inexact = not_equal(multiply(quotient, rhs), lhs)
    below = bitwise_and(inexact, less(quotient, 0))
    return where(bitwise_and(below, not_equal(rhs, 0)), add(quotient, 1), quotient)


def powi(lhs: Any, rhs: Any) -> Any:
    """lhs to a whole power. Integers are exact, and wrap as their product does; a negative power of one rounds toward zero.

    Raises   DTypeError   rhs is not whole
    """
    base = tensor(lhs)
    exponent = full_like(base, rhs, dtype=I32) if isinstance(rhs, int) else tensor(rhs)
    if not type_of(exponent).dtype.is_integer:
        raise located(DTypeError(f"powi: the exponent is {type_of(exponent)}, not integers", "use bg.pow"))
    dtype = type_of(base).dtype
    if not dtype.is_integer:
        return pow(base, rhs if isinstance(rhs, int) else astype(exponent, dtype))
    whole = maximum(exponent, 0)
    # in 32 bits or more, where no exponent that matters wraps; the wrapped product of a narrow dtype is the end of a wide one
    power = astype(pow(base, astype(whole, dtype) if dtype.bytes >= 4 else whole), dtype)
    if type_of(exponent).dtype.kind == "uint" or (isinstance(rhs, int) and rhs >= 0):
        return power
    inverse = equal(magnitude(base), 1)
    if dtype.kind == "uint":
        return where(less(exponent, 0), astype(inverse, dtype), power)
    odd = not_equal(remainder(exponent, 2), 0)
    sign = where(bitwise_and(odd, less(base, 0)), full_like(base, -1), full_like(base, 1))
    inverse = where(inverse, sign, full_like(base, 0))
    return where(less(exponent, 0), inverse, power)


def sum(input: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Entries added along `axis` in their own dtype: small integers wrap."""
    return widened_sum(input, axis, keepdims, dtype=type_of(tensor(input)).dtype)


def prod(input: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Entries multiplied along `axis` in their own dtype: small integers wrap."""
    return widened_prod(input, axis, keepdims, dtype=type_of(tensor(input)).dtype)


def mean(input: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The mean along `axis`; of integers, their sum over their number, rounded toward zero."""
    type = type_of(tensor(input))
    if type.dtype.is_inexact:
        return float_mean(input, axis, keepdims)
    total = widened_sum(input, axis, keepdims)
    axes = range(type.rank) if axis is None else (axis,) if isinstance(axis, int) else axis
    return astype(div(total, math.prod(type.shape[a] for a in axes)), type.dtype)


def max_pair(lhs: Any, rhs: Any) -> Any:
    """rhs where lhs < rhs, else lhs: a nan on either side gives lhs, and so does a tie."""
    return where(less(lhs, rhs), rhs, lhs)


def min_pair(lhs: Any, rhs: Any) -> Any:
    """rhs where rhs < lhs, else lhs: a nan on either side gives lhs, and so does a tie."""
    return where(less(rhs, lhs), rhs, lhs)


def random(key: Any, shape: int | Sequence[int], distribution: str | tuple[Any, ...], dtype: Any = F32) -> Any:
    """Random numbers from an explicit key; those of an integer dtype are the float numbers cast.

    distribution   "Default" or ("Default",), uniform in [0, 1); ("Uniform", low, high); ("Bernoulli", p), 1 with probability p;
                   ("Normal", mean, deviation)

    Raises         InputError   another distribution, or another number of parameters
    """
    name, *given = (distribution,) if isinstance(distribution, str) else distribution or (None,)
    if name not in _DISTRIBUTIONS or len(given) not in _DISTRIBUTIONS[name]:
        raise located(
            InputError(
                f"random: no distribution {distribution!r}",
                'distributions: "Default", ("Uniform", low, high), ("Bernoulli", p), ("Normal", mean, deviation)',
            )
        )
    wanted, dims = as_dtype(dtype), shape_tuple(shape)
    if name == "Bernoulli":
        return astype(bernoulli(key, given[0], dims), wanted)
    if name == "Normal":
        return astype(normal(key, dims, given[0], given[1]), wanted)
    low, high = given if given else (0.0, 1.0)
    return astype(uniform(key, dims, float(low), float(high), wanted if wanted.kind == "float" else F32), wanted)
