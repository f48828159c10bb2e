"""Fourier transforms and complex numbers against PyTorch, values and gradients."""

import numpy as np
import pytest

import burngraph as bg

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 6, 7)).astype("float32")
W = RNG.normal(size=(2, 6, 7)).astype("float32")

# each gives a real array from two real ones
CASES = {
    "rfft": (lambda x, w: bg.abs(bg.fft.rfft(x * w)), lambda x, w: torch.fft.rfft(x * w).abs()),
    "rfft even, parts": (
        lambda x, w: bg.real(bg.fft.rfft(x, axis=1)) * bg.imag(bg.fft.rfft(w, axis=1, norm="ortho")),
        lambda x, w: torch.fft.rfft(x, dim=1).real * torch.fft.rfft(w, dim=1, norm="ortho").imag,
    ),
    "irfft even": (lambda x, w: bg.fft.irfft(bg.complex(x, w)), lambda x, w: torch.fft.irfft(torch.complex(x, w))),
    "irfft odd, resized": (
        lambda x, w: bg.fft.irfft(bg.complex(x, w), 9, 1, "forward"),
        lambda x, w: torch.fft.irfft(torch.complex(x, w), 9, 1, "forward"),
    ),
    "filter": (
        lambda x, w: bg.fft.irfft2(bg.fft.rfft2(x) * bg.conj(bg.fft.rfft2(w)), s=(6, 7)),
        lambda x, w: torch.fft.irfft2(torch.fft.rfft2(x) * torch.fft.rfft2(w).conj(), s=(6, 7)),
    ),
    "fftn and angle": (
        lambda x, w: bg.angle(bg.fft.fftn(bg.complex(x, w))),
        lambda x, w: torch.fft.fftn(torch.complex(x, w)).angle(),
    ),
    "complex arithmetic": (
        lambda x, w: bg.real(bg.log(bg.complex(x, w)) / (bg.complex(w, x) + 3) - bg.sqrt(bg.complex(x, 1))),
        lambda x, w: (torch.complex(x, w).log() / (torch.complex(w, x) + 3) - torch.complex(x, torch.ones_like(x)).sqrt()).real,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradients(name):
    ours, theirs = CASES[name]
    x, w = torch.tensor(X, requires_grad=True), torch.tensor(W, requires_grad=True)
    want = theirs(x, w)
    seed = RNG.normal(size=tuple(want.shape)).astype("float32")
    (want * torch.from_numpy(seed)).sum().backward()

    def loss(x, w):
        y = ours(x, w)
        return bg.sum(y * seed), y

    (_, found), gradients = bg.compile(bg.value_and_grad(loss, (0, 1), has_aux=True))(X, W)
    np.testing.assert_allclose(np.array(found), want.detach().numpy(), rtol=1e-4, atol=1e-4)
    for gradient, leaf in zip(gradients, (x, w), strict=True):
        np.testing.assert_allclose(np.array(gradient), leaf.grad.numpy(), rtol=1e-3, atol=1e-3)


def test_parts_that_broadcast():
    for re, im in ((X, X[0]), (X[:, :1], X), (X[0], X), (X[:1], X[:, :1])):
        want = torch.complex(*torch.broadcast_tensors(torch.from_numpy(re), torch.from_numpy(im))).numpy()
        np.testing.assert_array_equal(np.array(bg.compile(bg.complex)(re, im)), want)


def test_gradient_of_a_complex_argument_is_torchs_and_leads_uphill():
    z = (X + 1j * W).astype("complex64")
    leaf = torch.tensor(z, requires_grad=True)
    (torch.fft.fft(leaf) * leaf).abs().sum().backward()
    found = bg.compile(bg.grad(lambda z: bg.sum(bg.abs(bg.fft.fft(z) * z))))(z)
    np.testing.assert_allclose(np.array(found), leaf.grad.numpy(), rtol=1e-3, atol=1e-3)
    target = np.array([1 + 2j], "complex64")
    z = np.zeros(1, "complex64")
    step = bg.compile(bg.grad(lambda z: bg.sum(bg.square(bg.abs(z - target)))))
    for _ in range(50):
        z = z - 0.1 * np.array(step(z))
    np.testing.assert_allclose(z, target, atol=1e-3)


SIGNAL, HANN = RNG.normal(size=(2, 30)).astype("float32"), np.hanning(9)[:8].astype("float32")
FRAMES = {
    "all defaults": {},
    "hop": {"hop_length": 3},
    "short window": {"win_length": 6, "window": HANN[1:7], "hop_length": 2},
    "window": {"window": HANN, "hop_length": 4, "normalized": True},
    "two-sided, not centred": {"window": np.sqrt(HANN + 0.1).astype("float32"), "center": False, "onesided": False},
}


@pytest.mark.parametrize("name", FRAMES)
def test_short_time_transforms(name):
    options = FRAMES[name]
    theirs = {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    theirs.setdefault("window", torch.ones(8))
    leaf = torch.tensor(SIGNAL, requires_grad=True)
    want = torch.stft(leaf, 8, return_complex=True, **theirs)
    back = torch.istft(want * (1 + 0.5j), 8, length=28 if name == "hop" else None, **theirs)
    (want.abs().sum() + (back**2).sum()).backward()

    def loss(x):
        y = bg.stft(x, 8, **options)
        z = bg.istft(y * (1 + 0.5j), 8, length=28 if name == "hop" else None, **options)
        return bg.sum(bg.abs(y)) + bg.sum(z**2), (y, z)

    (_, (y, z)), gradient = bg.compile(bg.value_and_grad(loss, has_aux=True))(SIGNAL)
    np.testing.assert_allclose(np.array(y), want.detach().numpy(), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(np.array(z), back.detach().numpy(), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(np.array(gradient), leaf.grad.numpy(), rtol=1e-3, atol=1e-3)
