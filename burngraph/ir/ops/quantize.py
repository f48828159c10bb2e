"""Products with a matrix of small numbers that are packed into words, with a scale for each group of neighbours in a row."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.minifloat import E2M1, E4M3, Minifloat, e8m0
from burngraph.ir.op import Cost, Permuted, register
from burngraph.ir.ops.broadcast import Broadcast, Sum
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.constant import MAX_CONSTANT_SIZE, Constant, Iota, Splat
from burngraph.ir.ops.elementwise import Add, BitwiseAnd, Mul, RightShift
from burngraph.ir.ops.index import Take
from burngraph.ir.ops.matmul import Dot
from burngraph.ir.ops.movement import Concat, Reshape
from burngraph.ir.ops.precision import WideReference
from burngraph.ir.permutation import Perm, identity
from burngraph.ir.types import F32, U8, U32, TensorType
from burngraph.ir.value import Emit, Value

WORD = 32  # bits
BITS = (2, 4, 8)
GROUPS = (32, 64, 128)


class PackedMatmul(WideReference):
    """Base of products of x, the first operand, with a matrix that the others say, packed along its rows."""

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted | None:
        """Axes of x before the last may be reordered; the matrix stays as it is packed."""
        n_kept = len(operand_types) - 1
        if index in (0, -1):
            is_last_kept = perm[-1] == len(perm) - 1
            return Permuted(self, (perm, *(identity(2),) * n_kept), (perm,)) if is_last_kept else None
        same = identity(operand_types[0].rank)
        return Permuted(self, (same, *(perm,) * n_kept), (same,)) if perm == identity(2) else None

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        if not any(is_batched[1:]):
            return emit(self, *operands)
        narrow = operands[0].type.dtype
        if narrow.bytes == 2:  # step by step in 16 bits would round at each step
            operands = tuple(emit(Cast(F32), v) if v.type.dtype is narrow else v for v in operands)
        result: Value = super().batched(emit, operands, is_batched)
        return emit(Cast(narrow), result) if narrow.bytes == 2 else result

    def cost(self, *types: TensorType | None) -> Cost:
        x = types[0]
        assert x is not None, "no operand may be absent"
        result: TensorType = self.infer(*types)
        read = sum(t.bytes for t in types if t is not None)
        return Cost(2 * math.prod(x.shape) * result.shape[-1], read, result.bytes)


def _unpacked(emit: Emit, w: Value, bits: int) -> Value:
    """The codes of each word one after another, u32[R, C]."""
    per_word = WORD // bits
    rows, words = w.shape
    type = TensorType(U32, (rows, words, per_word))
    shifts = emit(Mul(), emit(Iota(2, type)), emit(Splat(bits, type)))
    shifted = emit(RightShift(), emit(Broadcast(type.shape, (2,)), w), shifts)
    codes = emit(BitwiseAnd(), shifted, emit(Splat(2**bits - 1, type)))
    return emit(Reshape((rows, words * per_word)), codes)


def _spread(emit: Emit, each: Value, group: int) -> Value:
    """One number for a group, repeated over its codes: T[R, C]."""
    rows, n = each.shape
    return emit(Reshape((rows, n * group)), emit(Broadcast((rows, n, group), (2,)), each))


def _check_product(name: str, x: TensorType, w: TensorType, columns: int, transposed: bool, *listed: str) -> TensorType:
    """The type of the product. Raises ShapeError: x does not fit."""
    used, left = (columns, w.shape[0]) if transposed else (w.shape[0], columns)
    if x.shape[-1] != used:
        raise ShapeError(f"{name}: the last axis of x must have {used} entries", *listed)
    return x.with_shape((*x.shape[:-1], left))


@register
@dataclass(frozen=True, eq=False)
class QuantizedMatmul(PackedMatmul):
    """x times a matrix W[r, c] = scales[r, c // group] * code[r, c] + biases[r, c // group], or times its transpose.

    x               T[*B, C] if transposed, else T[*B, R]    any float dtype T
    w               u32[R, C * bits / 32]    codes 0 ... 2^bits - 1, the first in the lowest bits
    scales, biases  T[R, C / group]
    returns         T[*B, R] if transposed, else T[*B, C]

    bits            2, 4 or 8
    group           32, 64 or 128 codes of a row share a scale and a bias
    transposed      multiply by the transpose of W

    Raises   ShapeError, DTypeError   operands or attributes do not fit
    Source   MLX documentation, mlx.core.quantize (mode "affine") and mlx.core.quantized_matmul
    """

    name = "quantized_matmul"
    operands = ("x", "w", "scales", "biases")
    linear_in = (("x",), ("scales", "biases"))
    bits: int
    group: int
    transposed: bool

    def infer(self, x: TensorType, w: TensorType, scales: TensorType, biases: TensorType) -> TensorType:
        listed = (f"x: {x}", f"w: {w}", f"scales: {scales}", f"biases: {biases}")
        if self.bits not in BITS or self.group not in GROUPS:
            raise ShapeError(
                f"quantized_matmul: bits = {self.bits} is none of {BITS}, or group = {self.group} none of {GROUPS}"
            )
        if w.dtype is not U32 or x.dtype.kind != "float" or scales.dtype is not x.dtype or biases.dtype is not x.dtype:
            raise DTypeError("quantized_matmul: w must be u32; x, scales and biases of one float dtype", *listed)
        if w.rank != 2 or x.rank < 1:
            raise ShapeError("quantized_matmul: w must have two axes, x at least one", *listed)
        rows, columns = w.shape[0], w.shape[1] * WORD // self.bits
        if columns % self.group or scales.shape != biases.shape or scales.shape != (rows, columns // self.group):
            raise ShapeError(
                f"quantized_matmul: scales and biases must be one for {self.group} codes of each row of w", *listed
            )
        return _check_product(self.name, x, w, columns, self.transposed, *listed)

    def decompose(self, emit: Emit, x: Value, w: Value, scales: Value, biases: Value) -> Value:
        codes = self._codes(emit, w, x.type)
        matrix = emit(Add(), emit(Mul(), codes, _spread(emit, scales, self.group)), _spread(emit, biases, self.group))
        return emit(Dot((len(x.shape) - 1,), (1 if self.transposed else 0,)), x, matrix)

    def _codes(self, emit: Emit, w: Value, like: TensorType) -> Value:
        """The codes as T[R, C]."""
        return emit(Cast(like.dtype), _unpacked(emit, w, self.bits))

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, w: Value, scales: Value, biases: Value) -> Value:
        if into == 0:
            return emit(QuantizedMatmul(self.bits, self.group, not self.transposed), y_bar, w, scales, biases)
        batch = tuple(range(len(x.shape) - 1))
        matrix_bar = emit(Dot(batch, batch), *((y_bar, x) if self.transposed else (x, y_bar)))
        if into == 2:
            matrix_bar = emit(Mul(), matrix_bar, self._codes(emit, w, x.type))
        return emit(Sum((2,)), emit(Reshape((*scales.shape, self.group)), matrix_bar))


class Mode(NamedTuple):
    """A matrix of minifloats as MLX's `mode` names it.

    number, form   the format of its entries, by name
    group          neighbours of a row that share a scale
    scale          the format of scales: "ue4m3", an e4m3 that should not be negative, or "ue8m0", a power of two
    """

    number: str
    form: Minifloat
    group: int
    scale: str

    @property
    def scale_number(self) -> Callable[[int], float]:
        return E4M3.number if self.scale == "ue4m3" else e8m0


MODES = {
    "mxfp4": Mode("e2m1", E2M1, 32, "ue8m0"),
    "mxfp8": Mode("e4m3", E4M3, 32, "ue8m0"),
    "nvfp4": Mode("e2m1", E2M1, 16, "ue4m3"),
}


@register
@dataclass(frozen=True, eq=False)
class MicroscaledMatmul(PackedMatmul):
    """x times a matrix W[r, c] = scale[r, c // group] * number[r, c] of minifloats, or times its transpose.

    x        T[*B, C] if transposed, else T[*B, R]    any float dtype T
    w        u32[R, C * bits / 32]    bit patterns of the numbers, the first in the lowest bits
    scales   u8[R, C / group]         bit patterns of the scales; that of nan makes what it takes part in nan or infinite
    returns  T[*B, R] if transposed, else T[*B, C]

    mode         "mxfp4" (e2m1, scales e8m0, group 32), "mxfp8" (e4m3, e8m0, 32), "nvfp4" (e2m1, e4m3, 16)
    transposed   multiply by the transpose of W

    Raises   ShapeError, DTypeError   operands or attributes do not fit
    Source   MLX documentation, mlx.core.quantize; OCP Microscaling Formats 1.0
    """

    name = "microscaled_matmul"
    operands = ("x", "w", "scales")
    linear_in = (("x",),)
    mode: str
    transposed: bool

    def infer(self, x: TensorType, w: TensorType, scales: TensorType) -> TensorType:
        listed = (f"x: {x}", f"w: {w}", f"scales: {scales}")
        if self.mode not in MODES:
            raise ShapeError(f"microscaled_matmul: mode = {self.mode!r} is none of {', '.join(MODES)}")
        if w.dtype is not U32 or x.dtype.kind != "float" or scales.dtype is not U8:
            raise DTypeError("microscaled_matmul: w must be u32, scales u8, x floats", *listed)
        if w.rank != 2 or x.rank < 1:
            raise ShapeError("microscaled_matmul: w must have two axes, x at least one", *listed)
        mode = MODES[self.mode]
        columns = w.shape[1] * WORD // mode.form.bits
        if columns % mode.group or scales.shape != (w.shape[0], columns // mode.group):
            raise ShapeError(f"microscaled_matmul: there must be a scale for {mode.group} numbers of each row of w", *listed)
        return _check_product(self.name, x, w, columns, self.transposed, *listed)

    def decompose(self, emit: Emit, x: Value, w: Value, scales: Value) -> Value:
        mode = MODES[self.mode]
        numbers = _read(emit, mode.form.number, mode.form.bits, _unpacked(emit, w, mode.form.bits))
        factors = _read(emit, mode.scale_number, 8, scales)
        matrix = emit(Cast(x.type.dtype), emit(Mul(), numbers, _spread(emit, factors, mode.group)))
        return emit(Dot((len(x.shape) - 1,), (1 if self.transposed else 0,)), x, matrix)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, w: Value, scales: Value) -> Value:
        return emit(MicroscaledMatmul(self.mode, not self.transposed), y_bar, w, scales)


def _read(emit: Emit, number: Callable[[int], float], bits: int, codes: Value) -> Value:
    """What each code means, f32."""
    n = min(2**bits, MAX_CONSTANT_SIZE)
    type = TensorType(F32, (n,))
    parts = [emit(Constant(tuple(map(number, range(i, i + n))), type)) for i in range(0, 2**bits, n)]
    return emit(Take(0), emit(Concat(0), *parts) if len(parts) > 1 else parts[0], codes)
