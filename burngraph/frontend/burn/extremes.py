"""Burn's maxima and minima: the derivative is that of one entry."""

from collections.abc import Callable
from typing import Any

from burngraph.frontend.custom import custom_jvp
from burngraph.frontend.functional.elementwise import abs as magnitude
from burngraph.frontend.functional.indexing import take_along_axis
from burngraph.frontend.functional.reduction import argmax, argmin
from burngraph.frontend.functional.reduction import max as shared_max
from burngraph.frontend.functional.reduction import min as shared_min
from burngraph.frontend.functional.shape import reshape, tensor
from burngraph.frontend.recording import type_of

__all__ = ["max", "max_abs", "min"]


def max(input: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The largest entry along `axis`, or of all; nan if any is nan.

    Of equal entries the first has the derivative, a nan before all others; bg.max shares it among equal ones.
    Raises   ShapeError   there is no entry along the axis
    """
    return _reduced(_max, shared_max, tensor(input), axis, keepdims)


def min(input: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The smallest entry along `axis`, or of all; nan if any is nan. Its derivative is that of one entry, as max's."""
    return _reduced(_min, shared_min, tensor(input), axis, keepdims)


def max_abs(input: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The largest size of an entry along `axis`, or of all; nan if any is nan. Its derivative is that of one entry."""
    return max(magnitude(input), axis, keepdims)


def _reduced(of_one: Callable[..., Any], shared: Callable[..., Any], x: Any, axis: int | None, keepdims: bool) -> Any:
    return (of_one if type_of(x).dtype.is_inexact else shared)(x, axis, keepdims)


def _with_derivative_of_one(reduce: Callable[..., Any], point: Callable[..., Any]) -> Callable[..., Any]:
    """`reduce`, whose tangent is the entry of the operand's at the position that `point` gives."""
    function = custom_jvp(reduce, nondiff_argnums=(1, 2))

    def rule(axis: int | None, keepdims: bool, primals: tuple[Any], tangents: tuple[Any]) -> tuple[Any, Any]:
        y = reduce(*primals, axis, keepdims)
        x, x_dot = (reshape(z, (-1,)) if axis is None else z for z in (*primals, *tangents))
        along = 0 if axis is None else axis
        y_dot = take_along_axis(x_dot, point(x, axis=along, keepdims=True), along)
        return y, reshape(y_dot, type_of(y).shape)

    function.defjvp(rule)
    return function


_max, _min = _with_derivative_of_one(shared_max, argmax), _with_derivative_of_one(shared_min, argmin)
