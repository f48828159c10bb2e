"""Quantized tensors: narrow numbers packed into words, with a scale for the tensor or for each block of it.

A value is number * scale. Quantizing has no derivative worth the name (its result is made of steps), so none passes: gradients
with respect to what `quantize` is given are zero, as in Burn. `fake_quantize` lets them through as if nothing had been
rounded. `dequantize` and `quantized_matmul` are differentiable in the scales that are floats, and in the other factor.

Source   Burn's quantization schemes: value ranges, scales, two levels, rounding, little-endian packing
"""

from typing import Any

from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.frontend.custom import custom_jvp, stop_gradient
from burngraph.frontend.functional import quantization_layout as layout
from burngraph.frontend.functional.comparison import bitwise_and, bitwise_xor, greater, isfinite, where
from burngraph.frontend.functional.creation import ones
from burngraph.frontend.functional.elementwise import abs as absolute
from burngraph.frontend.functional.elementwise import divide, isnan, maximum, multiply
from burngraph.frontend.functional.quantization_formats import (
    LARGEST_SCALE,
    SMALLEST_NORMAL,
    IntegerFormat,
    ScaleCodes,
    rounded_up,
    scale_numbers,
)
from burngraph.frontend.functional.quantization_scheme import QuantScales, QuantScheme
from burngraph.frontend.functional.reduction import matmul, sum
from burngraph.frontend.functional.reduction import max as largest
from burngraph.frontend.functional.shape import astype, computed_dtype, matrix_transpose, tensor
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.quantize import GROUPS, MODES, WORD, MicroscaledMatmul, QuantizedMatmul
from burngraph.ir.promotion import at_least_float, promote
from burngraph.ir.types import F16, F32, I8, I32, U8, U32, TensorType

__all__ = [
    "QuantScales",
    "QuantScheme",
    "dequantize",
    "fake_quantize",
    "quantization_scales",
    "quantize",
    "quantized_matmul",
]


def quantization_scales(x: Any, scheme: QuantScheme, calibration: str = "min_max") -> Any:
    """m / r for each block, where m is the largest |x| in it ("min_max") or their mean ("abs_mean"); nan counts as 0.

    r is half the width of the scheme's range (127.5 for q8f), or the largest |entry| of its table. Rounded up to scale_dtype;
    beyond its largest number, that one; where it is zero, or in float32 infinite, the smallest positive number of that dtype
    (normal one in float32, bfloat16 and ue8m0).

    With two levels the scale of the tensor is the largest m / r over the largest number of scale_dtype, at least 2^-126, and
    each block's is divided by it before it is rounded.

    returns   scalar, or one entry for each block: x's shape divided by the blocks', rounded up; u8 if scale_dtype is one of
              "ue4m3" and "ue8m0"; with two levels a QuantScales of that and a scalar

    Raises    DTypeError   x is not float;   ShapeError   blocks have more axes than x
              InputError   another calibration, or "abs_mean" with two levels
    """
    x, scheme = stop_gradient(_float32(x)), _scheme("quantization_scales", scheme)
    if calibration not in ("min_max", "abs_mean"):
        raise located(InputError(f'quantization_scales: calibration = {calibration!r} is not "min_max" or "abs_mean"'))
    size = where(isnan(x), 0.0, absolute(x))
    if calibration == "min_max":
        bound = layout.reduced(size, scheme.blocks, largest)
    else:
        if scheme.two_level:
            what = "a mean is no bound that the scale of a tensor could be taken from"
            raise located(InputError(f"quantization_scales: abs_mean with two levels: {what}", "pass scales, or leave it out"))
        count = layout.reduced(ones(type_of(x).shape), scheme.blocks, sum)
        bound = divide(layout.reduced(size, scheme.blocks, sum), count)
    scales = divide(bound, scheme.form.reach)
    if not scheme.two_level:
        return rounded_up(scales, scheme.scale_dtype)
    whole = divide(largest(scales), LARGEST_SCALE[scheme.scale_dtype])
    whole = where(isfinite(whole), maximum(whole, SMALLEST_NORMAL), SMALLEST_NORMAL)
    return QuantScales(rounded_up(divide(scales, whole), scheme.scale_dtype), whole)


def quantize(x: Any, scheme: QuantScheme, scales: Any = None, calibration: str = "min_max") -> tuple[Any, Any]:
    """x as narrow numbers: x / scale, rounded and clamped to the range of the scheme.

    x           any float array. Integers round half away from zero; e4m3, e5m2 and e2m1 half to even; of two entries of a
                table as near, the one further from zero. nan becomes 0, or the nan of e4m3 and e5m2
    scales      as `quantization_scales` gives them, which is called if None. Floats are rounded up as there; u8 are codes of
                scale_dtype. With two levels a pair
    returns     (stored, scales), for `dequantize` and `quantized_matmul`; stored has x's shape, but packed_axis is as many
                times shorter as numbers share a word: u32, u8 ("packed_native"), or, one by one, i8 or u8

    Raises      DTypeError   x is not float;   ShapeError   an axis does not fill whole words, or scales do not fit
    """
    x, scheme = stop_gradient(_float32(x)), _scheme("quantize", scheme)
    if scales is None:
        scales = quantization_scales(x, scheme, calibration)
    else:
        scales = _as_stored(stop_gradient(scales), scheme)
    factors = _factors("quantize", scales, scheme)
    factors = where(greater(factors, 0), factors, SMALLEST_NORMAL)  # a product of two levels may be 0, and 0 / 0 is no number
    codes = scheme.form.codes(divide(x, layout.spread(factors, scheme.blocks, type_of(x).shape)))
    if scheme.store != "native":
        return layout.packed(codes, scheme.bits, scheme.word, scheme.packed_axis), scales
    if scheme.word is I8:
        codes = scheme.form.numbers(codes)
    return astype(codes, scheme.word), scales


def dequantize(stored: Any, scales: Any, scheme: QuantScheme, dtype: Any = F32) -> Any:
    """Each number times its scale, in `dtype`; the inverse of `quantize` up to rounding.

    Raises   DTypeError   stored or scales are not what the scheme says;   ShapeError   scales do not fit
             InputError   scales are not a pair though there are two levels, or are one though there are not
    """
    stored, scheme = tensor(stored), _scheme("dequantize", scheme)
    numbers = _numbers(stored, scheme)
    factors = _factors("dequantize", scales, scheme)
    return astype(multiply(numbers, layout.spread(factors, scheme.blocks, type_of(numbers).shape)), dtype)


def fake_quantize(x: Any, scheme: QuantScheme, scales: Any = None, calibration: str = "min_max") -> Any:
    """What quantizing and dequantizing makes of x, with the derivative of x itself (straight through), for training."""
    x, scheme = tensor(x), _scheme("fake_quantize", scheme)

    @custom_jvp
    def fake_quantize(x: Any, scales: Any) -> Any:
        return dequantize(*quantize(x, scheme, scales, calibration), scheme, type_of(x).dtype)

    fake_quantize.defjvp(lambda primals, tangents: (fake_quantize(*primals), tangents[0]))
    return fake_quantize(x, scales)


def quantized_matmul(x: Any, stored: Any, scales: Any, scheme: QuantScheme, transpose: bool = True) -> Any:
    """x times the transpose of the matrix that `stored` and `scales` say, or times the matrix itself.

    x         [..., C] if transpose, else [..., R]
    stored    the quantized matrix [R, C]
    returns   [..., R] or [..., C], in the dtype of x

    One op, which unpacks as it multiplies, where MLX has one: of integers in blocks of 32, 64 or 128 neighbours of a row, of
    e2m1 with scales of ue4m3 in blocks of 16 (nvfp4), and of e2m1 and e4m3 with scales of ue8m0 in blocks of 32 (mxfp4, mxfp8).
    Blocks may be multiples of that, span rows or be the whole matrix, if C is a multiple of it; packed_axis is the last. In
    other layouts, and with a table, the matrix is dequantized first.

    Raises    ShapeError   shapes do not fit;   DTypeError   stored or scales are not what the scheme says
              InputError   scales are not a pair though there are two levels, or are one though there are not
    """
    x, stored, scheme = tensor(x), tensor(stored), _scheme("quantized_matmul", scheme)
    a, w = type_of(x), type_of(stored)
    if w.rank != 2 or not a.rank:
        raise located(ShapeError("quantized_matmul: the matrix must have two axes, x at least one", f"x: {a}", f"stored: {w}"))
    floats = [s for s in _parts("quantized_matmul", scales, scheme) if type_of(s).dtype.kind == "float"]
    wide = at_least_float(computed_dtype([x, *floats]))
    if wide is F16 and scheme.scale_dtype is ScaleCodes.UE8M0:
        wide = F32  # whose range those scales have
    mode, group = _fused(scheme, stored, scales)
    if group is None:
        matrix = dequantize(stored, scales, scheme, wide)
        product = matmul(astype(x, wide), matrix_transpose(matrix) if transpose else matrix)
        return astype(product, at_least_float(a.dtype))
    shape = (w.shape[0], _columns(scheme, w))
    used = shape[1] if transpose else shape[0]
    if a.shape[-1] != used:
        listed = (f"x: {a}", f"matrix: {list(shape)}", f"transpose: {transpose}")
        raise located(ShapeError(f"quantized_matmul: the last axis of x must have {used} entries", *listed))
    words = stored if w.dtype is U32 else layout.packed(bitwise_and(astype(stored, I32), 255), 8, U32)
    if mode is None:
        factors = _factors("quantized_matmul", scales, scheme)
        per_group = astype(_per_group(factors, scheme, shape, group), wide)
        product = _integer_product(astype(x, wide), words, per_group, scheme.bits, group, transpose)
    else:
        block, *whole = _parts("quantized_matmul", scales, scheme)
        per_group = _per_group(block, scheme, shape, group)
        product = apply(MicroscaledMatmul(mode, transpose), astype(x, wide), words, per_group)
        product = multiply(product, whole[0]) if whole else product
    return astype(product, at_least_float(a.dtype))


def _integer_product(x: Any, words: Any, scales: Any, bits: int, group: int, transpose: bool) -> Any:
    """By codes without a sign: number = code - 2^(bits - 1)."""
    top = 2 ** (bits - 1)
    unsigned = bitwise_xor(words, (2**WORD - 1) // (2**bits - 1) * top)  # adds `top` to each number
    return apply(QuantizedMatmul(bits, group, transpose), x, unsigned, scales, multiply(scales, float(-top)))


def _fused(scheme: QuantScheme, stored: Any, scales: Any) -> tuple[str | None, int | None]:
    """The mode of MicroscaledMatmul, None for QuantizedMatmul, and how many neighbours share a scale; that None for neither."""
    w = type_of(stored)
    _check_stored("quantized_matmul", w, scheme)
    if scheme.store != "native" and scheme.packed_axis not in (-1, 1):
        return None, None
    if isinstance(scheme.form, IntegerFormat):
        return None, _group(scheme, w, GROUPS)
    names = {(m.number, m.scale): name for name, m in MODES.items()}
    mode = names.get((scheme.value, str(scheme.scale_dtype)))
    if mode is None or scheme.table is not None or type_of(_parts("quantized_matmul", scales, scheme)[0]).dtype is not U8:
        return None, None
    return mode, _group(scheme, w, (MODES[mode].group,))


def _columns(scheme: QuantScheme, stored: TensorType) -> int:
    return stored.shape[1] if scheme.store == "native" else stored.shape[1] * 8 * stored.dtype.bytes // scheme.bits


def _group(scheme: QuantScheme, stored: TensorType, sizes: tuple[int, ...]) -> int | None:
    """The largest of `sizes` that rows and their blocks are made up of."""
    columns = _columns(scheme, stored)
    full = layout.full_block(scheme.blocks, (stored.shape[0], columns))
    width = columns if full is None else min(full[1], columns)
    is_whole = width == columns
    return next((g for g in reversed(sizes) if columns % g == 0 and (is_whole or width % g == 0)), None)


def _per_group(scales: Any, scheme: QuantScheme, shape: tuple[int, int], group: int) -> Any:
    """The scale of each group of neighbours of a row."""
    full, n_groups = layout.full_block(scheme.blocks, shape), shape[1] // group
    block = None if full is None else (full[0], max(min(full[1], shape[1]) // group, 1))
    return layout.spread(scales, block, (shape[0], n_groups))


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


def _parts(function: str, scales: Any, scheme: QuantScheme) -> list[Any]:
    """The one array of scales, or of two levels the blocks' and the tensor's. Checked but for the shape of the first."""
    is_pair = isinstance(scales, list | tuple)
    if is_pair != scheme.two_level or (is_pair and len(scales) != 2):
        wanted = "a pair (block scales, scale of the tensor)" if scheme.two_level else "one array"
        found = f"{len(scales)} arrays" if is_pair else "one array"
        raise located(InputError(f"{function}: scales are {found}, the scheme says {wanted}", f"scheme: {scheme}"))
    parts = [tensor(part) for part in (scales if is_pair else [scales])]
    for part, may_be_codes in zip(parts, (isinstance(scheme.scale_dtype, ScaleCodes), False), strict=False):
        type = type_of(part)
        if type.dtype.kind != "float" and not (may_be_codes and type.dtype is U8):
            allowed = f"floats, or u8 as codes of {scheme.scale_dtype}" if may_be_codes else "floats"
            raise located(DTypeError(f"{function}: scales are {type}, must be {allowed}", f"scheme: {scheme}"))
    if scheme.two_level and type_of(parts[1]).rank:
        raise located(ShapeError(f"{function}: the scale of the tensor is {type_of(parts[1])}, must have rank 0", "reshape it"))
    return parts


def _as_stored(scales: Any, scheme: QuantScheme) -> Any:
    """Scales that somebody gives, as `quantization_scales` would."""
    block, *whole = _parts("quantize", scales, scheme)
    if type_of(block).dtype is not U8:
        block = rounded_up(astype(block, F32), scheme.scale_dtype)
    return QuantScales(block, rounded_up(astype(whole[0], F32), F32)) if whole else block


def _factors(function: str, scales: Any, scheme: QuantScheme) -> Any:
    """What the numbers of each block are multiplied by: f32, or f64 if scales are."""
    block, *whole = _parts(function, scales, scheme)
    is_coded = type_of(block).dtype is U8
    factors = scale_numbers(block, scheme.scale_dtype) if is_coded else _at_least_f32(block)
    return multiply(factors, _at_least_f32(whole[0])) if whole else factors


def _at_least_f32(x: Any) -> Any:
    return astype(x, promote(type_of(x).dtype, F32))


def _check_stored(function: str, type: TensorType, scheme: QuantScheme) -> None:
    if type.dtype is not scheme.word:
        raise located(DTypeError(f"{function}: stored is {type}, the scheme says {scheme.word}", f"scheme: {scheme}"))


def _numbers(stored: Any, scheme: QuantScheme) -> Any:
    """What the stored codes say, f32, without the scale."""
    _check_stored("dequantize", type_of(stored), scheme)
    if scheme.store != "native":
        return scheme.form.numbers(layout.unpacked(stored, scheme.bits, scheme.packed_axis))
    return astype(stored, F32) if scheme.word is I8 else scheme.form.numbers(astype(stored, I32))
