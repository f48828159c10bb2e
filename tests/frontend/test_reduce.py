"""Reductions and running reductions: axes, empty dims, dtypes, nan, ties, and what is refused."""

import itertools

import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError, ShapeError
from tests.frontend.test_sort import both

RNG = np.random.default_rng(0)
X = RNG.integers(-3, 4, (2, 3, 4)).astype("float32")
SUBSETS = [None, *itertools.chain.from_iterable(itertools.combinations(range(3), n) for n in range(4))]


@pytest.mark.parametrize("axis", SUBSETS, ids=str)
def test_every_subset_of_axes(axis):
    for name in ("sum", "prod", "max", "min", "all", "any", "count_nonzero"):
        x = X[:, :0] if name in ("sum", "prod", "all", "any", "count_nonzero") and axis else X
        for keep, given in itertools.product((False, True), (X, x)):
            found = both(lambda x, n=name, k=keep: getattr(bg, n)(x, axis, k), given)
            if name == "count_nonzero" and axis == ():
                want = (given != 0).astype(int)
            else:
                want = getattr(np, name)(given, axis=axis, keepdims=keep)
            np.testing.assert_array_equal(found, want)


def test_rank_zero():
    one = np.array(-2.0, "float32")
    for name in ("sum", "prod", "max", "min", "mean", "median", "max_abs", "argmax", "logsumexp", "var"):
        want = {"max_abs": 2, "argmax": 0, "var": 0}.get(name, -2)
        np.testing.assert_allclose(both(getattr(bg, name), one), want, rtol=1e-6)


@pytest.mark.parametrize("name", ["max", "min", "max_with_indices", "argmax", "argmin"])
def test_of_nothing_there_is_no_extremum(name):
    x = np.zeros((2, 0, 3), "float32")
    with pytest.raises(ShapeError, match="axis 1, which is empty"):
        getattr(bg, name)(x, 1)
    with pytest.raises(ShapeError, match=r"test_reduce\.py"):
        bg.trace(lambda x: getattr(bg, name)(x, 1), x)
    for found in np.atleast_1d(both(lambda x: getattr(bg, name)(x, 0), x)):
        assert found.shape[-1:] == (3,)


def test_sums_means_and_logsumexp_of_nothing():
    x = np.zeros((2, 0), "float32")
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(both(lambda x: bg.mean(x, 1), x), [np.nan, np.nan])
        np.testing.assert_array_equal(both(lambda x: bg.var(x, 1), x), [np.nan, np.nan])
        np.testing.assert_array_equal(both(lambda x: bg.logsumexp(x, 1), x), [-np.inf, -np.inf])


SMALL = {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32", "uint16": "uint32", "int64": "int64"}


@pytest.mark.parametrize("dtype", SMALL)
def test_small_integers_are_summed_in_32_bits_unless_a_dtype_is_given(dtype):
    x = np.ones(300, dtype)
    for fn in (bg.sum, bg.prod, lambda x: bg.cumulative_sum(x)[-1], lambda x: bg.cumulative_prod(x)[-1]):
        assert both(fn, x).dtype.name == SMALL[dtype]
    assert both(bg.sum, x) == both(lambda x: bg.cumsum(x)[-1], x) == 300
    assert both(lambda x: bg.sum(x, dtype="uint8"), x) == both(lambda x: bg.cumsum(x, dtype="uint8")[-1], x) == 44
    assert both(bg.mean, x).dtype == np.float32


def test_sums_of_sixteen_bit_floats_are_kept_in_thirty_two():
    x = np.ones(5000, "float16")
    assert both(bg.sum, x) == both(lambda x: bg.cumsum(x)[-1], x) == 5000
    assert both(bg.mean, np.full(70000, 2.0, "float16")) == 2


def test_include_initial_and_reverse():
    x = np.array([[1, 2, 3], [4, 5, 6]], "int32")
    assert both(lambda x: bg.cumulative_sum(x, 1, include_initial=True), x).tolist() == [[0, 1, 3, 6], [0, 4, 9, 15]]
    found = both(lambda x: bg.cumulative_prod(x, 1, reverse=True, include_initial=True), x)
    assert found.tolist() == [[6, 6, 3, 1], [120, 30, 6, 1]]
    assert both(lambda x: bg.cumulative_sum(x, 0, include_initial=True), x[:0]).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("dtype", ["float16", "float32", "bfloat16"])
@pytest.mark.parametrize("axis", [0, 1])
def test_nan_reaches_every_extremum(dtype, axis):
    x = np.array([[3, np.nan, 1], [1, 2, 3], [np.nan, np.nan, 0]], "float32")
    run = lambda fn: both(lambda x: [r.astype("float32") for r in fn(x.astype(dtype))], x)  # noqa: E731
    values, indices = run(lambda x: bg.max_with_indices(x, axis))
    np.testing.assert_array_equal(indices, np.argmax(x, axis))
    np.testing.assert_array_equal(values, np.max(x, axis))
    np.testing.assert_array_equal(run(lambda x: [bg.min(x, axis), bg.argmin(x, axis)]), [np.min(x, axis), np.argmin(x, axis)])
    np.testing.assert_array_equal(run(lambda x: bg.cummax(x, axis))[0], np.maximum.accumulate(x, axis))
    found = run(lambda x: bg.cummin(x, axis, reverse=True))[0]
    np.testing.assert_array_equal(found, np.flip(np.minimum.accumulate(np.flip(x, axis), axis), axis))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint64"])
def test_running_extrema_of_integer_limits(dtype):
    limits = np.iinfo(dtype)
    x = np.array([limits.min, 3, limits.max, 3], dtype)
    for reverse in (False, True):
        values, indices = both(lambda x, r=reverse: bg.cummax(x, reverse=r), x)
        assert values.tolist() == ([limits.max] * 3 + [3] if reverse else [limits.min, 3, limits.max, limits.max])
        assert indices.tolist() == ([2, 2, 2, 3] if reverse else [0, 1, 2, 2])


def test_extrema_of_equal_entries_point_at_the_first_and_running_ones_at_the_latest():
    x = np.array([2, 5, 5, 1, 1, 5], "int32")
    assert both(bg.argmax, x) == 1 and both(bg.argmin, x) == 3
    assert both(lambda x: bg.cummax(x)[1], x).tolist() == [0, 1, 2, 2, 2, 5]
    assert both(lambda x: bg.cummin(x)[1], x).tolist() == [0, 0, 0, 3, 4, 4]
    assert both(lambda x: bg.cummax(x, reverse=True)[1], x).tolist() == [1, 1, 2, 5, 5, 5]


def test_methods_are_those_of_mlx_arrays():
    x = np.array([[1.0, 4.0, 2.0], [8.0, 0.5, 16.0]], "float32")
    for found, want in (
        (both(lambda x: x.cummax(axis=1), x), np.maximum.accumulate(x, 1)),
        (both(lambda x: x.cummin(axis=1, reverse=True), x), [[1, 2, 2], [0.5, 0.5, 16]]),
        (both(lambda x: x.cumprod(axis=1).log2(), x), np.log2(np.cumprod(x, 1))),
    ):
        np.testing.assert_array_equal(found, want)
    found = bg.compile(lambda x: x.logsumexp(axis=(0, 1)) + x.logcumsumexp(axis=1)[0, 0] + x.log10()[0, 0])(x)
    np.testing.assert_allclose(np.array(found), np.logaddexp.reduce(x.ravel()) + 1, rtol=1e-6)


def test_argmax_of_bools_and_its_dtype():
    found = both(bg.argmax, np.array([False, True, True]))
    assert found == 1 and found.dtype == np.int32


def test_max_abs_and_logsumexp_of_several_axes():
    x = RNG.normal(size=(2, 3, 4)).astype("float32") * 300
    np.testing.assert_array_equal(both(lambda x: bg.max_abs(x, (0, 2)), x), np.abs(x).max((0, 2)))
    want = np.logaddexp.reduce(np.logaddexp.reduce(x.astype("float64"), 2), 0)
    for found in (
        bg.run(bg.trace(lambda x: bg.logsumexp(x, (0, 2)), x), x)[0],
        bg.compile(lambda x: bg.logsumexp(x, (0, 2)))(x),
    ):
        np.testing.assert_allclose(np.array(found), want, rtol=1e-6)


def test_errors():
    x = np.zeros((2, 3), "float32")
    with pytest.raises(ShapeError, match="cumulative_sum: f32\\[2,3\\] needs an axis"):
        bg.cumulative_sum(x)
    with pytest.raises(DTypeError, match="holds no sum or product"):
        bg.cumulative_prod(x, 0, dtype="bool")
    with pytest.raises(DTypeError, match="cummax: x is bool"):
        bg.cummax(x > 0, 0)
    with pytest.raises(ShapeError, match="axis 2 is out of range for rank 2"):
        bg.logsumexp(x, 2)
    with pytest.raises(ShapeError, match="name an axis twice"):
        bg.sum(x, (0, -2))


@pytest.mark.parametrize("name", ["sum", "mean", "var", "std", "prod", "max"])
def test_an_axis_out_of_range_names_the_function_called(name):
    with pytest.raises(bg.errors.BurngraphError, match=f"^{name}: axis 5 is out of range for rank 2"):
        getattr(bg, name)(np.ones((2, 3), np.float32), axis=5)
