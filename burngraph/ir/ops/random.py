"""Random bits from a key: threefry-2x32, bit for bit what MLX gives for one key."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Op, Permuted, register
from burngraph.ir.permutation import Perm, identity
from burngraph.ir.types import U32, Array, TensorType
from burngraph.ir.value import Emit, Value

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def threefry(key: Any, first: Any, second: Any) -> tuple[Any, Any]:
    """Two arrays of u32 from a key u32[2] and two arrays of u32 counters; any arrays that keep u32 with Python ints.

    Source   Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011), 20 rounds
    """
    schedule = (key[0], key[1], key[0] ^ key[1] ^ _PARITY)
    a, b = first + schedule[0], second + schedule[1]
    for block in range(5):
        for rotation in _ROTATIONS[block % 2]:
            a = a + b
            b = ((b << rotation) | (b >> (32 - rotation))) ^ a
        a = a + schedule[(block + 1) % 3]
        b = b + schedule[(block + 2) % 3] + (block + 1)
    return a, b


def random_words(key: Array, n: int) -> Array:
    """u32[n]: the counters 0 ... n - 1 in two halves, hashed in pairs; an odd one in the middle is paired with 0."""
    half, odd = divmod(n, 2)
    counts = np.arange(half, dtype=np.uint32)
    a, b = threefry(key, counts, counts + np.uint32(half + odd))
    if not odd:
        return np.concatenate([a, b])
    middle, _ = threefry(key, np.full(1, half, np.uint32), np.zeros(1, np.uint32))
    return np.concatenate([a, middle, b])


class Random(Op, ABC):
    """Base: `words_shape` words of u32 per key; keys with leading dims give that much for each key.

    key      u32[*B, 2]
    returns  u32[*B, *words_shape]
    """

    operands = ("key",)
    locally_constant = True

    @abstractmethod
    def words_shape(self) -> tuple[int, ...]: ...

    def infer(self, key: TensorType) -> TensorType:
        if key.dtype is not U32:
            raise DTypeError(f"{self.name}: key is {key}, must be u32")
        if key.shape[-1:] != (2,):
            raise ShapeError(f"{self.name}: key is {key}, must end in 2")
        return key.with_shape((*key.shape[:-1], *self.words_shape()))

    def reference(self, key: Array) -> Array:
        shape = self.words_shape()
        words = [random_words(k, math.prod(shape)) for k in key.reshape(-1, 2)]
        return np.array(words, np.uint32).reshape((*key.shape[:-1], *shape))

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted | None:
        """Axes of keys may be reordered among themselves; the order within what one key gives is its meaning."""
        n = operand_types[0].rank - 1
        rank = n + len(self.words_shape())
        if perm[n:] != identity(len(perm))[n:]:
            return None
        return Permuted(self, ((*perm[:n], n),), ((*perm[:n], *range(n, rank)),))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Any:
        return emit(self, operands[0])

    def cost(self, key: TensorType) -> Cost:
        result = self.infer(key)
        return Cost(50 * result.size, key.bytes, result.bytes)


@register
@dataclass(frozen=True, eq=False)
class RandomBits(Random):
    """Uniform random u32 words of `shape` from a key (for each key, if there are several)."""

    name = "random_bits"
    shape: tuple[int, ...]

    def words_shape(self) -> tuple[int, ...]:
        return self.shape


@register
@dataclass(frozen=True, eq=False)
class RandomSplit(Random):
    """`num` new keys, u32[num, 2], from a key (from each key, if there are several)."""

    name = "random_split"
    num: int

    def words_shape(self) -> tuple[int, ...]:
        return (self.num, 2)
