"""Scaled dot-product attention."""

import math
from typing import Any

from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.frontend.functional.elementwise import multiply
from burngraph.frontend.functional.random import bernoulli
from burngraph.frontend.functional.reduction import matmul
from burngraph.frontend.functional.shape import astype, broadcast_to, computed_dtype, reshape, tensor
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.attention import CAUSAL, Attention, AttentionWeights, groups
from burngraph.ir.promotion import at_least_float
from burngraph.ir.types import BOOL

__all__ = ["scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool | str = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    softcap: float | None = None,
    dropout_key: Any = None,
) -> Any:
    """softmax(scale * query key^T) value, over the keys that each query sees; zeros for a query that sees none.

    query        [..., H, Lq, D]    leading axes broadcast; rank 2 at least
    key          [..., Hk, Lk, D]   Hk = H; with enable_gqa a divisor of H: consecutive heads of the query share one
    value        [..., Hk, Lk, Dv]
    attn_mask    broadcasts to [..., H, Lq, Lk]: bool, True where a key is seen (Burn's mask says the opposite), or float, added
    dropout_p    probability with which each weight is dropped, the others being divided by 1 - dropout_p; needs dropout_key
    is_causal    "upper_left", or True: query i sees keys j <= i, as in PyTorch;
                 "lower_right": j <= i + Lk - Lq, as in Burn and MLX, so that the last query sees all keys. Goes with attn_mask
    scale        1 / sqrt(D) if None
    softcap      c: scaled products s become c tanh(s / c), before the mask
    dropout_key  a random key, from bg.random_key
    returns      [..., H, Lq, Dv]

    Raises       ShapeError   the operands do not fit;   DTypeError   attn_mask is of integers
                 InputError   dropout without a key, or an option out of range
    """
    name = "scaled_dot_product_attention"
    tensors = [tensor(x) for x in (query, key, value)]
    dtype = at_least_float(computed_dtype(tensors))
    q, k, v = (astype(x, dtype) for x in tensors)
    causal = ("upper_left" if is_causal else "none") if isinstance(is_causal, bool) else is_causal
    if causal not in CAUSAL:
        raise located(InputError(f'{name}: is_causal = {is_causal!r} is not a bool, "upper_left" or "lower_right"'))
    if not 0.0 <= dropout_p < 1.0 or (softcap is not None and not softcap > 0):
        raise located(InputError(f"{name}: dropout_p = {dropout_p} must be in [0, 1), softcap = {softcap} above 0 or None"))
    if dropout_p > 0 and dropout_key is None:
        raise located(InputError(f"{name}: dropout_p = {dropout_p} needs random bits", "pass dropout_key=bg.random_key(seed)"))
    q, k, v = _batched_alike(name, q, k, v, enable_gqa)
    width, shape = type_of(q).shape[-1], (*type_of(q).shape[:-1], type_of(k).shape[-2])
    factor = 1 / math.sqrt(max(width, 1)) if scale is None else float(scale)
    options = factor, None if softcap is None else float(softcap), causal
    mask = None if attn_mask is None else _mask(name, attn_mask, dtype, shape)
    if dropout_p == 0:
        return apply(Attention(*options), q, k, v, mask)
    keep = bernoulli(dropout_key, 1 - dropout_p, shape)
    weights = multiply(apply(AttentionWeights(*options), q, k, mask), multiply(astype(keep, dtype), 1 / (1 - dropout_p)))
    n_groups = groups(type_of(q).shape, type_of(k).shape)
    if n_groups == 1:
        return matmul(weights, v)
    *batch, heads, n_queries, n_keys = shape
    rows = reshape(weights, (*batch, heads // n_groups, n_groups * n_queries, n_keys))
    return reshape(matmul(rows, v), (*batch, heads, n_queries, type_of(v).shape[-1]))


def _batched_alike(name: str, q: Any, k: Any, v: Any, enable_gqa: bool) -> list[Any]:
    """The three with equal leading axes; the heads of the keys may stay fewer."""
    xs = [q, k, v]
    types = [type_of(x) for x in xs]
    listed = [f"{part}: {t}" for part, t in zip(("query", "key", "value"), types, strict=True)]
    if min(t.rank for t in types) < (3 if enable_gqa else 2):
        raise located(ShapeError(f"{name}: operands must be [..., L, D], with enable_gqa [..., H, L, D]", *listed))
    if types[0].shape[-1] != types[1].shape[-1] or types[1].shape[-2] != types[2].shape[-2]:
        raise located(ShapeError(f"{name}: query and key must agree in D, key and value in Lk", *listed))
    kept = 3 if enable_gqa else 2
    if enable_gqa:
        heads = [t.shape[-3] for t in types]
        if heads[1] != heads[2] or heads[1] == 0 or heads[0] % heads[1]:
            raise located(ShapeError(f"{name}: the heads of key and value must be equal and divide those of query", *listed))
    batch = _broadcast_batch(name, [t.shape[:-kept] for t in types], listed)
    return [broadcast_to(x, (*batch, *t.shape[-kept:])) for x, t in zip(xs, types, strict=True)]


def _broadcast_batch(name: str, shapes: list[tuple[int, ...]], listed: list[str]) -> tuple[int, ...]:
    rank = max(map(len, shapes))
    result = []
    for dims in zip(*((1,) * (rank - len(s)) + s for s in shapes), strict=True):
        sizes = {d for d in dims if d != 1}
        if len(sizes) > 1:
            way_out = "if heads share keys, pass enable_gqa=True"
            raise located(ShapeError(f"{name}: leading axes do not broadcast", *listed, way_out))
        result.append(sizes.pop() if sizes else 1)
    return tuple(result)


def _mask(name: str, mask: Any, dtype: Any, shape: tuple[int, ...]) -> Any:
    mask = tensor(mask)
    found = type_of(mask).dtype
    if found is not BOOL and found.kind != "float":
        raise located(DTypeError(f"{name}: attn_mask is {type_of(mask)}, must be bool (True: seen) or float (added)"))
    dims = type_of(mask).shape
    dims = (1,) * (len(shape) - len(dims)) + dims
    if len(dims) > len(shape) or any(m not in (1, d) for m, d in zip(dims, shape, strict=True)):
        raise located(ShapeError(f"{name}: attn_mask is {type_of(mask)}, does not broadcast to {list(shape)}"))
    return reshape(mask if found is BOOL else astype(mask, dtype), dims)  # the op repeats dims of 1 itself
