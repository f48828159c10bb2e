"""Values that come from no operand: splats, small constants, weights whose data sits outside the graph, counters."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from burngraph.errors import InputError, ShapeError
from burngraph.ir.op import FREE, Cost, Op, Permuted, register
from burngraph.ir.permutation import Perm, inverse
from burngraph.ir.types import BF16, Array, TensorType
from burngraph.ir.value import Emit, Value

MAX_CONSTANT_SIZE = 64  # entries; more than that is a weight, so that text stays readable


class Source(Op):
    """Base of ops without operands. `type` is the result's type and is not printed: the text states it already."""

    operands = ()
    locally_constant = True
    type: TensorType

    def infer(self) -> TensorType:
        return self.type

    def permuted(self, operand_types: Any, index: int, perm: Perm) -> Permuted | None:
        return None

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        raise AssertionError("an op without operands is never batched")

    def cost(self) -> Cost:
        return Cost(flops=0, read_bytes=0, write_bytes=self.type.bytes)


@register
@dataclass(frozen=True, eq=False)
class Splat(Source):
    """One scalar, repeated to fill a shape.

    value    Python bool, int, float or complex; rounded to the dtype
    """

    name = "splat"
    value: bool | int | float | complex
    type: TensorType

    def reference(self) -> Array:
        return np.full(self.type.shape, self.value).astype(self.type.dtype.numpy)

    def permuted(self, operand_types: Any, index: int, perm: Perm) -> Permuted:
        return Permuted(Splat(self.value, self.type.permuted(perm)), (), (perm,))

    def cost(self) -> Cost:
        return FREE


@register
@dataclass(frozen=True, eq=False)
class Constant(Source):
    """A small array written out in the text, at most 64 entries, row-major.

    Raises   ShapeError   the number of values is not the size of the type, or is over 64
    """

    name = "constant"
    values: tuple[bool | int | float | complex, ...]
    type: TensorType

    def infer(self) -> TensorType:
        if len(self.values) != self.type.size or self.type.size > MAX_CONSTANT_SIZE:
            raise ShapeError(f"constant: {len(self.values)} values for {self.type}, at most {MAX_CONSTANT_SIZE} allowed")
        return self.type

    def reference(self) -> Array:
        return np.array(self.values).reshape(self.type.shape).astype(self.type.dtype.numpy)

    def permuted(self, operand_types: Any, index: int, perm: Perm) -> Permuted:
        values = np.array(self.values, dtype=object).reshape(self.type.shape).transpose(perm)
        return Permuted(Constant(tuple(values.ravel().tolist()), self.type.permuted(perm)), (), (perm,))


@register
@dataclass(frozen=True, eq=False)
class Weight(Source):
    """A named array whose values live outside the graph: bound by key, or carried along by the op that was traced.

    key      the name under which the values are bound and saved
    data     the array object captured while tracing, if any; no part of the op's identity
    """

    name = "weight"
    key: str
    type: TensorType
    data: Any = field(default=None, compare=False, repr=False)

    def reference(self) -> Array:
        if self.data is None:
            raise InputError(f"weight {self.key!r} ({self.type}) has no data", "pass weights={key: array}")
        if self.type.dtype is BF16 and not isinstance(self.data, np.ndarray):  # no other array's buffer says bfloat16
            return np.array(self.data.tolist(), np.float32).astype(BF16.numpy).reshape(self.type.shape)
        return np.asarray(self.data)


@register
@dataclass(frozen=True, eq=False)
class Iota(Source):
    """Counts 0, 1, 2, ... along one axis, the same in every other position.

    Raises   ShapeError   `axis` is not an axis of the type
    """

    name = "iota"
    axis: int
    type: TensorType

    def infer(self) -> TensorType:
        if not 0 <= self.axis < self.type.rank:
            raise ShapeError(f"iota: {self.type} has no axis {self.axis}")
        return self.type

    def reference(self) -> Array:
        counts = np.arange(self.type.shape[self.axis]).astype(self.type.dtype.numpy)
        along = [1] * self.type.rank
        along[self.axis] = -1
        return np.broadcast_to(counts.reshape(along), self.type.shape)

    def permuted(self, operand_types: Any, index: int, perm: Perm) -> Permuted:
        return Permuted(Iota(inverse(perm)[self.axis], self.type.permuted(perm)), (), (perm,))
