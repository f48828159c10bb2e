"""Values that come from no operand: splats, small constants, weights whose data sits outside the graph, counters."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.ir.op import FREE, Cost, Op, Permuted, register
from burngraph.ir.permutation import Perm, inverse
from burngraph.ir.promotion import holds
from burngraph.ir.types import BF16, Array, DType, TensorType
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


def check_held(op: str, value: Any, dtype: DType) -> None:
    """Raises DTypeError: `dtype` cannot hold `value`. Floats are rounded, and those too large become inf."""
    if dtype.kind == "complex" or (dtype.kind == "float" and isinstance(value, float)):
        return
    try:
        if dtype.kind == "float":
            float(value)
            return
        if int(value) == value and (value in (0, 1) if dtype.kind == "bool" else holds(dtype, int(value))):
            return
    except (OverflowError, TypeError, ValueError):  # int(inf), int(1j), int(nan), float(10**400)
        pass
    raise DTypeError(f"{op}: {dtype} cannot hold {value!r:.40}")


@register
@dataclass(frozen=True, eq=False)
class Splat(Source):
    """One scalar, repeated to fill a shape.

    value    Python bool, int, float or complex; rounded to the dtype

    Raises   DTypeError   the dtype cannot hold it: an integer out of range, a fraction, inf or nan among integers, a complex
                          number among reals
    """

    name = "splat"
    value: bool | int | float | complex
    type: TensorType

    def infer(self) -> TensorType:
        check_held(self.name, self.value, self.type.dtype)
        return self.type

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
             DTypeError   the dtype cannot hold one of them, as for a splat
    """

    name = "constant"
    values: tuple[bool | int | float | complex, ...]
    type: TensorType

    def infer(self) -> TensorType:
        if len(self.values) != self.type.size or self.type.size > MAX_CONSTANT_SIZE:
            raise ShapeError(f"constant: {len(self.values)} values for {self.type}, at most {MAX_CONSTANT_SIZE} allowed")
        for value in self.values:
            check_held(self.name, value, self.type.dtype)
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
