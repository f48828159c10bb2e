"""Burn's Fourier transforms: real and imaginary parts are two arrays, in the dtype of the operand."""

import math
from typing import Any

from burngraph.errors import ShapeError
from burngraph.frontend import fft
from burngraph.frontend.functional.comparison import equal, logical_or, where
from burngraph.frontend.functional.conv import floats
from burngraph.frontend.functional.creation import arange, full
from burngraph.frontend.functional.elementwise import cos, multiply, remainder, sin, subtract
from burngraph.frontend.functional.fourier import complex, imag, real
from burngraph.frontend.functional.reduction import matmul
from burngraph.frontend.functional.shape import astype, expand_dims, matrix_transpose, moveaxis, tensor
from burngraph.frontend.recording import located, type_of
from burngraph.ir.promotion import at_least_float
from burngraph.ir.types import F64

__all__ = ["irfft", "rfft"]


def rfft(signal: Any, dim: int, n: int | None = None) -> tuple[Any, Any]:
    """Real and imaginary part of sum over m of signal[m] exp(-2 pi i k m / n), k = 0 ... n // 2, along `dim`.

    n   cuts the signal or pads it with zeros; its length if None

    f64 is done by n * n multiplications, as there is no complex dtype for it; other dtypes in f32, fast.
    Raises   ShapeError   n < 1, or no axis `dim`, or it is empty;   DTypeError   signal is complex
    """
    signal = tensor(signal)
    dtype = at_least_float(type_of(signal).dtype)
    if dtype is not F64:
        spectrum = fft.rfft(signal, n, dim)
        return astype(real(spectrum), dtype), astype(imag(spectrum), dtype)
    x = moveaxis(signal, dim, -1)
    size = type_of(x).shape[-1]
    n = _positive("rfft", size if n is None else n, signal)
    used = min(size, n)
    cosines, sines = _waves(used, n // 2 + 1, n)
    parts = matmul(x[..., :used], cosines), matmul(x[..., :used], multiply(sines, -1.0))
    return moveaxis(parts[0], -1, dim), moveaxis(parts[1], -1, dim)


def irfft(re: Any, im: Any, dim: int, n: int | None = None) -> Any:
    """The inverse of rfft: `n` entries along `dim`, 2 (bins - 1) if None.

    The imaginary parts at frequency 0 and, for an even n, n / 2 are not looked at.
    f64 is done by n * n multiplications, as there is no complex dtype for it; other dtypes in f32, fast.
    Raises   ShapeError   n < 1, or no axis `dim`, or re and im differ
    """
    re, im = floats(re, im)
    a, b = type_of(re), type_of(im)
    if a.shape != b.shape:
        raise located(ShapeError(f"irfft: re is {a}, im is {b}"))
    if a.dtype is not F64:
        return astype(fft.irfft(complex(re, im), n, dim), a.dtype)
    parts = moveaxis(re, dim, -1), moveaxis(im, dim, -1)
    bins = type_of(parts[0]).shape[-1]
    n = _positive("irfft", 2 * (bins - 1) if n is None else n, re)
    used = min(bins, n // 2 + 1)
    cosines, sines = _waves(n, used, n)
    k = arange(used)
    is_own_mirror = logical_or(equal(k, 0), equal(multiply(k, 2), n))
    counted = where(is_own_mirror, full((used,), 1 / n, F64), 2 / n)  # all others stand for their mirror image too
    given = [multiply(part[..., :used], counted) for part in parts]
    y = subtract(matmul(given[0], matrix_transpose(cosines)), matmul(given[1], matrix_transpose(sines)))
    return moveaxis(y, -1, dim)


def _positive(name: str, n: int, x: Any) -> int:
    if n < 1:
        raise located(ShapeError(f"{name}: n = {n} must be at least 1", f"operand: {type_of(x)}"))
    return n


def _waves(rows: int, columns: int, n: int) -> tuple[Any, Any]:
    """Cosine and sine of 2 pi m k / n: f64[rows, columns]. Whole turns are taken out in integers."""
    turns = remainder(multiply(expand_dims(arange(rows, dtype="int64"), 1), arange(columns, dtype="int64")), n)
    angle = multiply(astype(turns, F64), 2 * math.pi / n)
    return cos(angle), sin(angle)
