"""What pools over windows of any axes share; `pool_max` and `pool_sum` hold the ops."""

from math import prod
from typing import Any

from burngraph.errors import ShapeError
from burngraph.ir.op import Cost, Op, Permuted
from burngraph.ir.ops.composite import Composite
from burngraph.ir.ops.constant import Splat
from burngraph.ir.ops.movement import Broadcast, Pad, Slice, add_leading_axis
from burngraph.ir.ops.window import Fold, Ints, Windows, window_counts
from burngraph.ir.permutation import Perm, inverse
from burngraph.ir.types import TensorType
from burngraph.ir.value import Emit, Value


class Pool(Composite):
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
