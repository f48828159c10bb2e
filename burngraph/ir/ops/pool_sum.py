"""Sums and averages over windows, and the transpose of a sum."""

from dataclasses import dataclass
from math import prod

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Permuted, register
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.constant import Splat
from burngraph.ir.ops.elementwise import Maximum, Mul, Reciprocal
from burngraph.ir.ops.movement import Broadcast
from burngraph.ir.ops.pool import Pool
from burngraph.ir.ops.precision import WideComposite
from burngraph.ir.ops.reduce import Sum
from burngraph.ir.ops.window import Ints
from burngraph.ir.permutation import Perm, inverse
from burngraph.ir.types import F32, TensorType
from burngraph.ir.value import Emit, Value


class Summing(WideComposite, Pool):
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
