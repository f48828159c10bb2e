"""Products of matrices: matmul with batch dims, dot for any contraction without."""

import math
from dataclasses import dataclass

import numpy as np

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Op, Permuted, register
from burngraph.ir.ops.broadcast import add_leading_axis, extended, without
from burngraph.ir.ops.movement import Permute, Reshape
from burngraph.ir.ops.pointwise import NUMBER, widened
from burngraph.ir.permutation import Perm, identity, inverse, restrict
from burngraph.ir.types import Array, TensorType
from burngraph.ir.value import Emit, Value


class Product(Op):
    """Base of the two: bilinear in x and y, numbers of one dtype."""

    operands = ("x", "y")
    linear_in = (("x",), ("y",))

    def check_dtypes(self, x: TensorType, y: TensorType) -> None:
        if x.dtype is not y.dtype or x.dtype.kind not in NUMBER:
            raise DTypeError(f"{self.name}: takes numbers of one dtype", f"x: {x}", f"y: {y}")


def _swap_last(emit: Emit, x: Value) -> Value:
    n = len(x.shape)
    return emit(Permute((*range(n - 2), n - 1, n - 2)), x)


@register
@dataclass(frozen=True, eq=False)
class Matmul(Product):
    """Matrix product over equal batch dims; 16-bit floats add up in f32, integers wrap.

    x        T[*B, M, K]
    y        T[*B, K, N]
    returns  T[*B, M, N]
    """

    name = "matmul"

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        self.check_dtypes(x, y)
        if x.rank < 2 or x.rank != y.rank or x.shape[:-2] != y.shape[:-2] or x.shape[-1] != y.shape[-2]:
            raise ShapeError("matmul: takes x[*B, M, K] and y[*B, K, N]", f"x: {x}", f"y: {y}")
        return x.with_shape((*x.shape[:-1], y.shape[-1]))

    def reference(self, x: Array, y: Array) -> Array:
        return np.asarray(np.matmul(widened(x), widened(y)))

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, y: Value) -> Value:
        if into == 0:
            return emit(Matmul(), y_bar, _swap_last(emit, y))
        return emit(Matmul(), _swap_last(emit, x), y_bar)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted | None:
        """Batch axes may be reordered, in both operands alike; rows and columns stay last."""
        n = len(perm)
        return Permuted(self, (perm, perm), (perm,)) if perm[-2:] == (n - 2, n - 1) else None

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        x, y = operands
        if is_batched == (True, False) and len(y.shape) == 2:
            return emit(Dot((2,), (0,)), x, y)
        if is_batched == (False, True) and len(x.shape) == 2:
            return emit(Permute((1, 0, 2)), emit(Dot((1,), (1,)), x, y))
        return emit(Matmul(), *add_leading_axis(emit, operands, is_batched))

    def cost(self, x: TensorType, y: TensorType) -> Cost:
        result = self.infer(x, y)
        return Cost(2 * result.size * x.shape[-1], x.bytes + y.bytes, result.bytes)


@register
@dataclass(frozen=True, eq=False)
class Dot(Product):
    """Multiply and add up over pairs of axes.

    returns  T[kept axes of x in order, then kept axes of y in order]

    x_axes, y_axes   the pairs, of equal dims: axis x_axes[i] of x with axis y_axes[i] of y
    """

    name = "dot"
    x_axes: tuple[int, ...]
    y_axes: tuple[int, ...]

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        self.check_dtypes(x, y)
        listed = (f"x: {x}", f"y: {y}", f"x_axes: {self.x_axes}, y_axes: {self.y_axes}")
        for axes, operand in ((self.x_axes, x), (self.y_axes, y)):
            if len(set(axes)) != len(axes) or any(not 0 <= a < operand.rank for a in axes):
                raise ShapeError(f"dot: {axes} are not distinct axes of {operand}", *listed)
        if [x.shape[a] for a in self.x_axes] != [y.shape[a] for a in self.y_axes]:
            raise ShapeError("dot: paired axes differ in size", *listed)
        kept_x, kept_y = without(self.x_axes, x.rank), without(self.y_axes, y.rank)
        return x.with_shape((*(x.shape[a] for a in kept_x), *(y.shape[a] for a in kept_y)))

    def reference(self, x: Array, y: Array) -> Array:
        return np.asarray(np.tensordot(widened(x), widened(y), axes=(self.x_axes, self.y_axes)))

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, y: Value) -> Value:
        kept_x, kept_y = without(self.x_axes, len(x.shape)), without(self.y_axes, len(y.shape))
        n = len(kept_x)
        if into == 0:
            out = emit(Dot(tuple(range(n, n + len(kept_y))), kept_y), y_bar, y)
            labels = (*kept_x, *(self.x_axes[self.y_axes.index(a)] for a in sorted(self.y_axes)))
        else:
            out = emit(Dot(kept_x, tuple(range(n))), x, y_bar)
            labels = (*(self.y_axes[self.x_axes.index(a)] for a in sorted(self.x_axes)), *kept_y)
        return out if labels == identity(len(labels)) else emit(Permute(inverse(labels)), out)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted | None:
        """Any order of either operand's axes; of the result's, as long as x's axes stay before y's.

        The contracted axes of the other operand follow, so that both keep one order and neither is copied to multiply.
        """
        x_rank, y_rank = (t.rank for t in operand_types)
        kept_x, kept_y = without(self.x_axes, x_rank), without(self.y_axes, y_rank)
        n = len(kept_x)
        x_perm, y_perm = identity(x_rank), identity(y_rank)
        if index == 0:
            x_perm, y_perm = perm, _followed(perm, self.x_axes, self.y_axes, y_rank)
        elif index == 1:
            x_perm, y_perm = _followed(perm, self.y_axes, self.x_axes, x_rank), perm
        elif all(a < n for a in perm[:n]):
            x_perm = extended(perm[:n], kept_x, x_rank)
            y_perm = extended(tuple(a - n for a in perm[n:]), kept_y, y_rank)
        else:
            return None
        x_at, y_at = inverse(x_perm), inverse(y_perm)
        op = Dot(tuple(x_at[a] for a in self.x_axes), tuple(y_at[a] for a in self.y_axes))
        result = (*restrict(x_perm, kept_x), *(n + a for a in restrict(y_perm, kept_y)))
        return Permuted(op, (x_perm, y_perm), (result,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        x, y = operands
        x_axes, y_axes = ((a + 1 for a in axes) for axes in (self.x_axes, self.y_axes))
        if not is_batched[1]:
            return emit(Dot(tuple(x_axes), self.y_axes), x, y)
        if not is_batched[0]:
            out = emit(Dot(self.x_axes, tuple(y_axes)), x, y)
            at = len(x.shape) - len(self.x_axes)  # the batch axis is the first of y's
            return emit(Permute((at, *range(at), *range(at + 1, len(out.shape)))), out)
        return _batched_dot(emit, x, y, tuple(x_axes), tuple(y_axes))

    def cost(self, x: TensorType, y: TensorType) -> Cost:
        result = self.infer(x, y)
        return Cost(2 * result.size * math.prod(x.shape[a] for a in self.x_axes), x.bytes + y.bytes, result.bytes)


def _followed(perm: Perm, axes: tuple[int, ...], other_axes: tuple[int, ...], rank: int) -> Perm:
    """The permutation of the other operand that reorders its contracted axes as `perm` does those in `axes`.

    The identity where the two operands do not have the contracted axes in one order to begin with.
    """
    before = sorted(range(len(axes)), key=lambda pair: axes[pair])
    if before != sorted(range(len(axes)), key=lambda pair: other_axes[pair]):
        return identity(rank)
    after = sorted(range(len(axes)), key=lambda pair: perm.index(axes[pair]))
    result = list(range(rank))
    for was, now in zip(before, after, strict=True):
        result[other_axes[was]] = other_axes[now]
    return tuple(result)


def _batched_dot(emit: Emit, x: Value, y: Value, x_axes: tuple[int, ...], y_axes: tuple[int, ...]) -> Value:
    """One dot per entry of the leading axis of both, as one matmul of x[b, M, K] and y[b, K, N]."""
    kept_x, kept_y = without((0, *x_axes), len(x.shape)), without((0, *y_axes), len(y.shape))
    b = x.shape[0]
    m, n = (tuple(v.shape[a] for a in kept) for v, kept in ((x, kept_x), (y, kept_y)))
    k = math.prod(x.shape[a] for a in x_axes)
    rows = emit(Reshape((b, math.prod(m), k)), emit(Permute((0, *kept_x, *x_axes)), x))
    columns = emit(Reshape((b, k, math.prod(n))), emit(Permute((0, *y_axes, *kept_y)), y))
    return emit(Reshape((b, *m, *n)), emit(Matmul(), rows, columns))
