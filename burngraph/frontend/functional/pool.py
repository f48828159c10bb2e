"""Pools over the last one, two or three axes, with torch.nn.functional's names and arguments: images are [..., C, *spatial].

`ceil_mode` follows torch: a last window that does not fit is kept if it starts inside the input or its padding before.
With `keep_outside_windows` it is kept wherever it starts, and the padding may be over half the window: Burn's rules.
"""

import math
from collections.abc import Sequence
from typing import Any

from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.frontend.functional.comparison import less, where
from burngraph.frontend.functional.conv import floats, per_axis
from burngraph.frontend.functional.creation import zeros
from burngraph.frontend.functional.elementwise import abs as absolute
from burngraph.frontend.functional.elementwise import divide, minimum, multiply, pow, relu, sign
from burngraph.frontend.functional.padding import pad
from burngraph.frontend.functional.reduction import widened
from burngraph.frontend.functional.shape import astype, cut, reshape, shape_tuple, tensor
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.pool_max import ArgMaxPool, MaxPool
from burngraph.ir.ops.pool_sum import AvgPool, SumPool
from burngraph.ir.ops.scatter import ScatterAlong

__all__ = [
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]

Ints = int | Sequence[int]


class _Window:
    """Geometry over the last `n` axes of x: axes, size, stride, dilation, padding before and after.

    symmetric   the padding asked for, on both sides; `high` differs from it where ceil_mode reaches further, or where the
                last window ends earlier
    """

    def __init__(
        self, function: str, x: Any, n: int, size: Ints, stride: Ints | None, padding: Ints, dilation: Ints,
        ceil_mode: bool, keep_outside: bool,
    ) -> None:  # fmt: skip
        type = type_of(x)
        if type.rank < n:
            raise located(ShapeError(f"{function}: x is {type}, needs {n} spatial axes at the end"))
        self.axes = tuple(range(type.rank - n, type.rank))
        self.size = per_axis(function, "kernel_size", size, n)
        self.stride = self.size if stride is None else per_axis(function, "stride", stride, n)
        self.dilation = per_axis(function, "dilation", dilation, n)
        self.symmetric = per_axis(function, "padding", padding, n, 0)
        reach = [(k - 1) * d + 1 for k, d in zip(self.size, self.dilation, strict=True)]
        if not keep_outside and any(2 * p > k for p, k in zip(self.symmetric, self.size, strict=True)):
            raise located(ShapeError(f"{function}: padding {self.symmetric} is over half of kernel_size {self.size}"))
        high: list[int] = []
        for m, r, s, p in zip(type.shape[-n:], reach, self.stride, self.symmetric, strict=True):
            room = m + 2 * p - r
            count = (room + (s - 1 if ceil_mode else 0)) // s + 1
            if ceil_mode and not keep_outside and (count - 1) * s >= m + p:
                count -= 1
            if count < 1:
                given = (f"x: {type}", f"kernel_size {self.size}, padding {self.symmetric}, dilation {self.dilation}")
                raise located(ShapeError(f"{function}: the window is larger than the padded input", *given))
            high.append(max(0, (count - 1) * s + r - m - p))
        self.high = tuple(high)

    @property
    def overhang(self) -> tuple[int, ...]:
        """How far the last windows reach beyond the padding asked for."""
        return tuple(max(0, b - p) for b, p in zip(self.high, self.symmetric, strict=True))


def _max_pool(function: str, n: int, x: Any, window: tuple[Any, ...], return_indices: bool) -> Any:
    x = tensor(x)
    w = _Window(function, x, n, *window)
    attributes = (w.axes, w.size, w.stride, w.symmetric, w.high, w.dilation)
    y = apply(MaxPool(*attributes), x)
    return (y, apply(ArgMaxPool(*attributes), x, y)) if return_indices else y


def max_pool1d(
    x: Any, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1, ceil_mode: bool = False,
    return_indices: bool = False, *, keep_outside_windows: bool = False,
) -> Any:  # fmt: skip
    """max_pool2d over the last axis."""
    window = (kernel_size, stride, padding, dilation, ceil_mode, keep_outside_windows)
    return _max_pool("max_pool1d", 1, x, window, return_indices)


def max_pool2d(
    x: Any, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1, ceil_mode: bool = False,
    return_indices: bool = False, *, keep_outside_windows: bool = False,
) -> Any:  # fmt: skip
    """The largest entry of each window of [..., H, W]; padding is never chosen, and NaN is largest.

    stride           kernel_size if None
    padding          at most half of kernel_size
    ceil_mode        keep a last window that does not fit; see the top of this module
    return_indices   also give i32 positions h * W + w in x's unpadded plane, of the first maximum row by row; -1 for a
                     window without an entry, whose maximum is -inf
    returns          [..., H', W'], or (that, indices)

    The derivative goes to the first maximum.
    Raises           ShapeError   the window is larger than the padded input, or the padding than half of kernel_size
    """
    window = (kernel_size, stride, padding, dilation, ceil_mode, keep_outside_windows)
    return _max_pool("max_pool2d", 2, x, window, return_indices)


def max_pool3d(
    x: Any, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1, ceil_mode: bool = False,
    return_indices: bool = False, *, keep_outside_windows: bool = False,
) -> Any:  # fmt: skip
    """max_pool2d over the last three axes; positions are (d * H + h) * W + w."""
    window = (kernel_size, stride, padding, dilation, ceil_mode, keep_outside_windows)
    return _max_pool("max_pool3d", 3, x, window, return_indices)


def _avg_pool(
    function: str, n: int, x: Any, window: tuple[Any, ...], count_include_pad: bool, divisor_override: int | None
) -> Any:
    (x,) = floats(x)
    size, stride, padding, ceil_mode, keep_outside = window
    w = _Window(function, x, n, size, stride, padding, 1, ceil_mode, keep_outside)
    if divisor_override is not None:
        if divisor_override == 0:
            raise located(InputError(f"{function}: divisor_override is 0"))
        wide, dtype = widened(x)
        sums = apply(SumPool(w.axes, w.size, w.stride, w.symmetric, w.high), wide)
        return astype(divide(sums, float(divisor_override)), dtype)
    if not count_include_pad or not any(w.overhang):
        return apply(AvgPool(w.axes, w.size, w.stride, w.symmetric, w.high, count_include_pad), x)
    # The padding asked for counts, and what ceil_mode adds beyond it does not.
    before = [(0, 0)] * w.axes[0]
    padded = pad(x, [*before, *((p, min(p, b)) for p, b in zip(w.symmetric, w.high, strict=True))])
    return apply(AvgPool(w.axes, w.size, w.stride, (0,) * n, w.overhang, False), padded)


def avg_pool1d(
    x: Any, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, *, keep_outside_windows: bool = False,
) -> Any:  # fmt: skip
    """avg_pool2d over the last axis."""
    window = (kernel_size, stride, padding, ceil_mode, keep_outside_windows)
    return _avg_pool("avg_pool1d", 1, x, window, count_include_pad, None)


def avg_pool2d(
    x: Any, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None, *, keep_outside_windows: bool = False,
) -> Any:  # fmt: skip
    """The mean of each window of [..., H, W].

    stride              kernel_size if None
    padding             zeros on both sides, at most half of kernel_size
    ceil_mode           keep a last window that does not fit; see the top of this module
    count_include_pad   divide by the entries of the window, padding included but not what ceil_mode adds beyond it;
                        if false, by the entries of x in it (by 1 if there are none)
    divisor_override    divide by this instead
    returns             [..., H', W']

    Raises   ShapeError   the window is larger than the padded input, or the padding than half of kernel_size
             InputError   divisor_override is 0
    """
    window = (kernel_size, stride, padding, ceil_mode, keep_outside_windows)
    return _avg_pool("avg_pool2d", 2, x, window, count_include_pad, divisor_override)


def avg_pool3d(
    x: Any, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None, *, keep_outside_windows: bool = False,
) -> Any:  # fmt: skip
    """avg_pool2d over the last three axes."""
    window = (kernel_size, stride, padding, ceil_mode, keep_outside_windows)
    return _avg_pool("avg_pool3d", 3, x, window, count_include_pad, divisor_override)


def _lp_pool(function: str, n: int, x: Any, norm_type: float, size: Ints, stride: Ints | None, ceil_mode: bool) -> Any:
    p = float(norm_type)
    if p == 0 or math.isinf(p):
        raise located(InputError(f"{function}: norm_type = {norm_type} has no root", "for the largest entry use max_pool"))
    (x,) = floats(x)
    means = _avg_pool(function, n, pow(x, p), (size, stride, 0, ceil_mode, False), True, None)
    sums = multiply(multiply(sign(means), relu(absolute(means))), float(math.prod(per_axis(function, "kernel_size", size, n))))
    return pow(sums, 1 / p)


def lp_pool1d(x: Any, norm_type: float, kernel_size: Ints, stride: Ints | None = None, ceil_mode: bool = False) -> Any:
    """lp_pool2d over the last axis."""
    return _lp_pool("lp_pool1d", 1, x, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(x: Any, norm_type: float, kernel_size: Ints, stride: Ints | None = None, ceil_mode: bool = False) -> Any:
    """(sum of x**p over each window of [..., H, W]) ** (1/p), with p = norm_type; for even p the p-norm of each window.

    As in torch, a window that ceil_mode cuts off is counted as if it were whole with the mean of what is there.
    Raises   InputError   norm_type is 0 or infinite
    """
    return _lp_pool("lp_pool2d", 2, x, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(x: Any, norm_type: float, kernel_size: Ints, stride: Ints | None = None, ceil_mode: bool = False) -> Any:
    """lp_pool2d over the last three axes."""
    return _lp_pool("lp_pool3d", 3, x, norm_type, kernel_size, stride, ceil_mode)


def _max_unpool(
    function: str, n: int, x: Any, indices: Any, size: Ints, stride: Ints | None, padding: Ints, output_size: Any
) -> Any:
    x, indices = tensor(x), tensor(indices)
    a, i = type_of(x), type_of(indices)
    if a.rank < n or i.shape != a.shape:
        raise located(ShapeError(f"{function}: indices must have x's shape, with {n} spatial axes", f"x: {a}", f"indices: {i}"))
    if not i.dtype.is_integer:
        raise located(DTypeError(f"{function}: indices are {i}, not integers"))
    sizes, pads = per_axis(function, "kernel_size", size, n), per_axis(function, "padding", padding, n, 0)
    strides = sizes if stride is None else per_axis(function, "stride", stride, n)
    each = zip(a.shape[a.rank - n :], strides, pads, sizes, strict=True)
    natural = tuple((m - 1) * s - 2 * p + k for m, s, p, k in each)
    if output_size is None:
        out = natural
    else:
        wanted = shape_tuple(output_size)
        if len(wanted) not in (n, a.rank):
            raise located(ShapeError(f"{function}: output_size {wanted} is neither of {n} axes nor of all", f"x: {a}"))
        out = per_axis(function, "output_size", wanted[len(wanted) - n :], n, 0)
    if any(not -s < o - m < s for o, m, s in zip(out, natural, strides, strict=True)):
        raise located(ShapeError(f"{function}: output_size {out} is a stride {strides} or more from {natural}", f"x: {a}"))
    lead, plane = a.shape[: a.rank - n], math.prod(out)
    at = reshape(indices, (*lead, -1)) if a.size else reshape(indices, (*lead, math.prod(a.shape[a.rank - n :])))
    wide = astype(at, "int64")
    dropped = where(less(wide, 0), plane, minimum(wide, plane))  # one place more, cut off again
    flat = reshape(x, type_of(at).shape)
    filled = apply(ScatterAlong(len(lead), "set"), zeros((*lead, plane + 1), a.dtype), dropped, flat)
    return reshape(cut(filled, len(lead), 0, plane), (*lead, *out))


def max_unpool1d(
    x: Any, indices: Any, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, output_size: Any = None
) -> Any:
    """max_unpool2d over the last axis."""
    return _max_unpool("max_unpool1d", 1, x, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    x: Any, indices: Any, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, output_size: Any = None
) -> Any:
    """Zeros [..., H, W] with the entries of x at the positions that max_pool2d gave; among equal positions the last is kept.

    output_size   (H, W), less than a stride from the default (H' - 1) * stride - 2 * padding + kernel_size

    An index outside the plane, also -1, is dropped: checks=True raises nothing, as such an index says that there is no maximum.
    Raises   ShapeError   shapes differ, or output_size is too far off;   DTypeError   indices are not integers
    """
    return _max_unpool("max_unpool2d", 2, x, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    x: Any, indices: Any, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, output_size: Any = None
) -> Any:
    """max_unpool2d over the last three axes."""
    return _max_unpool("max_unpool3d", 3, x, indices, kernel_size, stride, padding, output_size)
