"""Complex numbers and Fourier transforms against NumPy, which is independent of MLX's and of the IR's rules."""

import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError, InputError, ShapeError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4, 5)).astype("float32")
Z = (RNG.normal(size=(3, 4, 5)) + 1j * RNG.normal(size=(3, 4, 5))).astype("complex64")
NORMS = ("backward", "ortho", "forward")


def check(found, want, tolerance=2e-5):
    found = np.array(found)
    assert found.shape == want.shape
    assert found.dtype == (np.complex64 if want.dtype.kind == "c" else np.float32)
    np.testing.assert_allclose(found, want, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n", [None, 1, 2, 3, 7, 8])
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
def test_one_axis(name, n, norm):
    x = X if name in ("rfft", "ihfft") else Z
    for axis in (-1, 1):
        found = bg.compile(lambda x, axis=axis: getattr(bg.fft, name)(x, n, axis, norm))(x)
        check(found, getattr(np.fft, name)(x, n, axis, norm))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("s, axes", [(None, (0, 2)), (None, (2, 0)), ((2, 7), (1, 2)), ((5, 3), (-1, 0))])
@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2", "irfft2"])
def test_several_axes(name, s, axes, norm):
    x = X if name.startswith("r") else Z
    check(getattr(bg.fft, name)(x, s, axes, norm), getattr(np.fft, name)(x, s, axes, norm))


def test_default_axes_and_round_trip():
    check(bg.fft.fftn(X), np.fft.fftn(X), 1e-4)
    check(bg.fft.irfftn(bg.fft.rfftn(X), s=X.shape), X)
    check(bg.fft.irfft(bg.fft.rfft(X), n=5), X)


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_frequencies_and_shifts(n):
    check(bg.fft.fftfreq(n, 0.5), np.fft.fftfreq(n, 0.5))
    check(bg.fft.rfftfreq(n, 2.0), np.fft.rfftfreq(n, 2.0))
    x = np.arange(3 * n, dtype="float32").reshape(3, n)
    for axes in (None, 0, (1,)):
        check(bg.fft.fftshift(x, axes), np.fft.fftshift(x, axes))
        check(bg.fft.ifftshift(bg.fft.fftshift(x, axes), axes), x)


def test_parts():
    check(bg.real(Z), Z.real)
    check(bg.imag(Z), Z.imag)
    check(bg.conj(Z), Z.conj())
    check(bg.abs(Z), np.abs(Z))
    check(bg.angle(Z), np.angle(Z))
    check(bg.complex(X, 2), X + 2j)
    check(bg.real(X), X)
    check(bg.angle(np.array([-1, 0, 2], "float32")), np.angle(np.array([-1.0, 0, 2])))
    check(bg.complex(X, X) * Z / (Z + 2) - bg.exp(Z), (X + 1j * X) * Z / (Z + 2) - np.exp(Z))
    infinite = np.array(bg.complex(np.float32([1.0]), np.float32([np.inf])))
    assert infinite.real == 1 and infinite.imag == np.inf


LOSSES = {
    "rfft": (
        lambda x: bg.sum(bg.square(bg.abs(bg.fft.rfft(x, axis=1)))),
        lambda x: np.sum(np.abs(np.fft.rfft(x, axis=1)) ** 2),
    ),
    "rfft longer": (
        lambda x: bg.sum(bg.real(bg.fft.rfft(x, 9)) ** 2 * 3 + bg.imag(bg.fft.rfft(x, 9))),
        lambda x: np.sum(np.fft.rfft(x, 9).real ** 2 * 3 + np.fft.rfft(x, 9).imag),
    ),
    "irfft": (
        lambda x: bg.sum(bg.fft.irfft(bg.complex(x, x * x), axis=1) ** 2),
        lambda x: np.sum(np.fft.irfft(x + 1j * x * x, axis=1) ** 2),
    ),
    "irfft odd": (
        lambda x: bg.sum(bg.fft.irfft(bg.complex(x, x * x), 7) ** 3),
        lambda x: np.sum(np.fft.irfft(x + 1j * x * x, 7) ** 3),
    ),
    "there and back": (
        lambda x: bg.sum(bg.fft.irfftn(bg.fft.rfftn(x, norm="ortho") * (1 + 2j), s=x.shape) ** 3),
        lambda x: np.sum(np.fft.irfftn(np.fft.rfftn(x, norm="ortho") * (1 + 2j), x.shape, (0, 1, 2)) ** 3),
    ),
    "angle": (lambda x: bg.sum(bg.angle(bg.fft.fft(x)) * 0.1), lambda x: np.sum(np.angle(np.fft.fft(x)) * 0.1)),
}


@pytest.mark.parametrize("ours, theirs", LOSSES.values(), ids=LOSSES)
def test_gradients_are_differences_in_f64(ours, theirs):
    gradient = np.array(bg.compile(bg.grad(ours))(X)).astype("float64")
    x, h = X.astype("float64"), 1e-6
    for seed in range(3):
        step = np.random.default_rng(seed).normal(size=x.shape)
        difference = (theirs(x + h * step) - theirs(x - h * step)) / (2 * h)
        assert np.sum(gradient * step) == pytest.approx(difference, rel=2e-4, abs=2e-4)


def test_derivatives_at_zero_are_zero():
    zero = np.zeros((2,), "complex64")
    for fn in (bg.abs, bg.angle):
        np.testing.assert_array_equal(np.array(bg.grad(lambda z, fn=fn: bg.sum(fn(z)))(zero)), zero)


def test_refusals():
    with pytest.raises(DTypeError, match=r"rfft: x is c64\[3,4,5\], not real"):
        bg.fft.rfft(Z)
    with pytest.raises(InputError, match="norm = 'both' is not"):
        bg.fft.fft(X, norm="both")
    with pytest.raises(ShapeError, match="axis 2 has no entry to transform"):
        bg.fft.fft(X, n=0)
    with pytest.raises(ShapeError, match="0 entries along axis 0 is too few"):
        bg.fft.irfft(np.ones(1, "complex64"))
    with pytest.raises(ShapeError, match="none twice"):
        bg.fft.fftn(X, axes=(0, -3))
    with pytest.raises(DTypeError, match="not complex"):
        bg.imag(X)
    with pytest.raises(ShapeError, match=r"window is f32\[5\], must have win_length = 8 entries"):
        bg.stft(X, 8, window=X[0, 0])
    with pytest.raises(ShapeError, match="n_fft = 8 is longer than the signal with its padding, 5"):
        bg.stft(X, 8, center=False)
    with pytest.raises(ShapeError, match=r"must be \[\.\.\., 5 frequencies, frames\]"):
        bg.istft(Z, 8)
    with pytest.raises(DTypeError, match="complex: takes real parts"):
        bg.complex(Z, X)
