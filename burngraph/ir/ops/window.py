"""Sliding windows and their transpose: what pools, and gradients of pools, are made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Op, Permuted, register
from burngraph.ir.ops.pointwise import widened
from burngraph.ir.permutation import Perm, inverse
from burngraph.ir.types import Array, TensorType
from burngraph.ir.value import Emit, Value

Ints = tuple[int, ...]


class Sliding(Op):
    """What `Windows` and `Fold` share.

    axes      the axes windows slide along, distinct
    size      entries per window, stride between windows, dilation between entries: one each per axis in `axes`, >= 1
    """

    axes: Ints
    size: Ints
    stride: Ints
    dilation: Ints

    def windows_shape(self, shape: Ints) -> Ints:
        """Shape of the windows of an array of `shape`. Raises ShapeError if one does not fit."""
        counts = window_counts(self, shape, self.dilation)
        return (*(counts.get(axis, size) for axis, size in enumerate(shape)), *self.size)

    def taps(self, shape: Ints) -> Iterator[tuple[tuple[slice, ...], Ints]]:
        """For each position inside a window: where its entries lie in the array, and its place in the window axes."""
        counts = window_counts(self, shape, self.dilation)
        for place in product(*map(range, self.size)):
            index = [slice(None)] * len(shape)
            for axis, i, stride, dilation in zip(self.axes, place, self.stride, self.dilation, strict=True):
                start = i * dilation
                index[axis] = slice(start, start + (counts[axis] - 1) * stride + 1, stride)
            yield tuple(index), place

    def reordered(self, perm: Perm, windows_order: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """axes, size, stride and dilation for an array permuted by `perm`, with the window axes in another order."""
        now = inverse(perm)
        axes = tuple(now[self.axes[i]] for i in windows_order)
        size, stride, dilation = (tuple(field[i] for i in windows_order) for field in (self.size, self.stride, self.dilation))
        return axes, size, stride, dilation


def window_counts(op: Op, shape: Ints, dilation: Ints) -> dict[int, int]:
    """How many windows there are along each of `op.axes` in an array of `shape`; axis -> count.

    Raises   ShapeError   an attribute is out of range, or a window is longer than its axis
    """
    axes: Ints = op.axes  # type: ignore[attr-defined]
    size: Ints = op.size  # type: ignore[attr-defined]
    stride: Ints = op.stride  # type: ignore[attr-defined]
    fields = {"size": size, "stride": stride, "dilation": dilation}
    if len(set(axes)) != len(axes) or not all(0 <= axis < len(shape) for axis in axes):
        raise ShapeError(f"{op.name}: axes = {axes} are not distinct axes of shape {shape}")
    for name, field in fields.items():
        if len(field) != len(axes) or min(field, default=1) < 1:
            raise ShapeError(f"{op.name}: {name} = {field}", f"needs one number >= 1 for each of axes = {axes}")
    counts: dict[int, int] = {}
    for axis, k, s, d in zip(axes, size, stride, dilation, strict=True):
        reach = (k - 1) * d + 1
        if shape[axis] < reach:
            raise ShapeError(
                f"{op.name}: the window is longer than axis {axis}",
                f"axis {axis} has {shape[axis]} entries, padding included; size {k}, dilation {d} reach over {reach}",
                "add padding or use a smaller window",
            )
        counts[axis] = (shape[axis] - reach) // s + 1
    return counts


def split_perm(perm: Perm, n_windows: int) -> tuple[Perm, Ints] | None:
    """`perm` of an array with window axes last, as (perm of the rest, order of the windows); None if it mixes them."""
    rank = len(perm) - n_windows
    if any(axis >= rank for axis in perm[:rank]):
        return None
    return perm[:rank], tuple(axis - rank for axis in perm[rank:])


@register
@dataclass(frozen=True, eq=False)
class Windows(Sliding):
    """All windows of `x`: each axis in `axes` becomes the number of windows along it; the window axes come last.

    x        T[*S]              any dtype T
    returns  T[*S', *size]      S'[a] = (S[a] - ((size-1)*dilation + 1)) // stride + 1 for a in axes

    out[..., o, ..., k] = x[..., o*stride + k*dilation, ...]
    Raises   ShapeError   a window is longer than its axis
    """

    name = "windows"
    operands = ("x",)
    linear_in = (("x",),)
    axes: Ints
    size: Ints
    stride: Ints
    dilation: Ints

    def infer(self, x: TensorType) -> TensorType:
        return x.with_shape(self.windows_shape(x.shape))

    def reference(self, x: Array) -> Array:
        out = np.empty(self.windows_shape(x.shape), x.dtype)
        for index, place in self.taps(x.shape):
            out[_trailing(place)] = x[index]
        return out

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        return emit(Fold(self.axes, self.size, self.stride, self.dilation, x.shape), y_bar)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted | None:
        rank, n = operand_types[0].rank, len(self.axes)
        split = (perm, tuple(range(n))) if index >= 0 else split_perm(perm, n)
        if split is None:
            return None
        of_x, order = split
        return Permuted(Windows(*self.reordered(of_x, order)), (of_x,), ((*of_x, *(rank + i for i in order)),))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(Windows(tuple(axis + 1 for axis in self.axes), self.size, self.stride, self.dilation), *operands)

    def cost(self, x: TensorType) -> Cost:
        return Cost(0, x.bytes, self.infer(x).bytes)


@register
@dataclass(frozen=True, eq=False)
class Fold(Sliding):
    """Add windows back into an array: the transpose of `Windows`. Entries no window covers are zero.

    x        T[*S', *size]   any number dtype T; the shape that `Windows` gives on `shape`
    returns  T[*shape]

    shape    full shape of the result
    Raises   ShapeError   x is not what Windows gives on `shape`;   DTypeError   x is bool
    """

    name = "fold"
    operands = ("x",)
    linear_in = (("x",),)
    axes: Ints
    size: Ints
    stride: Ints
    dilation: Ints
    shape: Ints

    def infer(self, x: TensorType) -> TensorType:
        if x.dtype.kind == "bool":
            raise DTypeError(f"fold: x is {x}, takes only numbers", "cast it first")
        expected = self.windows_shape(self.shape)
        if x.shape != expected:
            raise ShapeError(f"fold: the windows of shape {self.shape} have shape {expected}", f"x: {x}")
        return x.with_shape(self.shape)

    def reference(self, x: Array) -> Array:
        x = widened(x)
        out = np.zeros(self.shape, x.dtype)
        for index, place in self.taps(self.shape):
            out[index] += x[_trailing(place)]
        return out

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        return emit(Windows(self.axes, self.size, self.stride, self.dilation), y_bar)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted | None:
        rank, n = len(self.shape), len(self.axes)
        split = (perm, tuple(range(n))) if index < 0 else split_perm(perm, n)
        if split is None:
            return None
        of_y, order = split
        shape = tuple(self.shape[axis] for axis in of_y)
        return Permuted(Fold(*self.reordered(of_y, order), shape), ((*of_y, *(rank + i for i in order)),), (of_y,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        axes = tuple(axis + 1 for axis in self.axes)
        shape = (operands[0].shape[0], *self.shape)
        return emit(Fold(axes, self.size, self.stride, self.dilation, shape), *operands)

    def cost(self, x: TensorType) -> Cost:
        return Cost(x.size, x.bytes, self.infer(x).bytes)


def _trailing(place: Ints) -> tuple[Any, ...]:
    """The index of one entry on the last axes."""
    return (..., *place)
