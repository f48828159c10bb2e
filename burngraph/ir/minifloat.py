"""Floats of 8 bits and fewer, which no array has as a dtype: they are stored as their bit patterns, in u8 or packed into words.

Source   OCP 8-bit Floating Point Specification 1.0 (e4m3, e5m2); OCP Microscaling Formats 1.0 (e2m1, e8m0)
"""

import math
from typing import NamedTuple


class Minifloat(NamedTuple):
    """Sign, exponent and mantissa, from the highest bit down.

    bits       of all three
    mantissa   bits of the mantissa
    least      exponent of the smallest number with a leading one; below it the spacing stays what it is there
    high       the largest finite number
    specials   bit patterns without the sign that are no number of the above, and what they are instead
    """

    bits: int
    mantissa: int
    least: int
    high: float
    specials: tuple[tuple[int, float], ...]

    @property
    def sign(self) -> int:
        """The highest bit."""
        return 1 << (self.bits - 1)

    def number(self, code: int) -> float:
        """What the bit pattern `code` means."""
        size = code & (self.sign - 1)
        exponent, mantissa = size >> self.mantissa, size & ((1 << self.mantissa) - 1)
        digits = mantissa if exponent == 0 else mantissa | 1 << self.mantissa
        value = dict(self.specials).get(size, math.ldexp(digits, max(exponent - 1, 0) + self.least - self.mantissa))
        return -value if code & self.sign else value


E4M3 = Minifloat(8, 3, -6, 448.0, ((0x7F, math.nan),))
E5M2 = Minifloat(8, 2, -14, 57344.0, ((0x7C, math.inf), (0x7D, math.nan), (0x7E, math.nan), (0x7F, math.nan)))
E2M1 = Minifloat(4, 1, 0, 6.0, ())
E8M0_BIAS = 127
E8M0_NAN = 255


def e8m0(code: int) -> float:
    """A power of two, without sign and without zero: 2^-127 ... 2^127, and nan."""
    return math.nan if code == E8M0_NAN else math.ldexp(1.0, code - E8M0_BIAS)
