"""What bg.burn's functions of neural networks refuse, and what the rows of the table do not show."""

import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError, ShapeError


def draw(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


X, WEIGHT, AT = draw(2, 3, 4), draw(3, 5, 2), np.zeros((2, 3, 2), "int32")

REFUSED = {
    r"x is f32\[3,4\], must be \[N, C, \*S\]": lambda: bg.burn.conv_transpose(X[0], WEIGHT, None, 1, 0, 0, 1, 1),
    "padding_out = -1 must be at least 0": lambda: bg.burn.conv_transpose(X, WEIGHT, None, 1, 0, -1, 1, 1),
    r"padding \(7,\) leaves nothing of \(14,\)": lambda: bg.burn.conv_transpose(X, WEIGHT, None, 1, 7, 9, 1, 1),
    "takes x .N, C, .S., and grad and indices": lambda: bg.burn.max_pool_backward(X, X[..., :3], AT),
    r"re is f32\[2,3,4\], im is f32\[3,4\]": lambda: bg.burn.irfft(X, X[0], 1),
    "n = 0 must be at least 1": lambda: bg.burn.rfft(X.astype("float64"), 1, 0),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused_with_the_line(message):
    with pytest.raises(ShapeError, match=message) as refusal:
        REFUSED[message]()
    assert "test_burn_module.py" in str(refusal.value)


def test_dtypes_refused():
    with pytest.raises(DTypeError, match="indices are f32"):
        bg.burn.max_pool_backward(X, X, X)
    with pytest.raises(DTypeError, match="not real"):
        bg.burn.rfft(X.astype("complex64"), 1)


def test_padding_over_half_a_window_where_windows_may_lie_outside():
    x = np.array([[1.0, 2.0]], "float32")
    found = bg.max_pool1d(x, 1, padding=1, keep_outside_windows=True)
    np.testing.assert_array_equal(found, [[-np.inf, 1, 2, -np.inf]])


@pytest.mark.parametrize("n", [6, 7, 32])
def test_f64_spectra_are_as_exact_as_f64(n):
    x = np.random.default_rng(0).normal(size=(2, n))
    re, im = (np.asarray(part) for part in bg.run(bg.trace(lambda x: bg.burn.rfft(x, 1), x), x))
    np.testing.assert_allclose(re + 1j * im, np.fft.rfft(x), rtol=0, atol=1e-12)
    (back,) = bg.run(bg.trace(lambda re, im: bg.burn.irfft(re, im, 1, n), re, im), re, im)
    np.testing.assert_allclose(back, x, rtol=0, atol=1e-12)


def test_spectra_of_integers_are_f32():
    assert {str(np.asarray(part).dtype) for part in bg.burn.rfft(np.arange(8, dtype="int32"), 0)} == {"float32"}
