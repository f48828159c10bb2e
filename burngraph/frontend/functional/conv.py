"""Convolutions and transposed convolutions, [N, C, *spatial], with torch.nn.functional's names and arguments."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from burngraph.errors import ShapeError
from burngraph.frontend.functional.elementwise import add
from burngraph.frontend.functional.shape import astype, computed_dtype, permute_dims, reshape, tensor
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.builder import GREATEST_DIM
from burngraph.ir.ops.conv import Conv
from burngraph.ir.permutation import inverse
from burngraph.ir.promotion import at_least_float

__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]

Ints = int | Sequence[int]
Padding = int | Sequence[int | Sequence[int]] | str


def floats(*xs: Any) -> list[Any]:
    """`xs` as arrays of one float dtype; None stays None."""
    arrays = [None if x is None else tensor(x) for x in xs]
    dtype = at_least_float(computed_dtype([x for x in arrays if x is not None]))
    return [None if x is None else astype(x, dtype) for x in arrays]


def per_axis(function: str, name: str, value: Ints, n: int, least: int = 1) -> tuple[int, ...]:
    """`value` as one int for each of `n` axes; a single one stands for all.

    Raises   ShapeError   another number of them, or one is below `least`
    """
    values = (value,) if isinstance(value, int | np.integer) else tuple(value)
    values = values * n if len(values) == 1 else values
    if len(values) != n or not all(isinstance(v, int | np.integer) for v in values):
        raise located(ShapeError(f"{function}: {name} = {value} must be an int or {n} of them"))
    if any(v < least for v in values):
        raise located(ShapeError(f"{function}: {name} = {value} must be at least {least}"))
    if any(v > GREATEST_DIM for v in values):
        raise located(ShapeError(f"{function}: {name} = {value} is over {GREATEST_DIM}, the longest an axis can be"))
    return tuple(map(int, values))


def conv1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Any:
    """conv2d with one spatial axis: x [N, C, L], weight [O, C / groups, K]."""
    return _conv("conv1d", 1, x, weight, bias, stride, padding, dilation, groups)


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Any:
    """Cross-correlation of images with kernels.

    x         [N, C, H, W], or [C, H, W] for one image
    weight    [O, C / groups, KH, KW]
    bias      [O], or None
    padding   zeros beside each axis: n on both sides, one n per axis, or a pair (before, after) per axis;
              "valid" is 0, "same" keeps H and W (stride 1 only; where uneven, one more after)
    returns   [N, O, H', W'],  H' = (H + before + after - dilation * (KH - 1) - 1) // stride + 1

    Raises    ShapeError   ranks or channels do not fit, or the kernel is larger than the padded image
    """
    return _conv("conv2d", 2, x, weight, bias, stride, padding, dilation, groups)


def conv3d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Any:
    """conv2d with three spatial axes: x [N, C, D, H, W], weight [O, C / groups, KD, KH, KW]."""
    return _conv("conv3d", 3, x, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Any:
    """conv_transpose2d with one spatial axis: x [N, C, L], weight [C, O / groups, K]."""
    return _conv_transpose("conv_transpose1d", 1, x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Any:
    """The transpose of conv2d: each entry of x adds a kernel to the result, `stride` apart.

    x                [N, C, H, W], or [C, H, W] for one image
    weight           [C, O / groups, KH, KW], torch's layout
    bias             [O], or None
    padding          rows and columns cut off on both sides
    output_padding   rows and columns more at the end, less than stride or than dilation
    returns          [N, O, H', W'],  H' = (H - 1) * stride - 2 * padding + dilation * (KH - 1) + output_padding + 1

    Raises           ShapeError   ranks or channels do not fit, output_padding is too large, or nothing is left
    """
    return _conv_transpose("conv_transpose2d", 2, x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Any:
    """conv_transpose2d with three spatial axes: x [N, C, D, H, W], weight [C, O / groups, KD, KH, KW]."""
    return _conv_transpose("conv_transpose3d", 3, x, weight, bias, stride, padding, output_padding, groups, dilation)


def _conv(name: str, n: int, x: Any, weight: Any, bias: Any, stride: Ints, padding: Any, dilation: Ints, groups: int) -> Any:
    x, weight, bias = floats(x, weight, bias)
    x, is_single = _with_batch(x, n)
    a, w = type_of(x), type_of(weight)
    groups, given = operator.index(groups), (f"x: {a}", f"weight: {w}", f"groups: {groups}")
    if a.rank != n + 2 or w.rank != n + 2:
        raise located(ShapeError(f"{name}: x and weight must have rank {n + 2}", *given))
    if groups < 1 or a.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
        raise located(ShapeError(f"{name}: x has {a.shape[1]} channels, weight takes {w.shape[1]} per group", *given))
    strides, dilations = per_axis(name, "stride", stride, n), per_axis(name, "dilation", dilation, n)
    low, high = _padding(name, padding, n, w.shape[2:], strides, dilations)
    op = Conv(strides, low, high, dilations, (1,) * n, groups, False)
    y = _channels_last(op, x, permute_dims(weight, _to_last(n)))
    return _finished(name, y, bias, is_single)


def _conv_transpose(
    name: str, n: int, x: Any, weight: Any, bias: Any, stride: Ints, padding: Ints, output_padding: Ints, groups: int,
    dilation: Ints,
) -> Any:  # fmt: skip
    x, weight, bias = floats(x, weight, bias)
    x, is_single = _with_batch(x, n)
    a, w = type_of(x), type_of(weight)
    groups, given = operator.index(groups), (f"x: {a}", f"weight: {w}", f"groups: {groups}")
    if a.rank != n + 2 or w.rank != n + 2:
        raise located(ShapeError(f"{name}: x and weight must have rank {n + 2}", *given))
    if groups < 1 or a.shape[1] != w.shape[0] or w.shape[0] % groups:
        raise located(ShapeError(f"{name}: x has {a.shape[1]} channels, weight takes {w.shape[0]} in {groups} groups", *given))
    strides, dilations = per_axis(name, "stride", stride, n), per_axis(name, "dilation", dilation, n)
    pads, more = per_axis(name, "padding", padding, n, 0), per_axis(name, "output_padding", output_padding, n, 0)
    if any(extra >= max(s, d) for extra, s, d in zip(more, strides, dilations, strict=True)):
        raise located(
            ShapeError(f"{name}: output_padding {more} must be below stride {strides} or dilation {dilations}", *given)
        )
    reach = tuple(d * (k - 1) for d, k in zip(dilations, w.shape[2:], strict=True))
    size = tuple(
        (m - 1) * s - 2 * p + r + extra + 1 for m, s, p, r, extra in zip(a.shape[2:], strides, pads, reach, more, strict=True)
    )
    if min(size) < 1:
        raise located(ShapeError(f"{name}: padding {pads} leaves a result of size {size}", *given))
    low = tuple(r - p for r, p in zip(reach, pads, strict=True))
    high = tuple(b + extra for b, extra in zip(low, more, strict=True))
    op = Conv((1,) * n, low, high, dilations, strides, groups, True)
    return _finished(name, _channels_last(op, x, _transposed_weight(weight, groups)), bias, is_single)


def _transposed_weight(weight: Any, groups: int) -> Any:
    """[C, O/groups, *K] as [O, *K, C/groups]."""
    channels, out, *kernel = type_of(weight).shape
    if groups == 1:
        return permute_dims(weight, (1, *range(2, 2 + len(kernel)), 0))
    split = reshape(weight, (groups, channels // groups, out, *kernel))
    n = len(kernel)
    placed = permute_dims(split, (0, 2, *range(3, 3 + n), 1))
    return reshape(placed, (groups * out, *kernel, channels // groups))


def _to_last(n: int) -> tuple[int, ...]:
    """[., C, *spatial] to [., *spatial, C]."""
    return (0, *range(2, n + 2), 1)


def _channels_last(op: Conv, x: Any, weight: Any) -> Any:
    """`op` on x [N, C, *spatial]."""
    to_last = _to_last(type_of(x).rank - 2)
    return permute_dims(apply(op, permute_dims(x, to_last), weight), inverse(to_last))


def _with_batch(x: Any, n: int) -> tuple[Any, bool]:
    """x [C, *spatial] with a batch axis of one, and whether it was added."""
    shape = type_of(x).shape
    return (reshape(x, (1, *shape)), True) if len(shape) == n + 1 else (x, False)


def _padding(
    name: str, padding: Any, n: int, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Zeros before and after each axis."""
    if padding == "same":
        if any(s != 1 for s in stride):
            raise located(ShapeError(f'{name}: padding="same" needs stride 1, got {stride}', "give the padding in numbers"))
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    if isinstance(padding, str) and padding != "valid":
        raise located(ShapeError(f'{name}: padding = {padding!r} is not "same", "valid" or numbers'))
    if isinstance(padding, int | np.integer | str):
        return (per_axis(name, "padding", 0 if isinstance(padding, str) else padding, n, 0),) * 2
    sides = [per_axis(name, "padding", p, 2, 0) for p in padding]  # an int p is the pair (p, p)
    sides = sides * n if len(sides) == 1 else sides
    if len(sides) != n:
        raise located(ShapeError(f"{name}: padding = {padding} must be an int, {n} of them, or {n} pairs (before, after)"))
    return tuple(low for low, _ in sides), tuple(high for _, high in sides)


def _finished(name: str, y: Any, bias: Any, is_single: bool) -> Any:
    """y plus the bias of its channels, without the batch axis that was added."""
    shape = type_of(y).shape
    if bias is not None:
        if type_of(bias).shape != (shape[1],):
            raise located(ShapeError(f"{name}: bias is {type_of(bias)}, the result has {shape[1]} channels"))
        y = add(y, reshape(bias, (shape[1],) + (1,) * (len(shape) - 2)))
    return reshape(y, shape[1:]) if is_single else y
