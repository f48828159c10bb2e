"""Sliding windows of images and their inverse, channels traded for space, and normalisation across channels."""

import math
from collections.abc import Sequence
from typing import Any

from burngraph.errors import ShapeError
from burngraph.frontend.functional.conv import per_axis
from burngraph.frontend.functional.creation import zeros
from burngraph.frontend.functional.elementwise import add, divide, multiply, pow, square
from burngraph.frontend.functional.padding import pad
from burngraph.frontend.functional.reduction import widened
from burngraph.frontend.functional.shape import astype, normal_axis, permute_dims, reshape, sliced, tensor
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.pool_sum import SumPool
from burngraph.ir.ops.window import Fold, Windows

__all__ = [
    "channel_shuffle",
    "fold",
    "local_response_norm",
    "pixel_shuffle",
    "pixel_unshuffle",
    "sliding_windows",
    "unfold",
]

Ints = int | Sequence[int]


def sliding_windows(x: Any, dim: int, size: int, step: int) -> Any:
    """All windows of `size` entries along `dim`, `step` apart; the window axis comes last. torch's Tensor.unfold.

    returns  [.., count, .., size], count = (dim's size - size) // step + 1, and 0 where `size` is longer than the axis

    Raises   ShapeError   size or step is below 1, or there is no such axis
    """
    x = tensor(x)
    type = type_of(x)
    axis = normal_axis("sliding_windows", dim, type.rank)
    (k,), (s,) = per_axis("sliding_windows", "size", size, 1), per_axis("sliding_windows", "step", step, 1)
    if k > type.shape[axis]:
        return zeros((*type.shape[:axis], 0, *type.shape[axis + 1 :], k), type.dtype)
    return apply(Windows((axis,), (k,), (s,), (1,)), x)


def unfold(x: Any, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1) -> Any:
    """The windows of images as columns (im2col).

    x        [N, C, H, W], or [C, H, W] for one image
    padding  zeros on both sides of each axis
    returns  [N, C * KH * KW, L]: channels slowest, then rows and columns of the window; L windows, row by row

    Raises   ShapeError   x has another rank, or a window is larger than the padded image
    """
    x = tensor(x)
    type = type_of(x)
    if type.rank not in (3, 4):
        raise located(ShapeError(f"unfold: x is {type}, must be [N, C, H, W] or [C, H, W]"))
    is_single = type.rank == 3
    x = reshape(x, (1, *type.shape)) if is_single else x
    n, channels, height, width = type_of(x).shape
    size, steps, gaps, pads = _window("unfold", kernel_size, stride, dilation, padding)
    _counts("unfold", (height, width), size, steps, gaps, pads)
    padded = pad(x, [(0, 0), (0, 0), *((p, p) for p in pads)])
    windows = apply(Windows((2, 3), size, steps, gaps), padded)
    across = math.prod(type_of(windows).shape[2:4])
    columns = reshape(permute_dims(windows, (0, 1, 4, 5, 2, 3)), (n, channels * math.prod(size), across))
    return reshape(columns, type_of(columns).shape[1:]) if is_single else columns


def fold(x: Any, output_size: Ints, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1) -> Any:
    """Columns of `unfold` added back into images (col2im).

    x            [N, C * KH * KW, L], or without N for one image
    output_size  (H, W)
    returns      [N, C, H, W]: where windows overlap, their sum

    Raises   ShapeError   x does not have the shape that unfold gives on [N, C, H, W]
    """
    x = tensor(x)
    type = type_of(x)
    image = per_axis("fold", "output_size", output_size, 2)
    size, steps, gaps, pads = _window("fold", kernel_size, stride, dilation, padding)
    counts = _counts("fold", image, size, steps, gaps, pads)
    entries = math.prod(size)
    if type.rank not in (2, 3) or type.shape[-2] % entries or type.shape[-1] != math.prod(counts):
        wanted = f"fold: x is {type}, must be [N, C * {entries}, {math.prod(counts)}] for {counts} windows of {size}"
        raise located(ShapeError(wanted, f"output_size {image}, stride {steps}, dilation {gaps}, padding {pads}"))
    is_single = type.rank == 2
    n, channels = 1 if is_single else type.shape[0], type.shape[-2] // entries
    windows = permute_dims(reshape(x, (n, channels, *size, *counts)), (0, 1, 4, 5, 2, 3))
    whole = tuple(m + 2 * p for m, p in zip(image, pads, strict=True))
    y = apply(Fold((2, 3), size, steps, gaps, (n, channels, *whole)), windows)
    stop = tuple(p + m for m, p in zip(image, pads, strict=True))
    y = sliced(y, (0, 0, *pads), (n, channels, *stop), (1,) * 4)
    return reshape(y, (channels, *image)) if is_single else y


def _window(function: str, size: Ints, stride: Ints, dilation: Ints, padding: Ints) -> tuple[tuple[int, ...], ...]:
    """size, stride, dilation and padding on two axes."""
    return (
        per_axis(function, "kernel_size", size, 2),
        per_axis(function, "stride", stride, 2),
        per_axis(function, "dilation", dilation, 2),
        per_axis(function, "padding", padding, 2, 0),
    )


def _counts(
    function: str, image: tuple[int, ...], size: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...],
    padding: tuple[int, ...],
) -> tuple[int, ...]:  # fmt: skip
    """How many windows there are along each axis."""
    each = zip(image, size, stride, dilation, padding, strict=True)
    counts = tuple((m + 2 * p - d * (k - 1) - 1) // s + 1 for m, k, s, d, p in each)
    if min(counts) < 1:
        given = f"kernel_size {size}, dilation {dilation}, padding {padding}"
        raise located(ShapeError(f"{function}: a window is larger than the padded image {image}", given))
    return counts


def pixel_shuffle(x: Any, upscale_factor: int) -> Any:
    """[..., C * r * r, H, W] to [..., C, H * r, W * r]: each r * r channels become a square, row by row.

    Raises   ShapeError   r * r does not divide the channels, or x has fewer than three axes
    """
    x = tensor(x)
    type, r = type_of(x), per_axis("pixel_shuffle", "upscale_factor", upscale_factor, 1)[0]
    if type.rank < 3 or type.shape[-3] % (r * r):
        raise located(ShapeError(f"pixel_shuffle: x is {type}, needs [..., C * {r * r}, H, W]"))
    *lead, channels, height, width = type.shape
    n = len(lead)
    split = reshape(x, (*lead, channels // (r * r), r, r, height, width))
    placed = permute_dims(split, (*range(n + 1), n + 3, n + 1, n + 4, n + 2))
    return reshape(placed, (*lead, channels // (r * r), height * r, width * r))


def pixel_unshuffle(x: Any, downscale_factor: int) -> Any:
    """[..., C, H * r, W * r] to [..., C * r * r, H, W]: undoes pixel_shuffle.

    Raises   ShapeError   r does not divide H and W, or x has fewer than three axes
    """
    x = tensor(x)
    type, r = type_of(x), per_axis("pixel_unshuffle", "downscale_factor", downscale_factor, 1)[0]
    if type.rank < 3 or type.shape[-1] % r or type.shape[-2] % r:
        raise located(ShapeError(f"pixel_unshuffle: x is {type}, needs [..., C, H * {r}, W * {r}]"))
    *lead, channels, height, width = type.shape
    n = len(lead)
    split = reshape(x, (*lead, channels, height // r, r, width // r, r))
    placed = permute_dims(split, (*range(n + 1), n + 2, n + 4, n + 1, n + 3))
    return reshape(placed, (*lead, channels * r * r, height // r, width // r))


def channel_shuffle(x: Any, groups: int) -> Any:
    """x [N, C, *S] with its channels, `groups` runs of them, dealt one from each run in turn.

    Raises   ShapeError   groups does not divide C
    """
    x = tensor(x)
    shape, (g,) = type_of(x).shape, per_axis("channel_shuffle", "groups", groups, 1)
    if len(shape) < 2 or shape[1] % g:
        raise located(ShapeError(f"channel_shuffle: groups = {groups} does not divide the channels of {type_of(x)}"))
    split = reshape(x, (shape[0], g, shape[1] // g, *shape[2:]))
    return reshape(permute_dims(split, (0, 2, 1, *range(3, len(shape) + 1))), shape)


def local_response_norm(x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """x / (k + alpha * mean of squares over `size` neighbouring channels) ** beta; channels are axis 1.

    The neighbourhood of channel c is c - size // 2 ... c + (size - 1) // 2, zero outside, and always divided by `size`.
    Raises   ShapeError   x has fewer than three axes
    """
    x, dtype = widened(x)
    type, (n,) = type_of(x), per_axis("local_response_norm", "size", size, 1)
    if type.rank < 3:
        raise located(ShapeError(f"local_response_norm: x is {type}, needs at least 3 axes"))
    if not type.shape[1]:
        return astype(x, dtype)
    sums = apply(SumPool((1,), (n,), (1,), (n // 2,), ((n - 1) // 2,)), square(x))
    return astype(divide(x, pow(add(multiply(sums, alpha / n), k), beta)), dtype)
