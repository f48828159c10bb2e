"""Quantization with one level of scales against loops in NumPy that know only the definitions; products, derivatives, refusals.

Number formats are in test_quantize_formats.py; tables, two levels and bytes in test_quantize_schemes.py.
"""

import ml_dtypes
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError, InputError, ShapeError

RANGES = {"q8s": (-127, 127), "q8f": (-128, 127), "q4s": (-7, 7), "q4f": (-8, 7), "q2s": (-1, 1), "q2f": (-2, 1)}
FLOATS = {
    "e4m3": (ml_dtypes.float8_e4m3fn, 8, 448.0),
    "e5m2": (ml_dtypes.float8_e5m2, 8, 57344.0),
    "e2m1": (ml_dtypes.float4_e2m1fn, 4, 6.0),
}
BITS = {v: int(v[1]) for v in RANGES} | {v: f[1] for v, f in FLOATS.items()}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 64)).astype("float32")
X[0, :16] = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999997, 3, 0, 1, 2, 4, 6, 100, -100, 0.25]


def high_low(value):
    return RANGES[value] if value in RANGES else (-FLOATS[value][2], FLOATS[value][2])


def blocks_of(shape, block):
    """Slices of each block, in row-major order of the grid."""
    block = (1,) * (len(shape) - len(block)) + tuple(block)
    grid = tuple(-(-d // b) for d, b in zip(shape, block, strict=True))
    return grid, [(at, tuple(slice(i * b, i * b + b) for i, b in zip(at, block, strict=True))) for at in np.ndindex(*grid)]


def numpy_scales(x, value, block, mean=False):
    low, high = high_low(value)
    reduce = np.mean if mean else np.max
    if block is None:
        return np.float32(2) * reduce(np.abs(x)) / np.float32(high - low)
    grid, parts = blocks_of(x.shape, block)
    out = np.zeros(grid, "float32")
    for at, part in parts:
        out[at] = np.float32(2) * reduce(np.abs(x[part])) / np.float32(high - low)
    return out


def numpy_spread(scales, shape, block):
    out = np.full(shape, scales if block is None else 0, "float32")
    for at, part in blocks_of(shape, block)[1] if block else ():
        out[part] = scales[at]
    return out


def numpy_codes(ratio, value):
    """Bit patterns as integers >= 0."""
    bits = BITS[value]
    if value in FLOATS:
        dtype, _, top = FLOATS[value]
        return np.clip(ratio, -top, top).astype(dtype).view("uint8").astype("int64")
    low, high = RANGES[value]
    rounded = [int(np.clip(np.sign(r) * np.floor(np.abs(np.float64(r)) + 0.5), low, high)) for r in ratio.ravel()]
    return np.array(rounded).reshape(ratio.shape) % 2**bits


def numpy_pack(codes, bits):
    per_word = 32 // bits
    words = np.zeros((*codes.shape[:-1], codes.shape[-1] // per_word), "uint64")
    for i in range(codes.shape[-1]):
        words[..., i // per_word] |= codes[..., i].astype("uint64") << np.uint64(bits * (i % per_word))
    return words.astype("uint32")


def numpy_values(codes, value):
    if value in FLOATS:
        return codes.astype("uint8").view(FLOATS[value][0]).astype("float32")
    bits = BITS[value]
    return np.where(codes >= 2 ** (bits - 1), codes - 2**bits, codes).astype("float32")


@pytest.mark.parametrize("block", [None, (32,), (4, 16), (4, 48)])
@pytest.mark.parametrize("value", BITS)
def test_packed(value, block):
    scheme = bg.QuantScheme(value, block)
    stored, scales = map(np.array, bg.compile(lambda x: bg.quantize(x, scheme))(X))
    want_scales = numpy_scales(X, value, block)
    np.testing.assert_array_equal(scales, want_scales)
    spread = numpy_spread(want_scales, X.shape, block)
    codes = numpy_codes(X / spread, value)
    np.testing.assert_array_equal(stored, numpy_pack(codes, BITS[value]))
    found = np.array(bg.compile(lambda w, s: bg.dequantize(w, s, scheme))(stored, scales))
    np.testing.assert_array_equal(found, numpy_values(codes, value) * spread)


@pytest.mark.parametrize("value", ["q8s", "q8f", "e4m3", "e5m2"])
def test_native(value):
    scheme = bg.QuantScheme(value, (16,), store="native")
    stored, scales = map(np.array, bg.quantize(X[:, :40], scheme))
    spread = numpy_spread(numpy_scales(X[:, :40], value, (16,)), (6, 40), (16,))
    codes = numpy_codes(X[:, :40] / spread, value)
    assert stored.dtype == ("int8" if value in RANGES else "uint8")
    np.testing.assert_array_equal(stored.astype("int64") % 256, codes)
    np.testing.assert_array_equal(np.array(bg.dequantize(stored, scales, scheme)), numpy_values(codes, value) * spread)


def test_packed_axis():
    scheme = bg.QuantScheme("q4s", (1, 8), packed_axis=0)
    stored, scales = map(np.array, bg.quantize(X[:, :16].T.reshape(8, 2, 6)[:, :, :4], scheme))
    x = X[:, :16].T.reshape(8, 2, 6)[:, :, :4]
    spread = numpy_spread(numpy_scales(x, "q4s", (1, 8)), x.shape, (1, 8))
    codes = numpy_codes(x / spread, "q4s")
    np.testing.assert_array_equal(stored, np.moveaxis(numpy_pack(np.moveaxis(codes, 0, -1), 4), -1, 0))
    np.testing.assert_array_equal(np.array(bg.dequantize(stored, scales, scheme)), numpy_values(codes, "q4s") * spread)


def test_mean_calibration():
    for block in (None, (4, 48)):
        found = bg.quantization_scales(X, bg.QuantScheme("q2s", block), "abs_mean")
        np.testing.assert_allclose(np.array(found), numpy_scales(X, "q2s", block, mean=True), rtol=1e-6)


LAYOUTS = [(v, g, t) for v in ("q8s", "q8f", "q4s", "q4f", "q2s", "q2f") for g in (32, 64) for t in (True, False)]


@pytest.mark.parametrize("value, group, transpose", [*LAYOUTS, ("q4f", 128, True)])
def test_quantized_matmul_is_the_product_with_the_dequantized_matrix(value, group, transpose):
    w = RNG.normal(size=(5, 128)).astype("float32")
    scheme = bg.QuantScheme(value, (group,))
    x = RNG.normal(size=(2, 3, 128 if transpose else 5)).astype("float32")
    stored, scales = map(np.array, bg.quantize(w, scheme))
    program = bg.compile(lambda x: bg.quantized_matmul(x, stored, scales, scheme, transpose))
    spread = numpy_spread(numpy_scales(w, value, (group,)), w.shape, (group,))
    matrix = (numpy_values(numpy_codes(w / spread, value), value) * spread).astype("float64")
    want = x @ (matrix.T if transpose else matrix)
    np.testing.assert_allclose(np.array(program(x)), want, rtol=1e-4, atol=1e-4)
    assert "mx.quantized_matmul" in program.source
    assert "bitwise_xor" not in program.source.partition("def run")[2]  # the layout is changed once, beforehand


def test_quantized_matmul_of_other_layouts():
    for scheme in (bg.QuantScheme("q4s"), bg.QuantScheme("e4m3", (16,)), bg.QuantScheme("q8f", (2, 32), store="native")):
        stored, scales = bg.quantize(X, scheme)
        want = X @ np.array(bg.dequantize(stored, scales, scheme)).T
        np.testing.assert_allclose(np.array(bg.quantized_matmul(X, stored, scales, scheme)), want, rtol=1e-4, atol=1e-4)


def test_gradients():
    """None through quantize, straight through fake_quantize, exact through quantized_matmul."""
    scheme = bg.QuantScheme("q4s", (32,))
    stored, scales = bg.quantize(X, scheme)
    c = RNG.normal(size=X.shape).astype("float32")
    assert (np.array(bg.grad(lambda x: bg.sum(bg.dequantize(*bg.quantize(x, scheme), scheme) * c))(X)) == 0).all()
    value, gradient = bg.value_and_grad(lambda x: bg.sum(bg.fake_quantize(x, scheme) * c))(X)
    np.testing.assert_array_equal(np.array(gradient), c)
    matrix = np.array(bg.dequantize(stored, scales, scheme))
    assert float(np.array(value)) == pytest.approx((matrix * c).sum(), rel=1e-4)
    y_bar = RNG.normal(size=(3, 6)).astype("float32")
    x = RNG.normal(size=(3, 64)).astype("float32")
    loss = bg.compile(bg.grad(lambda x, s: bg.sum(bg.quantized_matmul(x, stored, s, scheme) * y_bar), (0, 1)))
    of_x, of_scales = loss(x, scales)
    np.testing.assert_allclose(np.array(of_x), y_bar @ matrix, rtol=1e-4, atol=1e-4)
    numbers = np.array(bg.dequantize(stored, np.ones((6, 2), "float32"), scheme))
    np.testing.assert_allclose(np.array(of_scales), (y_bar.T @ x * numbers).reshape(6, 2, 32).sum(-1), rtol=1e-4, atol=1e-4)


def test_refusals():
    with pytest.raises(InputError, match="value = 'q3s' is none of"):
        bg.QuantScheme("q3s")
    with pytest.raises(InputError, match=r'store = \'native\' must be "packed"'):
        bg.QuantScheme("q4s", store="native")
    with pytest.raises(ShapeError, match="axis -1 has 6 entries, which do not fill words of 8"):
        bg.quantize(X[:, :6], bg.QuantScheme("q4s"))
    with pytest.raises(DTypeError, match="takes only floats"):
        bg.quantize(X.astype("int32"), bg.QuantScheme())
    with pytest.raises(DTypeError, match=r"stored is f32\[6,64\], the scheme says u32"):
        bg.dequantize(X, np.array(1, "float32"), bg.QuantScheme())
    with pytest.raises(ShapeError, match=r"must have shape \[6, 2\]"):
        bg.quantize(X, bg.QuantScheme("q8s", (32,)), np.ones((6, 3), "float32"))
    with pytest.raises(ShapeError, match="has more axes than"):
        bg.quantize(X[0], bg.QuantScheme("q8s", (1, 32)))
    stored, scales = bg.quantize(X, bg.QuantScheme("q8s", (32,)))
    with pytest.raises(ShapeError, match="the last axis of x must have 64 entries"):
        bg.quantized_matmul(X[:, :6], stored, scales, bg.QuantScheme("q8s", (32,)))
