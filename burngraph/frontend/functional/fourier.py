"""Complex numbers. Fourier transforms are in fft.py, as bg.fft.

The gradient of a real loss with respect to a complex array is dL/d(re) - i dL/d(im), as in JAX: the conjugate of PyTorch's.
"""

from typing import Any

from burngraph.errors import DTypeError
from burngraph.frontend.functional.comparison import equal, logical_and, where
from burngraph.frontend.functional.elementwise import atan2, promoted
from burngraph.frontend.functional.shape import astype, computed_dtype, tensor
from burngraph.frontend.recording import apply, is_tensor, located, type_of
from burngraph.ir.ops.complex import Complex, Conj, Imag, Real
from burngraph.ir.promotion import at_least_float
from burngraph.ir.types import C64, F32, F64, DType

__all__ = ["angle", "complex", "conj", "imag", "real"]


def is_complex(x: Any) -> bool:
    return type_of(x).dtype is C64


def complex(real: Any, imag: Any) -> Any:
    """real + i imag as c64; the two are promoted, at least to f32, and broadcast.

    Raises   DTypeError   one of them is complex already
    """
    parts = [x if is_tensor(x) else tensor(x) for x in (real, imag)]
    if any(is_complex(x) for x in parts):
        raise located(DTypeError("complex: takes real parts", *(f"operand {i}: {type_of(x)}" for i, x in enumerate(parts))))
    wide: DType = F64 if at_least_float(computed_dtype(parts)) is F64 else F32
    return apply(Complex(), *promoted("complex", *parts, dtype=wide))


def real(x: Any, /) -> Any:
    """The real part, f32; a real `x` as it is."""
    x = tensor(x)
    return apply(Real(), x) if is_complex(x) else x


def imag(x: Any, /) -> Any:
    """The imaginary part, f32.

    Raises   DTypeError   x is not complex
    """
    x = tensor(x)
    if not is_complex(x):
        raise located(
            DTypeError(f"imag: x is {type_of(x)}, not complex", "the imaginary part of a real array is zeros_like(x)")
        )
    return apply(Imag(), x)


def conj(x: Any, /) -> Any:
    """The complex conjugate; a real `x` as it is."""
    x = tensor(x)
    return apply(Conj(), x) if is_complex(x) else x


def angle(x: Any) -> Any:
    """The argument of each complex entry in (-pi, pi]; of a real `x` 0 or, below 0, pi. At 0 it is 0, with derivative 0."""
    x = tensor(x)
    if not is_complex(x):
        x = astype(x, at_least_float(type_of(x).dtype))
        return where(x < 0, 3.141592653589793, where(equal(x, x), 0.0, x))
    re, im = real(x), imag(x)
    is_zero = logical_and(equal(re, 0), equal(im, 0))
    return where(is_zero, 0.0, atan2(im, where(is_zero, 1.0, re)))
