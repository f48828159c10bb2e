"""Fourier transforms: complex along any axes, and the two between a real axis and the half of its spectrum that says all.

Sizes are never changed here; whoever calls truncates or pads. Transposes follow the convention of complex.py.
"""

import math
from dataclasses import dataclass

import numpy as np

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Op, Permuted, register
from burngraph.ir.ops.broadcast import Broadcast, check_axes, renumbered, without
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.compare import Equal, Select
from burngraph.ir.ops.complex import Conj
from burngraph.ir.ops.constant import Iota, Splat
from burngraph.ir.ops.elementwise import LogicalOr, Mul
from burngraph.ir.permutation import Perm, inverse
from burngraph.ir.types import C64, F32, I32, Array, TensorType
from burngraph.ir.value import Emit, Value


def _transform_cost(size: int, n: int, x: TensorType, result: TensorType) -> Cost:
    """5 n log2 n operations for each of size / n complex transforms."""
    return Cost(math.ceil(5 * size * math.log2(max(n, 2))), x.bytes, result.bytes)


@register
@dataclass(frozen=True, eq=False)
class Fft(Op):
    """Discrete Fourier transform along `axes`: sum of x[m] exp(-2 pi i k m / n), or its inverse.

    x        c64[...]   no axis in `axes` is empty
    returns  the same type; the inverse has exp(+...) and is divided by the number of entries along `axes`

    The transform is a symmetric matrix, so it is its own transpose.
    """

    name = "fft"
    operands = ("x",)
    linear_in = (("x",),)
    axes: tuple[int, ...]
    inverse: bool

    def infer(self, x: TensorType) -> TensorType:
        check_axes(self, self.axes, x.rank)
        if x.dtype is not C64:
            raise DTypeError(f"fft: x is {x}, takes only c64", "cast it first")
        if any(x.shape[a] == 0 for a in self.axes):
            raise ShapeError(f"fft: x is {x}; an empty axis has no transform")
        return x

    def reference(self, x: Array) -> Array:
        transform = np.fft.ifftn if self.inverse else np.fft.fftn
        return np.asarray(transform(x.astype(np.complex128), axes=self.axes) if self.axes else x).astype(np.complex64)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        return emit(self, y_bar)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(Fft(renumbered(self.axes, perm), self.inverse), (perm,), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(Fft(tuple(a + 1 for a in self.axes), self.inverse), operands[0])

    def cost(self, x: TensorType) -> Cost:
        return _transform_cost(x.size, math.prod(x.shape[a] for a in self.axes), x, x)


@register
@dataclass(frozen=True, eq=False)
class Rfft(Op):
    """The first n // 2 + 1 entries of the Fourier transform of a real array along `axis`, of size n.

    x        f32[..., n, ...] or f64[..., n, ...]; f64 is transformed to c64, the only complex dtype
    returns  c64[..., n // 2 + 1, ...]
    """

    name = "rfft"
    operands = ("x",)
    linear_in = (("x",),)
    axis: int

    def infer(self, x: TensorType) -> TensorType:
        if x.dtype.name not in ("f32", "f64"):
            raise DTypeError(f"rfft: x is {x}, takes only f32 or f64", "cast it first")
        _check_axis(self, self.axis, x)
        return _resized(x, self.axis, x.shape[self.axis] // 2 + 1).with_dtype(C64)

    def reference(self, x: Array) -> Array:
        return np.asarray(np.fft.rfft(x.astype(np.float64), axis=self.axis)).astype(np.complex64)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        """Re(sum over the half spectrum of t[k] exp(-2 pi i k m / n)), as an inverse transform of conj(t).

        That one counts the entries strictly inside the half spectrum twice and divides by n.
        """
        n = x.shape[self.axis]
        halves = _spectrum_weights(emit, y_bar, self.axis, n, float(n), n / 2)
        out = emit(Irfft(self.axis, n), emit(Mul(), emit(Conj(), y_bar), halves))
        return out if x.type.dtype is F32 else emit(Cast(x.type.dtype), out)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(Rfft(inverse(perm)[self.axis]), (perm,), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(Rfft(self.axis + 1), operands[0])

    def cost(self, x: TensorType) -> Cost:
        return _transform_cost(x.size // 2, x.shape[self.axis], x, self.infer(x))


@register
@dataclass(frozen=True, eq=False)
class Irfft(Op):
    """The real array of size `n` along `axis` whose Fourier transform begins with `x`; divided by n.

    x        c64[..., n // 2 + 1, ...]   imaginary parts at 0 and, for an even n, at n / 2 are not read
    returns  f32[..., n, ...]
    """

    name = "irfft"
    operands = ("x",)
    linear_in = (("x",),)
    axis: int
    n: int

    def infer(self, x: TensorType) -> TensorType:
        if x.dtype is not C64:
            raise DTypeError(f"irfft: x is {x}, takes only c64", "cast it first")
        _check_axis(self, self.axis, x)
        if self.n < 1 or x.shape[self.axis] != self.n // 2 + 1:
            raise ShapeError(f"irfft: x is {x}; axis {self.axis} must have n // 2 + 1 entries, n = {self.n}")
        return _resized(x, self.axis, self.n).with_dtype(F32)

    def reference(self, x: Array) -> Array:
        return np.asarray(np.fft.irfft(x.astype(np.complex128), n=self.n, axis=self.axis)).astype(np.float32)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        doubles = _spectrum_weights(emit, x, self.axis, self.n, 1 / self.n, 2 / self.n)
        return emit(Mul(), emit(Conj(), emit(Rfft(self.axis), y_bar)), doubles)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(Irfft(inverse(perm)[self.axis], self.n), (perm,), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(Irfft(self.axis + 1, self.n), operands[0])

    def cost(self, x: TensorType) -> Cost:
        result = self.infer(x)
        return _transform_cost(result.size // 2, self.n, x, result)


def _check_axis(op: Op, axis: int, x: TensorType) -> None:
    if not 0 <= axis < x.rank:
        raise ShapeError(f"{op.name}: {x} has no axis {axis}")
    if x.shape[axis] == 0:
        raise ShapeError(f"{op.name}: x is {x}; an empty axis has no transform")


def _resized(x: TensorType, axis: int, n: int) -> TensorType:
    return x.with_shape((*x.shape[:axis], n, *x.shape[axis + 1 :]))


def _spectrum_weights(emit: Emit, like: Value, axis: int, n: int, edge: float, inside: float) -> Value:
    """c64 of the shape of `like`, a half spectrum: `edge` at 0 and at n / 2 if n is even, `inside` elsewhere."""
    m = n // 2 + 1
    counts = emit(Iota(0, TensorType(I32, (m,))))
    is_edge = emit(Equal(), counts, emit(Splat(0, counts.type)))
    if n % 2 == 0:
        is_edge = emit(LogicalOr(), is_edge, emit(Equal(), counts, emit(Splat(n // 2, counts.type))))
    line = TensorType(C64, (m,))
    weights = emit(Select(), is_edge, emit(Splat(complex(edge), line)), emit(Splat(complex(inside), line)))
    return emit(Broadcast(like.shape, without((axis,), len(like.shape))), weights)
