"""Running sums, products and log-sum-exps along one axis, from either end. Maxima and minima: cumulative_extremum.py.

Where a derivative is not itself a running sum, it is made by doubling: after step k every entry speaks for the 2^k entries
before it, so that log2(n) steps of products and sums suffice. Nothing is divided, so zeros and overflows do no harm, and the
derivative of the derivative is exact as well.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burngraph.ir.op import Tangent, register, zeros
from burngraph.ir.ops.along_axis import KeepsAxis
from burngraph.ir.ops.arithmetic import Add, Mul, Sub
from burngraph.ir.ops.compare import Equal, Select
from burngraph.ir.ops.constant import Splat
from burngraph.ir.ops.functions import Exp
from burngraph.ir.ops.movement import Pad, Slice
from burngraph.ir.ops.pointwise import NUMBER, REAL_FLOAT, splat_like, widened
from burngraph.ir.ops.special import Logaddexp
from burngraph.ir.types import Array, TensorType
from burngraph.ir.value import Emit, Value


class Cumulative(KeepsAxis):
    """Base: entry i of the result is made of the entries up to and including i, or from i on if `reverse`.

    running    the NumPy function that does it along an axis
    """

    running: ClassVar[Callable[..., Any]]
    axis: int
    reverse: bool

    def reference(self, x: Array) -> Array:
        x = widened(x)
        if not self.reverse:
            return np.asarray(type(self).running(x, axis=self.axis, dtype=x.dtype))
        return np.asarray(np.flip(type(self).running(np.flip(x, self.axis), axis=self.axis, dtype=x.dtype), self.axis))


def shifted(emit: Emit, x: Value, axis: int, by: int, fill: float, reverse: bool) -> Value:
    """`x` moved `by` places towards the end of `axis` (the start if `reverse`), with `fill` in the places left free."""
    rank = len(x.shape)
    kept = x.shape[axis] - by
    first, last = (by, x.shape[axis]) if reverse else (0, kept)
    start = tuple(first if a == axis else 0 for a in range(rank))
    stop = tuple(last if a == axis else n for a, n in enumerate(x.shape))
    low = tuple(by if a == axis and not reverse else 0 for a in range(rank))
    high = tuple(by if a == axis and reverse else 0 for a in range(rank))
    cut = emit(Slice(start, stop, (1,) * rank), x)
    return emit(Pad(low, high, (0,) * rank), cut, emit(Splat(fill, TensorType(x.type.dtype, ()))))


def steps(size: int) -> Iterator[int]:
    """1, 2, 4, ... below `size`."""
    step = 1
    while step < size:
        yield step
        step *= 2


@register
@dataclass(frozen=True, eq=False)
class Cumsum(Cumulative):
    """Sum of the entries up to and including each one along `axis`; from the end if `reverse`. Integers wrap."""

    name = "cumsum"
    kinds = NUMBER
    running = np.cumsum
    linear_in = (("x",),)
    axis: int
    reverse: bool

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        return emit(Cumsum(self.axis, not self.reverse), y_bar)


@register
@dataclass(frozen=True, eq=False)
class Cumprod(Cumulative):
    """Product of the entries up to and including each one along `axis`; from the end if `reverse`. Integers wrap."""

    name = "cumprod"
    kinds = NUMBER
    running = np.cumprod
    axis: int
    reverse: bool

    def linearize(self, emit: Emit, x: Value, y: Value, x_dot: Tangent) -> Tangent:
        if x_dot is None:
            return None
        product, tangent = x, x_dot
        for step in steps(x.shape[self.axis]):
            earlier = shifted(emit, product, self.axis, step, 1, self.reverse)
            earlier_tangent = shifted(emit, tangent, self.axis, step, 0, self.reverse)
            tangent = emit(Add(), emit(Mul(), earlier, tangent), emit(Mul(), product, earlier_tangent))
            product = emit(Mul(), product, earlier)
        return tangent


@register
@dataclass(frozen=True, eq=False)
class Logcumsumexp(Cumulative):
    """log(cumsum(exp(x))) along `axis`, without overflow; from the end if `reverse`. Where it is -inf its derivative is 0."""

    name = "logcumsumexp"
    kinds = REAL_FLOAT
    running = np.logaddexp.accumulate
    flops_per_element = 16
    axis: int
    reverse: bool

    def linearize(self, emit: Emit, x: Value, y: Value, x_dot: Tangent) -> Tangent:
        if x_dot is None:
            return None
        total, tangent = x, x_dot
        for step in steps(x.shape[self.axis]):
            earlier = shifted(emit, total, self.axis, step, float("-inf"), self.reverse)
            earlier_tangent = shifted(emit, tangent, self.axis, step, 0, self.reverse)
            both = emit(Logaddexp(), earlier, total)
            lowest = emit(Equal(), both, splat_like(emit, float("-inf"), both))
            base = emit(Select(), lowest, zeros(emit, both.type), both)  # -inf - -inf would be nan
            share, earlier_share = (emit(Exp(), emit(Sub(), part, base)) for part in (total, earlier))
            tangent = emit(Add(), emit(Mul(), share, tangent), emit(Mul(), earlier_share, earlier_tangent))
            total = both
        return tangent
