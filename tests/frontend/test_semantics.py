"""The rows of docs/semantics.md on entries, interpreted and compiled: what burngraph means where MLX by itself differs."""

import math

import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError
from tests.frontend.test_sort import both

NAN, INF = np.nan, np.inf


def f32(*values):
    return np.array(values, "float32")


def gradient(fn, *arrays):
    return np.array(bg.compile(bg.grad(lambda *xs: bg.sum(fn(*xs))))(*arrays)).tolist()


def test_sign_of_nan_is_nan():
    np.testing.assert_array_equal(both(bg.sign, f32(NAN, -0.0, -2, INF)), [NAN, 0, -1, 1])


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64"])
def test_integer_powers(dtype):
    x, y = np.array([1, -1, -1, 2, -2, 0, 3, -3, 0], dtype), np.array([-1, -1, -2, -2, -1, 0, 3, 3, 5], dtype)
    assert both(bg.pow, x, y).tolist() == [1, -1, 1, 0, 0, 1, 27, -27, 0]


def test_float_powers():
    x, y = f32(0, 0, -8, -2, -2, INF, 1, NAN, -0.0), f32(0, -1, 1 / 3, 3, -2, 0, NAN, 0, -1)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(both(bg.pow, x, y), [1, INF, NAN, -8, 0.25, 1, 1, 1, -INF])
    assert gradient(lambda x: x**0, f32(0, 2)) == [0, 0]
    assert gradient(lambda x: x**1.0, f32(0, 2)) == [1, 1]
    assert gradient(lambda x: x**2, f32(-3, 0)) == [-6, 0]
    assert gradient(lambda y: bg.pow(0.0, y), f32(0, 2)) == [0, 0]


def test_clip():
    x = f32(NAN, -INF, -1, 0, 1, 5)
    np.testing.assert_array_equal(both(lambda x: bg.clip(x, -1, 1), x), [NAN, -1, -1, 0, 1, 1])
    np.testing.assert_array_equal(both(lambda x: bg.clip(x, 2, 0), x), [NAN, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(both(lambda x: bg.clip(x, max=f32(NAN, 0, 0, 0, 0, NAN)), x), [NAN, -INF, -1, 0, 0, NAN])
    assert gradient(lambda x: bg.clip(x, -1, 1), f32(-2, -1, 0, 1, 2)) == [0, 1, 1, 1, 0]
    small = np.array([-128, 0, 127], "int8")
    assert both(lambda x: bg.clip(x, -1000, 100), small).tolist() == [-128, 0, 100]
    assert both(lambda x: bg.clip(x, 0, 1000), small).tolist() == [0, 0, 127]
    assert both(lambda x: bg.clip(x, -5, 300), np.array([0, 255], "uint8")).tolist() == [0, 255]


def test_maximum_and_minimum():
    x, y = f32(NAN, 1, NAN, 2), f32(1, NAN, NAN, 3)
    np.testing.assert_array_equal(both(bg.maximum, x, y), [NAN, NAN, NAN, 3])
    np.testing.assert_array_equal(both(bg.minimum, x, y), [NAN, NAN, NAN, 2])
    for fn in (bg.maximum, bg.minimum):  # of equal entries the first operand has the derivative
        assert gradient(fn, f32(1, 2), f32(1, 2)) == [1, 1]
        assert gradient(lambda y, fn=fn: fn(f32(1, 2), y), f32(1, 2)) == [0, 0]


def test_derivatives_at_kinks():
    zero = f32(0.0, -0.0)
    assert gradient(bg.abs, zero) == gradient(bg.relu, zero) == [0, 0]
    assert gradient(bg.sqrt, f32(0)) == [INF]
    assert gradient(lambda x: bg.hypot(x, 0.0), zero) == [0, 0]
    assert gradient(bg.softplus, zero) == [0.5, 0.5]
    assert gradient(bg.softsign, zero) == [1, 1]
    assert gradient(bg.max, f32(1, 3, 3)) == [0, 0.5, 0.5]
    assert gradient(lambda x: bg.max_with_indices(x, 0)[0], f32(1, 3, 3)) == [0, 1, 0]


def test_atan2_of_signed_zeros():
    x, y = f32(0, -0.0, 0, -0.0, 1, -1), f32(0, 0, -0.0, -0.0, 0, -0.0)
    found = both(lambda x, y: bg.atan2(x, y) / math.pi, x, y)
    np.testing.assert_allclose(found, [0, 0, 1, -1, 0.5, -0.5], rtol=1e-6)
    assert np.signbit(found).tolist() == [False, True, False, True, False, True]


def test_round_takes_halves_to_even():
    x = f32(0.5, 1.5, 2.5, -0.5, -1.5, NAN, INF, 1e20)
    np.testing.assert_array_equal(both(bg.round, x), [0, 2, 2, 0, -2, NAN, INF, np.float32(1e20)])


def test_questions_about_numbers():
    x = f32(NAN, INF, -INF, -0.0, 0)
    assert both(bg.signbit, f32(INF, -INF, -0.0, 0)).tolist() == [False, True, True, False]
    assert both(bg.isposinf, x).tolist() == [False, True, False, False, False]
    assert both(bg.isneginf, x).tolist() == [False, False, True, False, False]
    assert both(bg.isneginf, np.array([3, 4])).tolist() == [False, False]


def test_fmod_has_the_sign_of_the_dividend():
    x, y = np.array([5, -5, 5, -128, 7, 0], "int8"), np.array([3, 3, -3, -1, 0, 0], "int8")
    assert both(bg.fmod, x, y).tolist() == [2, -2, 2, 0, 7, 0]
    np.testing.assert_array_equal(both(bg.fmod, f32(1e10, -1e10), f32(0.3, 0.3)), np.fmod(f32(1e10, -1e10), f32(0.3, 0.3)))


SMALL = np.concatenate([10.0 ** np.arange(-30, 0.5, 0.25), [1.3, 2, 3, 3.9, 4.1, 6, 30]]).astype("float32")
ACCURATE = {  # name: (function of the math module, relative error allowed on MLX in f32)
    "erf": (math.erf, 4e-7),
    "expm1": (math.expm1, 4e-7),
    "log1p": (math.log1p, 4e-7),
    "tanh": (math.tanh, 4e-7),
    "log2": (math.log2, 4e-7),
    "exp2": (lambda x: 2.0**x, 4e-7),
}


@pytest.mark.parametrize("name", ACCURATE)
def test_relative_error_near_zero(name):
    exact, tolerance = ACCURATE[name]
    x = SMALL if name.startswith("log") else np.concatenate([-SMALL, SMALL])
    want = [exact(v) for v in x.astype(float)]
    np.testing.assert_allclose(np.array(bg.compile(getattr(bg, name))(x)), want, rtol=tolerance)


def test_erf_of_zeros_and_limits():
    found = both(bg.erf, f32(0.0, -0.0, INF, -INF, NAN))
    np.testing.assert_array_equal(found, [0, 0, 1, -1, NAN])
    assert np.signbit(found[1])


def test_logarithms_of_sums_do_not_overflow():
    x, y = f32(1000, -INF, INF, -1000), f32(1000, -INF, -INF, 0)
    np.testing.assert_allclose(np.array(bg.compile(bg.logaddexp)(x, y)), [1000 + math.log(2), -INF, INF, 0], rtol=1e-6)
    assert gradient(bg.logaddexp, x, y) == [0.5, 0.5, 1, 0]


@pytest.mark.parametrize("shape", [(1_000_003,), (1009, 991), (40, 30, 31, 29)])
def test_long_sums_keep_their_digits(shape):
    """MLX adds one after the other on a CPU; its own sum of a million times 0.1 is 1 % off."""
    x = np.full(shape, 0.1, "float32")
    axes = tuple(a for a in range(len(shape)) if a != 1) if len(shape) == 4 else None
    found = np.array(bg.compile(lambda x: bg.mean(x, axes))(x))
    np.testing.assert_allclose(found, np.full(found.shape, np.float32(0.1)), rtol=3e-5)


def test_complex_numbers_have_no_order():
    with pytest.raises(DTypeError):
        bg.hypot(np.ones(2, "complex64"), 1.0)
    with pytest.raises(DTypeError):
        bg.fmod(np.ones(2, "complex64"), 1.0)


def test_floor_divide_of_floats():
    x, y = np.float32([1.0, 7.0, -7.0, 1.0]), np.float32([0.1, 2.0, 2.0, 0.0])
    (want,) = bg.run(bg.trace(bg.floor_divide, x, y), x, y)
    np.testing.assert_array_equal(want, [10.0, 3.0, -4.0, np.inf])
    np.testing.assert_array_equal(np.array(bg.compile(bg.floor_divide)(x, y)), want)


WIDE = {
    "exp": (np.exp, [-740.0, -50.0, -1e-3, 0.1, 100.0, 709.0]),
    "sin": (np.sin, [1e6 + 0.1, 1e10 + 0.3, math.pi, -3.0, 1e-8, 1.7e308]),
    "cos": (np.cos, [1e6 + 0.1, 1e10 + 0.3, -3.0, 1e-8, 1.7e308]),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), [-700.0, -30.0, 0.3, 40.0]),
    "logaddexp": (lambda x: np.logaddexp(x, 0.5), [-300.0, -30.0, 0.3, 0.5, 300.0]),
}


@pytest.mark.parametrize("name", WIDE)
def test_f64_is_wide(name):
    exact, entries = WIDE[name]
    x = np.array([*entries, NAN, INF, -INF])
    ours = (lambda x: bg.logaddexp(x, 0.5)) if name == "logaddexp" else getattr(bg, name)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(np.array(bg.compile(ours)(x)), exact(x), rtol=1e-13)
