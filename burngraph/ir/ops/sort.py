"""Sorting, and searching in what is sorted. nan is larger than every number, and -0.0 equals 0.0."""

from dataclasses import dataclass

import numpy as np

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Op, Permuted, Tangent, register
from burngraph.ir.ops.along_axis import AlongAxis, KeepsAxis
from burngraph.ir.ops.broadcast import add_leading_axis
from burngraph.ir.ops.index import TakeAlong
from burngraph.ir.ops.movement import Reshape
from burngraph.ir.ops.pointwise import REAL, widened
from burngraph.ir.permutation import Perm, inverse
from burngraph.ir.types import I32, Array, TensorType
from burngraph.ir.value import Emit, Value

SORTABLE = ("bool", *REAL)


def order(x: Array, axis: int, descending: bool) -> Array:
    """The positions of the entries of `x` in sorted order; equal ones in the order in which they stand."""
    x = widened(x)
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    # Sorted backwards and read backwards: exact for every dtype, where negation is not (unsigned, least integer).
    return np.asarray(x.shape[axis] - 1 - np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis))


@register
@dataclass(frozen=True, eq=False)
class Sort(KeepsAxis):
    """The entries along `axis` in ascending order, nan last; or in descending order, nan first. Equal ones keep their order."""

    name = "sort"
    kinds = SORTABLE
    flops_per_element = 16
    axis: int
    descending: bool

    def reference(self, x: Array) -> Array:
        return np.take_along_axis(x, order(x, self.axis, self.descending), axis=self.axis)

    def linearize(self, emit: Emit, x: Value, y: Value, x_dot: Tangent) -> Tangent:
        if x_dot is None:
            return None
        return emit(TakeAlong(self.axis), x_dot, emit(ArgSort(self.axis, self.descending), x))


@register
@dataclass(frozen=True, eq=False)
class ArgSort(KeepsAxis):
    """The positions, i32, from which sort takes its entries; equal entries in the order in which they stand."""

    name = "arg_sort"
    kinds = SORTABLE
    locally_constant = True
    flops_per_element = 16
    axis: int
    descending: bool

    def infer(self, x: TensorType) -> TensorType:
        self.check(x, self.kinds)
        return x.with_dtype(I32)

    def reference(self, x: Array) -> Array:
        return order(x, self.axis, self.descending).astype(np.int32)


@register
@dataclass(frozen=True, eq=False)
class ArgTopk(AlongAxis):
    """The first `k` of the positions that arg_sort gives, i32: of the k largest entries along `axis`, or the k smallest.

    x        T[..., n, ...]   any T but complex
    returns  i32[..., k, ...]   in order; of equal entries the one that stands first comes first

    Raises   ShapeError   k is not in 0 ... n
    """

    name = "arg_topk"
    locally_constant = True
    k: int
    axis: int
    largest: bool

    def infer(self, x: TensorType) -> TensorType:
        self.check(x, SORTABLE)
        if not 0 <= self.k <= x.shape[self.axis]:
            raise ShapeError(
                f"arg_topk: k = {self.k} must be in 0 ... {x.shape[self.axis]}, the size of axis {self.axis} of {x}"
            )
        return TensorType(I32, (*x.shape[: self.axis], self.k, *x.shape[self.axis + 1 :]))

    def reference(self, x: Array) -> Array:
        return np.take(order(x, self.axis, self.largest), np.arange(self.k), axis=self.axis).astype(np.int32)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(self.with_axis(inverse(perm)[self.axis]), (perm,), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(self.with_axis(self.axis + 1), operands[0])

    def cost(self, x: TensorType) -> Cost:
        return Cost(8 * x.size, x.bytes, self.infer(x).bytes)


@register
@dataclass(frozen=True, eq=False)
class SearchSorted(Op):
    """How many entries of an ascending sequence come before each value: where it would be put to keep the order.

    sequence   T[*B, n]   ascending along the last axis, nan last
    values     T[*B, m]
    returns    i32[*B, m]

    right      whether entries equal to the value count as before it
    """

    name = "search_sorted"
    operands = ("sequence", "values")
    locally_constant = True
    right: bool

    def infer(self, sequence: TensorType, values: TensorType) -> TensorType:
        listed = (f"sequence: {sequence}", f"values: {values}")
        if sequence.dtype is not values.dtype or sequence.dtype.kind not in SORTABLE:
            raise DTypeError("search_sorted: takes two arrays of one dtype, not complex", *listed)
        if not sequence.rank or sequence.rank != values.rank or sequence.shape[:-1] != values.shape[:-1]:
            raise ShapeError("search_sorted: operands may differ only in the last axis", *listed)
        return values.with_dtype(I32)

    def reference(self, sequence: Array, values: Array) -> Array:
        out = np.empty(values.shape, np.int32)
        for at in np.ndindex(values.shape[:-1]):
            out[at] = np.searchsorted(widened(sequence[at]), widened(values[at]), "right" if self.right else "left")
        return out

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted | None:
        if perm[-1] != len(perm) - 1:
            return None  # the axis searched along is the last one
        return Permuted(self, (perm, perm), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        sequence, values = operands
        if not is_batched[0] and len(sequence.shape) == 1:  # one sequence for all
            flat = emit(Reshape((values.type.size,)), values)
            return emit(Reshape(values.shape), emit(self, sequence, flat))
        return emit(self, *add_leading_axis(emit, operands, is_batched))

    def cost(self, sequence: TensorType, values: TensorType) -> Cost:
        steps = sequence.shape[-1].bit_length()
        return Cost(4 * steps * values.size, sequence.bytes + values.bytes, self.infer(sequence, values).bytes)
