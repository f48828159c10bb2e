"""Reading images between their pixels: interpolate, grid_sample, deform_conv2d."""

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from burngraph.errors import InputError, ShapeError
from burngraph.frontend.functional.comparison import equal, greater, less, where
from burngraph.frontend.functional.conv import Ints, floats, per_axis
from burngraph.frontend.functional.creation import arange, zeros_like
from burngraph.frontend.functional.elementwise import abs as absolute
from burngraph.frontend.functional.elementwise import add, clip, divide, floor, multiply, remainder, round, sign, subtract
from burngraph.frontend.functional.indexing import getitem, take
from burngraph.frontend.functional.reduction import matmul
from burngraph.frontend.functional.shape import astype, broadcast_to, expand_dims, permute_dims, reshape, stack, tensor
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.resample import Resample
from burngraph.ir.types import F32, F64, DType

__all__ = ["affine_grid", "deform_conv2d", "grid_sample", "interpolate", "resample"]

# mode of torch's interpolate: the kernel along each axis, and the number of spatial axes (0 for any)
_MODES = {
    "nearest": ("nearest", 0),
    "nearest-exact": ("nearest-exact", 0),
    "area": ("area", 0),
    "linear": ("linear", 1),
    "bilinear": ("linear", 2),
    "bicubic": ("cubic", 2),
    "trilinear": ("linear", 3),
}
_KERNELS = {**{mode: kernel for mode, (kernel, _) in _MODES.items()}, "cubic": "cubic", "lanczos3": "lanczos3"}
_NEAREST = ("nearest", "nearest-exact")


def interpolate(
    x: Any,
    size: Ints | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Any:
    """Images at another size, as torch.nn.functional.interpolate.

    x              [N, C, L], [N, C, H, W] or [N, C, D, H, W]; modes other than the nearest ones make integers f32
    size           of the result, one int or one per axis; or else
    scale_factor   the result has floor(n * scale_factor) entries along an axis of n, scale_factor apart; with
                   recompute_scale_factor they are spread evenly, as if that size had been given
    mode           "nearest", "nearest-exact", "area"; "linear", "bilinear" or "bicubic", "trilinear" for 1, 2, 3 axes
    align_corners  the corner pixels' centres, not the images' corners, stay where they are; not for nearest and area

    "nearest" rounds positions in f32 as torch does; "nearest-exact" by size is exact where torch's halves depend on the
    machine. resample is the same with Burn's rules, and with lanczos3.
    Raises   ShapeError   x or the result is empty or of another rank;   InputError   options that do not go together
    """
    x = tensor(x)
    n = type_of(x).rank - 2
    if antialias:
        raise located(InputError("interpolate: antialias=True is not supported", 'average with mode="area" to shrink an image'))
    if not 1 <= n <= 3:
        raise located(ShapeError(f"interpolate: x is {type_of(x)}, must be [N, C, *S] with 1 to 3 spatial axes"))
    if mode not in _MODES or _MODES[mode][1] not in (0, n):
        fit = ", ".join(name for name, (_, rank) in _MODES.items() if rank in (0, n))
        raise located(
            InputError(f"interpolate: mode {mode!r} is not for {n} spatial axes; these are: {fit}", f"x: {type_of(x)}")
        )
    if align_corners is not None and mode in (*_NEAREST, "area"):
        raise located(InputError(f"interpolate: align_corners means nothing to mode {mode!r}", "leave it out"))
    if (size is None) == (scale_factor is None):
        raise located(InputError("interpolate: give either size or scale_factor", f"{size = }, {scale_factor = }"))
    shape, kernel = type_of(x).shape[2:], _MODES[mode][0]
    if size is not None:
        if not isinstance(size, int | np.integer) and len(size) != n:
            raise located(ShapeError(f"interpolate: size = {size} must be an int or {n} of them", f"x: {type_of(x)}"))
        return _resampled("interpolate", x, per_axis("interpolate", "size", size, n), kernel, bool(align_corners), (0.0,) * n)
    factors = _factors(scale_factor, n)
    made = tuple(math.floor(m * f) for m, f in zip(shape, factors, strict=True))
    scales = tuple(1 / f for f in factors) if not recompute_scale_factor else (0.0,) * n
    return _resampled("interpolate", x, made, kernel, bool(align_corners), scales)


def _factors(scale_factor: Any, n: int) -> tuple[float, ...]:
    factors = (scale_factor,) * n if isinstance(scale_factor, int | float) else tuple(scale_factor)
    if len(factors) != n or not all(isinstance(f, int | float) and 0 < f < math.inf for f in factors):
        raise located(InputError(f"interpolate: scale_factor = {scale_factor} must be a number above 0, or {n} of them"))
    return tuple(float(f) for f in factors)


def resample(x: Any, output_size: Ints, mode: str = "nearest", align_corners: bool = True) -> Any:
    """The last axes of `x` read at `output_size` evenly spread positions, by Burn's rules.

    x              [..., *S], one spatial axis for each entry of output_size
    output_size    a sequence, one int for each spatial axis; an int is one axis
    mode           "nearest": entry floor(o * n / size), exactly; "nearest-exact": entry floor((o + 1/2) * n / size)
                   "linear" (or "bilinear", "trilinear"), "cubic" (or "bicubic"): a = -3/4, repeats the entries at the edges
                   "lanczos3": leaves out taps beyond the edges and scales the others to add up to 1
                   "area": means
    align_corners  the first and last positions are the first and last entries; nothing to nearest and area

    Raises   ShapeError   too few axes, or an empty one;   InputError   another mode
    """
    x = tensor(x)
    if mode not in _KERNELS:
        raise located(InputError(f"resample: mode {mode!r} is none of {', '.join(_KERNELS)}"))
    n = 1 if isinstance(output_size, int) else len(output_size)
    made = per_axis("resample", "output_size", output_size, n)
    if type_of(x).rank < n:
        raise located(ShapeError(f"resample: x is {type_of(x)}, output_size {made} needs {n} axes"))
    return _resampled("resample", x, made, _KERNELS[mode], align_corners, None)


def _resampled(
    function: str, x: Any, made: tuple[int, ...], kernel: str, align_corners: bool, scales: tuple[float, ...] | None
) -> Any:
    """One axis after another, those that shrink most first. scales: torch's rules, 0 for n / made; None for exact positions."""
    type = type_of(x)
    read = type.shape[type.rank - len(made) :]
    if min(*read, *made) < 1:
        raise located(ShapeError(f"{function}: an axis is empty", f"x: {type}", f"size of the result: {made}"))
    if kernel not in _NEAREST:
        (x,) = floats(x)
    for i in sorted(range(len(made)), key=lambda i: made[i] / read[i]):
        scale = 0.0 if scales is None else _scale(kernel, read[i], made[i], scales[i], len(made))
        aligned = align_corners and kernel not in (*_NEAREST, "area")
        if made[i] != read[i] or (scale and not aligned):
            axis = type.rank - len(made) + i
            x = apply(Resample(axis, read[i], made[i], kernel, aligned, 0.0 if aligned else scale), x)
    return x


def _scale(kernel: str, read: int, made: int, scale: float, n_axes: int) -> float:
    """Resample's `scale` where torch takes `scale` entries of x for one of the result, or read / made for 0.

    Where the sizes are equal, or one is twice the other, some of torch's kernels do not look at `scale`.
    """
    if kernel == "area" or (kernel == "linear" and made == read):
        return 0.0
    if kernel == "nearest" and n_axes == 2 and made in (read, 2 * read):
        return 0.0
    if kernel == "nearest":
        return float(np.float32(scale) if scale else np.float32(read) / np.float32(made))
    return 0.0 if scale == read / made else float(np.float32(scale))


def grid_sample(
    x: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Any:
    """The images `x` read at the positions in `grid`, as torch.nn.functional.grid_sample.

    x              [N, C, H, W] or [N, C, D, H, W]
    grid           [N, *S, 2] or [N, *S, 3]: (x, y) or (x, y, z), x along W; -1 and 1 are the ends of the image
    mode           "bilinear" (of volumes: trilinear), "nearest", "bicubic" (images only; a = -3/4);
                   "nearest-away" rounds halves away from 0, as Burn does, where "nearest" rounds them to even
    padding_mode   outside the image: "zeros"; "border", the nearest pixel; "reflection", mirrored at the ends
    align_corners  the ends are the centres of the corner pixels; if not, as by default, the outer edges of these
    returns        [N, C, *S]

    A position that is nan reads 0 with "zeros", else the first pixel along that axis; its derivative is 0.
    Raises   ShapeError   ranks or batches do not fit, or an image has no pixels;   InputError   another mode
    """
    x, grid = floats(x, grid)
    a, g = type_of(x), type_of(grid)
    n = a.rank - 2
    if n not in (2, 3) or g.rank != a.rank or g.shape[-1] != n or g.shape[0] != a.shape[0] or 0 in a.shape[2:]:
        message = "grid_sample: takes x [N, C, *S] with 2 or 3 spatial axes and grid [N, ..., 2 or 3], and x with pixels"
        raise located(ShapeError(message, f"x: {a}", f"grid: {g}"))
    if mode not in ("bilinear", "nearest", "nearest-away") and not (mode == "bicubic" and n == 2):
        raise located(
            InputError(f"grid_sample: mode {mode!r} for {n} spatial axes", "modes: bilinear, nearest, bicubic (images)")
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise located(InputError(f"grid_sample: padding_mode {padding_mode!r} is none of zeros, border, reflection"))
    wide = grid if g.dtype.bytes > 2 else astype(grid, F32)
    found: list[list[tuple[Any, Any]]] = []
    for i, m in enumerate(a.shape[2:]):
        at = getitem(wide, (..., n - 1 - i))  # the last column is along the first axis
        aligned = bool(align_corners)
        shifted = (
            multiply(add(at, 1.0), (m - 1) / 2) if aligned else divide(subtract(multiply(add(at, 1.0), float(m)), 1.0), 2.0)
        )
        found.append(_taps(shifted, m, mode, padding_mode, aligned))
    examples = reshape(arange(a.shape[0]), (a.shape[0],) + (1,) * n)
    last = permute_dims(x, (0, *range(2, n + 2), 1))
    y = _sampled(reshape(last, (a.shape[0] * math.prod(a.shape[2:]), a.shape[1])), examples, a.shape[2:], found)
    return permute_dims(astype(y, a.dtype), (0, n + 1, *range(1, n + 1)))


def _sampled(rows: Any, first: Any, shape: tuple[int, ...], found: list[list[tuple[Any, Any]]], step: Any = None) -> Any:
    """Sums of rows of a table [R, C] times weights; the images of `shape` lie in it one after another, row-major.

    first   i32, which image
    found   per axis of the image, its taps: positions i32 along it, and weights, None for 1
    step    (count, i32): each pixel is that many rows, of which to take this one
    """
    total = None
    wide = "int64" if type_of(rows).shape[0] >= 2**31 else "int32"
    for corner in product(*found):
        at, weight = astype(first, wide), None
        for (position, w), m in zip(corner, shape, strict=True):
            at = add(multiply(at, m), position)
            weight = w if weight is None or w is None else multiply(weight, w)
        if step is not None:
            at = add(multiply(at, step[0]), step[1])
        term = take(rows, at, 0)
        term = term if weight is None else multiply(term, expand_dims(weight, -1))
        total = term if total is None else add(total, term)
    return total


def _taps(position: Any, n: int, mode: str, padding: str, align_corners: bool) -> list[tuple[Any, Any]]:
    """Per tap of an axis of `n`: positions i32, all in range, and weights, None for 1."""
    if padding == "zeros" or (padding == "border" and mode == "bicubic"):
        position = _between(position, -3.0, n + 2.0)  # nothing changes farther out, and the positions stay numbers
    elif mode != "bicubic":
        position = _padded(position, n, padding, align_corners)
    else:
        position = _between(position, -(2.0**22), 2.0**22)
    if mode.startswith("nearest"):
        even = mode == "nearest"
        at = round(position) if even else multiply(sign(position), floor(add(absolute(position), 0.5)))
        return [_inside(astype(at, "int32"), None, n, padding, type_of(position).dtype)]
    low = floor(position)
    t = subtract(position, low)
    whole = astype(low, "int32")
    found: list[tuple[Any, Any]] = []
    for k in (0, 1) if mode == "bilinear" else (-1, 0, 1, 2):
        weight = (t if k else subtract(1.0, t)) if mode == "bilinear" else _cubic(t, k)
        if mode == "bicubic" and padding == "reflection":
            at = astype(_padded(add(low, float(k)), n, padding, align_corners), "int32")
        else:
            at = add(whole, k) if k else whole
        found.append(_inside(at, weight, n, padding, type_of(position).dtype))
    return found


def _cubic(t: Any, k: int) -> Any:
    """Keys' kernel with a = -3/4 at distance |t - k|, for 0 <= t <= 1."""
    d = (add(t, 1.0), t, subtract(1.0, t), subtract(2.0, t))[k + 1]
    if k in (0, 1):
        return add(multiply(multiply(subtract(multiply(d, 1.25), 2.25), d), d), 1.0)
    return add(multiply(subtract(multiply(add(multiply(d, -0.75), 3.75), d), 6.0), d), 3.0)


def _between(x: Any, low: float, high: float) -> Any:
    """x in [low, high]; nan is `low`. At the bounds the derivative is 0, as torch's."""
    x = where(greater(x, low), x, low)
    return where(less(x, high), x, high)


def _padded(position: Any, n: int, padding: str, align_corners: bool) -> Any:
    """Positions moved into [0, n - 1]."""
    if padding == "reflection":
        low, span = (0.0, n - 1.0) if align_corners else (-0.5, float(n))
        if span == 0:
            return zeros_like(position)
        away = remainder(subtract(_between(position, -(2.0**22), 2.0**22), low), 2 * span)
        position = subtract(low + span, absolute(subtract(away, span)))
    return _between(position, 0.0, n - 1.0)


def _inside(at: Any, weight: Any, n: int, padding: str, dtype: DType) -> tuple[Any, Any]:
    """A tap with its position clamped; with padding "zeros" its weight is 0 where that moved it."""
    kept = clip(at, 0, n - 1)
    if padding == "zeros":
        is_inside = equal(at, kept)
        weight = astype(is_inside, dtype) if weight is None else where(is_inside, weight, 0.0)
    return kept, weight


def affine_grid(theta: Any, size: Sequence[int], align_corners: bool | None = None) -> Any:
    """The grid for grid_sample that an affine map of image coordinates makes, as torch.nn.functional.affine_grid.

    theta     [N, 2, 3] or [N, 3, 4]: the rows give x, y (and z) of the source from (x, y, (z,) 1) of the result
    size      (N, C, H, W) or (N, C, D, H, W), of the result
    returns   [N, H, W, 2] or [N, D, H, W, 3]

    Raises    ShapeError   theta or size is something else
    """
    (theta,) = floats(theta)
    t, size = type_of(theta), tuple(size)
    n = len(size) - 2
    if n not in (2, 3) or t.shape != (size[0], n, n + 1) or min(size[2:]) < 1:
        message = "affine_grid: takes theta [N, 2, 3] and size (N, C, H, W), or [N, 3, 4] and (N, C, D, H, W)"
        raise located(ShapeError(message, f"theta: {t}", f"size: {size}"))
    wide = F64 if t.dtype is F64 else F32
    theta = astype(theta, wide)
    shape = (size[0], *size[2:])
    columns: list[Any] = []
    for row in range(n):
        value = _per_example(theta, (row, n), shape)
        for i, m in enumerate(size[2:]):
            o = arange(m, dtype=wide)
            at = multiply(o, 2 / max(m - 1, 1)) if align_corners else divide(add(multiply(o, 2.0), 1.0), float(m))
            at = subtract(at, 1.0) if m > 1 or not align_corners else multiply(o, 0.0)
            along = broadcast_to(reshape(at, (1,) * (i + 1) + (m,) + (1,) * (n - 1 - i)), shape)
            value = add(value, multiply(_per_example(theta, (row, n - 1 - i), shape), along))
        columns.append(value)
    return astype(stack(columns, -1), t.dtype)


def _per_example(theta: Any, entry: tuple[int, int], shape: tuple[int, ...]) -> Any:
    value = getitem(theta, (slice(None), *entry))
    return broadcast_to(reshape(value, (shape[0],) + (1,) * (len(shape) - 1)), shape)


def deform_conv2d(
    x: Any,
    offset: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Ints = 0,
    dilation: Ints = 1,
    mask: Any = None,
) -> Any:
    """conv2d whose taps read beside their places, bilinearly, zero outside: as torchvision.ops.deform_conv2d.

    x         [N, C, H, W]
    offset    [N, G * KH * KW * 2, H', W']: for each of G runs of channels and each tap (dy, dx), in pixels
    weight    [O, C / groups, KH, KW]; groups follow from the shapes
    bias      [O], or None
    mask      [N, G * KH * KW, H', W'], which multiplies what a tap reads, or None
    padding   zeros on both sides of each axis
    returns   [N, O, H', W'],  H' = (H + 2 * padding - dilation * (KH - 1) - 1) // stride + 1

    Raises    ShapeError   shapes do not fit each other
    """
    x, offset, weight, bias, mask = floats(x, offset, weight, bias, mask)
    a, w, o = type_of(x), type_of(weight), type_of(offset)
    given = (f"x: {a}", f"offset: {o}", f"weight: {w}", f"mask: {None if mask is None else type_of(mask)}")
    if a.rank != 4 or w.rank != 4 or o.rank != 4 or 0 in a.shape[1:] or 0 in w.shape:
        raise located(ShapeError("deform_conv2d: x, offset and weight must have rank 4, x and weight entries", *given))
    (batch, channels, *image), (out, per_group, *kernel) = a.shape, w.shape
    strides, dilations = (per_axis("deform_conv2d", k, v, 2) for k, v in (("stride", stride), ("dilation", dilation)))
    pads = per_axis("deform_conv2d", "padding", padding, 2, 0)
    each = zip(image, kernel, strides, pads, dilations, strict=True)
    made = tuple((m + 2 * p - d * (k - 1) - 1) // s + 1 for m, k, s, p, d in each)
    taps = math.prod(kernel)
    runs = o.shape[1] // (2 * taps)
    if channels % per_group or out % (channels // per_group):
        raise located(ShapeError(f"deform_conv2d: {channels} channels are not in groups of {per_group} for {out}", *given))
    if min(made) < 1 or o.shape != (batch, runs * taps * 2, *made) or runs < 1 or channels % runs:
        wanted = f"must be [{batch}, G * {taps * 2}, {made[0]}, {made[1]}], G dividing {channels}"
        raise located(ShapeError(f"deform_conv2d: offset is {o}, {wanted}", *given))
    if mask is not None and type_of(mask).shape != (batch, runs * taps, *made):
        raise located(ShapeError(f"deform_conv2d: mask must be [{batch}, {runs * taps}, {made[0]}, {made[1]}]", *given))
    if bias is not None and type_of(bias).shape != (out,):
        raise located(ShapeError(f"deform_conv2d: bias is {type_of(bias)}, the result has {out} channels", *given))

    wide = F64 if a.dtype is F64 else F32
    moved = permute_dims(
        reshape(astype(offset, wide), (batch, runs, taps, 2, *made)), (3, 0, 4, 5, 2, 1)
    )  # [2, N, H', W', K, G]
    found: list[list[tuple[Any, Any]]] = []
    for i in range(2):
        own = subtract(multiply(arange(made[i], dtype=wide), float(strides[i])), float(pads[i]))
        tap = reshape(multiply(arange(kernel[i], dtype=wide), float(dilations[i])), (-1,) + (1,) * (1 - i))
        at = add(reshape(own, (-1,) + (1,) * (3 - i)), reshape(broadcast_to(tap, kernel), (taps, 1)))
        found.append(_taps(add(getitem(moved, i), at), image[i], "bilinear", "zeros", False))
    rows = reshape(permute_dims(x, (0, 2, 3, 1)), (batch * math.prod(image) * runs, channels // runs))
    examples = reshape(arange(batch), (batch, 1, 1, 1, 1))
    read = _sampled(
        rows, examples, tuple(image), found, None if runs == 1 else (runs, arange(runs))
    )  # [N, H', W', K, G, C / G]
    if mask is not None:
        factors = permute_dims(reshape(mask, (batch, runs, taps, *made)), (0, 3, 4, 2, 1))
        read = multiply(read, expand_dims(factors, -1))
    y = _weighted(astype(read, a.dtype), weight, channels // per_group, (batch, *made))
    y = y if bias is None else add(y, bias)
    return permute_dims(y, (0, 3, 1, 2))


def _weighted(read: Any, weight: Any, groups: int, places: tuple[int, ...]) -> Any:
    """What the taps of each place read, [*places, K, G, C / G], times weight [O, C / groups, KH, KW]: [*places, O]."""
    out, per_group, *kernel = type_of(weight).shape
    taps, many = math.prod(kernel), math.prod(places)
    if groups == 1:
        columns = reshape(permute_dims(weight, (2, 3, 1, 0)), (taps * per_group, out))
        return matmul(reshape(read, (*places, taps * per_group)), columns)
    split = permute_dims(reshape(weight, (groups, out // groups, per_group, taps)), (0, 3, 2, 1))
    lines = permute_dims(reshape(read, (many, taps, groups, per_group)), (2, 0, 1, 3))
    y = matmul(reshape(lines, (groups, many, taps * per_group)), reshape(split, (groups, taps * per_group, out // groups)))
    return reshape(permute_dims(y, (1, 0, 2)), (*places, out))
