"""Cases for quantizing to narrow numbers and back."""

import math

import numpy as np

import burngraph as bg
from tests.burn.harness import FLOATS, Arg, Case, T

RANGES = {
    "q8s": (8, -127, 127),
    "q8f": (8, -128, 127),
    "q4s": (4, -7, 7),
    "q4f": (4, -8, 7),
    "q2s": (2, -1, 1),
    "q2f": (2, -2, 1),
}
# exponent bits, mantissa bits, bias, largest number
FORMATS = {"e4m3": (4, 3, 7, 448.0), "e5m2": (5, 2, 15, 57344.0), "e2m1": (2, 1, 1, 6.0)}


def bits(scheme):
    return RANGES[scheme.value][0] if scheme.value in RANGES else 1 + sum(FORMATS[scheme.value][:2])


def number(code, scheme):
    """What a stored code means, without the scale."""
    n = bits(scheme)
    if scheme.value in RANGES:
        return float(code - 2**n if code >= 2 ** (n - 1) else code)
    _, mantissa_bits, bias, largest = FORMATS[scheme.value]
    sign, rest = (-1.0 if code >> (n - 1) else 1.0), code & (2 ** (n - 1) - 1)
    exponent, mantissa = rest >> mantissa_bits, rest & (2**mantissa_bits - 1)
    lead = 1 if exponent else 0
    value = (lead + mantissa / 2**mantissa_bits) * 2.0 ** (max(exponent, 1) - bias)
    if value <= largest:
        return sign * value
    return sign * math.inf if (scheme.value, mantissa) == ("e5m2", 0) else math.nan


def code(ratio, scheme):
    """The code of the nearest number that there is; of integers, halves go away from zero."""
    n = bits(scheme)
    if scheme.value in RANGES:
        _, low, high = RANGES[scheme.value]
        away = math.copysign(math.floor(abs(ratio) + 0.5), ratio)
        return int(min(max(away, low), high)) % 2**n
    finite = [c for c in range(2**n) if math.isfinite(number(c, scheme))]
    of_sign = [c for c in finite if (c >> (n - 1)) == (ratio < 0)]
    return min(of_sign, key=lambda c: abs(number(c, scheme) - ratio))


def spread(scales, shape, scheme):
    """The scale of each entry."""
    block = None if scheme.block is None else (1,) * (len(shape) - len(scheme.block)) + scheme.block
    found = np.zeros(shape)
    for at in np.ndindex(*shape):
        found[at] = scales if block is None else scales[tuple(i // b for i, b in zip(at, block, strict=True))]
    return found


def quantize(tensor, scales, scheme):
    ratios = tensor / spread(scales, tensor.shape, scheme)
    codes = np.vectorize(lambda ratio: code(ratio, scheme), otypes=[np.int64])(ratios)
    if scheme.store == "native":
        return (codes.astype(np.int8) if scheme.value in RANGES else codes.astype(np.uint8)), scales
    rows = np.moveaxis(codes, scheme.packed_axis, -1)
    per_word = 32 // bits(scheme)
    words = rows.reshape(*rows.shape[:-1], -1, per_word) << (bits(scheme) * np.arange(per_word))
    return np.moveaxis(words.sum(-1), -1, scheme.packed_axis).astype(np.uint32), scales


def dequantize(stored, scales, scheme, dtype):
    n = bits(scheme)
    codes = stored.astype(np.int64) % 2**n
    if scheme.store == "packed":
        words = np.moveaxis(stored, scheme.packed_axis, -1).astype(np.int64)
        fields = (words[..., None] >> (n * np.arange(32 // n))) % 2**n
        codes = np.moveaxis(fields.reshape(*words.shape[:-1], -1), -1, scheme.packed_axis)
    numbers = np.vectorize(lambda c: number(c, scheme), otypes=[np.float64])(codes)
    return numbers * spread(scales, numbers.shape, scheme)


# label: scheme, shape of the tensor, of its scales
SCHEMES = {
    **{value: (bg.QuantScheme(value), (3, 16), ()) for value in (*RANGES, *FORMATS)},
    "blocks": (bg.QuantScheme("q8s", (4,)), (3, 8), (3, 2)),
    "blocks cut off": (bg.QuantScheme("q4f", (2, 3)), (3, 8), (2, 3)),
    "packed along rows": (bg.QuantScheme("q8f", (2,), packed_axis=-2), (4, 6), (4, 3)),
    "native": (bg.QuantScheme("q8s", store="native"), (3, 5), ()),
    "native float": (bg.QuantScheme("e4m3", (1, 5), store="native"), (3, 5), (3, 1)),
}


def stored_type(scheme, shape):
    """Shape and dtype of what is stored."""
    if scheme.store == "native":
        return shape, "i8" if scheme.value in RANGES else "u8"
    axis = scheme.packed_axis % len(shape)
    return tuple(n * bits(scheme) // 32 if i == axis else n for i, n in enumerate(shape)), "u32"


def scheme_cases(label, scheme, shape, grid):
    scales = Arg(grid, "f32", (0.05, 0.3))
    held, dtype = stored_type(scheme, shape)
    codes = Arg(held, dtype, {"i8": (-127, 128), "u8": (0, 256), "u32": (0, 2**32)}[dtype])
    return [
        Case(
            "Float.Quantize",
            {"tensor": T(*shape), "scales": scales},
            {"scheme": scheme},
            quantize,
            FLOATS,
            (dtype, "f32"),
            label=label,
        ),
        Case(
            "Float.Dequantize",
            {"stored": codes, "scales": scales},
            {"scheme": scheme, "dtype": "T"},
            dequantize,
            FLOATS,
            label=label,
        ),
    ]


CASES = [
    *(case for label, given in SCHEMES.items() for case in scheme_cases(label, *given)),
    Case(
        "Float.Quantize",
        {"tensor": np.array([[0.25, -0.25, 0.75, -1.25], [100.0, -100.0, -0.0, 0.125]]), "scales": np.float32(0.5)},
        {"scheme": bg.QuantScheme("q8s")},
        quantize,
        FLOATS,
        ("u32", "T"),
        label="halves",
    ),
]
