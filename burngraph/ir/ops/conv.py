"""Convolution of one to three (or any number of) spatial axes, channels last, and its weight gradient.

The two ops are closed under transposition. Writing `s, d, e` for stride, dilation and input dilation,

    y[n, o, co] = sum over k, ci of  x[n, (o*s + k*d - pad_low) / e, ci] * w[co, k, ci]

where only exact divisions that stay inside x count. Solving the same equation for x swaps stride and input dilation and
mirrors the kernel; solving it for w contracts over n and o.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Op, Permuted, register
from burngraph.ir.ops.movement import Permute, Reshape
from burngraph.ir.ops.pointwise import widened
from burngraph.ir.permutation import Perm, identity, is_identity
from burngraph.ir.types import Array, TensorType
from burngraph.ir.value import Emit, Value

Ints = tuple[int, ...]


class Convolution(Op):
    """What `Conv` and `ConvWeightGrad` share: the geometry of the equation above.

    stride          step between output positions, one per spatial axis, >= 1
    pad_low         zeros before the first entry of each spatial axis; negative crops
    pad_high        zeros after the last one, after input dilation; negative crops
    dilation        step between kernel taps, >= 1
    input_dilation  distance between entries of x once zeros are put between them, >= 1
    groups          channels are split into this many runs that do not mix
    flip            the kernel is read mirrored on every spatial axis
    """

    stride: Ints
    pad_low: Ints
    pad_high: Ints
    dilation: Ints
    input_dilation: Ints
    groups: int
    flip: bool

    def geometry(self) -> dict[str, Any]:
        """The shared attributes, by name."""
        names = ("stride", "pad_low", "pad_high", "dilation", "input_dilation", "groups", "flip")
        return {name: getattr(self, name) for name in names}

    def padded_shape(self, spatial: Ints) -> Ints:
        """Spatial shape of x once dilated and padded."""
        shapes = zip(spatial, self.input_dilation, self.pad_low, self.pad_high, strict=True)
        return tuple((size - 1) * step + 1 + low + high for size, step, low, high in shapes)

    def output_shape(self, spatial: Ints, kernel: Ints) -> Ints:
        """Spatial shape of y. Raises ShapeError if the kernel does not fit or an attribute is out of range."""
        rank = len(spatial)
        for name in ("stride", "pad_low", "pad_high", "dilation", "input_dilation"):
            given: Ints = getattr(self, name)
            if len(given) != rank or (not name.startswith("pad") and min(given, default=1) < 1):
                raise ShapeError(f"{self.name}: {name} = {given}", f"needs {rank} entries, steps at least 1")
        if len(kernel) != rank or min((*kernel, *spatial), default=1) < 1:
            raise ShapeError(f"{self.name}: kernel {kernel} over shape {spatial}", "needs equal rank, sizes >= 1")
        padded = self.padded_shape(spatial)
        reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, self.dilation, strict=True))
        if any(p < r for p, r in zip(padded, reach, strict=True)):
            raise ShapeError(
                f"{self.name}: the kernel is larger than the padded input",
                f"input {spatial}, padded {padded}; kernel {kernel}, dilated {reach}",
                "add padding or use a smaller kernel",
            )
        return tuple((p - r) // s + 1 for p, r, s in zip(padded, reach, self.stride, strict=True))

    def check_channels(self, x: TensorType, other: str, type: TensorType, channels_out: int) -> None:
        if x.dtype is not type.dtype or x.dtype.kind != "float":
            raise DTypeError(f"{self.name}: operands must have one float dtype", f"x: {x}", f"{other}: {type}")
        if x.rank < 3 or type.rank != x.rank:
            raise ShapeError(f"{self.name}: operands need one rank, at least 3", f"x: {x}", f"{other}: {type}")
        if self.groups < 1 or x.shape[-1] % self.groups or channels_out % self.groups:
            raise ShapeError(
                f"{self.name}: groups = {self.groups} must divide the channels",
                f"channels in: {x.shape[-1]}",
                f"channels out: {channels_out}",
            )

    def permuted(self, operand_types: Sequence[TensorType], index: int, perm: Perm) -> Permuted | None:
        """Only as it is: a device's convolution wants channels last, and NCHW code reaches it through permutes."""
        if not is_identity(perm):
            return None
        same = identity(operand_types[0].rank)
        return Permuted(self, (same, same), (same,))

    def taps(self, x: Array, kernel: Ints, output: Ints) -> Iterator[tuple[Ints, Array]]:
        """For each kernel position k: k, and the entries of x that meet it, [groups, N * prod(output), Ci / groups]."""
        padded = dilate_and_pad(x, self.input_dilation, self.pad_low, self.pad_high)
        for k in product(*map(range, kernel)):
            at = zip(k, kernel, self.dilation, self.stride, output, strict=True)
            starts = [((size - 1 - i) if self.flip else i) * d for i, size, d, _, _ in at]
            cut = zip(starts, self.stride, output, strict=True)
            window = padded[(slice(None), *(slice(a, a + (n - 1) * s + 1, s) for a, s, n in cut))]
            yield k, by_group(window, self.groups)

    def multiply_adds(self, x: TensorType, kernel: Ints, output: Ints, channels_out: int) -> int:
        return x.shape[0] * prod(output) * channels_out * prod(kernel) * (x.shape[-1] // self.groups)


def dilate_and_pad(x: Array, step: Ints, low: Ints, high: Ints) -> Array:
    """x[N, *S, C] with step-1 zeros between spatial entries, then padded (cropped where negative) with zeros."""
    spatial = x.shape[1:-1]
    stretched = ((n - 1) * e + 1 for n, e in zip(spatial, step, strict=True))
    dilated = np.zeros((x.shape[0], *stretched, x.shape[-1]), x.dtype)
    dilated[(slice(None), *(slice(None, None, e) for e in step))] = x
    edges = [(max(a, 0), max(b, 0)) for a, b in zip(low, high, strict=True)]
    padded = np.pad(dilated, [(0, 0), *edges, (0, 0)])
    cuts = [slice(max(-a, 0), n - max(-b, 0)) for a, b, n in zip(low, high, padded.shape[1:-1], strict=True)]
    return padded[(slice(None), *cuts)]


def at_tap(k: Ints) -> tuple[Any, ...]:
    """The index of kernel position k in weights [Co, *K, Ci]."""
    return (slice(None), *k)


def by_group(x: Array, groups: int) -> Array:
    """x[..., C] as [groups, prod(...), C / groups]."""
    return np.moveaxis(x.reshape(prod(x.shape[:-1]), groups, x.shape[-1] // groups), 1, 0)


@register
@dataclass(frozen=True, eq=False)
class Conv(Convolution):
    """Cross-correlation of `x` with `w` (convolution if `flip`), channels last.

    x        T[N, *S, Ci]           any float T, one or more spatial axes S
    w        T[Co, *K, Ci/groups]
    returns  T[N, *So, Co]          So = (padded S - ((K-1)*dilation + 1)) // stride + 1

    Attributes as in `Convolution`.
    Raises   ShapeError   the kernel does not fit, or groups do not divide the channels
             DTypeError   operands are not of one float dtype
    """

    name = "conv"
    operands = ("x", "w")
    linear_in = (("x",), ("w",))
    stride: Ints
    pad_low: Ints
    pad_high: Ints
    dilation: Ints
    input_dilation: Ints
    groups: int = 1
    flip: bool = False

    def infer(self, x: TensorType, w: TensorType) -> TensorType:
        self.check_channels(x, "w", w, w.shape[0] if w.rank else 0)
        if w.shape[-1] * self.groups != x.shape[-1]:
            raise ShapeError(
                f"conv: w must have {x.shape[-1]} / {self.groups} input channels, has {w.shape[-1]}",
                f"x: {x}",
                f"w: {w}",
            )
        return x.with_shape((x.shape[0], *self.output_shape(x.shape[1:-1], w.shape[1:-1]), w.shape[0]))

    def reference(self, x: Array, w: Array) -> Array:
        x, w = widened(x), widened(w)
        kernel = w.shape[1:-1]
        output = self.output_shape(x.shape[1:-1], kernel)
        per_group = w.shape[0] // self.groups
        total = np.zeros((self.groups, x.shape[0] * prod(output), per_group), x.dtype)
        for k, entries in self.taps(x, kernel, output):
            tap = w[at_tap(k)].reshape(self.groups, per_group, w.shape[-1])
            total += entries @ tap.swapaxes(1, 2)
        return np.moveaxis(total, 0, 1).reshape(x.shape[0], *output, w.shape[0])

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, w: Value) -> Value:
        if into == 0:
            return input_cotangent(emit, self, x.type, w, y_bar)
        return emit(ConvWeightGrad(kernel=w.shape[1:-1], **self.geometry()), x, y_bar)

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        x, w = operands
        if not is_batched[1]:  # one longer batch
            merged = emit(Reshape((x.shape[0] * x.shape[1], *x.shape[2:])), x)
            y = emit(self, merged, w)
            return emit(Reshape((*x.shape[:2], *y.shape[1:])), y)
        if not is_batched[0]:  # more output channels in each group
            y = emit(self, x, stack_into_axis_0(emit, w, self.groups))
            return unstack_channels(emit, y, self.groups, w.shape[0])
        y = emit(in_more_groups(self, w.shape[0]), stack_into_channels(emit, x, 1), stack_into_axis_0(emit, w, 1))
        return unstack_channels(emit, y, 1, w.shape[0])

    def cost(self, x: TensorType, w: TensorType) -> Cost:
        y = self.infer(x, w)
        flops = 2 * self.multiply_adds(x, w.shape[1:-1], y.shape[1:-1], w.shape[0])
        return Cost(flops, x.bytes + w.bytes, y.bytes)


@register
@dataclass(frozen=True, eq=False)
class ConvWeightGrad(Convolution):
    """The cotangent of the weights of `Conv`: the convolution that contracts over the batch and the output positions.

    x        T[N, *S, Ci]
    y_bar    T[N, *So, Co]
    returns  T[Co, *kernel, Ci/groups]

    kernel   spatial shape of the weights: y_bar's shape does not tell it. The other attributes are those of the `Conv`.
    Raises   ShapeError   y_bar has not the shape of that Conv's result;   DTypeError   not one float dtype
    """

    name = "conv_weight_grad"
    operands = ("x", "y_bar")
    linear_in = (("x",), ("y_bar",))
    kernel: Ints
    stride: Ints
    pad_low: Ints
    pad_high: Ints
    dilation: Ints
    input_dilation: Ints
    groups: int = 1
    flip: bool = False

    def infer(self, x: TensorType, y_bar: TensorType) -> TensorType:
        self.check_channels(x, "y_bar", y_bar, y_bar.shape[-1] if y_bar.rank else 0)
        expected = (x.shape[0], *self.output_shape(x.shape[1:-1], self.kernel))
        if y_bar.shape[:-1] != expected:
            raise ShapeError(f"{self.name}: y_bar must be {(*expected, 'Co')}", f"x: {x}", f"y_bar: {y_bar}")
        return x.with_shape((y_bar.shape[-1], *self.kernel, x.shape[-1] // self.groups))

    def reference(self, x: Array, y_bar: Array) -> Array:
        x, y_bar = widened(x), widened(y_bar)
        channels_out = y_bar.shape[-1]
        w_bar = np.zeros((channels_out, *self.kernel, x.shape[-1] // self.groups), x.dtype)
        rows = by_group(y_bar, self.groups).swapaxes(1, 2)
        for k, entries in self.taps(x, self.kernel, y_bar.shape[1:-1]):
            w_bar[at_tap(k)] = (rows @ entries).reshape(channels_out, w_bar.shape[-1])
        return w_bar

    def transpose(self, emit: Emit, into: int, y_bar: tuple[Value, ...] | Value, *operands: Value) -> Value:
        w_bar = y_bar
        assert isinstance(w_bar, Value), "conv_weight_grad has one result"
        x, y = operands
        if into == 0:
            return input_cotangent(emit, self, x.type, w_bar, y)
        return emit(Conv(**self.geometry()), x, w_bar)

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        x, y = operands
        count = x.shape[0] if is_batched[0] else y.shape[0]
        if not is_batched[1]:  # more input channels in each group
            w = emit(self, stack_into_channels(emit, x, self.groups), y)
            parts = emit(Reshape((*w.shape[:-1], count, w.shape[-1] // count)), w)
            return emit(Permute(moved(parts.type.rank, parts.type.rank - 2, 0)), parts)
        if not is_batched[0]:  # more output channels in each group
            w = emit(self, x, stack_into_channels(emit, y, self.groups))
            split = (self.groups, count, w.shape[0] // (self.groups * count), *w.shape[1:])
            parts = emit(Permute(moved(len(split), 1, 0)), emit(Reshape(split), w))
            return emit(Reshape((count, w.shape[0] // count, *w.shape[1:])), parts)
        more = in_more_groups(self, count)
        w = emit(more, stack_into_channels(emit, x, 1), stack_into_channels(emit, y, 1))
        return emit(Reshape((count, w.shape[0] // count, *w.shape[1:])), w)

    def cost(self, x: TensorType, y_bar: TensorType) -> Cost:
        w = self.infer(x, y_bar)
        flops = 2 * self.multiply_adds(x, self.kernel, y_bar.shape[1:-1], y_bar.shape[-1])
        return Cost(flops, x.bytes + y_bar.bytes, w.bytes)


def input_cotangent(emit: Emit, op: Convolution, x: TensorType, w: Value, y_bar: Value) -> Value:
    """What `Conv` with this geometry and weights `w` sends back to its x: a Conv of y_bar with the kernel mirrored.

    pad_high is chosen so that x's shape returns exactly: where the stride left entries of x unread it is larger, and
    where windows of y lie wholly in the padding it is negative.
    """
    kernel = w.shape[1:-1]
    axes = range(len(kernel))
    spatial, output = x.shape[1:-1], y_bar.shape[1:-1]
    low = tuple((kernel[i] - 1) * op.dilation[i] - op.pad_low[i] for i in axes)
    high = tuple((spatial[i] - 1) * op.input_dilation[i] + op.pad_low[i] - (output[i] - 1) * op.stride[i] for i in axes)
    mirrored = Conv(
        stride=op.input_dilation,
        pad_low=low,
        pad_high=high,
        dilation=op.dilation,
        input_dilation=op.stride,
        groups=op.groups,
        flip=not op.flip,
    )
    return emit(mirrored, y_bar, swap_channels(emit, w, op.groups))


def swap_channels(emit: Emit, w: Value, groups: int) -> Value:
    """w[Co, *K, Ci/groups] as [Ci, *K, Co/groups]."""
    channels_out, *kernel, per_group_in = w.shape
    per_group_out = channels_out // groups
    if per_group_in == per_group_out == 1:
        return w
    last = w.type.rank - 1
    if groups == 1:
        return emit(Permute((last, *range(1, last), 0)), w)
    split = emit(Reshape((groups, per_group_out, *kernel, per_group_in)), w)
    swapped = emit(Permute((0, last + 1, *range(2, last + 1), 1)), split)
    return emit(Reshape((groups * per_group_in, *kernel, per_group_out)), swapped)


def in_more_groups(op: Convolution, count: int) -> Convolution:
    """`op` on `count` stacked sets of channels."""
    attributes: dict[str, Any] = {**op.geometry(), "groups": op.groups * count}
    return ConvWeightGrad(kernel=op.kernel, **attributes) if isinstance(op, ConvWeightGrad) else Conv(**attributes)


def moved(rank: int, source: int, target: int) -> Perm:
    """The permutation that moves axis `source` to place `target`."""
    rest = [axis for axis in range(rank) if axis != source]
    return (*rest[:target], source, *rest[target:])


def stack_into_channels(emit: Emit, x: Value, groups: int) -> Value:
    """x[B, N, *S, C] as [N, *S, groups * B * C/groups]: in each group, the B stacked sets of channels."""
    count, *rest, channels = x.shape
    split = emit(Reshape((count, *rest, groups, channels // groups)), x)
    placed = emit(Permute(moved(split.type.rank, 0, split.type.rank - 2)), split)
    return emit(Reshape((*rest, count * channels)), placed)


def stack_into_axis_0(emit: Emit, w: Value, groups: int) -> Value:
    """w[B, Co, *K, C] as [groups * B * Co/groups, *K, C]."""
    count, channels_out, *rest = w.shape
    split = emit(Reshape((count, groups, channels_out // groups, *rest)), w)
    return emit(Reshape((count * channels_out, *rest)), emit(Permute(moved(split.type.rank, 0, 1)), split))


def unstack_channels(emit: Emit, y: Value, groups: int, count: int) -> Value:
    """y[N, *So, groups * B * Co/groups] as [B, N, *So, Co]."""
    *rest, channels = y.shape
    split = emit(Reshape((*rest, groups, count, channels // (groups * count))), y)
    placed = emit(Permute(moved(split.type.rank, split.type.rank - 2, 0)), split)
    return emit(Reshape((count, *rest, channels // count)), placed)
