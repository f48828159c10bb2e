"""Random words in MLX: its own threefry, which the ops mean."""

from math import prod
from typing import Any

from burngraph.errors import LoweringError
from burngraph.ir.ops.random import RandomBits, RandomSplit, threefry
from burngraph.lower_mlx.table import lowers


@lowers(RandomBits)
def lower_random_bits(mx: Any, op: RandomBits, key: Any) -> Any:
    _one_key(op, key)
    n = prod(op.shape)
    if n % 2 == 0:  # splitting is how MLX shows its raw words, always an even number of them
        return mx.random.split(key, n // 2).reshape(op.shape)
    half = n // 2
    first = mx.arange(half + 1, dtype=mx.uint32)
    second = mx.concatenate([mx.arange(half + 1, n, dtype=mx.uint32), mx.zeros((1,), dtype=mx.uint32)])
    a, b = threefry(key, first, second)
    return mx.concatenate([a, b[:half]]).reshape(op.shape)


@lowers(RandomSplit)
def lower_random_split(mx: Any, op: RandomSplit, key: Any) -> Any:
    _one_key(op, key)
    return mx.random.split(key, op.num)


def _one_key(op: Any, key: Any) -> None:
    if len(key.shape) != 1:
        raise LoweringError(f"{op.name}: MLX draws from one key at a time", f"key: u32{list(key.shape)}")
