"""Random numbers from explicit keys: the same key gives the same numbers everywhere."""

import math
from collections.abc import Sequence
from typing import Any

from burngraph.errors import ShapeError
from burngraph.frontend.functional_elementwise import (
    add,
    bitwise_right_shift,
    cos,
    less,
    log,
    multiply,
    negative,
    sqrt,
    subtract,
)
from burngraph.frontend.functional_shape import astype, shape_tuple, split, squeeze, tensor
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.constant import Constant
from burngraph.ir.ops.random import RandomBits, RandomSplit
from burngraph.ir.types import F32, U32, TensorType

__all__ = ["bernoulli", "normal", "random_bits", "random_key", "random_split", "uniform"]

_WORD = 2**32
_MANTISSA_BITS = 24


def random_key(seed: int) -> Any:
    """The key u32[2] of a static seed, as mx.random.key makes it."""
    return apply(Constant(((seed // _WORD) % _WORD, seed % _WORD), TensorType(U32, (2,))))


def _key(key: Any) -> Any:
    key = tensor(key)
    if type_of(key) != TensorType(U32, (2,)):
        raise located(ShapeError(f"a random key is u32[2], got {type_of(key)}", "make one with bg.random_key(seed)"))
    return key


def random_split(key: Any, num: int = 2) -> Any:
    """`num` new keys, u32[num, 2], as mx.random.split."""
    return apply(RandomSplit(num), _key(key))


def random_bits(key: Any, shape: int | Sequence[int] = ()) -> Any:
    """32 random bits per entry, u32, as mx.random.bits."""
    return apply(RandomBits(shape_tuple(shape)), _key(key))


def _unit(key: Any, shape: tuple[int, ...]) -> Any:
    """Uniform f32 in [0, 1): multiples of 2^-24, each as likely."""
    bits = bitwise_right_shift(random_bits(key, shape), 32 - _MANTISSA_BITS)
    return multiply(astype(bits, F32), 2.0**-_MANTISSA_BITS)


def uniform(key: Any, shape: int | Sequence[int] = (), low: Any = 0.0, high: Any = 1.0, dtype: Any = F32) -> Any:
    """Uniform in [low, high); the numbers are not those of mx.random.uniform."""
    unit = _unit(key, shape_tuple(shape))
    if isinstance(low, float) and isinstance(high, float) and (low, high) == (0.0, 1.0):
        return astype(unit, dtype)
    return astype(add(multiply(unit, subtract(high, low)), low), dtype)


def normal(key: Any, shape: int | Sequence[int] = (), loc: Any = 0.0, scale: Any = 1.0, dtype: Any = F32) -> Any:
    """Normal with mean `loc` and standard deviation `scale` (Box-Muller); not the numbers of mx.random.normal."""
    first, second = (squeeze(part, 0) for part in split(_unit(key, (2, *shape_tuple(shape))), 2))
    radius = sqrt(multiply(log(add(negative(first), 1.0)), -2.0))  # 1 - u lies in (0, 1], so the log is finite
    return astype(add(multiply(multiply(radius, cos(multiply(second, 2 * math.pi))), scale), loc), dtype)


def bernoulli(key: Any, p: Any = 0.5, shape: int | Sequence[int] = ()) -> Any:
    """True with probability `p`."""
    return less(_unit(key, shape_tuple(shape)), p)
