"""Quantized tensors: narrow numbers packed into words, with a scale for the tensor or for each block of it.

A value is number * scale. Quantizing has no derivative worth the name (its result is made of steps), so none passes: gradients
with respect to the array given to `quantize` are zero, as in Burn. `fake_quantize` lets them through as if nothing had been
rounded. `dequantize` and `quantized_matmul` are differentiable in the scales and in the other factor.

Source   Burn's quantization schemes: value ranges, scales, rounding half away from zero, little-endian packing.
         OCP 8-bit and 4-bit floating point specifications: e4m3, e5m2, e2m1 (here rounded half to even)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.frontend.custom import stop_gradient
from burngraph.frontend.functional.comparison import (
    bitwise_and,
    bitwise_left_shift,
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
from burngraph.frontend.functional.creation import arange, ones
from burngraph.frontend.functional.elementwise import abs as absolute
from burngraph.frontend.functional.elementwise import (
    add,
    clip,
    divide,
    floor,
    isnan,
    log,
    maximum,
    multiply,
    round,
    sign,
    subtract,
    trunc,
)
from burngraph.frontend.functional.indexing import take
from burngraph.frontend.functional.reduction import matmul, sum
from burngraph.frontend.functional.reduction import max as largest
from burngraph.frontend.functional.shape import (
    astype,
    broadcast_to,
    computed_dtype,
    expand_dims,
    matrix_transpose,
    moveaxis,
    pad,
    reshape,
    sliced,
    tensor,
)
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.constant import Constant
from burngraph.ir.ops.quantize import GROUPS, WORD, QuantizedMatmul
from burngraph.ir.promotion import at_least_float
from burngraph.ir.types import BF16, F16, F32, I8, I32, U8, U32, DType, TensorType, as_dtype

__all__ = ["QuantScheme", "dequantize", "fake_quantize", "quantization_scales", "quantize", "quantized_matmul"]


class _Integers(NamedTuple):
    """Two's complement numbers from `low` to `high`."""

    bits: int
    low: int
    high: int


class _Floats(NamedTuple):
    """Sign, exponent (least: `least`, of the numbers with an implicit one) and `mantissa` bits; largest number `high`.

    specials   codes without sign of inf and nan, as (code, value)
    """

    bits: int
    mantissa: int
    least: int
    high: float
    specials: tuple[tuple[int, float], ...]


_NAN, _INF = math.nan, math.inf
_FORMATS: dict[str, _Integers | _Floats] = {
    "q8s": _Integers(8, -127, 127),
    "q8f": _Integers(8, -128, 127),
    "q4s": _Integers(4, -7, 7),
    "q4f": _Integers(4, -8, 7),
    "q2s": _Integers(2, -1, 1),
    "q2f": _Integers(2, -2, 1),
    "e4m3": _Floats(8, 3, -6, 448.0, ((0x7F, _NAN),)),
    "e5m2": _Floats(8, 2, -14, 57344.0, ((0x7C, _INF), (0x7D, _NAN), (0x7E, _NAN), (0x7F, _NAN))),
    "e2m1": _Floats(4, 1, 0, 6.0, ()),
}


@dataclass(frozen=True)
class QuantScheme:
    """How an array is quantized.

    value         "q8s" (-127 ... 127), "q8f" (-128 ... 127), "q4s" (-7 ... 7), "q4f" (-8 ... 7), "q2s" (-1 ... 1),
                  "q2f" (-2 ... 1), "e4m3" (to 448), "e5m2" (to 57344), "e2m1" (to 6)
    block         None: one scale for all; an int: one for so many neighbours along the last axis; else the shape of blocks with
                  a scale each, aligned with the last axes, other axes having blocks of 1; blocks at the end of an axis may be
                  cut off
    scale_dtype   "float32", "float16" or "bfloat16"; scales are rounded up to it
    store         "packed": into u32, the first of its numbers in the lowest bits; "native": i8, or u8 for e4m3 and e5m2
    packed_axis   the axis along which neighbours share a word

    Raises   InputError   something else
    """

    value: str = "q8f"
    block: int | tuple[int, ...] | None = None
    scale_dtype: Any = F32
    store: str = "packed"
    packed_axis: int = -1

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale_dtype", as_dtype(self.scale_dtype))
        if self.value not in _FORMATS:
            raise InputError(f"QuantScheme: value = {self.value!r} is none of {', '.join(_FORMATS)}")
        if self.scale_dtype not in (F32, F16, BF16):
            raise InputError(f"QuantScheme: scale_dtype = {self.scale_dtype} is not float32, float16 or bfloat16")
        if self.store not in ("packed", "native") or (self.store == "native" and self.bits != 8):
            raise InputError(
                f'QuantScheme: store = {self.store!r} must be "packed", or, for 8 bits, "native"', f"value: {self.value}"
            )
        if self.block is not None:
            object.__setattr__(self, "block", (self.block,) if isinstance(self.block, int) else tuple(self.block))
            if not self.block or any(not isinstance(n, int) or n < 1 for n in self.block):
                raise InputError(f"QuantScheme: block = {self.block} must have positive dims, or be None")

    @property
    def bits(self) -> int:
        return _FORMATS[self.value].bits

    @property
    def range(self) -> tuple[float, float]:
        """The least and the largest number."""
        form = _FORMATS[self.value]
        return (form.low, form.high) if isinstance(form, _Integers) else (-form.high, form.high)


def quantization_scales(x: Any, scheme: QuantScheme, calibration: str = "min_max") -> Any:
    """2 m / (high - low) for each block, where m is the largest |x| in it ("min_max") or their mean ("abs_mean").

    Rounded up to scale_dtype; the smallest normal number of that dtype where it is zero or not finite.

    returns   scalar, or one entry for each block: x's shape divided by the blocks', rounded up

    Raises    DTypeError   x is not float;   ShapeError   blocks have more axes than x;   InputError   another calibration
    """
    x, scheme = stop_gradient(_float32(x)), _scheme("quantization_scales", scheme)
    if calibration not in ("min_max", "abs_mean"):
        raise located(InputError(f'quantization_scales: calibration = {calibration!r} is not "min_max" or "abs_mean"'))
    block = _full_block(scheme, type_of(x))
    size = absolute(x)
    if calibration == "min_max":
        bound = _reduced(size, block, largest)
    else:
        bound = divide(_reduced(size, block, sum), _reduced(ones(type_of(x).shape), block, sum))
    low, high = scheme.range
    return _rounded_up(divide(multiply(bound, 2.0), float(high - low)), scheme.scale_dtype)


def quantize(x: Any, scheme: QuantScheme, scales: Any = None, calibration: str = "min_max") -> tuple[Any, Any]:
    """x as narrow numbers: x / scale, rounded and clamped to the range of the scheme.

    x           any float array; nan becomes 0, or the nan of e4m3 and e5m2
    scales      as `quantization_scales` gives them, which is called if None
    returns     (stored, scales); stored is u32 with 32 / bits numbers a word along packed_axis, or i8 / u8 of x's shape

    Raises      DTypeError   x is not float;   ShapeError   an axis does not fill whole words, or scales do not fit
    """
    x, scheme = stop_gradient(_float32(x)), _scheme("quantize", scheme)
    scales = quantization_scales(x, scheme, calibration) if scales is None else tensor(scales)
    type = type_of(x)
    ratio = divide(x, _spread(astype(scales, F32), scheme, type))
    form = _FORMATS[scheme.value]
    codes = _integer_codes(ratio, form) if isinstance(form, _Integers) else _float_codes(ratio, form)
    if scheme.store == "native":
        return astype(codes, I8 if isinstance(form, _Integers) else U8), scales
    return _packed(astype(bitwise_and(codes, 2**form.bits - 1), U32), scheme), scales


def dequantize(stored: Any, scales: Any, scheme: QuantScheme, dtype: Any = F32) -> Any:
    """Each number times its scale, in `dtype`; the inverse of `quantize` up to rounding.

    Raises   DTypeError   stored is not what the scheme says;   ShapeError   scales do not fit
    """
    stored, scales, scheme = tensor(stored), tensor(scales), _scheme("dequantize", scheme)
    numbers = _numbers(stored, scheme)
    return astype(multiply(numbers, _spread(astype(scales, F32), scheme, type_of(numbers))), dtype)


def fake_quantize(x: Any, scheme: QuantScheme, scales: Any = None, calibration: str = "min_max") -> Any:
    """What quantizing and dequantizing makes of x, with the derivative of x itself (straight through), for training."""
    x, scheme = tensor(x), _scheme("fake_quantize", scheme)
    rounded = dequantize(*quantize(x, scheme, scales, calibration), scheme, type_of(x).dtype)
    return add(x, stop_gradient(subtract(rounded, x)))


def quantized_matmul(x: Any, stored: Any, scales: Any, scheme: QuantScheme, transpose: bool = True) -> Any:
    """x times the transpose of the matrix that `stored` and `scales` say, or times the matrix itself.

    x         [..., C] if transpose, else [..., R]
    stored    the quantized matrix [R, C]
    returns   [..., R] or [..., C], in the dtype of x

    One op, which unpacks as it multiplies, if the numbers are integers packed along the last axis and a scale serves 32, 64 or
    128 neighbours of a row, or a whole matrix whose rows are multiples of 32; else the matrix is dequantized first.

    Raises    ShapeError   shapes do not fit;   DTypeError   stored is not what the scheme says
    """
    x, stored, scales, scheme = tensor(x), tensor(stored), tensor(scales), _scheme("quantized_matmul", scheme)
    a, w = type_of(x), type_of(stored)
    if w.rank != 2 or not a.rank:
        raise located(ShapeError("quantized_matmul: the matrix must have two axes, x at least one", f"x: {a}", f"stored: {w}"))
    out = at_least_float(a.dtype)
    wide = at_least_float(computed_dtype([x, scales]))
    group = _fused_group(scheme, w, type_of(scales))
    if group is None:
        matrix = dequantize(stored, scales, scheme, wide)
        return astype(matmul(astype(x, wide), matrix_transpose(matrix) if transpose else matrix), out)
    columns = w.shape[1] * WORD // scheme.bits
    used = columns if transpose else w.shape[0]
    if a.shape[-1] != used:
        listed = (f"x: {a}", f"matrix: [{w.shape[0]}, {columns}]", f"transpose: {transpose}")
        raise located(ShapeError(f"quantized_matmul: the last axis of x must have {used} entries", *listed))
    per_group = broadcast_to(astype(scales, wide), (w.shape[0], columns // group))
    top = 2 ** (scheme.bits - 1)
    unsigned = bitwise_xor(stored, U32_ONES // (2**scheme.bits - 1) * top)  # adds `top` to each number
    biases = multiply(per_group, float(-top))
    return astype(apply(QuantizedMatmul(scheme.bits, group, transpose), astype(x, wide), unsigned, per_group, biases), out)


U32_ONES = 2**32 - 1


def _fused_group(scheme: QuantScheme, stored: TensorType, scales: TensorType) -> int | None:
    """How many neighbours of a row share a scale, if the fused product takes this layout."""
    is_packed = scheme.store == "packed" and scheme.packed_axis in (-1, 1) and stored.dtype is U32
    if not is_packed or not isinstance(_FORMATS[scheme.value], _Integers):
        return None
    rows, columns = stored.shape[0], stored.shape[1] * WORD // scheme.bits
    if scheme.block is None:
        return next((g for g in reversed(GROUPS) if columns % g == 0), None) if scales.rank == 0 else None
    group = scheme.block[-1]
    is_row_wise = group in GROUPS and all(n == 1 for n in scheme.block[:-1]) and len(scheme.block) <= 2
    return group if is_row_wise and columns % group == 0 and scales.shape == (rows, columns // group) else None


def _scheme(function: str, scheme: Any) -> QuantScheme:
    if not isinstance(scheme, QuantScheme):
        way_out = f"pass bg.QuantScheme({scheme!r})" if isinstance(scheme, str) else "pass a bg.QuantScheme"
        raise located(InputError(f"{function}: scheme = {scheme!r:.80} is not a QuantScheme", way_out))
    return scheme


def _float32(x: Any) -> Any:
    x = tensor(x)
    if type_of(x).dtype.kind != "float":
        raise located(DTypeError(f"quantize: x is {type_of(x)}, takes only floats"))
    return astype(x, F32)


def _full_block(scheme: QuantScheme, type: TensorType) -> tuple[int, ...] | None:
    """The block with as many axes as the array."""
    if scheme.block is None:
        return None
    if len(scheme.block) > type.rank:
        raise located(ShapeError(f"quantize: block {scheme.block} has more axes than {type}"))
    return (1,) * (type.rank - len(scheme.block)) + scheme.block


def _reduced(x: Any, block: tuple[int, ...] | None, reduce: Any) -> Any:
    """`reduce` over each block, the last of an axis filled up with zeros."""
    shape = type_of(x).shape
    if type_of(x).size == 0:
        raise located(ShapeError(f"quantize: {type_of(x)} has no entries to take a scale from", "pass scales"))
    if block is None:
        return reduce(x)
    grid = _grid(shape, block)
    filled = pad(x, [(0, g * b - d) for g, b, d in zip(grid, block, shape, strict=True)])
    pairs = [n for pair in zip(grid, block, strict=True) for n in pair]
    return reduce(reshape(filled, pairs), tuple(range(1, 2 * len(grid), 2)))


def _grid(shape: Sequence[int], block: Sequence[int]) -> tuple[int, ...]:
    return tuple(-(-d // b) for d, b in zip(shape, block, strict=True))


def _spread(scales: Any, scheme: QuantScheme, type: TensorType) -> Any:
    """The scale of each entry of an array of `type`."""
    block = _full_block(scheme, type)
    grid = () if block is None else _grid(type.shape, block)
    if type_of(scales).shape != grid:
        raise located(ShapeError(f"quantize: scales are {type_of(scales)}, must have shape {list(grid)}", f"array: {type}"))
    if block is None:
        return broadcast_to(scales, type.shape)
    axes = tuple(range(1, 2 * len(grid), 2))
    pairs = [n for pair in zip(grid, block, strict=True) for n in pair]
    filled = reshape(broadcast_to(expand_dims(scales, axes), pairs), [g * b for g, b in zip(grid, block, strict=True)])
    return sliced(filled, [0] * type.rank, type.shape, [1] * type.rank)


def _rounded_up(scales: Any, dtype: DType) -> Any:
    """f32 scales in `dtype`, none smaller than it was; zero and what is not finite become the smallest normal number."""
    narrow = astype(scales, dtype)
    if dtype is not F32:
        digits, least_step = (11, 2.0**-24) if dtype is F16 else (8, 0.0)
        back = astype(narrow, F32)
        # More than half a step up, less than one and a half: rounds to the next number.
        next_up = maximum(multiply(back, 1 + 1.25 * 2.0**-digits), add(back, 0.625 * least_step))
        narrow = where(less(back, scales), astype(next_up, dtype), narrow)
    smallest = 2.0**-14 if dtype is F16 else 2.0**-126
    return where(logical_and(isfinite(narrow), greater(narrow, 0)), narrow, smallest)


def _integer_codes(ratio: Any, form: _Integers) -> Any:
    """Rounded half away from zero, clamped; i32."""
    whole = trunc(ratio)
    away = where(greater_equal(absolute(subtract(ratio, whole)), 0.5), add(whole, sign(ratio)), whole)
    return astype(where(isnan(ratio), 0.0, clip(away, float(form.low), float(form.high))), I32)


def _powers(first: int, last: int) -> Any:
    """2^first ... 2^last, exactly."""
    return apply(Constant(tuple(2.0**e for e in range(first, last + 1)), TensorType(F32, (last - first + 1,))))


def _float_codes(ratio: Any, form: _Floats) -> Any:
    """Sign, exponent and mantissa of the nearest number of the format, half to even; i32.

    Below 2^least the spacing stays that of 2^least, so one formula serves all numbers, and a mantissa that rounds up to the
    next power of two carries into the exponent.
    """
    size = clip(absolute(ratio), 0.0, form.high)
    least, last = form.least, math.frexp(form.high)[1] - 1
    powers = _powers(least, last + 1)
    at_least = maximum(size, 2.0**least)
    place = astype(clip(floor(multiply(log(at_least), 1 / math.log(2))), float(least), float(last)), I32)
    place = subtract(place, least)
    place = where(less(at_least, take(powers, place, axis=0)), subtract(place, 1), place)  # the logarithm may be off by one
    place = where(greater_equal(at_least, take(powers, add(place, 1), axis=0)), add(place, 1), place)
    step = take(_powers(least - form.mantissa, last + 1 - form.mantissa), place, axis=0)
    codes = add(multiply(place, 2**form.mantissa), astype(round(divide(size, step)), I32))
    nan_code = next((code for code, value in form.specials if math.isnan(value)), 0)
    codes = where(isnan(ratio), nan_code, codes)
    return where(less(ratio, 0), bitwise_or(codes, 2 ** (form.bits - 1)), codes)


def _packed(codes: Any, scheme: QuantScheme) -> Any:
    per_word = WORD // scheme.bits
    type = type_of(codes)
    if not type.rank or not -type.rank <= scheme.packed_axis < type.rank:
        raise located(ShapeError(f"quantize: {type} has no axis {scheme.packed_axis} to pack along"))
    codes = moveaxis(codes, scheme.packed_axis, -1)
    *others, n = type_of(codes).shape
    if n % per_word:
        what = f"axis {scheme.packed_axis} has {n} entries, which do not fill words of {per_word}"
        raise located(ShapeError(f"quantize: {what}", f"x: {type}", 'pad it, pack another axis, or store="native"'))
    shifts = multiply(arange(per_word, dtype=U32), scheme.bits)
    shifted = bitwise_left_shift(reshape(codes, (*others, n // per_word, per_word)), shifts)
    return moveaxis(sum(shifted, -1), -1, scheme.packed_axis)


def _numbers(stored: Any, scheme: QuantScheme) -> Any:
    """What the stored codes say, f32, without the scale."""
    form, type = _FORMATS[scheme.value], type_of(stored)
    expected = U32 if scheme.store == "packed" else I8 if isinstance(form, _Integers) else U8
    if type.dtype is not expected:
        raise located(DTypeError(f"dequantize: stored is {type}, the scheme says {expected}", f"scheme: {scheme}"))
    codes = _unpacked(stored, scheme) if scheme.store == "packed" else astype(stored, I32)
    top = 2 ** (form.bits - 1)
    if isinstance(form, _Integers):
        codes = codes if scheme.store == "native" else subtract(bitwise_xor(codes, top), top)
        return astype(codes, F32)
    size = bitwise_and(codes, top - 1)
    exponent = bitwise_right_shift(size, form.mantissa)
    mantissa = bitwise_and(size, 2**form.mantissa - 1)
    digits = astype(where(equal(exponent, 0), mantissa, bitwise_or(mantissa, 2**form.mantissa)), F32)
    n_exponents = 2 ** (form.bits - 1 - form.mantissa)
    steps = _powers(form.least - form.mantissa, form.least - form.mantissa + n_exponents - 2)
    numbers = multiply(digits, take(steps, maximum(subtract(exponent, 1), 0), axis=0))
    for code, value in form.specials:
        numbers = where(equal(size, code), value, numbers)
    return where(equal(bitwise_and(codes, top), 0), numbers, multiply(numbers, -1.0))


def _unpacked(stored: Any, scheme: QuantScheme) -> Any:
    """The codes of each word one after another along packed_axis, i32, their upper bits zero."""
    words = moveaxis(stored, scheme.packed_axis, -1)
    *others, n = type_of(words).shape
    per_word = WORD // scheme.bits
    shifts = multiply(arange(per_word, dtype=U32), scheme.bits)
    codes = bitwise_and(bitwise_right_shift(expand_dims(words, -1), shifts), 2**scheme.bits - 1)
    return moveaxis(astype(reshape(codes, (*others, n * per_word)), I32), -1, scheme.packed_axis)
