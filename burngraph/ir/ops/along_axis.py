"""What ops along one axis of one operand share."""

import dataclasses
from typing import ClassVar, Self

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Op, Permuted
from burngraph.ir.ops.pointwise import REAL
from burngraph.ir.permutation import Perm, inverse
from burngraph.ir.types import TensorType
from burngraph.ir.value import Emit, Value


def check_kind(op: Op, x: TensorType, kinds: tuple[str, ...]) -> None:
    """Raise DTypeError unless the dtype of `x` is of one of `kinds`."""
    if x.dtype.kind not in kinds:
        raise DTypeError(f"{op.name}: x is {x}, takes only {' or '.join(kinds)}")


class AlongAxis(Op):
    """Base of ops on one operand `x` along one `axis`, which need an answer for nothing else."""

    operands = ("x",)
    axis: int

    def check(self, x: TensorType, kinds: tuple[str, ...]) -> None:
        check_kind(self, x, kinds)
        if not 0 <= self.axis < x.rank:
            raise ShapeError(f"{self.name}: {x} has no axis {self.axis}")

    def with_axis(self, axis: int) -> Self:
        """The same op along another axis."""
        return dataclasses.replace(self, axis=axis)  # type: ignore[type-var]


class KeepsAxis(AlongAxis):
    """Base: the axis stays, and so do the shape and the dtype.

    kinds                dtype kinds it takes
    flops_per_element    arithmetic per entry
    """

    kinds: ClassVar[tuple[str, ...]] = REAL
    flops_per_element: ClassVar[int] = 1

    def infer(self, x: TensorType) -> TensorType:
        self.check(x, self.kinds)
        return x

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(self.with_axis(inverse(perm)[self.axis]), (perm,), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(self.with_axis(self.axis + 1), operands[0])

    def cost(self, x: TensorType) -> Cost:
        return Cost(self.flops_per_element * x.size, x.bytes, self.infer(x).bytes)
