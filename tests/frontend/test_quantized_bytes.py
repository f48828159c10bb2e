"""Quantized tensors as the bytes that Burn keeps them in."""

import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError, InputError, ShapeError
from tests.frontend.test_quantize_schemes import SCHEMES, X, flat, same


@pytest.mark.parametrize("name", [*SCHEMES, "not whole words"])
def test_bytes_are_burns(name):
    """Values, then the scales of blocks in the order of their grid, then that of the tensor, nothing between them."""
    scheme = SCHEMES.get(name, bg.QuantScheme("q8s", 10, "bfloat16", "native"))
    x = X if name in SCHEMES else X[:, :33]
    stored, scales = bg.quantize(x, scheme)
    parts = flat((stored, scales))
    data = bg.burn.quantized_bytes(stored, scales, scheme, x.shape)
    assert data == b"".join(part.tobytes() for part in parts)
    assert data == bg.burn.quantized_bytes(parts[0], parts[1:] if scheme.two_level else parts[1], scheme, x.shape)
    same(bg.burn.from_quantized_bytes(data, scheme, x.shape), (stored, scales))


def test_bytes_that_burn_wrote_down():
    """Examples of burn-std's own tests: two levels of 8 values, and a word of four."""
    scheme = bg.QuantScheme("q8s", 4, "ue4m3", "native", two_level=True)
    values = np.array([0, 25, 51, 76, 102, 127, -128, -1], "int8")
    data = values.tobytes() + bytes([0x30, 0x20]) + np.float32(3.0).tobytes()
    stored, scales = bg.burn.from_quantized_bytes(data, scheme, (8,))
    want = values * np.repeat(np.array([0.5, 0.125], "float32"), 4) * np.float32(3)
    np.testing.assert_array_equal(np.array(bg.dequantize(stored, scales, scheme)), want)
    packed = bg.QuantScheme("q8f")
    data = np.array([2147287680], "<u4").tobytes() + np.float32(1).tobytes()
    found = bg.dequantize(*bg.burn.from_quantized_bytes(data, packed, (4,)), packed)
    assert np.array(found).tolist() == [-128, 2, -3, 127]
    x = np.array([5.0, 0, 4.0, -12.7], "float32")  # should_support_quantize_dynamic_int8
    stored, scales = bg.quantize(x, bg.QuantScheme("q8s", store="native"))
    assert np.array(stored).tolist() == [50, 0, 40, -127]
    np.testing.assert_allclose(np.array(scales), 0.1, rtol=1e-6)


def test_bytes_that_do_not_fit_are_refused():
    scheme = SCHEMES["nvfp4"]
    stored, scales = bg.quantize(X, scheme)
    data = bg.burn.quantized_bytes(stored, scales, scheme, X.shape)
    with pytest.raises(
        InputError, match=r"219 bytes, must be 220 for u32\[6,8\], u8\[6,4\], f32\[\](.|\n)*test_quantized_bytes"
    ):
        bg.burn.from_quantized_bytes(data[:-1], scheme, X.shape)
    with pytest.raises(ShapeError, match=r"u32\[6,8\], u8\[6,4\], f32\[\], must be u32\[3,16\]"):
        bg.burn.quantized_bytes(stored, scales, scheme, (3, 128))
    with pytest.raises(DTypeError, match=r"the scheme says u32\[6,8\], u8\[6,4\], f32\[\]"):
        bg.burn.quantized_bytes(stored, scales.block, scheme, X.shape)
