"""Sorting and searching: every dtype, ties, nan, zeros of both signs, empty axes, and what is refused."""

import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError, InputError, RefusedError, ShapeError
from burngraph.ir.types import as_dtype

RNG = np.random.default_rng(0)
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def both(fn, *arrays):
    """The results of the interpreter and of the compiled program, which must be the same to the bit."""
    interpreted = bg.run(bg.trace(fn, *arrays), *arrays)
    compiled = bg.compile(fn)(*arrays)
    compiled = compiled if isinstance(compiled, list | tuple) else [compiled]
    for a, b in zip(interpreted, compiled, strict=True):
        assert as_dtype(b.dtype) is as_dtype(a.dtype)
        np.testing.assert_array_equal(np.array(b), a)
        if a.dtype.kind == "f":
            np.testing.assert_array_equal(np.signbit(np.array(b)), np.signbit(a))
    return interpreted[0] if len(interpreted) == 1 else interpreted


def extremes(dtype):
    if dtype == "bool":
        return RNG.integers(0, 2, (3, 7)).astype(bool)
    limits = np.iinfo(dtype)
    x = RNG.integers(0, 4, (3, 7)).astype(dtype)
    x[:, 1], x[:, 4] = limits.min, limits.max
    return x


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS])
def test_every_dtype_sorts_both_ways(dtype):
    x = extremes(dtype)
    values, indices = both(lambda x: bg.sort_with_indices(x, 1), x)
    np.testing.assert_array_equal(values, np.sort(x, 1))
    np.testing.assert_array_equal(indices, np.argsort(x, 1, kind="stable"))
    values, indices = both(lambda x: bg.sort_with_indices(x, 1, descending=True), x)
    np.testing.assert_array_equal(values, np.sort(x, 1)[:, ::-1])
    np.testing.assert_array_equal(indices, 6 - np.argsort(x[:, ::-1], 1, kind="stable")[:, ::-1])
    np.testing.assert_array_equal(both(lambda x: bg.sort(x, 1, descending=True), x), np.sort(x, 1)[:, ::-1])
    top, where = both(lambda x: bg.topk(x, 3, 1), x)
    np.testing.assert_array_equal(top, values[:, :3])
    np.testing.assert_array_equal(where, indices[:, :3])


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_nan_is_largest_and_zeros_are_equal(dtype):
    x = np.array([0.0, np.nan, -0.0, np.inf, 0.0, -np.nan, -np.inf, -0.0], dtype)
    assert both(bg.argsort, x).tolist() == [6, 0, 2, 4, 7, 3, 1, 5]
    assert both(lambda x: bg.argsort(x, descending=True), x).tolist() == [1, 5, 3, 0, 2, 4, 7, 6]
    assert both(lambda x: bg.argtopk(x, 4), x).tolist() == [1, 5, 3, 0]
    assert both(lambda x: bg.argtopk(x, 3, largest=False), x).tolist() == [6, 0, 2]
    np.testing.assert_array_equal(np.signbit(both(bg.sort, x)[1:5]), [False, True, False, True])
    np.testing.assert_array_equal(np.signbit(both(lambda x: bg.sort(x, descending=True), x)[3:7]), [False, True, False, True])


def test_ties_are_stable_in_a_long_axis():
    x = RNG.integers(0, 5, (2, 1500)).astype("float32")
    np.testing.assert_array_equal(both(bg.argsort, x), np.argsort(x, 1, kind="stable"))
    found = both(lambda x: bg.argsort(x, 0, descending=True), np.ascontiguousarray(x.T))
    np.testing.assert_array_equal(found.T, 1499 - np.argsort(x[:, ::-1], 1, kind="stable")[:, ::-1])
    for k in (1, 40, 1500):
        np.testing.assert_array_equal(both(lambda x, k=k: bg.argtopk(x, k), x), found.T[:, :k])


def test_empty_axes():
    x = np.zeros((0, 3), "float32")
    for axis in (0, 1):
        values, indices = both(lambda x, axis=axis: bg.sort_with_indices(x, axis, descending=True), x)
        assert values.shape == indices.shape == (0, 3)
    assert both(lambda x: bg.topk(x, 0, 0), x)[0].shape == (0, 3)
    assert both(lambda x: bg.topk(x, 2, 1), x)[1].shape == (0, 2)
    assert both(bg.searchsorted, np.zeros(0, "float32"), np.ones((2, 2), "float32")).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("name", ["sort", "topk", "cummax", "cumprod", "logcumsumexp", "prod", "median"])
def test_gradients_of_nothing_are_nothing(name):
    fn = {"topk": lambda x: bg.topk(x, 0, 1)[0], "median": lambda x: bg.median(x, 0)}.get(
        name, lambda x: getattr(bg, name)(x, 1)
    )
    gradient = bg.grad(lambda x: bg.sum(fn(x)[0] if name == "cummax" else fn(x)))
    assert np.array(bg.compile(gradient)(np.zeros((2, 0), "float32"))).shape == (2, 0)


def test_median_takes_the_lower_middle_of_integers_and_the_first_nan():
    assert both(bg.median, np.array([[4, 1], [3, 2]], "int32")) == 2
    x = np.array([[1.0, np.nan, 0.0, np.nan], [3.0, 1.0, 2.0, 0.0]], "float32")
    values, indices = both(lambda x: bg.median_with_indices(x, 1, keepdims=True), x)
    np.testing.assert_array_equal(values, [[np.nan], [1.0]])
    assert indices.tolist() == [[1], [1]]


@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted(side):
    a = np.array([-np.inf, -1.0, 0.0, 0.0, 2.0, np.nan, np.nan], "float32")
    v = np.array([[np.nan, -0.0, 5.0], [-np.inf, np.inf, 0.0]], "float32")
    want = np.searchsorted(a, v, side)
    np.testing.assert_array_equal(both(lambda a, v: bg.searchsorted(a, v, side=side), a, v), want)
    rows = np.stack([a, a])
    np.testing.assert_array_equal(both(lambda a, v: bg.searchsorted(a, v, side=side), rows, v), want)
    order = np.array([5, 3, 0, 6, 2, 1, 4])
    shuffled = np.empty_like(a)
    shuffled[order] = a
    found = both(lambda a, v, o: bg.searchsorted(a, v, side=side, sorter=o), shuffled, v, order.astype("int32"))
    np.testing.assert_array_equal(found, want)
    many = np.sort(RNG.integers(0, 250, 300)).astype("uint8")
    at = np.arange(256).astype("uint8")
    np.testing.assert_array_equal(
        both(lambda a, v: bg.searchsorted(a, v, side=side), many, at), np.searchsorted(many, at, side)
    )


def message(fn):
    with pytest.raises((ShapeError, DTypeError, InputError, RefusedError)) as caught:
        fn()
    return str(caught.value)


def test_errors_name_the_rule_the_values_and_the_line():
    x = np.zeros((2, 3), "float32")
    assert "topk: k = 4 must be an int in 0 ... 3, the size of axis 1 of f32[2,3]" in message(lambda: bg.topk(x, 4))
    assert "along axis 0, which is empty" in message(lambda: bg.median(np.zeros((0, 2), "float32"), 0))
    assert "complex numbers have no order" in message(lambda: bg.sort(x.astype("complex64")))
    assert 'side = "middle"'.replace('"', "'") in message(lambda: bg.searchsorted(x[0], x, side="middle"))
    assert "x1 must be [n], or have x2's leading dims" in message(lambda: bg.searchsorted(x, x[0]))
    assert "axis 0 is out of range for rank 0" in message(lambda: bg.sort(np.zeros((), "float32"), 0))
    found = message(lambda: bg.unique_values(x))
    assert "depends on their values" in found and "test_sort.py" in found
