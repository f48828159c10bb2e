"""Cases for quantizing to narrow numbers and back."""

import math

import ml_dtypes
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
# codes of scales that are positive numbers
SCALES = {"ue4m3": range(1, 0x7F), "ue8m0": range(1, 255)}
DTYPES = {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16}
HELD = {"f32": "f32", "f16": "f16", "bf16": "bf16", "ue4m3": "u8", "ue8m0": "u8"}


def bits(scheme):
    return RANGES[scheme.value][0] if scheme.value in RANGES else 1 + sum(FORMATS[scheme.value][:2])


def minifloat(code, name):
    exponent_bits, mantissa_bits, bias, largest = FORMATS[name]
    n = exponent_bits + mantissa_bits
    sign, rest = (-1.0 if code >> n else 1.0), code & (2**n - 1)
    exponent, mantissa = rest >> mantissa_bits, rest & (2**mantissa_bits - 1)
    lead = 1 if exponent else 0
    value = (lead + mantissa / 2**mantissa_bits) * 2.0 ** (max(exponent, 1) - bias)
    if value <= largest:
        return sign * value
    return sign * math.inf if (name, mantissa) == ("e5m2", 0) else math.nan


def number(code, scheme):
    """What a stored code means, without the scale."""
    n = bits(scheme)
    if scheme.table is not None:
        return scheme.table[code]
    if scheme.value in RANGES:
        return float(code - 2**n if code >= 2 ** (n - 1) else code)
    return minifloat(code, scheme.value)


def code(ratio, scheme):
    """The code of the nearest number that there is; of integers, and in a table, halves go away from zero."""
    n = bits(scheme)
    if scheme.table is not None:
        return min(range(2**n), key=lambda c: (abs(number(c, scheme) - ratio), -abs(number(c, scheme))))
    if scheme.value in RANGES:
        _, low, high = RANGES[scheme.value]
        away = math.copysign(math.floor(abs(ratio) + 0.5), ratio)
        return int(min(max(away, low), high)) % 2**n
    finite = [c for c in range(2**n) if math.isfinite(number(c, scheme))]
    of_sign = [c for c in finite if (c >> (n - 1)) == (math.copysign(1, ratio) < 0)]
    return min(of_sign, key=lambda c: (abs(number(c, scheme) - ratio), c % 2))


def scale_number(code, kind):
    return minifloat(code, "e4m3") if kind == "ue4m3" else 2.0 ** (code - 127) if code < 255 else math.nan


def stored_scale(scale, kind):
    """The least scale of a kind that is not below, and what it is."""
    if kind in SCALES:
        codes = SCALES[kind]
        found = next((c for c in codes if scale_number(c, kind) >= scale), codes[-1])
        return found, scale_number(found, kind)
    narrow = DTYPES[kind](scale)
    if float(narrow) < scale:
        narrow = np.nextafter(narrow, DTYPES[kind](np.inf))
    return float(narrow), float(narrow)


def spread(scales, shape, scheme):
    """The scale of each entry."""
    block = None if scheme.block is None else (1,) * (len(shape) - len(scheme.block)) + scheme.block
    found = np.zeros(shape)
    for at in np.ndindex(*shape):
        found[at] = scales if block is None else scales[tuple(i // b for i, b in zip(at, block, strict=True))]
    return found


def packed(codes, n, word, axis):
    rows = np.moveaxis(codes, axis, -1)
    words = rows.reshape(*rows.shape[:-1], -1, word // n) << (n * np.arange(word // n))
    return np.moveaxis(words.sum(-1), -1, axis)


def unpacked(stored, n, word, axis):
    words = np.moveaxis(stored, axis, -1).astype(np.int64)
    fields = (words[..., None] >> (n * np.arange(word // n))) % 2**n
    return np.moveaxis(fields.reshape(*words.shape[:-1], -1), -1, axis)


def quantize(tensor, scales, scheme):
    block, *whole = scales if scheme.two_level else (scales,)
    kind = str(scheme.scale_dtype)
    pairs = [stored_scale(s, kind) for s in np.ravel(block)]
    held, means = (np.array([pair[i] for pair in pairs]).reshape(np.shape(block)) for i in (0, 1))
    ratios = tensor / spread(means * whole[0] if whole else means, tensor.shape, scheme).astype(tensor.dtype)
    codes = np.vectorize(lambda ratio: code(ratio, scheme), otypes=[np.int64])(ratios)
    if scheme.store == "native":
        stored = codes.astype(np.int8) if scheme.value in RANGES else codes.astype(np.uint8)
    else:
        word = 32 if scheme.store == "packed" else 8
        stored = packed(codes, bits(scheme), word, scheme.packed_axis).astype(f"uint{word}")
    return stored, held, *whole


def dequantize(stored, scales, scheme, dtype):
    block, *whole = scales if scheme.two_level else (scales,)
    kind = str(scheme.scale_dtype)
    if kind in SCALES:
        block = np.vectorize(lambda c: scale_number(int(c), kind), otypes=[np.float64])(block)
    n = bits(scheme)
    codes = stored.astype(np.int64) % 2**n
    if scheme.store != "native":
        codes = unpacked(stored, n, 32 if scheme.store == "packed" else 8, scheme.packed_axis)
    numbers = np.vectorize(lambda c: number(c, scheme), otypes=[np.float64])(codes)
    return numbers * spread(block * whole[0] if whole else block, numbers.shape, scheme)


# Exact in f32: NF4's kind of table, unordered and with an entry twice; squares; and one for each of 256 codes
UNEVEN = (
    0.0,
    -1.0,
    -0.6875,
    -0.53125,
    -0.40625,
    -0.28125,
    -0.1875,
    -0.09375,
    0.0,
    0.0625,
    0.15625,
    0.25,
    0.34375,
    0.5,
    0.75,
    1.0,
)
SQUARES = tuple(math.copysign(n * n / 4096, n) for n in range(-128, 128))

# label: scheme, shape of the tensor, of its scales
SCHEMES = {
    **{value: (bg.QuantScheme(value), (3, 16), ()) for value in (*RANGES, *FORMATS)},
    "blocks": (bg.QuantScheme("q8s", (4,)), (3, 8), (3, 2)),
    "blocks cut off": (bg.QuantScheme("q4f", (2, 3)), (3, 8), (2, 3)),
    "packed along rows": (bg.QuantScheme("q8f", (2,), packed_axis=-2), (4, 6), (4, 3)),
    "native": (bg.QuantScheme("q8s", store="native"), (3, 5), ()),
    "native float": (bg.QuantScheme("e4m3", (1, 5), store="native"), (3, 5), (3, 1)),
    "table of 4": (bg.QuantScheme("q2s", (8,), table=(-1.0, 0.0, 0.25, 1.5)), (3, 16), (3, 2)),
    "table of 16": (bg.QuantScheme("q4f", table=UNEVEN), (3, 16), ()),
    "table of 256": (bg.QuantScheme("q8f", (2, 4), table=SQUARES), (4, 8), (2, 2)),
    "pairs in u8": (bg.QuantScheme("e2m1", (4,), store="packed_native"), (3, 8), (3, 2)),
    "pairs in u8 along rows": (bg.QuantScheme("e2m1", store="packed_native", packed_axis=0), (4, 3), ()),
    "f16 scales": (bg.QuantScheme("q4s", (8,), "float16"), (3, 16), (3, 2)),
    "bf16 scales": (bg.QuantScheme("q4s", (8,), "bfloat16"), (3, 16), (3, 2)),
    "ue4m3 scales": (bg.QuantScheme("q4s", (8,), "ue4m3"), (3, 16), (3, 2)),
    "one ue4m3 scale": (bg.QuantScheme("q8f", None, "ue4m3"), (3, 8), ()),
    "ue8m0 scales": (bg.QuantScheme("e4m3", (2,), "ue8m0", "native"), (3, 6), (3, 3)),
    "two levels": (bg.QuantScheme("e2m1", (8,), "ue4m3", two_level=True), (3, 16), (3, 2)),
    "two levels in f16": (bg.QuantScheme("q8s", (2, 4), "float16", two_level=True), (4, 8), (2, 2)),
    "two levels, a table": (bg.QuantScheme("q4f", (8,), "ue4m3", table=UNEVEN, two_level=True), (3, 16), (3, 2)),
}


def stored_type(scheme, shape):
    """Shape and dtype of what is stored."""
    if scheme.store == "native":
        return shape, "i8" if scheme.value in RANGES else "u8"
    axis, word = scheme.packed_axis % len(shape), 32 if scheme.store == "packed" else 8
    return tuple(n * bits(scheme) // word if i == axis else n for i, n in enumerate(shape)), f"u{word}"


def scheme_cases(label, scheme, shape, grid):
    kind = str(scheme.scale_dtype)
    held, dtype = stored_type(scheme, shape)
    codes = Arg(held, dtype, {"i8": (-127, 128), "u8": (0, 256), "u32": (0, 2**32)}[dtype])
    coded = {"ue4m3": Arg(grid, "u8", (1, 127)), "ue8m0": Arg(grid, "u8", (100, 140))}
    if scheme.two_level:
        tensor_scale = Arg((), "f32", (1e-3, 2e-3))
        given = {"scales.0": Arg(grid, "f32", (50, 450)), "scales.1": tensor_scale}
        kept = {"scales.0": coded.get(kind, given["scales.0"]), "scales.1": tensor_scale}
    else:
        given = {"scales": Arg(grid, "f32", (0.05, 0.3))}
        kept = {"scales": coded.get(kind, given["scales"])}
    out = (dtype, HELD[kind], "f32") if scheme.two_level else (dtype, HELD[kind])
    return [
        Case("Float.Quantize", {"tensor": T(*shape), **given}, {"scheme": scheme}, quantize, FLOATS, out, label=label),
        Case(
            "Float.Dequantize",
            {"stored": codes, **kept},
            {"scheme": scheme, "dtype": "T"},
            dequantize,
            FLOATS,
            label=label,
        ),
    ]


HALVES = np.array([[0.25, -0.25, 0.75, -1.25], [100.0, -100.0, -0.0, 0.125]])
CASES = [
    *(case for label, given in SCHEMES.items() for case in scheme_cases(label, *given)),
    *(
        Case(
            "Float.Quantize",
            {"tensor": HALVES, "scales": np.float32(0.5)},
            {"scheme": scheme},
            quantize,
            FLOATS,
            (dtype, "f32"),
            label=f"halves in {label}",
        )
        for label, scheme, dtype in (
            ("integers", bg.QuantScheme("q8s"), "u32"),
            ("floats", bg.QuantScheme("e2m1", store="packed_native"), "u8"),
            ("a table", bg.QuantScheme("q8s", table=(*range(-2, 254),)), "u32"),
        )
    ),
]
