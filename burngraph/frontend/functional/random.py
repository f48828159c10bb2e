"""Random numbers from explicit keys: the same key gives the same numbers everywhere."""

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from burngraph.errors import InputError, ShapeError
from burngraph.frontend.functional.comparison import bitwise_right_shift, less
from burngraph.frontend.functional.elementwise import abs as magnitude
from burngraph.frontend.functional.elementwise import add, clip, cos, log, minimum, multiply, negative, sign, sqrt, subtract
from burngraph.frontend.functional.indexing import take
from burngraph.frontend.functional.reduction import argmax, widened
from burngraph.frontend.functional.shape import astype, broadcast_to, moveaxis, normal_axis, shape_tuple, squeeze, tensor
from burngraph.frontend.functional.sorting import argsort
from burngraph.frontend.functional.special import erfinv
from burngraph.frontend.functional.splitting import tensor_split
from burngraph.frontend.recording import apply, is_tensor, located, type_of
from burngraph.ir.ops.constant import Constant
from burngraph.ir.ops.random import RandomBits, RandomSplit
from burngraph.ir.promotion import holds
from burngraph.ir.types import F32, I32, I64, U32, U64, DType, TensorType, as_dtype

__all__ = [
    "bernoulli",
    "categorical",
    "exponential",
    "gumbel",
    "laplace",
    "normal",
    "permutation",
    "randint",
    "random_bits",
    "random_key",
    "random_split",
    "truncated_normal",
    "uniform",
]

_WORD = 2**32
_MANTISSA_BITS = 24
_FARTHEST_TAIL = 4.0
_LAST_BEFORE_ONE = 5.42  # erf(x / sqrt(2)) is there the last f32 below 1


def random_key(seed: int) -> Any:
    """The key u32[2] of a static seed, as mx.random.key makes it."""
    seed = operator.index(seed)
    return apply(Constant(((seed // _WORD) % _WORD, seed % _WORD), TensorType(U32, (2,))))


def _key(key: Any) -> Any:
    key = tensor(key)
    if type_of(key) != TensorType(U32, (2,)):
        raise located(ShapeError(f"a random key is u32[2], got {type_of(key)}", "make one with bg.random_key(seed)"))
    return key


def _check_number(function: str, name: str, value: Any, least: float, greatest: float = math.inf) -> None:
    """Raise InputError for a Python number out of range; the entries of an array are not looked at."""
    if not is_tensor(value) and not least <= value <= greatest:
        raise located(InputError(f"{function}: {name} = {value} is not in [{least:g}, {greatest:g}]"))


def random_split(key: Any, num: int = 2) -> Any:
    """`num` new keys, u32[num, 2], as mx.random.split."""
    if not isinstance(num, int | np.integer):
        raise located(ShapeError(f"random_split: num = {num!r} must be an int"))
    return apply(RandomSplit(int(num)), _key(key))


def random_bits(key: Any, shape: int | Sequence[int] = ()) -> Any:
    """32 random bits per entry, u32, as mx.random.bits."""
    return apply(RandomBits(shape_tuple(shape)), _key(key))


def _unit(key: Any, shape: tuple[int, ...]) -> Any:
    """Uniform f32 in [0, 1): multiples of 2^-24, each as likely."""
    bits = bitwise_right_shift(random_bits(key, shape), 32 - _MANTISSA_BITS)
    return multiply(astype(bits, F32), 2.0**-_MANTISSA_BITS)


def uniform(key: Any, shape: int | Sequence[int] = (), low: Any = 0.0, high: Any = 1.0, dtype: Any = F32) -> Any:
    """Uniform in [low, high), or where `high` is an array up to it, by rounding; not the numbers of mx.random.uniform.

    Raises   InputError   low is over high, both being Python numbers
    """
    if not is_tensor(low) and not is_tensor(high):
        _check_number("uniform", "low", low, -math.inf, high)
    wanted, drawn = as_dtype(dtype), _unit(key, shape_tuple(shape))
    is_unit = not is_tensor(low) and not is_tensor(high) and (low, high) == (0.0, 1.0)
    if not is_unit:
        drawn = add(multiply(drawn, subtract(high, low)), low)
    is_bounded = not is_tensor(high) and (is_tensor(low) or low < high)
    if not is_bounded or wanted.kind != "float" or (is_unit and wanted.bytes >= F32.bytes):
        return astype(drawn, wanted)
    return minimum(astype(drawn, wanted), _before(high, wanted))


def _before(high: float, dtype: DType) -> float:
    """The greatest number of a float dtype below `high`."""
    number = dtype.numpy.type(high)
    return float(number if float(number) < high else np.nextafter(number, dtype.numpy.type(-np.inf)))


def normal(key: Any, shape: int | Sequence[int] = (), loc: Any = 0.0, scale: Any = 1.0, dtype: Any = F32) -> Any:
    """Normal with mean `loc` and standard deviation `scale` (Box-Muller); not the numbers of mx.random.normal.

    Raises   InputError   scale, a Python number, is negative
    """
    _check_number("normal", "scale", scale, 0)
    first, second = (squeeze(part, 0) for part in tensor_split(_unit(key, (2, *shape_tuple(shape))), 2))
    radius = sqrt(multiply(log(add(negative(first), 1.0)), -2.0))  # 1 - u lies in (0, 1], so the log is finite
    return astype(add(multiply(multiply(radius, cos(multiply(second, 2 * math.pi))), scale), loc), dtype)


def bernoulli(key: Any, p: Any = 0.5, shape: int | Sequence[int] = ()) -> Any:
    """True with probability `p`.

    Raises   InputError   p, a Python number, is not in [0, 1]
    """
    _check_number("bernoulli", "p", p, 0, 1)
    return less(_unit(key, shape_tuple(shape)), p)


def _open_unit(key: Any, shape: tuple[int, ...]) -> Any:
    """Uniform f32 in (0, 1), both ends left out, so that its logarithm and log(1 - u) are finite."""
    # 23 bits and a half: one bit more would round the greatest of them up to 1
    bits = bitwise_right_shift(random_bits(key, shape), 33 - _MANTISSA_BITS)
    return multiply(add(astype(bits, F32), 0.5), 2.0 ** (1 - _MANTISSA_BITS))


def randint(key: Any, low: int, high: int, shape: int | Sequence[int] = (), dtype: Any = I32) -> Any:
    """Integers, low <= n < high, each as likely up to a bias of (high - low) / 2^32.

    Raises   ShapeError   high is not above low, they are more than 2^32 apart, or the dtype does not hold them
    """
    wanted = as_dtype(dtype)
    is_whole = isinstance(low, int | np.integer) and isinstance(high, int | np.integer)
    low, high = (int(low), int(high)) if is_whole else (low, high)
    if not (is_whole and low < high <= low + _WORD):
        raise located(ShapeError(f"randint: needs low < high <= low + 2^32, two ints, got {low} and {high}"))
    if not wanted.is_integer or not (holds(wanted, low) and holds(wanted, high - 1)):
        raise located(ShapeError(f"randint: {wanted} does not hold {low} to {high - 1}"))
    bits = astype(random_bits(key, shape), U64)
    return astype(add(astype(bitwise_right_shift(multiply(bits, high - low), 32), I64), low), wanted)


def exponential(key: Any, shape: int | Sequence[int] = (), scale: Any = 1.0, dtype: Any = F32) -> Any:
    """Exponential with mean `scale`: -scale log u.

    Raises   InputError   scale, a Python number, is negative
    """
    _check_number("exponential", "scale", scale, 0)
    return astype(multiply(negative(log(_open_unit(key, shape_tuple(shape)))), scale), dtype)


def gumbel(key: Any, shape: int | Sequence[int] = (), dtype: Any = F32) -> Any:
    """Standard Gumbel: -log(-log u)."""
    return astype(negative(log(negative(log(_open_unit(key, shape_tuple(shape)))))), dtype)


def laplace(key: Any, shape: int | Sequence[int] = (), loc: Any = 0.0, scale: Any = 1.0, dtype: Any = F32) -> Any:
    """Laplace around `loc`: loc - scale sign(v) log(1 - 2 |v|) for v uniform in (-1/2, 1/2).

    Raises   InputError   scale, a Python number, is negative
    """
    _check_number("laplace", "scale", scale, 0)
    v = subtract(_open_unit(key, shape_tuple(shape)), 0.5)
    size = log(subtract(1.0, multiply(magnitude(v), 2.0)))
    return astype(subtract(loc, multiply(multiply(sign(v), size), scale)), dtype)


def truncated_normal(
    key: Any, lower: float = -2.0, upper: float = 2.0, shape: int | Sequence[int] = (), dtype: Any = F32
) -> Any:
    """Standard normal given that it lies between `lower` and `upper`: the inverse of its distribution at a uniform number.

    Raises   ShapeError   upper is not above lower
             InputError   all of it is more than 4 from 0, where f32 has too few numbers between the two values of erf
    """
    if not lower < upper:
        raise located(ShapeError(f"truncated_normal: needs lower < upper, got {lower} and {upper}"))
    if lower > _FARTHEST_TAIL or upper < -_FARTHEST_TAIL:
        way_out = "of the normal distribution hardly anything lies so far out; an exponential one is close to it there"
        raise located(InputError(f"truncated_normal: {lower} to {upper} is more than {_FARTHEST_TAIL} from 0", way_out))
    low, high = (math.erf(bound / math.sqrt(2)) for bound in (lower, upper))
    drawn = multiply(erfinv(add(multiply(_open_unit(key, shape_tuple(shape)), high - low), low)), math.sqrt(2))
    # rounding may step over a bound, and to erf = 1, which lies at infinity
    return astype(clip(drawn, max(lower, -_LAST_BEFORE_ONE), min(upper, _LAST_BEFORE_ONE)), dtype)


def categorical(key: Any, logits: Any, axis: int = -1, shape: int | Sequence[int] | None = None) -> Any:
    """Indices (i32) along `axis`, each with probability softmax(logits): the greatest of logits plus Gumbel noise.

    shape    of the result; it must broadcast the other axes of `logits`, and is those if None

    Raises   ShapeError   `shape` does not
    """
    logits, _ = widened(logits)  # 16 bits tell few of the highest sums apart, and the first of equal ones would win too often
    logits = moveaxis(logits, axis, -1)
    *others, classes = type_of(logits).shape
    wanted = tuple(others) if shape is None else shape_tuple(shape)
    noisy = add(gumbel(key, (*wanted, classes), type_of(logits).dtype), broadcast_to(logits, (*wanted, classes)))
    return astype(argmax(noisy, axis=-1), I32)


def permutation(key: Any, x: Any, axis: int = 0) -> Any:
    """The entries of `x` along `axis` in a random order, or 0 .. n - 1 so for an int n."""
    n = x if isinstance(x, int) else type_of(tensor(x)).shape[normal_axis("permutation", axis, type_of(tensor(x)).rank)]
    order = argsort(random_bits(key, (n,)))
    return order if isinstance(x, int) else take(x, order, axis=axis)
