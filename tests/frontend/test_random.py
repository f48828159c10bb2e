"""Random numbers: distributions against their moments and bounds, keys, and the same numbers from interpreter and MLX."""

import math

import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import InputError, ShapeError

KEY = bg.random_key(7)
N = 40_000


def drawn(fn):
    """The numbers of one key, compiled; the interpreter must give the same."""
    key = np.array(KEY)
    got = np.array(bg.compile(fn)(key))
    (want,) = bg.run(bg.trace(fn, key), key)
    if want.dtype.kind == "f":
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-5)
    else:
        assert np.mean(got != want) < 1e-3  # an argmax may turn on the last bit
    return got.astype("float64")


MOMENTS = {
    "uniform": (lambda k: bg.uniform(k, (N,), -1.0, 3.0), 1.0, 4 / math.sqrt(12)),
    "normal": (lambda k: bg.normal(k, (N,), 2.0, 3.0), 2.0, 3.0),
    "exponential": (lambda k: bg.exponential(k, (N,), 2.0), 2.0, 2.0),
    "gumbel": (lambda k: bg.gumbel(k, (N,)), 0.5772156649, math.pi / math.sqrt(6)),
    "laplace": (lambda k: bg.laplace(k, (N,), 1.0, 2.0), 1.0, 2.0 * math.sqrt(2)),
    "truncated_normal": (lambda k: bg.truncated_normal(k, -1.0, 1.0, (N,)), 0.0, 0.5396),
    "randint": (lambda k: bg.randint(k, -2, 8, (N,)), 2.5, math.sqrt(99 / 12)),
    "bernoulli": (lambda k: bg.bernoulli(k, 0.3, (N,)), 0.3, math.sqrt(0.21)),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_moments(name):
    fn, mean, deviation = MOMENTS[name]
    values = drawn(fn)
    assert np.isfinite(values).all()
    assert abs(values.mean() - mean) < 4 * deviation / math.sqrt(N)
    assert abs(values.std() - deviation) < 0.03 * deviation


def test_bounds():
    assert set(drawn(MOMENTS["randint"][0])) == set(range(-2, 8))
    assert np.abs(drawn(MOMENTS["truncated_normal"][0])).max() <= 1
    assert drawn(lambda k: bg.randint(k, 250, 256, (N,), "uint8")).min() == 250
    wide = drawn(lambda k: bg.randint(k, -(2**31), 2**31, (N,)))
    assert wide.min() < -(2**30)
    assert wide.max() > 2**30


def test_categorical_draws_by_softmax():
    logits = np.log(np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 1e-30]], "float32"))
    values = drawn(lambda k: bg.categorical(k, logits, shape=(N, 2)))
    for row, weights in enumerate(np.exp(logits)):
        counts = np.bincount(values[:, row].astype(int), minlength=3) / N
        np.testing.assert_allclose(counts, weights, atol=0.01)
    assert bg.trace(lambda k: bg.categorical(k, logits, axis=0), np.array(KEY)).result_types[0].shape == (3,)


def test_permutation_has_every_entry_once():
    values = drawn(lambda k: bg.permutation(k, 100))
    assert sorted(values) == list(range(100))
    assert list(values) != list(range(100))
    rows = np.arange(12, dtype="float32").reshape(4, 3)
    moved = drawn(lambda k: bg.permutation(k, rows, axis=1))
    assert sorted(map(tuple, moved.T)) == sorted(map(tuple, rows.T.astype("float64")))


def test_one_key_per_example_under_vmap():
    keys = np.array(bg.random_split(KEY, 5))
    batched = np.array(bg.compile(bg.vmap(lambda k: bg.normal(k, (3,))))(keys))
    for key, row in zip(keys, batched, strict=True):
        np.testing.assert_allclose(np.array(bg.normal(key, (3,))), row, rtol=1e-5)


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("randint: needs low < high", lambda: bg.randint(KEY, 3, 3)),
        ("randint: u8 does not hold 0 to 256", lambda: bg.randint(KEY, 0, 257, dtype="uint8")),
        ("truncated_normal: needs lower < upper", lambda: bg.truncated_normal(KEY, 1.0, 1.0)),
        (r"a random key is u32\[2\]", lambda: bg.uniform(np.zeros(3, np.uint32))),
    ],
)
def test_refusals(message, call):
    with pytest.raises(ShapeError, match=message):
        call()


@pytest.mark.parametrize("dtype", ["int32", "bfloat16", "float16"])
def test_categorical_chooses_in_f32(dtype):
    logits = np.random.default_rng(0).integers(-1, 2, 50)
    of_f32, of_dtype = (bg.categorical(KEY, bg.astype(logits, d), shape=(N,)) for d in ("float32", dtype))
    np.testing.assert_array_equal(np.array(of_dtype), np.array(of_f32))


def test_truncated_normal_far_out():
    for lower, upper, mean in ((3.0, 40.0, 3.2831), (-40.0, -3.0, -3.2831), (4.0, 6.0, 4.2255)):
        values = drawn(lambda k, lower=lower, upper=upper: bg.truncated_normal(k, lower, upper, (N,)))
        assert abs(values.mean() - mean) < 0.006
        assert 3 <= np.abs(values).min() <= np.abs(values).max() < 5.5
    with pytest.raises(InputError, match="more than 4"):
        bg.truncated_normal(KEY, 6.0, 7.0)


def test_numbers_that_no_distribution_has():
    for refused in (
        lambda: bg.bernoulli(KEY, 1.5),
        lambda: bg.uniform(KEY, (), 1.0, 0.0),
        lambda: bg.normal(KEY, (), 0.0, -1.0),
        lambda: bg.exponential(KEY, (), math.nan),
        lambda: bg.laplace(KEY, (), 0.0, -1.0),
    ):
        with pytest.raises(InputError, match="is not in"):
            refused()


def test_a_seed_of_numpy_inside_a_program():
    key = np.array(bg.compile(lambda x: bg.random_key(np.int64(7)) + bg.astype(x, "uint32"))(np.zeros(2, "int32")))
    np.testing.assert_array_equal(key, np.array(KEY))
