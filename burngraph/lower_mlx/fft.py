"""Complex numbers and Fourier transforms in MLX."""

from typing import Any

from burngraph.ir.ops.complex import Complex, Conj, Imag, Modulus, Real
from burngraph.ir.ops.fft import Fft, Irfft, Rfft
from burngraph.lower_mlx.table import enter_names, lowers

enter_names({Real: "real", Imag: "imag", Conj: "conj", Modulus: "abs"})


@lowers(Complex)
def lower_complex(mx: Any, op: Complex, re: Any, im: Any) -> Any:
    """The two parts side by side, seen as one number: re + 1j * im would make nan of an infinite part."""
    pairs = mx.stack([re.astype(mx.float32), im.astype(mx.float32)], axis=-1)
    return pairs.view(mx.complex64).reshape(re.shape)


@lowers(Fft)
def lower_fft(mx: Any, op: Fft, x: Any) -> Any:
    if not op.axes or 0 in x.shape:
        return x
    return (mx.fft.ifftn if op.inverse else mx.fft.fftn)(x, axes=op.axes)


@lowers(Rfft)
def lower_rfft(mx: Any, op: Rfft, x: Any) -> Any:
    if 0 in x.shape:  # an empty transform ends the process on CUDA
        return mx.zeros(tuple(n // 2 + 1 if a == op.axis else n for a, n in enumerate(x.shape)), dtype=mx.complex64)
    return mx.fft.rfft(x, axis=op.axis)


@lowers(Irfft)
def lower_irfft(mx: Any, op: Irfft, x: Any) -> Any:
    if 0 in x.shape:
        return mx.zeros(tuple(op.n if a == op.axis else n for a, n in enumerate(x.shape)), dtype=mx.float32)
    return mx.fft.irfft(x, n=op.n, axis=op.axis)
