"""Losses that devices or passes know by name."""

from dataclasses import dataclass
from typing import Any

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import IndexOperand, Permuted, Tangent, register
from burngraph.ir.ops.composite import Composite
from burngraph.ir.ops.elementwise import Mul, Sub
from burngraph.ir.ops.index import TakeAlong
from burngraph.ir.ops.movement import Reshape, add_leading_axis
from burngraph.ir.ops.reduce import Sum
from burngraph.ir.ops.softmax import AlongAxis, Logsumexp, Softmax, around_axis
from burngraph.ir.permutation import Perm, inverse, restrict
from burngraph.ir.types import TensorType
from burngraph.ir.value import Emit, Value


@register
@dataclass(frozen=True, eq=False)
class ClassNumbers(Composite):
    """`targets` as they are, said to count classes: 0 ... n_classes - 1, with no negative number, unlike an index.

    targets     any integer dtype, any shape
    n_classes   how many there are
    axis        the axis of the classes in what the targets are for; only named in errors

    Nothing is computed from it; it is what checks=True looks at.

    Raises   DTypeError   targets are not integers
    """

    name = "class_numbers"
    operands = ("targets",)
    locally_constant = True
    is_remark = True
    n_classes: int
    axis: int

    def infer(self, targets: TensorType) -> TensorType:
        if not targets.dtype.is_integer:
            raise DTypeError(f"class_numbers: targets are {targets}, takes only class numbers of an integer dtype")
        return targets

    def decompose(self, emit: Emit, targets: Value) -> Value:
        return targets

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(self, (perm,), (perm,))

    def batched(self, emit: Emit, operands: Any, is_batched: tuple[bool, ...]) -> Value:
        return emit(self, operands[0])

    def index_operands(self, targets: TensorType) -> tuple[IndexOperand, ...]:
        return (IndexOperand(0, (self.axis,), (0,), (self.n_classes - 1,)),)


@register
@dataclass(frozen=True, eq=False)
class CrossEntropy(AlongAxis):
    """Minus the log-probability of each target class: logsumexp(logits) - logits[target], along `axis`.

    logits   T[*A, C, *B]   any float dtype T; `axis` is the class axis C
    targets  I[*A, *B]      any integer dtype I; out-of-range classes clamp, as in `TakeAlong`
    returns  T[*A, *B]      one loss per example, not reduced

    Raises   ShapeError   targets have not the shape of logits without `axis`;   DTypeError   targets are not integers
    """

    name = "cross_entropy"
    operands = ("logits", "targets")
    axis: int

    def infer(self, logits: TensorType, targets: TensorType) -> TensorType:
        shape = self.check(logits).shape
        without = (*shape[: self.axis], *shape[self.axis + 1 :])
        if not targets.dtype.is_integer:
            raise DTypeError(f"cross_entropy: targets are {targets}, takes only class numbers of an integer dtype")
        if shape[self.axis] == 0:
            raise ShapeError(f"cross_entropy: logits are {logits}, of no classes along axis {self.axis}")
        if targets.shape != without:
            raise ShapeError(f"cross_entropy: targets must have shape {without}, have {targets}", f"logits: {logits}")
        return logits.with_shape(without)

    def decompose(self, emit: Emit, logits: Value, targets: Value) -> Value:
        return emit(Sub(), emit(Logsumexp(self.axis), logits), self._at_targets(emit, logits, targets))

    def _at_targets(self, emit: Emit, x: Value, targets: Value) -> Value:
        """The entry of x at each target, shaped as targets."""
        column = (*targets.shape[: self.axis], 1, *targets.shape[self.axis :])
        taken = emit(TakeAlong(self.axis), x, emit(Reshape(column), targets))
        return emit(Reshape(targets.shape), taken)

    def linearize(
        self, emit: Emit, logits: Value, targets: Value, out: Value, logits_dot: Tangent, targets_dot: Tangent
    ) -> Tangent:
        if logits_dot is None:
            return None
        mean = emit(Sum((self.axis,)), emit(Mul(), emit(Softmax(self.axis), logits), logits_dot))
        return emit(Sub(), mean, self._at_targets(emit, logits_dot, targets))

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        of_logits = perm if index == 0 else around_axis(perm, self.axis)
        kept = tuple(a for a in range(operand_types[0].rank) if a != self.axis)
        rest = restrict(of_logits, kept)
        return Permuted(CrossEntropy(inverse(of_logits)[self.axis]), (of_logits, rest), (rest,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(CrossEntropy(self.axis + 1), *add_leading_axis(emit, operands, is_batched))
