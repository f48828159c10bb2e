"""Maximum pools, the two linear ops that are their derivative, and where the maxima are."""

import math
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Tangent, register
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.compare import Equal, NotEqual, Select
from burngraph.ir.ops.constant import Iota, Splat
from burngraph.ir.ops.elementwise import Add, LogicalAnd, LogicalOr, Mul
from burngraph.ir.ops.movement import Broadcast, Reshape
from burngraph.ir.ops.pool import Pool
from burngraph.ir.ops.precision import WideReference
from burngraph.ir.ops.reduce import ArgMax, Max, Sum
from burngraph.ir.ops.window import Ints
from burngraph.ir.types import BOOL, I32, U32, DType, TensorType
from burngraph.ir.value import Emit, Value


def lowest(dtype: DType) -> float:
    """The value no entry of `dtype` is below."""
    return -math.inf if dtype.kind == "float" else int(np.iinfo(dtype.numpy).min)


class MaximumPool(WideReference, Pool):
    """What a maximum pool and its derivatives share: which entry of a window was chosen."""

    dilation: Ints

    def chosen(self, emit: Emit, x: Value, y: Value) -> Value:
        """bool, shaped as the windows: true at the first entry of each window that is its maximum, false elsewhere.

        A NaN is a maximum. Padding is never chosen, even where x is -inf; a window of nothing but padding chooses a
        padding entry, which no derivative reaches.
        """
        windows = self.windows(emit, x, lowest(x.type.dtype))
        hit = emit(Equal(), windows, self.over_windows(emit, y))
        if x.type.dtype.kind == "float":
            hit = emit(LogicalOr(), hit, emit(NotEqual(), windows, windows))
        if any((*self.pad_low, *self.pad_high)):
            inside = emit(Splat(True, x.type.with_dtype(BOOL)))
            hit = emit(LogicalAnd(), hit, self.windows(emit, inside, False))
        rank, entries = y.type.rank, prod(self.size)
        flat = emit(Reshape((*y.shape, entries)), emit(Cast(I32), hit))
        first = emit(ArgMax(rank), flat)
        place = emit(Iota(rank, TensorType(U32, flat.shape)))
        one = emit(Equal(), place, emit(Broadcast(flat.shape, (rank,)), first))
        return emit(Reshape((*y.shape, *self.size)), one)

    def check_ordered(self, x: TensorType) -> None:
        if x.dtype.kind in ("bool", "complex"):
            raise DTypeError(f"{self.name}: x is {x}, takes only int or uint or float")

    def check_pooled(self, x: TensorType, y: TensorType) -> None:
        self.check_ordered(x)
        if y != self.pooled(x):
            raise ShapeError(f"{self.name}: y must be the pool of x, {self.pooled(x)}", f"x: {x}", f"y: {y}")


@register
@dataclass(frozen=True, eq=False)
class MaxPool(MaximumPool):
    """The largest entry of each window; padding counts as -inf, a NaN as largest.

    x        T[*S]    any real dtype T
    returns  T[*S']   S'[a] = (pad_low + S[a] + pad_high - ((size-1)*dilation + 1)) // stride + 1 for a in axes

    Attributes as in `Pool`; dilation is the step between entries of a window. The derivative goes to the first entry
    that is largest, counted row by row in the order of `axes`.
    Raises   ShapeError   a window is longer than its padded axis;   DTypeError   x is bool or complex
    """

    name = "max_pool"
    operands = ("x",)
    axes: Ints
    size: Ints
    stride: Ints
    pad_low: Ints
    pad_high: Ints
    dilation: Ints

    def infer(self, x: TensorType) -> TensorType:
        self.check_ordered(x)
        return self.pooled(x)

    def decompose(self, emit: Emit, x: Value) -> Value:
        return emit(Max(self.window_axes(x.type.rank)), self.windows(emit, x, lowest(x.type.dtype)))

    def linearize(self, emit: Emit, x: Value, y: Value, x_dot: Tangent) -> Tangent:
        return None if x_dot is None else emit(PoolSelect(**_fields(self)), x, y, x_dot)


@register
@dataclass(frozen=True, eq=False)
class PoolSelect(MaximumPool):
    """From each window of `x_dot`, the entry at the place where `x` has its maximum: the derivative of `MaxPool`.

    x        T[*S]    what was pooled
    y        T[*S']   MaxPool(x) with the same attributes
    x_dot    T[*S]
    returns  T[*S']   linear in x_dot; ties choose the first entry, in the order of `axes`
    """

    name = "pool_select"
    operands = ("x", "y", "x_dot")
    linear_in = (("x_dot",),)
    constant_in = ("x", "y")
    axes: Ints
    size: Ints
    stride: Ints
    pad_low: Ints
    pad_high: Ints
    dilation: Ints

    def infer(self, x: TensorType, y: TensorType, x_dot: TensorType) -> TensorType:
        self.check_pooled(x, y)
        if x_dot != x:
            raise ShapeError("pool_select: x_dot must have x's type", f"x: {x}", f"x_dot: {x_dot}")
        return y

    def decompose(self, emit: Emit, x: Value, y: Value, x_dot: Value) -> Value:
        windows = self.windows(emit, x_dot, 0)
        chosen = emit(Select(), self.chosen(emit, x, y), windows, emit(Splat(0, windows.type)))
        return emit(Sum(self.window_axes(x.type.rank)), chosen)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, y: Value, x_dot: Value) -> Value:
        return emit(PoolRoute(**_fields(self)), x, y, y_bar)


@register
@dataclass(frozen=True, eq=False)
class PoolRoute(MaximumPool):
    """Add each entry of `y_bar` to the place where its window of `x` has its maximum: the transpose of `PoolSelect`.

    x        T[*S]    what was pooled
    y        T[*S']   MaxPool(x) with the same attributes
    y_bar    T[*S']
    returns  T[*S]    linear in y_bar; ties choose the first entry, in the order of `axes`
    """

    name = "pool_route"
    operands = ("x", "y", "y_bar")
    linear_in = (("y_bar",),)
    constant_in = ("x", "y")
    axes: Ints
    size: Ints
    stride: Ints
    pad_low: Ints
    pad_high: Ints
    dilation: Ints

    def infer(self, x: TensorType, y: TensorType, y_bar: TensorType) -> TensorType:
        self.check_pooled(x, y)
        if y_bar != y:
            raise ShapeError("pool_route: y_bar must have y's type", f"y: {y}", f"y_bar: {y_bar}")
        return x

    def decompose(self, emit: Emit, x: Value, y: Value, y_bar: Value) -> Value:
        repeated = self.over_windows(emit, y_bar)
        routed = emit(Select(), self.chosen(emit, x, y), repeated, emit(Splat(0, repeated.type)))
        return self.folded(emit, routed, x.shape)

    def transpose(self, emit: Emit, into: int, y_bar: Value, *operands: Value) -> Value:
        x, y, _ = operands
        return emit(PoolSelect(**_fields(self)), x, y, y_bar)


@register
@dataclass(frozen=True, eq=False)
class ArgMaxPool(MaximumPool):
    """Where the maximum of each window lies: its position in the plane of `axes` of x, without padding, row by row.

    x        T[*S]     what was pooled
    y        T[*S']    MaxPool(x) with the same attributes
    returns  i32[*S']  -1 for a window of nothing but padding; ties give the first entry, in the order of `axes`

    A position counts in the order of `axes`: for axes (h, w) it is h * S[w's axis] + w.
    Raises   ShapeError   y is not the pool of x, or the plane has 2^31 entries or more
    """

    name = "arg_max_pool"
    operands = ("x", "y")
    locally_constant = True
    axes: Ints
    size: Ints
    stride: Ints
    pad_low: Ints
    pad_high: Ints
    dilation: Ints

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        self.check_pooled(x, y)
        if prod(x.shape[axis] for axis in self.axes) >= 2**31:
            raise ShapeError(f"arg_max_pool: positions along axes {self.axes} do not fit i32", f"x: {x}")
        return y.with_dtype(I32)

    def decompose(self, emit: Emit, x: Value, y: Value) -> Value:
        plane = x.type.with_dtype(I32)
        position = emit(Splat(0, plane))
        for axis, step in zip(self.axes, self.plane_steps(x.shape), strict=True):
            along = emit(Mul(), emit(Iota(axis, plane)), emit(Splat(step, plane)))
            position = emit(Add(), position, along)
        windows = self.windows(emit, position, -1)
        found = emit(Select(), self.chosen(emit, x, y), windows, emit(Splat(0, windows.type)))
        return emit(Sum(self.window_axes(x.type.rank)), found)

    def plane_steps(self, shape: Ints) -> Ints:
        """How far apart in the plane neighbours along each of `axes` are."""
        sizes = [shape[axis] for axis in self.axes]
        return tuple(prod(sizes[i + 1 :]) for i in range(len(sizes)))


def _fields(op: MaximumPool) -> dict[str, Any]:
    return {name: getattr(op, name) for name in ("axes", "size", "stride", "pad_low", "pad_high", "dilation")}
