"""Reading along one axis between entries: resample, and the product with a matrix along one axis that it comes down to."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Op, Permuted, register
from burngraph.ir.ops.along_axis import check_kind
from burngraph.ir.ops.arithmetic import Add, Minimum, Mul
from burngraph.ir.ops.broadcast import Broadcast, Sum, repeat_leading, without
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.compare import Equal, LessEqual, NotEqual, Select
from burngraph.ir.ops.constant import Iota, Splat
from burngraph.ir.ops.index import Take, TakeAlong
from burngraph.ir.ops.matmul import Dot, Matmul
from burngraph.ir.ops.movement import Permute, Reshape, Slice
from burngraph.ir.ops.pointwise import NUMBER, REAL, REAL_FLOAT, widened
from burngraph.ir.ops.precision import WideComposite
from burngraph.ir.ops.reduce import ArgMax
from burngraph.ir.ops.taps import IS_NEAREST, KERNELS, Grid, band, emit_taps, taps
from burngraph.ir.permutation import Perm, inverse
from burngraph.ir.types import F32, F64, I32, U8, Array, DType, TensorType
from burngraph.ir.value import Emit, Value

# A product with a whole matrix reads every entry of a line, but is one matrix product; taps read `band` entries, each in a
# pass of its own. Up to this many times the band the product wins: seen at 8 to 16 on a CPU with MLX's own BLAS.
_DENSE = 16


@register
@dataclass(frozen=True, eq=False)
class MatmulAlong(Op):
    """Each line of `x` along `axis` multiplied by one matrix; 16-bit floats add up in f32.

    x        T[*A, K, *B]     K at `axis`; T any number dtype
    m        T[M, K]          T[K, M] if is_transposed
    returns  T[*A, M, *B]
    """

    name = "matmul_along"
    operands = ("x", "m")
    linear_in = (("x",), ("m",))
    axis: int
    is_transposed: bool = False

    def infer(self, x: TensorType, m: TensorType) -> TensorType:
        check_kind(self, x, NUMBER)
        if m.dtype is not x.dtype:
            raise DTypeError("matmul_along: x and m differ in dtype", f"x: {x}", f"m: {m}")
        if not 0 <= self.axis < x.rank or m.rank != 2 or m.shape[not self.is_transposed] != x.shape[self.axis]:
            raise ShapeError(f"matmul_along: the columns of m do not fit axis {self.axis} of x", f"x: {x}", f"m: {m}")
        made = m.shape[self.is_transposed]
        return x.with_shape((*x.shape[: self.axis], made, *x.shape[self.axis + 1 :]))

    def reference(self, x: Array, m: Array) -> Array:
        product = np.tensordot(widened(x), widened(m), axes=((self.axis,), (0 if self.is_transposed else 1,)))
        return np.moveaxis(product, -1, self.axis)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, m: Value) -> Value:
        if into == 0:
            return emit(MatmulAlong(self.axis, not self.is_transposed), y_bar, m)
        others = without((self.axis,), len(x.shape))
        return emit(Dot(others, others), *((x, y_bar) if self.is_transposed else (y_bar, x)))

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        if index == 1:
            same = tuple(range(operand_types[0].rank))
            return Permuted(MatmulAlong(self.axis, self.is_transposed != (perm == (1, 0))), (same, perm), (same,))
        return Permuted(MatmulAlong(inverse(perm)[self.axis], self.is_transposed), (perm, (0, 1)), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        x, m = operands
        if not is_batched[1]:
            return emit(MatmulAlong(self.axis + 1, self.is_transposed), x, m)
        x = x if is_batched[0] else repeat_leading(emit, x, m.shape[0])
        n, axis = len(x.shape), self.axis + 1
        others = without((0, axis), n)
        rest = tuple(x.shape[a] for a in others)
        lines = emit(Reshape((x.shape[0], math.prod(rest), x.shape[axis])), emit(Permute((0, *others, axis)), x))
        product = emit(Matmul(), lines, m if self.is_transposed else emit(Permute((0, 2, 1)), m))
        out = emit(Reshape((x.shape[0], *rest, product.shape[2])), product)
        return emit(Permute(inverse((0, *others, axis))), out)

    def cost(self, x: TensorType, m: TensorType) -> Cost:
        result = self.infer(x, m)
        return Cost(2 * result.size * x.shape[self.axis], x.bytes + m.bytes, result.bytes)


@register
@dataclass(frozen=True, eq=False)
class Resample(WideComposite):
    """Lines of n_in entries along `axis` read at n_out positions between them; or the transpose of that map.

    x              T[*A, n_in, *B]     any float dtype T; for the nearest kernels any but complex
    returns        T[*A, n_out, *B]    if is_transposed n_out and n_in trade places, and T is float

    kernel         "nearest", "nearest-exact": the entry at the position rounded down
                   "linear", "cubic" (a = -3/4): beyond either end is the end's entry
                   "lanczos3": beyond either end is nothing, and the other weights are scaled to add up to 1
                   "area": the mean of entries floor(o * n_in / n_out) up to ceil((o + 1) * n_in / n_out)
    align_corners  the first and last positions are the first and last entries; nothing to nearest and area
    scale          entries of x per entry of the result, where it is not n_in / n_out; 0 where it is

    Positions: taps.py.
    Raises   ShapeError   no entry to read or to make, or another number along `axis`;   DTypeError   dtypes as above
    """

    name = "resample"
    operands = ("x",)
    linear_in = (("x",),)
    axis: int
    n_in: int
    n_out: int
    kernel: str = "linear"
    align_corners: bool = False
    scale: float = 0.0
    is_transposed: bool = False

    @property
    def grid(self) -> Grid:
        return Grid(self.n_in, self.n_out, self.kernel, self.align_corners, self.scale)

    def infer(self, x: TensorType) -> TensorType:
        if self.kernel not in KERNELS:
            raise ShapeError(f"resample: kernel {self.kernel!r} is none of {', '.join(KERNELS)}")
        check_kind(self, x, REAL_FLOAT if self.is_transposed or self.kernel not in IS_NEAREST else (*REAL, "bool"))
        if min(self.n_in, self.n_out) < 1 or not 0 <= self.scale < math.inf:
            raise ShapeError(f"resample: {self.n_in} entries to {self.n_out} at scale {self.scale}")
        read, made = (self.n_out, self.n_in) if self.is_transposed else (self.n_in, self.n_out)
        if not 0 <= self.axis < x.rank or x.shape[self.axis] != read:
            raise ShapeError(f"resample: axis {self.axis} of {x} has not {read} entries")
        return x.with_shape((*x.shape[: self.axis], made, *x.shape[self.axis + 1 :]))

    def reference(self, *arrays: Any) -> Array:
        (x,) = arrays
        at, weights = taps(self.grid)
        if not self.is_transposed and self.kernel in IS_NEAREST:
            return np.asarray(np.take(x, at[0], self.axis))
        x = widened(x)
        matrix = np.zeros((self.n_out, self.n_in))
        np.add.at(matrix, (np.broadcast_to(np.arange(self.n_out), at.shape), at), weights)
        product = np.tensordot(x, (matrix.T if self.is_transposed else matrix).astype(x.dtype), axes=((self.axis,), (1,)))
        return np.moveaxis(product, -1, self.axis)

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value) -> Value:
        return emit(dataclasses.replace(self, is_transposed=not self.is_transposed), y_bar)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(dataclasses.replace(self, axis=inverse(perm)[self.axis]), (perm,), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(dataclasses.replace(self, axis=self.axis + 1), operands[0])

    def cost(self, *types: TensorType | None) -> Cost:
        (x,) = types
        assert x is not None
        result = self.infer(x)
        n_taps = 1 if self.kernel in IS_NEAREST else taps(self.grid)[0].shape[0]
        made = max(x.size, result.size) if self.is_transposed else result.size
        return Cost(2 * n_taps * made if n_taps > 1 else 0, x.bytes, result.bytes)

    def decompose(self, emit: Emit, x: Value) -> Value:
        regular = self._regular(emit, x)
        if regular is not None:
            return regular
        if self.kernel in IS_NEAREST and not self.is_transposed:
            return emit(Take(self.axis), x, emit_taps(emit, self.grid, F32)[0][0])
        wide = F64 if x.type.dtype is F64 else F32
        z = x if x.type.dtype is wide else emit(Cast(wide), x)
        length = band(self.grid, self.is_transposed)
        if x.shape[self.axis] <= _DENSE * length:
            y = emit(MatmulAlong(self.axis, self.is_transposed), z, self._matrix(emit, wide))
        else:
            found = self._bands(emit, wide, length) if self.is_transposed else emit_taps(emit, self.grid, wide)
            y = self._by_taps(emit, z, found)
        return y if x.type.dtype is wide else emit(Cast(x.type.dtype), y)

    def _regular(self, emit: Emit, x: Value) -> Value | None:
        """What needs no weights: every entry repeated as often, every k-th entry, the mean of every k."""
        many, few = max(self.n_in, self.n_out), min(self.n_in, self.n_out)
        times = many // few
        if self.kernel not in (*IS_NEAREST, "area"):
            return None
        if self.kernel == "area":
            if many % few:
                return None
            if (self.n_in == few) != self.is_transposed:
                x = x if self.n_in == few else emit(Mul(), x, emit(Splat(few / many, x.type)))
                return self._spread(emit, x, times)
            narrow = x.type.dtype.bytes == 2  # whose sums might not fit before they are divided
            y = self._gathered(emit, emit(Cast(F32), x) if narrow else x, times)
            y = y if self.n_in == few else emit(Mul(), y, emit(Splat(few / many, y.type)))
            return emit(Cast(x.type.dtype), y) if narrow else y
        at = taps(self.grid)[0][0]
        if many % few == 0 and self.n_in == few and np.array_equal(at, np.arange(many) // times):
            return self._gathered(emit, x, times) if self.is_transposed else self._spread(emit, x, times)
        steps = set(np.diff(at).tolist()) or {1}
        if len(steps) != 1 or 0 in steps:
            return None
        shape = list(x.shape)
        shape[self.axis] = self.n_in
        start, stop, step = [0] * len(shape), list(shape), [1] * len(shape)
        start[self.axis], stop[self.axis], (step[self.axis],) = int(at[0]), int(at[-1]) + 1, steps
        cut = Slice(tuple(start), tuple(stop), tuple(step))
        if not self.is_transposed:
            return emit(cut, x)
        return cut.transpose(emit, 0, x, Value(x.type.with_shape(tuple(shape))))

    def _spread(self, emit: Emit, x: Value, times: int) -> Value:
        """Each entry `times` times."""
        before, (n, *after) = x.shape[: self.axis], x.shape[self.axis :]
        repeated = emit(Broadcast((*before, n, times, *after), (self.axis + 1,)), x)
        return emit(Reshape((*before, n * times, *after)), repeated)

    def _gathered(self, emit: Emit, x: Value, times: int) -> Value:
        """The sums of every `times` entries."""
        before, (n, *after) = x.shape[: self.axis], x.shape[self.axis :]
        return emit(Sum((self.axis + 1,)), emit(Reshape((*before, n // times, times, *after)), x))

    def _matrix(self, emit: Emit, dtype: DType) -> Value:
        """The weights as dtype[n_out, n_in]."""
        type = TensorType(dtype, (self.n_out, self.n_in))
        columns = emit(Iota(1, type.with_dtype(I32)))
        zero, total = emit(Splat(0.0, type)), None
        for at, weight in emit_taps(emit, self.grid, dtype):
            is_here = emit(Equal(), emit(Broadcast(type.shape, (1,)), at), columns)
            value = emit(Splat(1.0, type)) if weight is None else emit(Broadcast(type.shape, (1,)), weight)
            term = emit(Select(), is_here, value, zero)
            total = term if total is None else emit(Add(), total, term)
        assert total is not None
        return total

    def _bands(self, emit: Emit, dtype: DType, length: int) -> list[tuple[Value, Value | None]]:
        """The taps of the transpose: those entries of each column of the matrix that may differ from 0, a stretch of them."""
        matrix = self._matrix(emit, dtype)
        is_read = emit(NotEqual(), matrix, emit(Splat(0.0, matrix.type)))
        first = emit(Cast(I32), emit(ArgMax(0), emit(Cast(U8), is_read)))
        found: list[tuple[Value, Value | None]] = []
        last = emit(Splat(self.n_out - 1, first.type))
        for k in range(length):
            at = emit(Add(), first, emit(Splat(k, first.type)))
            kept = emit(Minimum(), at, last)
            row = emit(TakeAlong(0), matrix, emit(Reshape((1, self.n_in)), kept))
            weight = emit(Reshape((self.n_in,)), row)
            found.append((kept, emit(Select(), emit(LessEqual(), at, last), weight, emit(Splat(0.0, weight.type)))))
        return found

    def _by_taps(self, emit: Emit, x: Value, found: list[tuple[Value, Value | None]]) -> Value:
        total: Value | None = None
        for at, weight in found:
            term = emit(Take(self.axis), x, at)
            if weight is not None:
                others = without((self.axis,), len(x.shape))
                term = emit(Mul(), term, emit(Broadcast(term.shape, others), weight) if others else weight)
            total = term if total is None else emit(Add(), total, term)
        assert total is not None
        return total
