"""Pools over windows of any axes, the two linear ops that are the derivative of a maximum pool, and the transpose of a sum."""

import math
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Op, Permuted, Tangent, register
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.compare import Equal, NotEqual, Select
from burngraph.ir.ops.constant import Iota, Splat
from burngraph.ir.ops.elementwise import Add, LogicalAnd, LogicalOr, Maximum, Mul, Reciprocal
from burngraph.ir.ops.movement import Broadcast, Pad, Reshape, Slice, add_leading_axis
from burngraph.ir.ops.precision import WideComposite
from burngraph.ir.ops.reduce import ArgMax, Max, Sum
from burngraph.ir.ops.window import Fold, Ints, Windows, window_counts
from burngraph.ir.permutation import Perm, inverse
from burngraph.ir.types import BOOL, F32, I32, U32, DType, TensorType
from burngraph.ir.value import Emit, Value


class Pool(WideComposite):
    """What all pools share.

    axes                the axes pooled, distinct
    size, stride        entries per window, step between windows; one each per axis in `axes`, >= 1
    pad_low, pad_high   entries added before and after each of `axes`, >= 0
    """

    axes: Ints
    size: Ints
    stride: Ints
    pad_low: Ints
    pad_high: Ints

    @property
    def steps(self) -> Ints:
        """Distance between the entries of one window."""
        return getattr(self, "dilation", (1,) * len(self.axes))

    def on_axes(self, axes: Ints) -> Op:
        """The same pool over other axes, in the same order: that order says which entry of a window is first."""
        attributes: dict[str, Any] = {k: v for k, v in self.__dict__.items() if not k.startswith("_")}
        return type(self)(**(attributes | {"axes": axes}))

    def padding(self, rank: int) -> tuple[Ints, Ints]:
        """pad_low and pad_high for every axis."""
        low, high = [0] * rank, [0] * rank
        for axis, a, b in zip(self.axes, self.pad_low, self.pad_high, strict=True):
            low[axis], high[axis] = a, b
        return tuple(low), tuple(high)

    def padded_shape(self, shape: Ints) -> Ints:
        if len(self.pad_low) != len(self.axes) or len(self.pad_high) != len(self.axes):
            raise ShapeError(f"{self.name}: pad_low, pad_high need one number for each of axes = {self.axes}")
        if min((*self.pad_low, *self.pad_high), default=0) < 0:
            raise ShapeError(f"{self.name}: padding must be >= 0, is {self.pad_low} and {self.pad_high}")
        if not all(0 <= axis < len(shape) for axis in self.axes):
            raise ShapeError(f"{self.name}: axes = {self.axes} are not axes of shape {shape}")
        low, high = self.padding(len(shape))
        return tuple(a + n + b for a, n, b in zip(low, shape, high, strict=True))

    def pooled(self, x: TensorType) -> TensorType:
        """The type of the pool of x."""
        counts = window_counts(self, self.padded_shape(x.shape), self.steps)
        return x.with_shape(tuple(counts.get(axis, n) for axis, n in enumerate(x.shape)))

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        now = inverse(perm)
        return Permuted(self.on_axes(tuple(now[a] for a in self.axes)), (perm,) * len(operand_types), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        op = self.on_axes(tuple(axis + 1 for axis in self.axes))
        return emit(op, *add_leading_axis(emit, operands, is_batched))

    def cost(self, *types: TensorType | None) -> Cost:
        """Every entry of every window is looked at once; operands are read and the result written once."""
        present: list[TensorType] = [t for t in types if t is not None]
        result: TensorType = self.infer(*present)
        windows = self.pooled(present[0]).size
        return Cost(windows * prod(self.size), sum(t.bytes for t in present), result.bytes)

    def windows(self, emit: Emit, x: Value, fill: float) -> Value:
        """The windows of x padded with `fill`; window axes last."""
        return emit(Windows(self.axes, self.size, self.stride, self.steps), self.padded(emit, x, fill))

    def padded(self, emit: Emit, x: Value, fill: float) -> Value:
        if not any((*self.pad_low, *self.pad_high)):
            return x
        low, high = self.padding(x.type.rank)
        return emit(Pad(low, high, (0,) * x.type.rank), x, emit(Splat(fill, x.type.with_shape(()))))

    def folded(self, emit: Emit, windows: Value, shape: Ints) -> Value:
        """Add windows back into an array of `shape`, dropping what fell on padding: the transpose of `windows`."""
        whole = emit(Fold(self.axes, self.size, self.stride, self.steps, self.padded_shape(shape)), windows)
        if not any((*self.pad_low, *self.pad_high)):
            return whole
        low, _ = self.padding(len(shape))
        stop = tuple(a + n for a, n in zip(low, shape, strict=True))
        return emit(Slice(low, stop, (1,) * len(shape)), whole)

    def window_axes(self, rank: int) -> Ints:
        return tuple(range(rank, rank + len(self.axes)))

    def over_windows(self, emit: Emit, y: Value) -> Value:
        """y, repeated for every entry of its window."""
        return emit(Broadcast((*y.shape, *self.size), self.window_axes(y.type.rank)), y)


def lowest(dtype: DType) -> float:
    """The value no entry of `dtype` is below."""
    return -math.inf if dtype.kind == "float" else int(np.iinfo(dtype.numpy).min)


class MaximumPool(Pool):
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

    def check_pooled(self, x: TensorType, y: TensorType) -> None:
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
        if x.dtype.kind in ("bool", "complex"):
            raise DTypeError(f"max_pool: x is {x}, takes only int or uint or float")
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


class Summing(Pool):
    """Base of the linear pools."""

    def check_float(self, x: TensorType) -> None:
        if x.dtype.kind != "float":
            raise DTypeError(f"{self.name}: x is {x}, takes only float", "cast it first")


@register
@dataclass(frozen=True, eq=False)
class SumPool(Summing):
    """The sum of each window; padding counts as 0.

    x        T[*S]    any float dtype T
    returns  T[*S']   S'[a] = (pad_low + S[a] + pad_high - size) // stride + 1 for a in axes

    Attributes as in `Pool`.
    Raises   ShapeError   a window is longer than its padded axis;   DTypeError   x is not float
    """

    name = "sum_pool"
    operands = ("x",)
    linear_in = (("x",),)
    axes: Ints
    size: Ints
    stride: Ints
    pad_low: Ints
    pad_high: Ints

    def infer(self, x: TensorType) -> TensorType:
        self.check_float(x)
        return self.pooled(x)

    def decompose(self, emit: Emit, x: Value) -> Value:
        return emit(Sum(self.window_axes(x.type.rank)), self.windows(emit, x, 0))

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        return emit(SpreadPool(self.axes, self.size, self.stride, self.pad_low, self.pad_high, x.shape), y_bar)


@register
@dataclass(frozen=True, eq=False)
class SpreadPool(Summing):
    """Add each entry of `y_bar` to every place of its window that is not padding: the transpose of `SumPool`.

    y_bar    T[*S']   any float dtype T; the shape that SumPool with the same attributes gives on `shape`
    returns  T[*shape]

    shape    full shape of the result
    Raises   ShapeError   y_bar is not what SumPool gives on `shape`;   DTypeError   y_bar is not float
    """

    name = "spread_pool"
    operands = ("y_bar",)
    linear_in = (("y_bar",),)
    axes: Ints
    size: Ints
    stride: Ints
    pad_low: Ints
    pad_high: Ints
    shape: Ints

    def infer(self, y_bar: TensorType) -> TensorType:
        self.check_float(y_bar)
        expected = self.pooled(y_bar.with_shape(self.shape))
        if y_bar != expected:
            raise ShapeError(f"spread_pool: sums over windows of shape {self.shape} are {expected}", f"y_bar: {y_bar}")
        return y_bar.with_shape(self.shape)

    def decompose(self, emit: Emit, y_bar: Value) -> Value:
        return self.folded(emit, self.over_windows(emit, y_bar), self.shape)

    def transpose(self, emit: Emit, into: int, y_bar: Value, *_: Value) -> Value:
        return emit(SumPool(self.axes, self.size, self.stride, self.pad_low, self.pad_high), y_bar)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        now = inverse(perm)
        shape = tuple(self.shape[axis] for axis in perm)
        op = SpreadPool(tuple(now[a] for a in self.axes), self.size, self.stride, self.pad_low, self.pad_high, shape)
        return Permuted(op, (perm,), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        axes, shape = tuple(axis + 1 for axis in self.axes), (operands[0].shape[0], *self.shape)
        return emit(SpreadPool(axes, self.size, self.stride, self.pad_low, self.pad_high, shape), *operands)

    def cost(self, *types: TensorType | None) -> Cost:
        (y_bar,) = (t for t in types if t is not None)
        return Cost(y_bar.size * prod(self.size), y_bar.bytes, self.infer(y_bar).bytes)


@register
@dataclass(frozen=True, eq=False)
class AvgPool(Summing):
    """The mean of each window.

    x        T[*S]    any float dtype T
    returns  T[*S']   S'[a] = (pad_low + S[a] + pad_high - size) // stride + 1 for a in axes

    count_include_pad   divide by the size of the window; if false, by the number of its entries that are not padding
    Other attributes as in `Pool`. A window of nothing but padding is 0.
    Raises   ShapeError   a window is longer than its padded axis;   DTypeError   x is not float
    """

    name = "avg_pool"
    operands = ("x",)
    linear_in = (("x",),)
    axes: Ints
    size: Ints
    stride: Ints
    pad_low: Ints
    pad_high: Ints
    count_include_pad: bool

    def infer(self, x: TensorType) -> TensorType:
        self.check_float(x)
        return self.pooled(x)

    def summing(self) -> SumPool:
        return SumPool(self.axes, self.size, self.stride, self.pad_low, self.pad_high)

    def decompose(self, emit: Emit, x: Value) -> Value:
        return self.divided(emit, emit(self.summing(), x), x.shape)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        return self.summing().transpose(emit, 0, self.divided(emit, y_bar, x.shape), x)

    def divided(self, emit: Emit, y: Value, shape: Ints) -> Value:
        """Sums over the windows of an array of `shape`, each divided by the number of entries it counts."""
        if self.count_include_pad or not any((*self.pad_low, *self.pad_high)):
            return emit(Mul(), emit(Splat(1 / max(prod(self.size), 1), y.type)), y)
        for i, axis in enumerate(self.axes):
            counts = self._real_entries(emit, i, shape[axis])
            share = emit(Cast(y.type.dtype), emit(Reciprocal(), counts))
            others = tuple(a for a in range(y.type.rank) if a != axis)
            y = emit(Mul(), emit(Broadcast(y.shape, others), share), y)
        return y

    def _real_entries(self, emit: Emit, i: int, length: int) -> Value:
        """f32[n]: entries that are not padding, in each window along axes[i]; 1 where there are none."""
        size, stride, low, high = (f[i : i + 1] for f in (self.size, self.stride, self.pad_low, self.pad_high))
        counts = emit(SumPool((0,), size, stride, low, high), emit(Splat(1.0, TensorType(F32, (length,)))))
        return emit(Maximum(), counts, emit(Splat(1.0, counts.type)))


def _fields(op: MaximumPool) -> dict[str, Any]:
    return {name: getattr(op, name) for name in ("axes", "size", "stride", "pad_low", "pad_high", "dilation")}
