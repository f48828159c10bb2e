"""Running maxima and minima along one axis, from either end."""

from dataclasses import dataclass

import numpy as np

from burngraph.ir.op import Tangent, register
from burngraph.ir.ops.compare import Equal, Select
from burngraph.ir.ops.constant import Iota, Splat
from burngraph.ir.ops.cumulative import Cumulative
from burngraph.ir.ops.index import TakeAlong
from burngraph.ir.ops.logic import IsNan, LogicalOr
from burngraph.ir.ops.pointwise import REAL
from burngraph.ir.types import I32, TensorType
from burngraph.ir.value import Emit, Value


class CumulativeExtremum(Cumulative):
    """Base of cummax and cummin; the derivative is that of the latest entry that equals the result."""

    def linearize(self, emit: Emit, x: Value, y: Value, x_dot: Tangent) -> Tangent:
        return None if x_dot is None else emit(TakeAlong(self.axis), x_dot, self.positions(emit, x, y))

    def positions(self, emit: Emit, x: Value, y: Value) -> Value:
        """Where the latest entry (going the way of the op) is that equals `y`, this op's result; a nan equals a nan. i32."""
        counts = TensorType(I32, x.shape)
        is_met = emit(Equal(), x, y)
        if x.type.dtype.is_inexact:
            is_met = emit(LogicalOr(), is_met, emit(IsNan(), x))
        none = x.shape[self.axis] - 1 if self.reverse else 0  # the first entry is always met, so that this stands nowhere
        met_at = emit(Select(), is_met, emit(Iota(self.axis, counts)), emit(Splat(none, counts)))
        return emit((Cummin if self.reverse else Cummax)(self.axis, self.reverse), met_at)


@register
@dataclass(frozen=True, eq=False)
class Cummax(CumulativeExtremum):
    """The largest entry up to and including each one along `axis`, from the end if `reverse`; nan once one was met."""

    name = "cummax"
    kinds = REAL
    running = np.maximum.accumulate
    axis: int
    reverse: bool


@register
@dataclass(frozen=True, eq=False)
class Cummin(CumulativeExtremum):
    """The smallest entry up to and including each one along `axis`, from the end if `reverse`; nan once one was met."""

    name = "cummin"
    kinds = REAL
    running = np.minimum.accumulate
    axis: int
    reverse: bool
