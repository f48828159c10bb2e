"""The product with a matrix whose entries are small integers, packed into words, with a scale and a bias for each group."""

import math
from dataclasses import dataclass

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Permuted, register
from burngraph.ir.ops.broadcast import Broadcast, Sum
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.constant import Iota, Splat
from burngraph.ir.ops.elementwise import Add, BitwiseAnd, Mul, RightShift
from burngraph.ir.ops.matmul import Dot
from burngraph.ir.ops.movement import Reshape
from burngraph.ir.ops.precision import WideReference
from burngraph.ir.permutation import Perm, identity
from burngraph.ir.types import F32, U32, TensorType
from burngraph.ir.value import Emit, Value

WORD = 32  # bits
BITS = (2, 4, 8)
GROUPS = (32, 64, 128)


@register
@dataclass(frozen=True, eq=False)
class QuantizedMatmul(WideReference):
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
        used, left = (columns, rows) if self.transposed else (rows, columns)
        if x.shape[-1] != used:
            raise ShapeError(f"quantized_matmul: the last axis of x must have {used} entries", *listed)
        return x.with_shape((*x.shape[:-1], left))

    def decompose(self, emit: Emit, x: Value, w: Value, scales: Value, biases: Value) -> Value:
        codes = self._codes(emit, w, x.type)
        matrix = emit(Add(), emit(Mul(), codes, self._spread(emit, scales)), self._spread(emit, biases))
        return emit(Dot((len(x.shape) - 1,), (1 if self.transposed else 0,)), x, matrix)

    def _codes(self, emit: Emit, w: Value, like: TensorType) -> Value:
        """The codes as T[R, C]."""
        per_word = WORD // self.bits
        rows, words = w.shape
        type = TensorType(U32, (rows, words, per_word))
        shifts = emit(Mul(), emit(Iota(2, type)), emit(Splat(self.bits, type)))
        shifted = emit(RightShift(), emit(Broadcast(type.shape, (2,)), w), shifts)
        codes = emit(BitwiseAnd(), shifted, emit(Splat(2**self.bits - 1, type)))
        return emit(Cast(like.dtype), emit(Reshape((rows, words * per_word)), codes))

    def _spread(self, emit: Emit, each: Value) -> Value:
        """One number for a group, repeated over its codes: T[R, C]."""
        rows, n = each.shape
        return emit(Reshape((rows, n * self.group)), emit(Broadcast((rows, n, self.group), (2,)), each))

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, w: Value, scales: Value, biases: Value) -> Value:
        if into == 0:
            return emit(QuantizedMatmul(self.bits, self.group, not self.transposed), y_bar, w, scales, biases)
        batch = tuple(range(len(x.shape) - 1))
        matrix_bar = emit(Dot(batch, batch), *((y_bar, x) if self.transposed else (x, y_bar)))
        if into == 2:
            matrix_bar = emit(Mul(), matrix_bar, self._codes(emit, w, x.type))
        return emit(Sum((2,)), emit(Reshape((*scales.shape, self.group)), matrix_bar))

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted | None:
        """Axes of x before the last may be reordered; the matrix stays as it is packed."""
        if index in (0, -1):
            kept = identity(2)
            return Permuted(self, (perm, kept, kept, kept), (perm,)) if perm[-1] == len(perm) - 1 else None
        same = identity(operand_types[0].rank)
        return Permuted(self, (same, perm, perm, perm), (same,)) if perm == identity(2) else None

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        if not any(is_batched[1:]):
            return emit(self, *operands)
        narrow = operands[0].type.dtype
        if narrow.bytes == 2:  # step by step in 16 bits would round at each step
            operands = tuple(v if v.type.dtype is U32 else emit(Cast(F32), v) for v in operands)
        result: Value = super().batched(emit, operands, is_batched)
        return emit(Cast(narrow), result) if narrow.bytes == 2 else result

    def cost(self, *types: TensorType | None) -> Cost:
        x, w = types[:2]
        assert x is not None and w is not None, "no operand may be absent"
        result = self.infer(*types)  # type: ignore[arg-type]
        read = sum(t.bytes for t in types if t is not None)
        return Cost(2 * math.prod(x.shape) * result.shape[-1], read, result.bytes)
