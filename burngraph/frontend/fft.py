"""Discrete Fourier transforms, as bg.fft: the names and meanings of the array API's fft extension, and the 2-d forms of NumPy.

All take any sizes. `n` (or `s`, one per axis) truncates an axis or pads it with zeros first. `norm` says what is divided by the
number of points N: "backward" the inverse transforms, "forward" the others, "ortho" all of them by its root.
Real input is transformed to c64, f64 too, as there is no wider complex dtype.

Source   array API standard 2024.12, Fourier transform functions
"""

import math
from collections.abc import Sequence
from typing import Any

from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.frontend.functional.creation import arange
from burngraph.frontend.functional.elementwise import divide, multiply
from burngraph.frontend.functional.fourier import conj, is_complex
from burngraph.frontend.functional.padding import pad
from burngraph.frontend.functional.shape import (
    Axes,
    astype,
    check_device,
    concat,
    normal_axes,
    normal_axis,
    shape_tuple,
    sliced,
    tensor,
)
from burngraph.frontend.guard import guard_all
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.fft import Fft, Irfft, Rfft
from burngraph.ir.types import C64, F32, F64

__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn", "ifftshift", "ihfft", "irfft", "irfft2",
    "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip


def fft(x: Any, /, n: int | None = None, axis: int = -1, norm: str = "backward") -> Any:
    """sum over m of x[m] exp(-2 pi i k m / n) along `axis`; c64.

    Raises   ShapeError   n < 1, or the axis is empty or out of range;   InputError   another norm
    """
    return _complex("fft", x, None if n is None else (n,), (axis,), norm, False)


def ifft(x: Any, /, n: int | None = None, axis: int = -1, norm: str = "backward") -> Any:
    """The inverse of fft."""
    return _complex("ifft", x, None if n is None else (n,), (axis,), norm, True)


def fftn(x: Any, /, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward") -> Any:
    """fft along each of `axes`: all if None, or the last len(s) if s is given."""
    return _complex("fftn", x, s, axes, norm, False)


def ifftn(x: Any, /, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward") -> Any:
    """The inverse of fftn."""
    return _complex("ifftn", x, s, axes, norm, True)


def fft2(x: Any, /, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str = "backward") -> Any:
    """fftn along two axes."""
    return _complex("fft2", x, s, axes, norm, False)


def ifft2(x: Any, /, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str = "backward") -> Any:
    """The inverse of fft2."""
    return _complex("ifft2", x, s, axes, norm, True)


def rfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str = "backward") -> Any:
    """The first n // 2 + 1 entries of fft of a real array.

    Raises   DTypeError   x is complex;   ShapeError, InputError   as fft
    """
    return _of_real("rfft", x, None if n is None else (n,), (axis,), norm)


def rfftn(x: Any, /, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward") -> Any:
    """rfft along the last of `axes`, then fft along the others."""
    return _of_real("rfftn", x, s, axes, norm)


def rfft2(x: Any, /, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str = "backward") -> Any:
    """rfftn along two axes."""
    return _of_real("rfft2", x, s, axes, norm)


def irfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str = "backward") -> Any:
    """The inverse of rfft: f32 with `n` entries along `axis`, 2 (m - 1) if None, where x has m."""
    return _to_real("irfft", x, None if n is None else (n,), (axis,), norm)


def irfftn(x: Any, /, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward") -> Any:
    """The inverse of rfftn; `s` are the sizes of the result."""
    return _to_real("irfftn", x, s, axes, norm)


def irfft2(x: Any, /, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str = "backward") -> Any:
    """The inverse of rfft2."""
    return _to_real("irfft2", x, s, axes, norm)


def hfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str = "backward") -> Any:
    """The real transform of a signal that is its own mirrored conjugate, given the first half of it."""
    return irfft(conj(x), n, axis, _swapped("hfft", norm))


def ihfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str = "backward") -> Any:
    """The inverse of hfft: the first half of the inverse transform of a real array."""
    return conj(rfft(x, n, axis, _swapped("ihfft", norm)))


def fftfreq(n: int, /, d: float = 1.0, *, dtype: Any = None, device: Any = None) -> Any:
    """Frequencies of fft's entries for `n` samples a distance `d` apart: 0, 1, ..., -2, -1 divided by n d."""
    check_device("fftfreq", device)
    _check_frequencies("fftfreq", n)
    dtype = F32 if dtype is None else dtype
    return divide(concat([arange(0, (n + 1) // 2, dtype=dtype), arange(-(n // 2), 0, dtype=dtype)]), n * d)


def rfftfreq(n: int, /, d: float = 1.0, *, dtype: Any = None, device: Any = None) -> Any:
    """Frequencies of rfft's entries: 0, 1, ..., n // 2 divided by n d."""
    check_device("rfftfreq", device)
    _check_frequencies("rfftfreq", n)
    dtype = F32 if dtype is None else dtype
    return divide(arange(0, n // 2 + 1, dtype=dtype), n * d)


def fftshift(x: Any, /, axes: Axes = None) -> Any:
    """Entries moved cyclically so that frequency 0 is in the middle of each of `axes` (all if None)."""
    return _rolled("fftshift", x, axes, lambda n: n - n // 2)


def ifftshift(x: Any, /, axes: Axes = None) -> Any:
    """The inverse of fftshift."""
    return _rolled("ifftshift", x, axes, lambda n: n // 2)


def _rolled(name: str, x: Any, axes: Axes, first: Any) -> Any:
    """Along each axis, x beginning at first(size) and going on from its start."""
    x = tensor(x)
    shape = type_of(x).shape
    for axis in normal_axes(name, axes, len(shape)):
        cut = first(shape[axis])
        if 0 < cut < shape[axis]:
            x = concat([_part(x, axis, cut, shape[axis]), _part(x, axis, 0, cut)], axis)
    return x


def _part(x: Any, axis: int, start: int, stop: int) -> Any:
    shape = type_of(x).shape
    low, high = [0] * len(shape), list(shape)
    low[axis], high[axis] = start, stop
    return sliced(x, low, high, [1] * len(shape))


def _check_frequencies(name: str, n: int) -> None:
    if n < 1:
        raise located(ShapeError(f"{name}: n = {n} must be at least 1"))


NORMS = ("backward", "ortho", "forward")


def _check_norm(name: str, norm: str) -> None:
    if norm not in NORMS:
        raise located(InputError(f'{name}: norm = {norm!r} is not "backward", "ortho" or "forward"'))


def _swapped(name: str, norm: str) -> str:
    """The norm with which an inverse transform scales as a forward one with `norm`."""
    _check_norm(name, norm)
    return NORMS[2 - NORMS.index(norm)]


def _normalised(x: Any, norm: str, n_points: int, is_inverse: bool) -> Any:
    """The core transforms have norm "backward"; the factor to another one."""
    if norm == "backward":
        return x
    factor = float(n_points) if norm == "forward" else math.sqrt(n_points)
    return multiply(x, factor if is_inverse else 1 / factor)


def _axes_and_sizes(
    name: str, x: Any, s: Sequence[int] | None, axes: Sequence[int] | None
) -> tuple[list[int], list[int | None]]:
    """Axes counted from the front, in the order given, and for each the wanted size or None."""
    rank = type_of(x).rank
    if axes is None:
        axes = range(rank) if s is None else range(-len(s), 0)
    if s is not None and len(s) != len(axes):
        raise located(ShapeError(f"{name}: {len(axes)} axes and {len(s)} sizes", f"axes: {tuple(axes)}", f"sizes: {tuple(s)}"))
    found = [normal_axis(name, axis, rank) for axis in axes]
    if not found or len(set(found)) != len(found):
        raise located(ShapeError(f"{name}: axes {tuple(axes)} must name at least one axis, and none twice", f"x: {type_of(x)}"))
    sizes: list[int | None] = [None] * len(found) if s is None else [n if n is None else shape_tuple(n)[0] for n in s]
    for axis, n in zip(found, sizes, strict=True):
        if (n is not None and n < 1) or (n is None and type_of(x).shape[axis] == 0):
            raise located(ShapeError(f"{name}: axis {axis} has no entry to transform", f"x: {type_of(x)}", f"n: {n}"))
    return found, sizes


def _resized(x: Any, axis: int, n: int | None) -> Any:
    """`x` with `n` entries along `axis`: cut, or padded with zeros."""
    type = type_of(x)
    if n is None or n == type.shape[axis]:
        return x
    if n < type.shape[axis]:
        return _part(x, axis, 0, n)
    return pad(x, [(0, n - type.shape[axis] if a == axis else 0) for a in range(type.rank)])


def _complex(name: str, x: Any, s: Any, axes: Any, norm: str, is_inverse: bool) -> Any:
    _check_norm(name, norm)
    x = astype(x, C64)
    found, sizes = _axes_and_sizes(name, x, s, axes)
    for axis, n in zip(found, sizes, strict=True):
        x = _resized(x, axis, n)
    n_points = math.prod(type_of(x).shape[axis] for axis in found)
    return _normalised(apply(Fft(tuple(sorted(found)), is_inverse), x), norm, n_points, is_inverse)


def _of_real(name: str, x: Any, s: Any, axes: Any, norm: str) -> Any:
    _check_norm(name, norm)
    x = tensor(x)
    if is_complex(x):
        raise located(DTypeError(f"{name}: x is {type_of(x)}, not real", "use the complex transform, or bg.real(x)"))
    x = x if type_of(x).dtype is F64 else astype(x, F32)
    found, sizes = _axes_and_sizes(name, x, s, axes)
    for axis, n in zip(found, sizes, strict=True):
        x = _resized(x, axis, n)
    n_points = math.prod(type_of(x).shape[axis] for axis in found)
    *others, last = found
    x = apply(Rfft(last), x)
    x = apply(Fft(tuple(sorted(others)), False), x) if others else x
    return _normalised(x, norm, n_points, False)


def _to_real(name: str, x: Any, s: Any, axes: Any, norm: str) -> Any:
    _check_norm(name, norm)
    x = astype(x, C64)
    found, sizes = _axes_and_sizes(name, x, s, axes)
    *others, last = found
    n = 2 * (type_of(x).shape[last] - 1) if sizes[-1] is None else sizes[-1]
    if n < 1:
        raise located(ShapeError(f"{name}: {n} entries along axis {last} is too few", f"x: {type_of(x)}", "give n"))
    for axis, size in zip(others, sizes, strict=False):
        x = _resized(x, axis, size)
    x = apply(Fft(tuple(sorted(others)), True), x) if others else x
    x = apply(Irfft(last, n), _resized(x, last, n // 2 + 1))
    n_points = math.prod(type_of(x).shape[axis] for axis in found)
    return _normalised(x, norm, n_points, True)


guard_all(globals(), __all__)
