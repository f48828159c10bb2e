"""What an index means, the same for every op that takes one.

A negative index counts from the end, once: along an axis of size n, -n ... n - 1 are in range. An index out of range reads
the nearest entry (it is clamped); a write to it is dropped. So nothing is ever read or written outside an array.
"""

from typing import Any

import numpy as np

from burngraph.errors import DTypeError
from burngraph.ir.op import OPS, IndexOperand, Op
from burngraph.ir.ops.arithmetic import Add, Maximum, Minimum
from burngraph.ir.ops.broadcast import Broadcast
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.compare import Equal, Less, Select
from burngraph.ir.ops.constant import Constant, Iota, Splat
from burngraph.ir.ops.movement import Concat
from burngraph.ir.types import I32, I64, U32, U64, Array, TensorType
from burngraph.ir.value import Emit, Value


def along(operand: int, axis: int, size: int) -> IndexOperand:
    """An index operand that counts along one axis of `size`, from either end."""
    return IndexOperand(operand, (axis,), (-size,), (size - 1,))


def by_column(operand: int, axes: tuple[int, ...], sizes: tuple[int, ...]) -> IndexOperand:
    """An index operand whose last axis holds one index for each of `axes`."""
    return IndexOperand(operand, axes, tuple(-n for n in sizes), tuple(n - 1 for n in sizes), by_column=True)


def check_integers(op: Op, indices: TensorType) -> None:
    """Raise DTypeError unless `indices` are integers."""
    if not indices.dtype.is_integer:
        raise DTypeError(f"{op.name}: indices are {indices}, must be integers")


def places(indices: Array, size: int) -> tuple[Array, Array]:
    """Indices as positions in 0 ... size - 1 (i64, clamped), and which were in range."""
    if indices.dtype.kind == "u":
        counted = np.minimum(indices.astype(np.uint64), np.uint64(size)).astype(np.int64)
    else:
        counted = indices.astype(np.int64)
        counted = np.where(counted < 0, counted + size, counted)
    clamped = np.clip(counted, 0, max(size - 1, 0))
    return clamped, np.asarray(clamped == counted) & (size > 0)


def positions(indices: Array, size: int) -> Array:
    """Indices as positions in 0 ... size - 1, i64, clamped."""
    return places(indices, size)[0]


def signed(emit: Emit, indices: Value) -> Value:
    """The same indices as i32 or i64; what no axis can have (2^62 and more, of u64) becomes 2^62."""
    dtype = indices.type.dtype
    if dtype is I32 or dtype is I64:
        return indices
    if dtype is U64:
        indices = emit(Minimum(), indices, emit(Splat(2**62, indices.type)))
    return emit(Cast(I64 if dtype in (U32, U64) else I32), indices)


def clamped(emit: Emit, indices: Value, sizes: tuple[int, ...]) -> Value:
    """`positions` in IR: one size, or one for each entry of the last axis; i32 or i64."""
    return _counted_and_clamped(emit, indices, sizes)[1]


def in_range(emit: Emit, indices: Value, size: int) -> Value:
    """Whether each index is in range, as bool."""
    counted, kept = _counted_and_clamped(emit, indices, (size,))
    return emit(Equal(), counted, kept)


def tuples_in_range(emit: Emit, indices: Value, sizes: tuple[int, ...]) -> Value:
    """Whether each tuple along the last axis is in range, as bool."""
    counted, kept = _counted_and_clamped(emit, indices, sizes)
    found = emit(Equal(), counted, kept)
    every: Any = OPS["all"]  # its module imports index.py, which imports this one
    return emit(every((len(indices.shape) - 1,)), found)


def _counted_and_clamped(emit: Emit, indices: Value, sizes: tuple[int, ...]) -> tuple[Value, Value]:
    i = signed(emit, indices)
    if max(sizes) > 2**31 - 1 and i.type.dtype is I32:
        i = emit(Cast(I64), i)
    zero = emit(Splat(0, i.type))
    counted = emit(Select(), emit(Less(), i, zero), emit(Add(), i, per_column(emit, sizes, i.type)), i)
    top = per_column(emit, tuple(max(n - 1, 0) for n in sizes), i.type)
    return counted, emit(Maximum(), zero, emit(Minimum(), counted, top))


def per_column(emit: Emit, numbers: tuple[int, ...], type: TensorType) -> Value:
    if len(set(numbers)) == 1:
        return emit(Splat(numbers[0], type))
    row = emit(Constant(numbers, type.with_shape((len(numbers),))))
    return emit(Broadcast(type.shape, tuple(range(type.rank - 1))), row) if type.rank > 1 else row


def with_leading_column(emit: Emit, indices: Value) -> Value:
    """Index tuples [B, ..., K] as [B, ..., K + 1]: before each, its own position along the first axis."""
    i = signed(emit, indices)
    own = emit(Iota(0, i.type.with_shape((*i.shape[:-1], 1))))
    return emit(Concat(len(i.shape) - 1), own, i)
