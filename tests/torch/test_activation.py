"""Activations and functions of each entry against PyTorch: values and gradients, at kinks, infinities and nan too."""

import numpy as np
import pytest

import burngraph as bg

torch = pytest.importorskip("torch")
F = torch.nn.functional

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 4)).astype("float32") * 4
KINKS = np.array([-6, -3, -1, -0.5, -0.0, 0, 0.5, 1, 3, 6, 20, 20.5, 100, -100], "float32")
EDGES = np.array([np.nan, np.inf, -np.inf, 1e-30, -1e-8, 88.5], "float32")
SLOPES = np.array([0.1, -0.2, 0.3], "float32")

ACTIVATIONS = {
    "relu": (bg.relu, F.relu),
    "leaky_relu": (lambda x: bg.leaky_relu(x, 0.2), lambda x: F.leaky_relu(x, 0.2)),
    "elu": (lambda x: bg.elu(x, 1.5), lambda x: F.elu(x, 1.5)),
    "selu": (bg.selu, F.selu),
    "celu": (lambda x: bg.celu(x, 0.7), lambda x: F.celu(x, 0.7)),
    "gelu": (bg.gelu, F.gelu),
    "gelu tanh": (lambda x: bg.gelu(x, approximate="tanh"), lambda x: F.gelu(x, approximate="tanh")),
    "sigmoid": (bg.sigmoid, torch.sigmoid),
    "logsigmoid": (bg.logsigmoid, F.logsigmoid),
    "hardsigmoid": (bg.hardsigmoid, F.hardsigmoid),
    "hardswish": (bg.hardswish, F.hardswish),
    "hardtanh": (lambda x: bg.hardtanh(x, -3, 0.5), lambda x: F.hardtanh(x, -3, 0.5)),
    "hardshrink": (bg.hardshrink, F.hardshrink),
    "softshrink": (bg.softshrink, F.softshrink),
    "tanhshrink": (bg.tanhshrink, F.tanhshrink),
    "softplus": (bg.softplus, F.softplus),
    "softplus beta": (lambda x: bg.softplus(x, 2.0, 10.0), lambda x: F.softplus(x, 2.0, 10.0)),
    "softsign": (bg.softsign, F.softsign),
    "mish": (bg.mish, F.mish),
    "silu": (bg.silu, F.silu),
    "relu6": (bg.relu6, F.relu6),
    "threshold": (lambda x: bg.threshold(x, 0.5, 7.0), lambda x: F.threshold(x, 0.5, 7.0)),
    "thresholded_relu": (bg.thresholded_relu, lambda x: F.threshold(x, 1.0, 0.0)),
    "shrink": (lambda x: bg.shrink(x, 0.5, 0.5), lambda x: F.softshrink(x, 0.5)),
    "shrink hard": (lambda x: bg.shrink(x, 0.5, 0.0), lambda x: F.hardshrink(x, 0.5)),
}
AXIS = {
    "glu": (lambda x: bg.glu(x, 2), lambda x: F.glu(x, 2)),
    "softmin": (lambda x: bg.softmin(x, 1), lambda x: F.softmin(x, 1)),
    "quiet_softmax": (
        lambda x: bg.quiet_softmax(x, 1),
        lambda x: F.softmax(torch.cat([x, torch.zeros_like(x[:, :1])], 1), 1)[:, :3],
    ),
    "swiglu": (lambda x: bg.swiglu(x[0], x[1]), lambda x: F.silu(x[0]) * x[1]),
}
ENTRIES = {
    "abs": (bg.abs, torch.abs),
    "sqrt": (bg.sqrt, torch.sqrt),
    "exp2": (bg.exp2, torch.exp2),
    "erf": (bg.erf, torch.erf),
    "expm1": (bg.expm1, torch.expm1),
    "clip": (lambda x: bg.clip(x, -3, 1), lambda x: torch.clamp(x, -3, 1)),
    "clip low": (lambda x: bg.clip(x, min=0.5), lambda x: torch.clamp(x, min=0.5)),
    "clip crossed": (lambda x: bg.clip(x, 1, -1), lambda x: torch.clamp(x, 1, -1)),
    "hypot": (lambda x: bg.hypot(x, 3.0), lambda x: torch.hypot(x, torch.tensor(3.0))),
    "logaddexp": (lambda x: bg.logaddexp(x, 1.0), lambda x: torch.logaddexp(x, torch.tensor(1.0))),
    "copysign": (lambda x: bg.copysign(x, -2.0), lambda x: torch.copysign(x, torch.tensor(-2.0))),
    "deg2rad": (bg.deg2rad, torch.deg2rad),
    "rad2deg": (bg.rad2deg, torch.rad2deg),
    "fmod": (lambda x: bg.fmod(x, 0.7), lambda x: torch.fmod(x, 0.7)),
    "pow 3": (lambda x: x**3, lambda x: x**3),
    "pow -2": (lambda x: x ** (-2), lambda x: x ** (-2)),
    "pow 0": (lambda x: x**0, lambda x: x**0),
    "pow half": (lambda x: bg.abs(x) ** 0.5, lambda x: torch.abs(x) ** 0.5),
}
POSITIVE = {
    "log2": (bg.log2, torch.log2),
    "log10": (bg.log10, torch.log10),
    "log1p": (bg.log1p, torch.log1p),
}


def values_and_gradient(ours, theirs, x, tolerance=1e-5):
    tensor = torch.tensor(x, requires_grad=True)
    want = theirs(tensor)
    want.sum().backward()
    for found in (bg.run(bg.trace(ours, x), x), bg.compile(ours)(x)):
        found = found[0] if isinstance(found, list | tuple) else found
        np.testing.assert_allclose(np.array(found), want.detach().numpy(), rtol=tolerance, atol=1e-6)
    gradient = bg.compile(bg.grad(lambda x: bg.sum(ours(x))))(x)
    return np.array(gradient), tensor.grad.numpy()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    for x in (X, KINKS):
        np.testing.assert_allclose(*values_and_gradient(*ACTIVATIONS[name], x), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_edges(name):
    x = EDGES[EDGES != np.inf] if name == "gelu" else EDGES  # torch's gelu of inf is nan, ours inf
    values_and_gradient(*ACTIVATIONS[name], x)


@pytest.mark.parametrize("name", AXIS)
def test_activations_along_an_axis(name):
    np.testing.assert_allclose(*values_and_gradient(*AXIS[name], X), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", ENTRIES)
def test_entries(name):
    if name == "sqrt":
        x = np.array([0, 0.25, 2, 1e30], "float32")
    elif name == "pow half" or name == "fmod":
        x = X
    elif name == "pow -2":
        x = KINKS[KINKS != 0]
    else:
        x = KINKS
    np.testing.assert_allclose(*values_and_gradient(*ENTRIES[name], x), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", POSITIVE)
def test_logarithms(name):
    np.testing.assert_allclose(
        *values_and_gradient(*POSITIVE[name], np.array([1e-30, 1e-3, 0.5, 1, 8, 1e30], "float32")), rtol=2e-5
    )


def test_erfinv():
    x = np.array([-0.99999, -0.5, 0, 1e-6, 0.3, 0.9, 0.999], "float32")
    np.testing.assert_allclose(*values_and_gradient(bg.erfinv, torch.erfinv, x, 2e-6), rtol=1e-5)


@pytest.mark.parametrize("weight", [SLOPES, SLOPES[:1]], ids=["per channel", "one"])
def test_prelu(weight):
    x, w = torch.tensor(X, requires_grad=True), torch.tensor(weight, requires_grad=True)
    want = F.prelu(x, w)
    want.sum().backward()
    np.testing.assert_allclose(np.array(bg.compile(bg.prelu)(X, weight)), want.detach().numpy(), rtol=1e-6)
    gradients = bg.compile(bg.grad(lambda x, w: bg.sum(bg.prelu(x, w)), (0, 1)))(X, weight)
    for found, tensor in zip(gradients, (x, w), strict=True):
        np.testing.assert_allclose(np.array(found), tensor.grad.numpy(), rtol=1e-5)


def test_quiet_softmax_of_a_masked_row_is_zero_and_has_a_finite_gradient():
    x = np.full((2, 3), -np.inf, "float32")
    assert not np.array(bg.compile(bg.quiet_softmax)(x)).any()
    assert not np.array(bg.compile(bg.grad(lambda x: bg.sum(bg.quiet_softmax(x))))(x)).any()


@pytest.mark.parametrize("name", ["nextafter", "copysign", "hypot", "logaddexp", "fmod"])
def test_pairs_of_special_numbers(name):
    some = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, 3e38, -1.0, 2.5], "float32")
    x, y = (a.ravel() for a in np.meshgrid(some, some))
    want = getattr(torch, name)(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    if name == "fmod":  # torch's gives nan where y is infinite, C's and NumPy's x
        with np.errstate(invalid="ignore"):
            want = np.fmod(x, y)
    for found in (bg.run(bg.trace(getattr(bg, name), x, y), x, y)[0], bg.compile(getattr(bg, name))(x, y)):
        np.testing.assert_allclose(np.array(found), want, rtol=1e-6)
        if name != "logaddexp":
            np.testing.assert_array_equal(np.signbit(np.array(found))[~np.isnan(want)], np.signbit(want)[~np.isnan(want)])


@pytest.mark.parametrize("name", ["softplus", "logsigmoid", "mish", "silu", "sigmoid"])
def test_second_and_third_derivative_where_both_scores_are_equal(name):
    x = np.array([0.0, 1.0], "float32")
    tensor = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    ours, want = getattr(bg, name), getattr(F, name)(tensor)
    for _ in range(3):
        ours = bg.grad(lambda x, f=ours: bg.sum(f(x)))
        (want,) = torch.autograd.grad(want.sum(), tensor, create_graph=True)
        np.testing.assert_allclose(np.array(bg.compile(ours)(x)), want.detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("equal_nan", [False, True])
def test_isclose(equal_nan):
    some = np.array([np.nan, np.inf, -np.inf, 0.0, 1.0, 1.000001, 1e-9], "float32")
    x, y = (a.ravel() for a in np.meshgrid(some, some))
    want = torch.isclose(torch.from_numpy(x), torch.from_numpy(y), equal_nan=equal_nan).numpy()
    np.testing.assert_array_equal(np.array(bg.compile(lambda x, y: bg.isclose(x, y, equal_nan=equal_nan))(x, y)), want)
    assert not bool(np.array(bg.compile(bg.allclose)(x, y)))
    assert bool(np.array(bg.compile(bg.allclose)(x[x == x], x[x == x])))


def test_nan_to_num():
    for x in (EDGES, EDGES.astype("float16")):
        want = torch.nan_to_num(torch.from_numpy(x)).numpy()
        np.testing.assert_array_equal(np.array(bg.compile(bg.nan_to_num)(x)), want)
    want = torch.nan_to_num(torch.from_numpy(EDGES), 1.0, 2.0, 3.0).numpy()
    np.testing.assert_array_equal(np.array(bg.compile(lambda x: bg.nan_to_num(x, 1.0, 2.0, 3.0))(EDGES)), want)
