"""Scaled dot-product attention, whole and only its weights; heads that share a key and value are not repeated."""

import math
from dataclasses import dataclass

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Permuted, register
from burngraph.ir.ops.broadcast import Broadcast, add_leading_axis
from burngraph.ir.ops.compare import GreaterEqual, NotEqual, Select
from burngraph.ir.ops.constant import Iota, Splat
from burngraph.ir.ops.elementwise import Add, LogicalAnd, Tanh, scaled, splat_like
from burngraph.ir.ops.matmul import Matmul
from burngraph.ir.ops.movement import Permute, Reshape
from burngraph.ir.ops.precision import WideReference
from burngraph.ir.ops.reduce import Any as AnyOp
from burngraph.ir.ops.softmax import Softmax
from burngraph.ir.permutation import Perm
from burngraph.ir.types import BOOL, I32, TensorType
from burngraph.ir.value import Emit, Value

CAUSAL = ("none", "upper_left", "lower_right")


def groups(query: tuple[int, ...], key: tuple[int, ...]) -> int:
    """How many heads of the query, axis -3, share one of the key."""
    return query[-3] // key[-3] if len(query) > 2 and key[-3] else 1


def may_hide_rows(causal: str, n_queries: int, n_keys: int, has_mask: bool) -> bool:
    """Whether some query may be left without any key."""
    return has_mask or (causal == "lower_right" and n_queries > n_keys)


def _divides(n: int, total: int) -> bool:
    return n == total or (0 < n <= total and total % n == 0)


class AttentionBase(WideReference):
    """Base of the two ops: what they ask of the operands, and how their axes may move."""

    scale: float
    softcap: float | None
    causal: str

    def check(self, query: TensorType, key: TensorType, mask: TensorType | None, value: TensorType | None = None) -> None:
        given = (("query", query), ("key", key), ("value", value), ("mask", mask))
        listed = tuple(f"{name}: {t}" for name, t in given if t is not None)
        if self.causal not in CAUSAL:
            raise ShapeError(f"{self.name}: causal = {self.causal!r} is none of {CAUSAL}")
        if self.softcap is not None and not self.softcap > 0:
            raise ShapeError(f"{self.name}: softcap = {self.softcap} is not above 0")
        if query.dtype.kind != "float" or any(t is not None and t.dtype is not query.dtype for t in (key, value)):
            raise DTypeError(f"{self.name}: query, key and value must have one float dtype", *listed)
        rank = query.rank
        alike = [t for t in (key, value) if t is not None]
        if rank < 2 or any(t.rank != rank or t.shape[:-1] != key.shape[:-1] for t in alike) or key.shape[-1] != query.shape[-1]:
            raise ShapeError(f"{self.name}: takes query[*B, Lq, D], key[*B, Lk, D], value[*B, Lk, Dv]", *listed)
        n_batch = max(rank - 3, 0)
        if query.shape[:n_batch] != key.shape[:n_batch] or (rank > 2 and not _divides(key.shape[-3], query.shape[-3])):
            raise ShapeError(f"{self.name}: batch axes differ, or the heads of key do not divide those of query", *listed)
        if mask is not None:
            if mask.dtype is not BOOL and mask.dtype is not query.dtype:
                raise DTypeError(f"{self.name}: mask must be bool (True: seen) or of the dtype of query (added)", *listed)
            full = (*query.shape[:-1], key.shape[-2])
            if mask.rank != rank or any(m not in (1, d) for m, d in zip(mask.shape, full, strict=True)):
                raise ShapeError(f"{self.name}: mask must be [*B, Lq, Lk], any of them 1", *listed)

    def permuted(self, operand_types: tuple[TensorType | None, ...], index: int, perm: Perm) -> Permuted | None:
        """Batch axes may be reordered, in all alike; the last two stay, and so do heads that share a key."""
        query, key = operand_types[:2]
        assert query is not None and key is not None, "query and key are never absent"
        n = query.rank
        fixed = 3 if groups(query.shape, key.shape) > 1 else 2
        if perm[n - fixed :] != tuple(range(n - fixed, n)):
            return None
        return Permuted(self, tuple(None if t is None else perm for t in operand_types), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value | None, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(self, *add_leading_axis(emit, operands, is_batched))


@register
@dataclass(frozen=True, eq=False)
class AttentionWeights(AttentionBase):
    """How much each query attends to each key: softmax over keys of scale * query key^T.

    query    T[*B, Lq, D]    any float dtype T
    key      T[*B, Lk, D]    axis -3 of the query may be a multiple of the key's: consecutive heads share one
    mask     bool[*B, Lq, Lk], True where a key is seen, or T[*B, Lq, Lk], added; optional. A dim of 1 serves all
    returns  T[*B, Lq, Lk]   zeros for a query that sees no key

    scale    factor on the products
    softcap  c: products become c tanh(product / c) before the mask; None for none
    causal   "none";  "upper_left": query i sees keys j <= i;  "lower_right": j <= i + Lk - Lq

    Raises   ShapeError, DTypeError   operands do not fit together
    """

    name = "attention_weights"
    operands = ("query", "key", "mask?")
    scale: float
    softcap: float | None
    causal: str

    def infer(self, query: TensorType, key: TensorType, mask: TensorType | None = None) -> TensorType:
        self.check(query, key, mask)
        return query.with_shape((*query.shape[:-1], key.shape[-2]))

    def decompose(self, emit: Emit, query: Value, key: Value, mask: Value | None = None) -> Value:
        if key.shape[-2] == 0:
            return emit(Splat(0.0, self.infer(query.type, key.type)))
        n = len(key.shape)
        key_t = emit(Permute((*range(n - 2), n - 1, n - 2)), key)
        scores = by_group(emit, scaled(emit, self.scale, query), key_t)
        if self.softcap is not None:
            scores = scaled(emit, self.softcap, emit(Tanh(), scaled(emit, 1 / self.softcap, scores)))
        axis = len(scores.shape) - 1
        mask = None if mask is None else _stretched(emit, mask, scores.shape)
        if mask is not None and mask.type.dtype is not BOOL:
            scores = emit(Add(), scores, mask)
        seen = self._seen(emit, scores, mask)
        if seen is None:
            return emit(Softmax(axis), scores)
        if mask is None or mask.type.dtype is BOOL or self.causal != "none":
            scores = emit(Select(), seen, scores, splat_like(emit, -math.inf, scores))
        if not may_hide_rows(self.causal, query.shape[-2], key.shape[-2], mask is not None):
            return emit(Softmax(axis), scores)
        # A row of only -inf would become nan, in the value and in the derivative.
        sees_any = emit(Broadcast(scores.shape, (axis,)), emit(AnyOp((axis,)), seen))
        zero = splat_like(emit, 0.0, scores)
        return emit(Select(), sees_any, emit(Softmax(axis), emit(Select(), sees_any, scores, zero)), zero)

    def _seen(self, emit: Emit, scores: Value, mask: Value | None) -> Value | None:
        """Which keys each query sees; None if it is all of them."""
        seen = None
        if mask is not None:
            seen = mask if mask.type.dtype is BOOL else emit(NotEqual(), mask, splat_like(emit, -math.inf, mask))
        if self.causal == "none":
            return seen
        *_, n_queries, n_keys = scores.shape
        last_seen, place = (emit(Iota(0, TensorType(I32, (n,)))) for n in (n_queries, n_keys))
        offset = n_keys - n_queries if self.causal == "lower_right" else 0
        last_seen = emit(Add(), last_seen, splat_like(emit, offset, last_seen)) if offset else last_seen
        shape = (n_queries, n_keys)  # one for all heads: a graph keeps it, as it depends on nothing
        causal = emit(GreaterEqual(), emit(Broadcast(shape, (1,)), last_seen), emit(Broadcast(shape, (0,)), place))
        n_batch = scores.type.rank - 2
        causal = emit(Broadcast(scores.shape, tuple(range(n_batch))), causal) if n_batch else causal
        return causal if seen is None else emit(LogicalAnd(), seen, causal)


def _stretched(emit: Emit, mask: Value, shape: tuple[int, ...]) -> Value:
    """The mask with its dims of 1 repeated to those of `shape`."""
    axes = tuple(a for a, (m, d) in enumerate(zip(mask.shape, shape, strict=True)) if m != d)
    kept = tuple(m for a, m in enumerate(mask.shape) if a not in axes)
    return emit(Broadcast(shape, axes), emit(Reshape(kept), mask)) if axes else mask


def by_group(emit: Emit, x: Value, y: Value) -> Value:
    """x[*B, H, M, K] times y[*B, H / g, K, N], each matrix of y for g consecutive heads of x."""
    n_groups = groups(x.shape, y.shape)
    if n_groups == 1:
        return emit(Matmul(), x, y)
    *batch, heads, m, k = x.shape
    rows = emit(Reshape((*batch, heads // n_groups, n_groups * m, k)), x)
    return emit(Reshape((*x.shape[:-1], y.shape[-1])), emit(Matmul(), rows, y))


@register
@dataclass(frozen=True, eq=False)
class Attention(AttentionBase):
    """The values, averaged for each query by its attention weights.

    query    T[*B, Lq, D]    any float dtype T
    key      T[*B, Lk, D]    axis -3 of the query may be a multiple of the key's and value's: consecutive heads share one
    value    T[*B, Lk, Dv]
    mask     bool[*B, Lq, Lk], True where a key is seen, or T[*B, Lq, Lk], added; optional. A dim of 1 serves all
    returns  T[*B, Lq, Dv]   zeros for a query that sees no key

    scale, softcap, causal   as AttentionWeights

    Raises   ShapeError, DTypeError   operands do not fit together
    """

    name = "attention"
    operands = ("query", "key", "value", "mask?")
    scale: float
    softcap: float | None
    causal: str

    def infer(self, query: TensorType, key: TensorType, value: TensorType, mask: TensorType | None = None) -> TensorType:
        self.check(query, key, mask, value)
        return query.with_shape((*query.shape[:-1], value.shape[-1]))

    def decompose(self, emit: Emit, query: Value, key: Value, value: Value, mask: Value | None = None) -> Value:
        return by_group(emit, emit(AttentionWeights(self.scale, self.softcap, self.causal), query, key, mask), value)

    def cost(self, *types: TensorType | None) -> Cost:
        """As one pass that keeps no weights."""
        query, _, value = types[:3]
        assert query is not None and value is not None, "only the mask may be absent"
        n_products = math.prod(query.shape[:-1]) * value.shape[-2]
        result = query.with_shape((*query.shape[:-1], value.shape[-1]))
        flops = n_products * (2 * query.shape[-1] + 2 * value.shape[-1] + 10)
        return Cost(flops, sum(t.bytes for t in types if t is not None), result.bytes)
