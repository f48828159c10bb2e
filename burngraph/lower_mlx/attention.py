"""Attention in MLX: its fused function, and a composition for softcap; queries that see no key are set to zero after it."""

from math import inf, prod
from typing import Any

from burngraph.ir.ops.attention import Attention, groups, may_hide_rows
from burngraph.lower_mlx.table import lowers


@lowers(Attention)
def lower_attention(mx: Any, op: Attention, query: Any, key: Any, value: Any, mask: Any = None) -> Any:
    shape = (*query.shape[:-1], value.shape[-1])
    n_queries, n_keys = query.shape[-2], key.shape[-2]
    if 0 in shape or n_keys == 0:
        return mx.zeros(shape, dtype=query.dtype)
    is_named = n_queries == n_keys if op.causal == "upper_left" else n_queries <= n_keys  # MLX's "causal" is lower right
    q, k, v = (_rank4(x, x.shape) for x in (query, key, value))
    seen = added = None
    if op.causal != "none" and mask is None and is_named and op.softcap is None:
        out = mx.fast.scaled_dot_product_attention(q, k, v, scale=op.scale, mask="causal")
    else:
        seen, added = _masks(mx, op, query.shape, n_keys, mask)
        if op.softcap is None:
            out = mx.fast.scaled_dot_product_attention(q, k, v, scale=op.scale, mask=seen if added is None else added)
        else:
            out = _softcapped(mx, op, [_heads(x.shape) for x in (query, key, value)], q, k, v, seen, added)
    if may_hide_rows(op.causal, n_queries, n_keys, mask is not None):
        out = mx.where(mx.any(seen, axis=-1, keepdims=True), out, 0)  # there MLX gives the mean of all values, or nan
    return out if len(shape) == 4 else out.reshape(shape)


def _heads(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """[*B, H, L, D] as [B, H, L, D]."""
    *batch, length, width = shape
    heads = batch.pop() if batch else 1
    return prod(batch), heads, length, width


def _rank4(x: Any, shape: tuple[int, ...]) -> Any:
    return x if len(shape) == 4 else x.reshape(_heads(shape))


def _masks(mx: Any, op: Attention, query_shape: tuple[int, ...], n_keys: int, mask: Any) -> tuple[Any, Any]:
    """Which keys are seen, and what is added to the scores if the mask is of floats; of rank 4, or broadcasting to it."""
    n_queries = query_shape[-2]
    is_added = mask is not None and mask.dtype != mx.bool_
    added = seen = None
    if mask is not None:
        n_outer = max(len(query_shape) - 3, 0)  # these axes become one, so none of them may be 1 only in the mask
        shape = (*query_shape[:n_outer], *mask.shape[n_outer:]) if n_outer > 1 else mask.shape
        mask = _rank4(mask if shape == mask.shape else mx.broadcast_to(mask, shape), shape)
        added, seen = (mask, mask != -inf) if is_added else (None, mask)
    if op.causal == "none":
        return seen, added
    offset = n_keys - n_queries if op.causal == "lower_right" else 0
    causal = mx.arange(offset, offset + n_queries).reshape((n_queries, 1)) >= mx.arange(n_keys)
    if is_added:
        added = mx.where(causal, added, -inf)
    return (causal if seen is None else mx.logical_and(seen, causal)), added


def _softcapped(mx: Any, op: Attention, shapes: list[Any], q: Any, k: Any, v: Any, seen: Any, added: Any) -> Any:
    """With heads that share a key side by side as rows of one matrix."""
    (n, heads, n_queries, width), key_shape, value_shape = shapes
    n_groups = groups((n, heads, n_queries, width), key_shape)
    rows = (n, heads // n_groups, n_groups * n_queries, width)
    scores = ((q * op.scale).reshape(rows) @ mx.swapaxes(k, -1, -2)).reshape((n, heads, n_queries, key_shape[-2]))
    scores = mx.tanh(scores / op.softcap) * op.softcap
    if added is not None:
        scores = scores + added
    elif seen is not None:
        scores = mx.where(seen, scores, -inf)
    weights = mx.softmax(scores, axis=-1, precise=True).reshape((*rows[:3], key_shape[-2]))
    return (weights @ v).reshape((n, heads, n_queries, value_shape[-1]))
