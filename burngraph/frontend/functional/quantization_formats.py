"""Which number each code of a quantized tensor means, and which code a number gets; the same for scales.

Codes are i32 here, and unsigned: the bits that are stored. A format's numbers are those before they are scaled.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from burngraph.frontend.functional.comparison import (
    bitwise_and,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    equal,
    greater,
    greater_equal,
    isfinite,
    less,
    logical_and,
    where,
)
from burngraph.frontend.functional.elementwise import abs as absolute
from burngraph.frontend.functional.elementwise import (
    add,
    ceil,
    clip,
    divide,
    isnan,
    maximum,
    minimum,
    multiply,
    round,
    sign,
    subtract,
    trunc,
)
from burngraph.frontend.functional.indexing import take
from burngraph.frontend.functional.shape import astype
from burngraph.frontend.functional.sorting import searchsorted
from burngraph.frontend.functional.special import signbit
from burngraph.frontend.recording import apply
from burngraph.ir.minifloat import E2M1, E4M3, E5M2, E8M0_BIAS, E8M0_NAN, Minifloat
from burngraph.ir.ops.constant import MAX_CONSTANT_SIZE, Constant
from burngraph.ir.types import BF16, F16, F32, I8, I32, U8, DType, TensorType

SMALLEST_NORMAL = 2.0**-126  # of f32


class NumberFormat(ABC):
    """What the codes of a scheme's values mean.

    bits      of a code
    range     the least and the largest number
    reach     what the largest |x| is scaled to: half the width of the range, or the largest |number|
    native    dtype of codes stored one by one
    """

    bits: int
    native: DType = U8

    @property
    @abstractmethod
    def range(self) -> tuple[float, float]: ...

    @property
    def reach(self) -> float:
        low, high = self.range
        return (high - low) / 2

    @abstractmethod
    def codes(self, ratio: Any) -> Any:
        """Of the number nearest to each entry of `ratio` (f32)."""

    @abstractmethod
    def numbers(self, codes: Any) -> Any:
        """What the codes mean, f32."""


@dataclass(frozen=True)
class IntegerFormat(NumberFormat):
    """Two's complement numbers from `low` to `high`, halves rounded away from zero; nan is 0."""

    bits: int
    low: int
    high: int
    native = I8

    @property
    def range(self) -> tuple[float, float]:
        return float(self.low), float(self.high)

    def codes(self, ratio: Any) -> Any:
        whole = trunc(ratio)
        away = where(greater_equal(absolute(subtract(ratio, whole)), 0.5), add(whole, sign(ratio)), whole)
        numbers = astype(where(isnan(ratio), 0.0, clip(away, float(self.low), float(self.high))), I32)
        return bitwise_and(numbers, 2**self.bits - 1)

    def numbers(self, codes: Any) -> Any:
        top = 2 ** (self.bits - 1)
        return astype(subtract(bitwise_xor(codes, top), top), F32)


@dataclass(frozen=True)
class FloatFormat(NumberFormat):
    """Rounded half to the even code; what is beyond the largest number becomes it; nan is nan, or 0 where there is none."""

    bits: int
    form: Minifloat

    @property
    def range(self) -> tuple[float, float]:
        return -self.form.high, self.form.high

    def codes(self, ratio: Any) -> Any:
        codes = magnitude_codes(clip(absolute(ratio), 0.0, self.form.high), self.form, round)
        codes = where(signbit(ratio), bitwise_or(codes, self.form.sign), codes)
        nan_code = next((code for code, value in self.form.specials if math.isnan(value)), 0)
        return where(isnan(ratio), nan_code, codes)

    def numbers(self, codes: Any) -> Any:
        if 2**self.bits <= MAX_CONSTANT_SIZE:
            return take(table([self.form.number(code) for code in range(2**self.bits)]), codes, axis=0)
        form = self.form
        size = bitwise_and(codes, form.sign - 1)
        exponent = bitwise_right_shift(size, form.mantissa)
        mantissa = bitwise_and(size, 2**form.mantissa - 1)
        digits = astype(where(equal(exponent, 0), mantissa, bitwise_or(mantissa, 2**form.mantissa)), F32)
        n_exponents = 2 ** (form.bits - 1 - form.mantissa)
        steps = _powers(form.least - form.mantissa, form.least - form.mantissa + n_exponents - 2)
        numbers = multiply(digits, take(steps, maximum(subtract(exponent, 1), 0), axis=0))
        for code, value in form.specials:
            numbers = where(equal(size, code), value, numbers)
        return where(equal(bitwise_and(codes, form.sign), 0), numbers, multiply(numbers, -1.0))


@dataclass(frozen=True)
class LookupFormat(NumberFormat):
    """A code is an index into `entries`; the nearest entry, of two as near the one further from zero; nan counts as 0."""

    bits: int
    entries: tuple[float, ...]

    @property
    def range(self) -> tuple[float, float]:
        return min(self.entries), max(self.entries)

    @property
    def reach(self) -> float:
        return max(map(abs, self.entries))

    def codes(self, ratio: Any) -> Any:
        starts, order = _nearest(self.entries)
        place = searchsorted(table(starts), where(isnan(ratio), 0.0, ratio), side="right")
        return astype(take(table(order, I32), place, axis=0), I32)

    def numbers(self, codes: Any) -> Any:
        return take(table(self.entries), codes, axis=0)


FORMATS: dict[str, NumberFormat] = {
    "q8s": IntegerFormat(8, -127, 127),
    "q8f": IntegerFormat(8, -128, 127),
    "q4s": IntegerFormat(4, -7, 7),
    "q4f": IntegerFormat(4, -8, 7),
    "q2s": IntegerFormat(2, -1, 1),
    "q2f": IntegerFormat(2, -2, 1),
    "e4m3": FloatFormat(8, E4M3),
    "e5m2": FloatFormat(8, E5M2),
    "e2m1": FloatFormat(4, E2M1),
}


@lru_cache(maxsize=256)
def _nearest(entries: tuple[float, ...]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """From which f32 number on each distinct entry but the least is the nearest, ascending; where each stands in `entries`.

    Exact: half way between two f32 numbers there is often none.
    """
    distinct = sorted(set(entries))
    starts = []
    for low, high in pairwise(distinct):
        middle = (Fraction(low) + Fraction(high)) / 2
        start = np.float32(float(middle))
        while Fraction(float(start)) >= middle:
            start = np.nextafter(start, np.float32(-math.inf))
        while Fraction(float(start)) < middle or (middle < 0 and Fraction(float(start)) == middle):
            start = np.nextafter(start, np.float32(math.inf))
        starts.append(float(start))
    return tuple(starts), tuple(map(entries.index, distinct))


def table(values: Sequence[float], dtype: DType = F32) -> Any:
    """`values` as an array: written out in the graph if there are few, else a weight of it."""
    values = tuple(values)
    if len(values) <= MAX_CONSTANT_SIZE:
        return apply(Constant(values, TensorType(dtype, (len(values),))))
    return _long_table(values, dtype)


@lru_cache(maxsize=256)
def _long_table(values: tuple[float, ...], dtype: DType) -> np.ndarray:
    """The same object each time, so that a program finds its weight unchanged."""
    return np.array(values, dtype.numpy)


def _powers(first: int, last: int) -> Any:
    """2^first ... 2^last, exactly."""
    return table([2.0**e for e in range(first, last + 1)])


def magnitude_codes(size: Any, form: Minifloat, rounding: Callable[[Any], Any]) -> Any:
    """Exponent and mantissa of 0 <= size <= form.high, i32; `rounding` makes a whole number of steps.

    Below 2^least the spacing stays that of 2^least, so one formula serves all numbers, and a mantissa that is rounded up to
    the next power of two carries into the exponent.
    """
    last = math.frexp(form.high)[1] - 1
    place = maximum(subtract(searchsorted(_powers(form.least, last), size, side="right"), 1), 0)
    step = take(_powers(form.least - form.mantissa, last - form.mantissa), place, axis=0)
    return add(multiply(place, 2**form.mantissa), astype(rounding(divide(size, step)), I32))


class ScaleCodes(Enum):
    """Formats of scales that no array has as a dtype: stored as their bit patterns, in u8."""

    UE4M3 = "ue4m3"
    UE8M0 = "ue8m0"

    def __str__(self) -> str:
        return self.value


ScaleKind = DType | ScaleCodes
LARGEST_SCALE: dict[ScaleKind, float] = {
    F32: float(np.finfo(np.float32).max),
    F16: 65504.0,
    BF16: 2.0**128 - 2.0**120,
    ScaleCodes.UE4M3: E4M3.high,
    ScaleCodes.UE8M0: 2.0**127,
}


def rounded_up(scales: Any, kind: ScaleKind) -> Any:
    """f32 scales as `kind` stores them, none smaller than it was, as far as there are numbers so large.

    What is not positive becomes the smallest scale of all, in f32 and bf16 the smallest normal one, and so does an infinite one
    in f32. In ue8m0 the smallest is 2^-126: 2^-127 is no normal f32, and a device may take it for zero.
    """
    if kind is F32:
        return where(logical_and(isfinite(scales), greater(scales, 0)), scales, SMALLEST_NORMAL)
    scales = minimum(where(greater(scales, 0), scales, 0.0), LARGEST_SCALE[kind])
    if kind is ScaleCodes.UE8M0:
        return astype(_exponent_codes(scales), U8)
    if kind is ScaleCodes.UE4M3:
        return astype(maximum(magnitude_codes(scales, E4M3, ceil), 1), U8)
    digits, least_step = (11, 2.0**-24) if kind is F16 else (8, 2.0**-133)
    narrow = astype(scales, kind)
    back = astype(narrow, F32)
    # More than half a step up, less than one and a half: rounds to the next number.
    next_up = maximum(multiply(back, 1 + 1.25 * 2.0**-digits), add(back, 0.625 * least_step))
    narrow = where(less(back, scales), astype(next_up, kind), narrow)
    return where(greater(narrow, 0), narrow, 2.0**-24 if kind is F16 else SMALLEST_NORMAL)


_STRIDE = 8  # 254 powers of two are too many for one table


def _exponent_codes(scales: Any) -> Any:
    """The least code c > 0 with 2^(c - 127) >= scale, for scales up to 2^127; i32."""
    coarse = range(1 - E8M0_BIAS, E8M0_BIAS, _STRIDE)
    powers = table([2.0**e for e in coarse])
    place = maximum(subtract(searchsorted(powers, scales, side="left"), 1), 0)
    rest = searchsorted(_powers(0, _STRIDE - 1), divide(scales, take(powers, place, axis=0)), side="left")
    return add(add(multiply(place, _STRIDE), rest), 1)


def scale_numbers(codes: Any, kind: ScaleCodes) -> Any:
    """What scales stored in u8 mean, f32. A sign counts: a ue4m3 is an e4m3 that is never negative where it is made here."""
    codes = astype(codes, I32)
    if kind is ScaleCodes.UE4M3:
        return FORMATS["e4m3"].numbers(codes)
    # By the upper four bits and the lower: 2^-113 2^(16 h) and 2^-14 2^l, none of which is subnormal or infinite.
    high = take(table([2.0 ** (16 * h + 14 - E8M0_BIAS) for h in range(16)]), bitwise_right_shift(codes, 4), axis=0)
    numbers = multiply(high, take(_powers(-14, 1), bitwise_and(codes, 15), axis=0))
    return where(equal(codes, E8M0_NAN), math.nan, numbers)
