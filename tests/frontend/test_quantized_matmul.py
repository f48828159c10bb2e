"""Products with quantized matrices, fused or not, and what is linear in the scales; schemes of test_quantize_schemes.py."""

import ml_dtypes
import numpy as np
import pytest

import burngraph as bg
from burngraph.evaluator import as_numpy
from burngraph.ir.minifloat import E4M3, e8m0
from tests.frontend.test_quantize_schemes import NF4, SCHEMES, X, every_scheme

RNG = np.random.default_rng(1)


@every_scheme
def test_products_are_those_with_the_dequantized_matrix(scheme):
    stored, scales = bg.quantize(X, scheme)
    matrix = np.array(bg.dequantize(stored, scales, scheme)).astype("float64")
    for x, transpose in ((RNG.normal(size=(2, 3, 64)), True), (RNG.normal(size=6), False)):
        want = x @ (matrix.T if transpose else matrix)
        for dtype, tolerance in (("float32", 1e-5), ("float64", 1e-5), ("float16", 4e-3)):
            found = bg.quantized_matmul(x.astype(dtype), stored, scales, scheme, transpose)
            assert str(found.dtype).endswith(dtype)
            np.testing.assert_allclose(as_numpy(found), want, rtol=tolerance, atol=tolerance * np.abs(want).max())


@pytest.mark.parametrize("name", ["q4s", "bf16", "table", "two levels in f16", "nvfp4"])
def test_dequantize_and_products_are_linear_in_the_scales(name):
    """Exactly the sums of what each scale multiplies: those of blocks where they are floats, and that of the tensor."""
    scheme = SCHEMES[name]
    stored, scales = bg.quantize(X, scheme)
    block, *whole = scales if scheme.two_level else (scales,)
    cotangent = RNG.normal(size=X.shape).astype("float32")
    x = RNG.normal(size=(3, 64)).astype("float32")
    y_bar = RNG.normal(size=(3, 6)).astype("float32")
    matrix = np.array(bg.dequantize(stored, scales, scheme)).astype("float64")

    def with_scales(use):
        if not scheme.two_level:
            return use, (block,)
        return (lambda *parts: use(parts)), (block, *whole)

    for use, bar in (
        (lambda s: bg.sum(bg.dequantize(stored, s, scheme) * cotangent), cotangent.astype("float64")),
        (lambda s: bg.sum(bg.quantized_matmul(x, stored, s, scheme) * y_bar), y_bar.T.astype("float64") @ x),
    ):
        fn, parts = with_scales(use)
        is_coded = as_numpy(parts[0]).dtype == np.uint8
        found = bg.compile(bg.grad(fn, tuple(range(is_coded, len(parts)))))(*parts)
        found = found if isinstance(found, tuple) else (found,)
        if not is_coded:
            width = X.shape[1] // as_numpy(block).shape[1]
            per_scale = (bar * matrix).reshape(6, -1, width).sum(-1) / as_numpy(block).astype("float64")
            narrow = 1e-2 if as_numpy(block).dtype != np.float32 else 1e-4
            got, bound = as_numpy(found[0]).astype("float64"), narrow * np.abs(per_scale).max()
            np.testing.assert_allclose(got, per_scale, rtol=narrow, atol=bound)
        if whole:
            per_tensor = (bar * matrix).sum() / float(np.array(whole[0]))
            np.testing.assert_allclose(float(np.array(found[-1])), per_tensor, rtol=1e-4)


FUSED = {
    "nvfp4": bg.QuantScheme("e2m1", 16, "ue4m3", two_level=True),
    "nvfp4 without the tensor's scale": bg.QuantScheme("e2m1", 16, "ue4m3"),
    "nvfp4 in bytes": bg.QuantScheme("e2m1", (16,), "ue4m3", "packed_native", two_level=True),
    "blocks of rows": bg.QuantScheme("e2m1", (4, 32), "ue4m3"),
    "mxfp4": bg.QuantScheme("e2m1", 32, "ue8m0", packed_axis=1),
    "mxfp8": bg.QuantScheme("e4m3", 32, "ue8m0"),
    "mxfp8, one scale": bg.QuantScheme("e4m3", None, "ue8m0", "native"),
    "integers one by one": bg.QuantScheme("q8s", 64, store="native"),
    "integers in blocks of rows": bg.QuantScheme("q4f", (2, 32)),
    "integers in wide blocks": bg.QuantScheme("q8f", (1, 1000), "bfloat16"),
    "integers with two levels": bg.QuantScheme("q4s", 32, "ue4m3", two_level=True),
}


@pytest.mark.parametrize("transpose", [True, False])
@pytest.mark.parametrize("scheme", FUSED.values(), ids=FUSED.keys())
def test_products_that_unpack_as_they_multiply(scheme, transpose):
    w = RNG.normal(size=(7, 128)).astype("float32")
    stored, scales = bg.quantize(w, scheme)
    matrix = np.array(bg.dequantize(stored, scales, scheme)).astype("float64")
    x = RNG.normal(size=(2, 5, 128 if transpose else 7)).astype("float32")
    program = bg.compile(lambda x: bg.quantized_matmul(x, stored, scales, scheme, transpose))
    want = x @ (matrix.T if transpose else matrix)
    np.testing.assert_allclose(np.array(program(x)), want, rtol=1e-5, atol=1e-5 * np.abs(want).max())
    assert "mx.quantized_matmul" in program.source.partition("def run")[2]
    assert "<<" not in program.source.partition("def run")[2]  # words are made of bytes once, beforehand
    batch = bg.compile(bg.vmap(lambda x: bg.quantized_matmul(x, stored, scales, scheme, transpose)))(x)
    np.testing.assert_allclose(np.array(batch), want, rtol=1e-5, atol=1e-5 * np.abs(want).max())
    gradient = bg.grad(lambda x: bg.sum(bg.quantized_matmul(x, stored, scales, scheme, transpose)))(x)
    line = (matrix if transpose else matrix.T).sum(0)
    np.testing.assert_allclose(np.array(gradient), np.broadcast_to(line, x.shape), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "scheme",
    [
        bg.QuantScheme("e2m1", 24, "ue4m3"),
        bg.QuantScheme("e5m2", 32, "ue8m0"),
        bg.QuantScheme("e2m1", 32, "float16"),
        bg.QuantScheme("q8s", 16),
        bg.QuantScheme("q4s", 32, packed_axis=0),
        bg.QuantScheme("q4s", 32, table=NF4),
    ],
)
def test_products_in_other_layouts_are_dequantized_first(scheme):
    w = RNG.normal(size=(8, 96)).astype("float32")
    stored, scales = bg.quantize(w, scheme)
    program = bg.compile(lambda x: bg.quantized_matmul(x, stored, scales, scheme))
    x = RNG.normal(size=(3, 96)).astype("float32")
    want = x @ np.array(bg.dequantize(stored, scales, scheme)).astype("float64").T
    np.testing.assert_allclose(np.array(program(x)), want, rtol=1e-5, atol=1e-5 * np.abs(want).max())
    assert "quantized_matmul" not in program.source


def test_float_scales_for_codes_are_taken_for_what_they_are():
    """Not rounded, and with a derivative; a product with them is not MLX's."""
    scheme = SCHEMES["mxfp4"]
    stored, codes = bg.quantize(X, scheme)
    scales = 2.0 ** (np.array(codes).astype("float32") - 127)
    np.testing.assert_array_equal(*(np.array(bg.dequantize(stored, s, scheme)) for s in (scales, codes)))
    products = [np.array(bg.quantized_matmul(X, stored, s, scheme)) for s in (scales, codes)]
    np.testing.assert_allclose(*products, rtol=1e-5, atol=1e-5)
    gradient = bg.grad(lambda s: bg.sum(bg.dequantize(stored, s, scheme)))(scales)
    numbers = np.array(bg.dequantize(stored, np.ones_like(scales), scheme))
    np.testing.assert_allclose(np.array(gradient), numbers.reshape(6, 2, 32).sum(-1), rtol=1e-5)


@pytest.mark.parametrize("scheme", [bg.QuantScheme("q4f", 32, "ue4m3"), bg.QuantScheme("e2m1", 16, "ue4m3"), SCHEMES["mxfp8"]])
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_long_sums_are_not_made_in_16_bits(scheme, dtype):
    stored, scales = bg.quantize(RNG.normal(size=(4096, 64)).astype("float32"), scheme)
    matrix = np.array(bg.dequantize(stored, scales, scheme)).astype("float64")
    x = RNG.uniform(size=(3, 4096)).astype(dtype)
    want = x.astype("float64") @ matrix
    found = as_numpy(bg.compile(lambda x: bg.quantized_matmul(x, stored, scales, scheme, transpose=False))(x))
    assert found.dtype == dtype
    rounding = float(ml_dtypes.finfo(dtype).eps)
    np.testing.assert_allclose(found.astype("float64"), want, rtol=rounding, atol=rounding * np.abs(want).max())


@pytest.mark.parametrize("value, block", [("e4m3", 32), ("q8s", 32), ("q8s", 16)])
def test_scales_of_8_bits_have_more_range_than_float16(value, block):
    scheme = bg.QuantScheme(value, block, "ue8m0")
    w = X.copy()
    w[0] *= 2.0**30
    w[1] *= 2.0**-40
    stored, scales = bg.quantize(w, scheme)
    x = np.zeros((1, 64), "float16")
    x[0, 0] = 2.0**-14
    found = as_numpy(bg.quantized_matmul(x, stored, scales, scheme)).astype("float64")
    want = x.astype("float64") @ np.array(bg.dequantize(stored, scales, scheme)).astype("float64").T
    assert np.isfinite(want.astype("float16")).all() and (want != 0).all()
    np.testing.assert_array_equal(found, want.astype("float16"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, n_codes", [("mxfp4", 255), ("nvfp4 without the tensor's scale", 127)])
def test_every_scale_of_8_bits_in_a_product(name, n_codes, dtype):
    scheme, codes = {**SCHEMES, **FUSED}[name], np.arange(n_codes, dtype="uint8")[:, None]
    ones = np.ones((n_codes, scheme.block[0]), "float32")
    stored, _ = bg.quantize(ones, scheme, ones[:, :1])
    first = np.eye(1, scheme.block[0], dtype=dtype)
    found = bg.compile(lambda x: bg.quantized_matmul(x, stored, codes, scheme))(first)
    number = e8m0 if name == "mxfp4" else E4M3.number
    np.testing.assert_array_equal(np.array(found)[0], [number(int(code)) for code in codes[:, 0]])
