"""Softmax, its logarithm, and the logarithm of a sum of exponentials, along one axis."""

import math
from dataclasses import dataclass

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Permuted, Tangent, register
from burngraph.ir.ops.compare import Select
from burngraph.ir.ops.constant import Splat
from burngraph.ir.ops.elementwise import Add, Div, Exp, IsInf, Log, Mul, Sub
from burngraph.ir.ops.movement import Broadcast
from burngraph.ir.ops.precision import WideComposite
from burngraph.ir.ops.reduce import Max, Sum
from burngraph.ir.permutation import Perm, inverse, restrict
from burngraph.ir.types import TensorType
from burngraph.ir.value import Emit, Value


class AlongAxis(WideComposite):
    """Base of composites that reduce or normalise floats along `axis` of their first operand."""

    axis: int

    def check(self, x: TensorType) -> TensorType:
        if x.dtype.kind != "float":
            raise DTypeError(f"{self.name}: {self.operands[0]} is {x}, takes only float", "cast it first")
        if not 0 <= self.axis < x.rank:
            raise ShapeError(f"{self.name}: {x} has no axis {self.axis}")
        return x

    def sum_along(self, emit: Emit, x: Value) -> Value:
        """The sum along the axis, repeated to x's shape."""
        return self.repeated(emit, emit(Sum((self.axis,)), x), x)

    def repeated(self, emit: Emit, reduced: Value, like: Value) -> Value:
        return emit(Broadcast(like.shape, (self.axis,)), reduced)


class SameShape(AlongAxis):
    """The two softmaxes: one operand, and a result of its type."""

    operands = ("x",)

    def infer(self, x: TensorType) -> TensorType:
        return self.check(x)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(type(self)(inverse(perm)[self.axis]), (perm,), (perm,))  # type: ignore[call-arg]

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(type(self)(self.axis + 1), *operands)  # type: ignore[call-arg]

    def shifted(self, emit: Emit, x: Value) -> Value:
        """x minus its maximum, so that no exponential overflows; there is none along an empty axis."""
        return x if x.shape[self.axis] == 0 else emit(Sub(), x, self.repeated(emit, emit(Max((self.axis,)), x), x))


def around_axis(perm: Perm, axis: int) -> Perm:
    """The permutation of one more axis that leaves `axis` in its place and does `perm` to the others."""
    lifted = [a + (a >= axis) for a in perm]
    return (*lifted[:axis], axis, *lifted[axis:])


@register
@dataclass(frozen=True, eq=False)
class Softmax(SameShape):
    """exp(x) scaled to sum to one along `axis`.

    x        T[d0, ..., dk]   any float dtype T
    returns  the same type; NaN along an axis that is all -inf
    """

    name = "softmax"
    axis: int

    def decompose(self, emit: Emit, x: Value) -> Value:
        exp = emit(Exp(), self.shifted(emit, x))
        return emit(Div(), exp, self.sum_along(emit, exp))

    def linearize(self, emit: Emit, x: Value, y: Value, x_dot: Tangent) -> Tangent:
        if x_dot is None:
            return None
        mean = self.sum_along(emit, emit(Mul(), y, x_dot))
        return emit(Mul(), y, emit(Sub(), x_dot, mean))


@register
@dataclass(frozen=True, eq=False)
class LogSoftmax(SameShape):
    """log(softmax(x)) along `axis`, exact where softmax underflows.

    x        T[d0, ..., dk]   any float dtype T
    returns  the same type; NaN along an axis that is all -inf
    """

    name = "log_softmax"
    axis: int

    def decompose(self, emit: Emit, x: Value) -> Value:
        shifted = self.shifted(emit, x)
        total = emit(Log(), emit(Sum((self.axis,)), emit(Exp(), shifted)))
        return emit(Sub(), shifted, self.repeated(emit, total, x))

    def linearize(self, emit: Emit, x: Value, y: Value, x_dot: Tangent) -> Tangent:
        if x_dot is None:
            return None
        mean = self.sum_along(emit, emit(Mul(), emit(Exp(), y), x_dot))
        return emit(Sub(), x_dot, mean)


@register
@dataclass(frozen=True, eq=False)
class Logsumexp(AlongAxis):
    """log(sum(exp(x))) along `axis`, which disappears.

    x        T[d0, ..., dk]   any float dtype T
    returns  T without `axis`; -inf where x is all -inf or has no entries, inf where it holds an inf
    """

    name = "logsumexp"
    operands = ("x",)
    axis: int

    def infer(self, x: TensorType) -> TensorType:
        shape = self.check(x).shape
        return x.with_shape((*shape[: self.axis], *shape[self.axis + 1 :]))

    def decompose(self, emit: Emit, x: Value) -> Value:
        if x.shape[self.axis] == 0:
            return emit(Splat(-math.inf, self.infer(x.type)))
        highest = emit(Max((self.axis,)), x)
        # Subtracting an infinite maximum would give inf - inf.
        shift = emit(Select(), emit(IsInf(), highest), emit(Splat(0.0, highest.type)), highest)
        exp = emit(Exp(), emit(Sub(), x, self.repeated(emit, shift, x)))
        return emit(Add(), emit(Log(), emit(Sum((self.axis,)), exp)), shift)

    def linearize(self, emit: Emit, x: Value, y: Value, x_dot: Tangent) -> Tangent:
        if x_dot is None:
            return None
        share = emit(Exp(), emit(Sub(), x, self.repeated(emit, y, x)))
        return emit(Sum((self.axis,)), emit(Mul(), share, x_dot))

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        of_x = perm if index >= 0 else around_axis(perm, self.axis)
        kept = tuple(a for a in range(operand_types[0].rank) if a != self.axis)
        return Permuted(Logsumexp(inverse(of_x)[self.axis]), (of_x,), (restrict(of_x, kept),))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(Logsumexp(self.axis + 1), *operands)
