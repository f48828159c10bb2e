"""Building complex numbers and taking them apart.

The derivative rules follow one convention, JAX's: a cotangent t of a complex value z stands for the real-linear map
z_dot -> Re(sum(t * z_dot)), without conjugation. So multiplying by a constant transposes into multiplying by that constant,
every op that is linear over the complex numbers keeps the rule it has for real ones, and a gradient with respect to a complex
parameter is the conjugate of PyTorch's.
"""

from dataclasses import dataclass

import numpy as np

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Tangent, register
from burngraph.ir.ops.arithmetic import Div, Mul, Neg
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.compare import Equal, Select
from burngraph.ir.ops.pointwise import Elementwise, Unary, splat_like
from burngraph.ir.types import C64, F32, Array, TensorType
from burngraph.ir.value import Emit, Value


class ComplexPart(Unary):
    """Base: a real number of each complex entry.

    x        c64[*S]
    returns  f32[*S]
    """

    kinds = ("complex",)

    def result_type(self, operand: TensorType) -> TensorType:
        return operand.with_dtype(F32)


@register
@dataclass(frozen=True, eq=False)
class Real(ComplexPart):
    """The real part. Transpose: t -> complex(t, 0)."""

    name = "real"
    ufunc = np.real
    linear_in = (("x",),)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        return emit(Cast(C64), y_bar)


@register
@dataclass(frozen=True, eq=False)
class Imag(ComplexPart):
    """The imaginary part. Transpose: t -> complex(0, -t), as Re(-i t * z) = t * Im(z)."""

    name = "imag"
    ufunc = np.imag
    linear_in = (("x",),)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        return emit(Complex(), splat_like(emit, 0.0, y_bar), emit(Neg(), y_bar))


@register
@dataclass(frozen=True, eq=False)
class Modulus(ComplexPart):
    """The absolute value of each complex entry; its derivative at 0 is 0."""

    name = "modulus"
    ufunc = np.abs
    flops_per_element = 8

    def linearize(self, emit: Emit, x: Value, y: Value, x_dot: Tangent) -> Tangent:
        if x_dot is None:
            return None
        is_zero = emit(Equal(), y, splat_like(emit, 0.0, y))
        size = emit(Select(), is_zero, splat_like(emit, 1.0, y), y)
        direction = emit(Conj(), emit(Div(), x, emit(Cast(C64), size)))
        return emit(Real(), emit(Mul(), direction, x_dot))


@register
@dataclass(frozen=True, eq=False)
class Conj(Unary):
    """The complex conjugate. Transpose: t -> conj(t)."""

    name = "conj"
    ufunc = np.conj
    kinds = ("complex",)
    linear_in = (("x",),)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        return emit(Conj(), y_bar)


@register
@dataclass(frozen=True, eq=False)
class Complex(Elementwise):
    """re + i im. Transpose: t -> Re(t) into re, -Im(t) into im.

    re, im   f32[*S] or f64[*S]; f64 is rounded, as there is no wider complex dtype than c64
    returns  c64[*S]
    """

    name = "complex"
    operands = ("re", "im")
    kinds = ("float",)
    linear_in = (("re", "im"),)

    def infer(self, re: TensorType, im: TensorType) -> TensorType:  # type: ignore[override]
        listed = (f"re: {re}", f"im: {im}")
        if re.dtype is not im.dtype or re.dtype.name not in ("f32", "f64"):
            raise DTypeError("complex: re and im must be both f32 or both f64", *listed)
        if re.shape != im.shape:
            raise ShapeError("complex: operands differ in shape", *listed)
        return re.with_dtype(C64)

    def reference(self, *arrays: Array) -> Array:
        re, im = arrays
        out = np.empty(re.shape, np.complex64)
        out.real, out.imag = re, im
        return out

    def transpose(self, emit: Emit, into: int, y_bar: Value, re: Value, im: Value) -> Value:
        part = emit(Real(), y_bar) if into == 0 else emit(Neg(), emit(Imag(), y_bar))
        return part if re.type.dtype is F32 else emit(Cast(re.type.dtype), part)

    def cost(self, *types: TensorType) -> Cost:
        return Cost(0, 2 * types[0].bytes, types[0].with_dtype(C64).bytes)
