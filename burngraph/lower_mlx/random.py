"""Random words in MLX: its own threefry, which the ops mean."""

from math import prod
from typing import Any

from burngraph.ir.ops.random import RandomBits, RandomSplit, threefry
from burngraph.lower_mlx.table import lowers


@lowers(RandomBits)
def lower_random_bits(mx: Any, op: RandomBits, key: Any) -> Any:
    n = prod(op.shape)
    if len(key.shape) == 1 and n % 2 == 0:  # splitting is how MLX shows its raw words, always an even number of them
        return mx.random.split(key, n // 2).reshape(op.shape)
    return _words(mx, key, n).reshape((*key.shape[:-1], *op.shape))


@lowers(RandomSplit)
def lower_random_split(mx: Any, op: RandomSplit, key: Any) -> Any:
    if len(key.shape) == 1:
        return mx.random.split(key, op.num)
    return _words(mx, key, 2 * op.num).reshape((*key.shape[:-1], op.num, 2))


def _words(mx: Any, key: Any, n: int) -> Any:
    """`n` words for each key in the last axis, by arithmetic: MLX itself draws from one key at a time."""
    half, odd = divmod(n, 2)
    first = mx.arange(half + odd, dtype=mx.uint32)
    second = mx.arange(half + odd, n, dtype=mx.uint32)
    if odd:
        second = mx.concatenate([second, mx.zeros((1,), dtype=mx.uint32)])
    a, b = threefry((key[..., :1], key[..., 1:]), first, second)
    return mx.concatenate([a, b[..., :half] if odd else b], axis=-1)
