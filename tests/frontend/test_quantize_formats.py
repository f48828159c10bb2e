"""Numbers and scales of few bits, every code of them: against ml_dtypes, and against exact arithmetic."""

import math
from bisect import bisect
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

import burngraph as bg
from burngraph.evaluator import as_numpy
from burngraph.ir.minifloat import E2M1, E4M3, E5M2, e8m0

FLOATS = {
    "e4m3": (ml_dtypes.float8_e4m3fn, E4M3),
    "e5m2": (ml_dtypes.float8_e5m2, E5M2),
    "e2m1": (ml_dtypes.float4_e2m1fn, E2M1),
}
ONE = np.array(1, "float32")
INFINITE = np.float32(np.inf)
RNG = np.random.default_rng(0)


def scheme_of(value):
    return bg.QuantScheme(value, store="packed_native" if value == "e2m1" else "native")


def codes_of(numbers, value):
    """What `quantize` stores for each number, unpacked."""
    stored = np.array(bg.compile(lambda x: bg.quantize(x, scheme_of(value), ONE))(numbers)[0])
    return stored if value != "e2m1" else np.stack([stored & 15, stored >> 4], -1).ravel()


def beside(numbers):
    return np.concatenate([numbers, np.nextafter(numbers, INFINITE), np.nextafter(numbers, -INFINITE)])


@pytest.mark.parametrize("value", FLOATS)
def test_every_code_means_what_ml_dtypes_says(value):
    dtype, form = FLOATS[value]
    codes = np.arange(2**form.bits, dtype="uint8")
    want = codes.view(dtype).astype("float32") if form.bits == 8 else codes.astype("uint8").view(dtype).astype("float32")
    stored = codes if value != "e2m1" else (codes[::2] | codes[1::2] << 4).astype("uint8")
    found = np.array(bg.dequantize(stored, ONE, scheme_of(value)))
    np.testing.assert_array_equal(found, want)
    np.testing.assert_array_equal(np.signbit(found) & ~np.isnan(found), np.signbit(want) & ~np.isnan(want))
    np.testing.assert_array_equal([form.number(int(code)) for code in codes], want)


@pytest.mark.parametrize("value", FLOATS)
def test_numbers_get_the_code_that_ml_dtypes_gives(value):
    """All numbers of the format, those half way between neighbours, the f32 numbers beside all of them, and any others."""
    dtype, form = FLOATS[value]
    finite = np.unique([n for n in map(form.number, range(2**form.bits)) if math.isfinite(n)])
    halves = (finite[1:] + finite[:-1]) / 2
    numbers = beside(np.concatenate([finite, halves]).astype("float32"))
    others = RNG.normal(size=2000) * 2.0 ** RNG.integers(-40, 20, 2000)
    numbers = np.concatenate([numbers, others, [0.0, -0.0, 1e-45, -1e-45, 1e-39, 3e38, -3e38, INFINITE, -INFINITE]])
    numbers = np.concatenate([numbers, np.zeros(len(numbers) % 2)]).astype("float32")
    want = np.clip(numbers, -form.high, form.high).astype(dtype).view("uint8")
    np.testing.assert_array_equal(codes_of(numbers, value), want)


@pytest.mark.parametrize("value", FLOATS)
def test_nan_keeps_its_code_where_there_is_one(value):
    codes = codes_of(np.array([np.nan, 1.0], "float32"), value)
    assert np.isnan(FLOATS[value][1].number(int(codes[0]))) if value != "e2m1" else codes[0] == 0


def test_every_e8m0_means_what_ml_dtypes_says():
    codes = np.arange(256, dtype="uint8")
    want = codes.view(ml_dtypes.float8_e8m0fnu).astype("float32")
    np.testing.assert_array_equal([e8m0(int(code)) for code in codes], want)
    scheme = bg.QuantScheme("q8s", 1, "ue8m0", "native")
    np.testing.assert_array_equal(np.array(bg.dequantize(np.ones(256, "int8"), codes, scheme)), want)


# The positive numbers of each dtype of scales, ascending
SCALES = {
    "ue4m3": [E4M3.number(code) for code in range(1, 0x7F)],
    "ue8m0": [e8m0(code) for code in range(1, 255)],
    "float16": np.arange(1, 0x7C00, dtype="uint16").view("float16").astype("float64").tolist(),
    "bfloat16": np.arange(1, 0x7F80, dtype="uint16").view(ml_dtypes.bfloat16).astype("float64").tolist(),
}


def stored_scales(given, kind):
    """What `quantize` makes of the scales it is given, one for each of as many numbers."""
    scheme = bg.QuantScheme("q8s", 1, kind, "native")
    return as_numpy(bg.compile(lambda s: bg.quantize(bg.zeros(s.shape), scheme, s)[1])(given))


def meant(scales, kind):
    if kind == "ue4m3":
        return scales.view(ml_dtypes.float8_e4m3fn).astype("float64")
    return scales.view(ml_dtypes.float8_e8m0fnu).astype("float64") if kind == "ue8m0" else scales.astype("float64")


@pytest.mark.parametrize("kind", SCALES)
def test_scales_are_rounded_up(kind):
    """To the least number of the dtype that is not below: every number of it, the f32 numbers beside it, and others."""
    numbers = np.array(SCALES[kind])
    given = beside(numbers[numbers >= 2.0**-126].astype("float32"))
    given = np.concatenate([given, (RNG.uniform(1, 2, 3000) * 2.0 ** RNG.integers(-126, 127, 3000)).astype("float32")])
    found = stored_scales(given, kind)
    assert found.dtype == ("uint8" if kind.startswith("ue") else kind)
    places = np.minimum(np.searchsorted(numbers, given.astype("float64"), side="left"), len(numbers) - 1)
    np.testing.assert_array_equal(meant(found, kind), numbers[places])


@pytest.mark.parametrize("kind", SCALES)
def test_scales_below_the_normal_numbers_of_f32_are_rounded_up_too(kind):
    numbers = np.array(SCALES[kind])
    given = np.array([2.0**-149, 2.0**-140, 1.5 * 2.0**-130, 2.0**-127], "float32")
    want = numbers[np.searchsorted(numbers, given.astype("float64"), side="left")]
    np.testing.assert_array_equal(meant(stored_scales(given, kind), kind), want)


SMALLEST = {"float32": 2.0**-126, "float16": 2.0**-24, "bfloat16": 2.0**-126, "ue4m3": 2.0**-9, "ue8m0": 2.0**-126}


@pytest.mark.parametrize("kind", SMALLEST)
def test_what_is_no_scale_becomes_the_smallest_and_what_is_too_large_the_largest(kind):
    largest = max(SCALES[kind]) if kind in SCALES else SMALLEST[kind]  # an infinite f32 is no scale
    given = np.array([0.0, -1.0, np.nan, np.inf, 3.4e38], "float32")
    found = meant(stored_scales(given, kind), kind)
    np.testing.assert_array_equal(found[:4], [SMALLEST[kind]] * 3 + [largest])
    assert found[4] == (np.float32(3.4e38) if kind == "float32" else largest)


@pytest.mark.parametrize("kind", SMALLEST)
def test_blocks_of_zeros_and_of_no_numbers(kind):
    """A block of zeros stays zero; nan counts as 0 where the scale is taken, and spoils no other entry."""
    scheme = bg.QuantScheme("e4m3", 4, kind, "native")
    x = np.array([[0, 0, -0.0, 0], [np.nan] * 4, [448, np.nan, 1, -448], [-8, -4, -2, -1]], "float32")
    stored, scales = bg.quantize(x, scheme)
    assert meant(as_numpy(scales), kind)[:3, 0].tolist() == [SMALLEST[kind], SMALLEST[kind], 1.0]
    found = np.array(bg.dequantize(stored, scales, scheme))
    assert (found[0] == 0).all() and np.isnan(found[1]).all()
    np.testing.assert_array_equal(found[2], [448, np.nan, 1, -448])
    np.testing.assert_allclose(found[3], x[3], rtol=0.2)
    integers = bg.QuantScheme("q8s", 4, kind, "native")
    found = np.array(bg.dequantize(*bg.quantize(x, integers), integers))
    assert (found[:2] == 0).all() and found[2, 1] == 0 and found[3, 0] < -7.9


def nearest(x, ordered):
    """The nearest entry; of two as near, the one further from zero, and then the positive one."""
    place = bisect(ordered, x)
    around = ordered[max(place - 2, 0) : place + 2]
    return min(around, key=lambda t: (abs(Fraction(float(x)) - Fraction(t)), -abs(t), -t))


TABLES = {
    "a few": (2, (-1.0, 0.25, 0.0, 3.0)),
    "shuffled": (4, tuple(RNG.permutation(RNG.normal(size=16).astype("float32")).tolist())),
    "far apart": (4, tuple((np.float32(2.0) ** np.arange(-120, 120, 15, dtype="float32")).tolist())),
    "many": (8, tuple(RNG.normal(size=256).astype("float32").tolist())),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_nearest_entry_of_a_table(name):
    """On both sides of half way between neighbours, to the last bit of f32, and just there."""
    bits, table = TABLES[name]
    scheme = bg.QuantScheme(f"q{bits}f", table=table)
    ordered = np.unique(np.array(table, "float32"))
    halves = ((ordered[1:].astype("float64") + ordered[:-1]) / 2).astype("float32")
    x = beside(np.concatenate([halves, ordered]))
    x = np.concatenate([x, [0.0, -0.0, INFINITE, -INFINITE], np.zeros(-(len(x) + 4) % 16)]).astype("float32")
    stored, _ = bg.compile(lambda x: bg.quantize(x, scheme, ONE))(x)
    found = np.array(bg.dequantize(stored, ONE, scheme))
    want = [nearest(v, ordered.tolist()) if np.isfinite(v) else (max(table) if v > 0 else min(table)) for v in x]
    np.testing.assert_array_equal(found, want)


def test_ties_in_a_table_go_the_way_of_integers():
    table = tuple(map(float, (*range(8), *range(-8, 0))))  # what the codes of q4f mean
    x = np.concatenate([np.arange(-9, 9, 0.5), np.zeros(4)]).astype("float32")
    as_table, as_integers = bg.QuantScheme("q4f", table=table), bg.QuantScheme("q4f")
    stored = [np.array(bg.quantize(x, scheme, ONE)[0]) for scheme in (as_table, as_integers)]
    np.testing.assert_array_equal(*stored)
    around_zero = bg.QuantScheme("q2f", table=(-1.0, 1.0, 5.0, 6.0))
    assert np.array(bg.dequantize(*bg.quantize(np.zeros(16, "float32"), around_zero, ONE), around_zero)).tolist() == [1.0] * 16
