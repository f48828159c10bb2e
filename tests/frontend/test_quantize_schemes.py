"""Quantization with tables, scales of 8 bits, two levels, pairs in a byte; transforms of all schemes; refusals."""

import ml_dtypes
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.evaluator import as_numpy
from tests.burn import cases_float_quantize as meaning

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 64)).astype("float32")
NF4 = meaning.UNEVEN
SCHEMES = {
    **{value: bg.QuantScheme(value, 32) for value in (*meaning.RANGES, *meaning.FORMATS)},
    "table": bg.QuantScheme("q4s", 32, table=NF4),
    "table of 256": bg.QuantScheme("q8s", (2, 16), table=meaning.SQUARES),
    "bf16": bg.QuantScheme("q4f", 32, "bfloat16"),
    "nvfp4": bg.QuantScheme("e2m1", 16, "ue4m3", two_level=True),
    "nvfp4 in bytes": bg.QuantScheme("e2m1", 16, "ue4m3", "packed_native", two_level=True),
    "mxfp4": bg.QuantScheme("e2m1", 32, "ue8m0"),
    "mxfp8": bg.QuantScheme("e4m3", 32, "ue8m0", "native"),
    "two levels in f16": bg.QuantScheme("q8f", 32, "float16", "native", two_level=True),
    "one ue4m3": bg.QuantScheme("q8f", None, "ue4m3"),
    "columns": bg.QuantScheme("q2s", (3, 1), packed_axis=-1),
}
every_scheme = pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES.keys())


def flat(quantized):
    stored, scales = quantized
    return [as_numpy(a) for a in (stored, *(scales if isinstance(scales, tuple) else (scales,)))]


def same(found, want):
    for a, b in zip(flat(found), flat(want), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def calibrated(x, scheme):
    """From the definition: the largest |x| of each block over the reach of the numbers, with two levels over the tensor's."""
    low, high = scheme.range
    reach = np.float32(max(map(abs, scheme.table)) if scheme.table else (high - low) / 2)
    if scheme.block is None:
        return np.abs(x).max() / reach
    block = (1,) * (x.ndim - len(scheme.block)) + scheme.block
    scales = np.zeros([-(-d // b) for d, b in zip(x.shape, block, strict=True)], "float32")
    for at in np.ndindex(*scales.shape):
        scales[at] = np.abs(x[tuple(slice(i * b, i * b + b) for i, b in zip(at, block, strict=True))]).max() / reach
    if not scheme.two_level:
        return scales
    whole = scales.max() / np.float32(448 if str(scheme.scale_dtype) == "ue4m3" else 65504)
    return scales / whole, whole


@every_scheme
def test_calibrated_quantizing_and_its_inverse(scheme):
    """At once, in a program, and in NumPy."""
    program = bg.compile(lambda x: bg.quantize(x, scheme))
    found = program(X)
    same(found, bg.quantize(X, scheme))
    stored, *scales = flat(found)
    want = meaning.quantize(X, calibrated(X, scheme), scheme)
    for got, expected in zip((stored, *scales), want, strict=True):
        np.testing.assert_array_equal(got.astype("float64"), expected)
    back = bg.compile(lambda q: bg.dequantize(*q, scheme))(found)
    np.testing.assert_array_equal(np.array(back), np.array(bg.dequantize(*found, scheme)))
    scales = scales if scheme.two_level else scales[0]
    np.testing.assert_allclose(np.array(back), meaning.dequantize(stored, scales, scheme, None), rtol=1e-6)
    assert np.abs(np.array(back) - X).max() <= np.abs(X).max() * (0.6 if scheme.bits == 2 else 0.2)


@every_scheme
def test_scales_that_quantize_gave_are_taken_as_they_are(scheme):
    found = bg.quantize(X, scheme)
    same(bg.quantize(X, scheme, found[1]), found)
    same(bg.quantize(X, scheme, bg.quantization_scales(X, scheme)), found)
    if scheme.two_level:
        same(bg.quantize(X, scheme, tuple(found[1])), found)


@every_scheme
def test_a_batch_is_quantized_one_by_one(scheme):
    """Under vmap, x and the scales batched, or the scales alone."""
    xs = np.stack([X, X[::-1] * 3, np.zeros_like(X)])
    found = bg.compile(bg.vmap(lambda x: bg.quantize(x, scheme)))(xs)
    each = [flat(bg.quantize(x, scheme)) for x in xs]
    for got, want in zip(flat(found), zip(*each, strict=True), strict=True):
        np.testing.assert_array_equal(got, np.stack(want))
    back = bg.compile(bg.vmap(lambda q: bg.dequantize(*q, scheme)))(found)
    np.testing.assert_array_equal(np.array(back), [np.array(bg.dequantize(*bg.quantize(x, scheme), scheme)) for x in xs])
    stored, _ = bg.quantize(X, scheme)
    _, batched = found
    again = bg.vmap(lambda s: bg.dequantize(stored, s, scheme))(batched)
    unstack = [bg.QuantScales(*(part[i] for part in batched)) if scheme.two_level else batched[i] for i in range(3)]
    np.testing.assert_array_equal(np.array(again), [np.array(bg.dequantize(stored, s, scheme)) for s in unstack])


@every_scheme
def test_fake_quantize_has_the_value_of_both_and_the_derivative_of_neither(scheme):
    x = X.copy()
    x[0, 0], x[1, 1] = np.inf, np.nan
    want = np.array(bg.dequantize(*bg.quantize(x, scheme), scheme))
    np.testing.assert_array_equal(np.array(bg.fake_quantize(x, scheme)), want)
    tangent = RNG.normal(size=X.shape).astype("float32")
    value, dot = bg.compile(lambda x, t: bg.jvp(lambda x: bg.fake_quantize(x, scheme), (x,), (t,)))(x, tangent)
    np.testing.assert_array_equal(np.array(value), want)
    np.testing.assert_array_equal(np.array(dot), tangent)
    given = bg.quantization_scales(X, scheme)
    gradient = bg.compile(bg.grad(lambda x, s: bg.sum(bg.fake_quantize(x, scheme, s) * tangent)))(X, given)
    np.testing.assert_array_equal(np.array(gradient), tangent)


@every_scheme
def test_what_is_quantized_has_no_derivative(scheme):
    gradient = bg.grad(lambda x: bg.sum(bg.dequantize(*bg.quantize(x, scheme), scheme)))(X)
    assert not np.array(gradient).any()


def test_the_scale_of_the_tensor_takes_what_scales_of_blocks_have_no_range_for():
    """The same relative error however large numbers are, with two levels; with one, small numbers become zeros."""
    one, two = bg.QuantScheme("e2m1", 16, "ue4m3"), SCHEMES["nvfp4"]
    for size in (2.0**-60, 1.0, 2.0**60):
        x = X * np.float32(size)
        found = np.array(bg.dequantize(*bg.quantize(x, two), two))
        np.testing.assert_array_equal(found, np.array(bg.dequantize(*bg.quantize(X, two), two)) * np.float32(size))
    assert not np.array(bg.dequantize(*bg.quantize(X * np.float32(2.0**-20), one), one)).any()


@pytest.mark.parametrize("name", ["nvfp4", "two levels in f16"])
def test_two_levels_of_nothing_and_of_too_much(name):
    scheme = SCHEMES[name]
    for x in (np.zeros((2, 64), "float32"), np.full((2, 64), np.nan, "float32"), np.full((2, 64), 1e-44, "float32")):
        stored, (block, whole) = bg.quantize(x, scheme)
        assert float(np.array(whole)) == 2.0**-126
        assert not np.array(bg.dequantize(stored, (block, whole), scheme)).any()
    floats = bg.QuantScheme("e4m3", 32, "float16", two_level=True)  # here the product of the smallest scales is 0 in f32
    assert not np.array(bg.dequantize(*bg.quantize(np.zeros((2, 64), "float32"), floats), floats)).any()
    x = X.copy()
    x[0, 0] = -np.inf
    stored, (block, whole) = bg.quantize(x, scheme)
    assert float(np.array(whole)) == 2.0**-126
    found = np.array(bg.dequantize(stored, (block, whole), scheme))
    assert np.isfinite(found).all() and (np.sign(found) == np.where(x < 0, -1, 1))[0, :16].all()


def test_a_block_of_negative_numbers():
    x = -np.abs(X) - 1
    for scheme in SCHEMES.values():
        found = np.array(bg.dequantize(*bg.quantize(x, scheme), scheme))
        assert (found <= 0).all() and found.min() <= -1


def test_pairs_in_a_byte_are_those_of_ml_dtypes():
    scheme = bg.QuantScheme("e2m1", store="packed_native")
    numbers = np.arange(16, dtype="uint8").view(ml_dtypes.float4_e2m1fn).astype("float32")
    stored, _ = bg.quantize(numbers, scheme, np.array(1, "float32"))
    assert np.array(stored).tolist() == [16 * (2 * i + 1) + 2 * i for i in range(8)]
    for axis in (0, 1, -1):
        along = bg.QuantScheme("e2m1", 2, store="packed_native", packed_axis=axis)
        x = RNG.normal(size=(4, 6, 2)).astype("float32")
        packed = bg.QuantScheme("e2m1", 2, packed_axis=0)
        found = np.array(bg.dequantize(*bg.quantize(x, along), along))
        stored, scales = bg.quantize(np.concatenate([x, x]), packed)
        np.testing.assert_array_equal(found, np.array(bg.dequantize(stored, scales, packed))[:4])


def test_a_program_with_a_long_table_keeps_it(tmp_path):
    scheme = SCHEMES["table of 256"]
    program = bg.compile(lambda x: bg.dequantize(*bg.quantize(x, scheme), scheme))
    want = np.array(program(X))
    program.save(tmp_path / "table.safetensors")
    np.testing.assert_array_equal(np.array(bg.load(tmp_path / "table.safetensors")(X)), want)


REFUSED = [
    ({"value": "e4m3", "table": NF4}, r"a table is indexed by integers(.|\n)*'q4f'"),
    ({"value": "q4f", "table": NF4[:8]}, r"table has shape \[8\]; 'q4f' indexes 16 floats"),
    ({"value": "q2f", "table": (0.0, 1.0, 2.0, 1e39)}, "must be finite in float32"),
    ({"value": "q2f", "table": (0.0, 0.0, 0.0, 0.0)}, "not all of them 0"),
    ({"value": "q8f", "table": tuple(range(256)), "store": "native"}, 'must be "packed"(.|\n)*with a table'),
    ({"value": "q4s", "store": "packed_native"}, "store = 'packed_native' must be \"packed\""),
    ({"value": "e4m3", "store": "packed_native"}, 'must be "packed", "native"'),
    ({"value": "e2m1", "store": "native"}, 'must be "packed", "packed_native"'),
    ({"scale_dtype": "float64"}, "float64 is none of float32, float16, bfloat16, ue4m3, ue8m0"),
    ({"scale_dtype": "e4m3"}, "e4m3 is none of"),
    ({"two_level": True, "scale_dtype": "ue4m3"}, "two_level needs blocks"),
    *(({"two_level": True, "block": 16, "scale_dtype": kind}, "the range of float32") for kind in ("float32", "ue8m0")),
]


@pytest.mark.parametrize("given, message", REFUSED)
def test_schemes_that_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        bg.QuantScheme(**given)


def test_arrays_that_do_not_fit_the_scheme_are_refused():
    nvfp4, mxfp4, plain = SCHEMES["nvfp4"], SCHEMES["mxfp4"], SCHEMES["q4s"]
    stored, scales = bg.quantize(X, nvfp4)
    for call in (bg.dequantize, lambda *given: bg.quantized_matmul(X, *given)):
        with pytest.raises(InputError, match=r"one array, the scheme says a pair(.|\n)*test_quantize_schemes"):
            call(stored, scales.block, nvfp4)
        with pytest.raises(InputError, match="are 2 arrays, the scheme says one array"):
            call(stored, scales, mxfp4)
        with pytest.raises(InputError, match="are 3 arrays, the scheme says a pair"):
            call(stored, (*scales, scales.tensor), nvfp4)
        with pytest.raises(DTypeError, match=r"scales are u8\[6,4\], must be floats"):
            call(stored, scales.block, plain)
        with pytest.raises(DTypeError, match=r"scales are i32\[6,4\], must be floats, or u8 as codes of ue4m3"):
            call(stored, (np.zeros((6, 4), "int32"), scales.tensor), nvfp4)
        with pytest.raises(DTypeError, match=r"scales are u8\[\], must be floats"):
            call(stored, (scales.block, np.array(1, "uint8")), nvfp4)
        with pytest.raises(ShapeError, match=r"the scale of the tensor is f32\[1\], must have rank 0"):
            call(stored, (scales.block, np.ones(1, "float32")), nvfp4)
        with pytest.raises(DTypeError, match=r"stored is u32\[6,8\], the scheme says u8"):
            call(stored, scales, SCHEMES["nvfp4 in bytes"])
    with pytest.raises(InputError, match=r"abs_mean with two levels(.|\n)*pass scales"):
        bg.quantize(X, nvfp4, calibration="abs_mean")
    with pytest.raises(ShapeError, match="axis -1 has 5 entries, which do not fill words of 2"):
        bg.quantize(X[:, :5], bg.QuantScheme("e2m1", store="packed_native"))
    with pytest.raises(ShapeError, match="without the axis 1 to unpack along"):
        bg.dequantize(np.zeros(4, "uint32"), np.float32(1), bg.QuantScheme("q8s", packed_axis=1))
