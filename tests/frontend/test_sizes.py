"""Sizes that are none: each is refused by name and line, in a graph and outside."""

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import BurngraphError, ShapeError


@pytest.mark.parametrize(
    "make",
    [
        lambda: bg.zeros(-1),
        lambda: bg.full((2, -1), 3.0),
        lambda: bg.arange(float("inf")),
        lambda: bg.arange(0, 1, float("nan")),
        lambda: bg.pad(mx.ones(3), 1.5),
        lambda: bg.pad(mx.ones((3, 3)), [(1, 1), (1, 0.5)]),
        lambda: bg.randint(bg.random_key(0), 0, 2.5, (2,)),
    ],
)
def test_a_size_that_is_none(make):
    with pytest.raises(ShapeError, match=r"test_sizes\.py"):
        make()
    with pytest.raises(ShapeError, match=r"test_sizes\.py"):
        bg.compile(lambda x: x + make())(mx.array(0.0))


X = mx.ones((3, 4))
IMAGE, KERNEL = mx.ones((1, 4, 6, 6)), mx.ones((4, 2, 3, 3))
BY_A_STATIC_NUMBER = {
    "axis": lambda n: bg.softmax(X, axis=n(1)),
    "axes": lambda n: bg.sum(X, axis=(n(0), n(1))),
    "cumsum": lambda n: bg.cumsum(X, n(1)),
    "concat": lambda n: bg.concat([X, X], axis=n(1)),
    "stack": lambda n: bg.stack([X, X], axis=n(1)),
    "shape": lambda n: bg.broadcast_to(X, (n(2), n(3), n(4))),
    "fft": lambda n: bg.fft.fft(X, n=n(2)),
    "irfft": lambda n: bg.fft.irfft(X, n=n(4)),
    "fftn": lambda n: bg.fft.fftn(X, s=(n(2), n(5))),
    "groups": lambda n: bg.conv2d(IMAGE, KERNEL, groups=n(2)),
    "groups of a transposed one": lambda n: bg.conv_transpose2d(IMAGE, KERNEL, groups=n(2)),
    "one_hot": lambda n: bg.one_hot(mx.array([0, 1]), n(3)),
    "random_split": lambda n: bg.random_split(bg.random_key(0), n(2)),
    "matrix_power": lambda n: bg.linalg.matrix_power(mx.ones((2, 2)), n(3)),
    "block": lambda n: bg.quantize(mx.ones((2, 32)), bg.QuantScheme("q8s", n(32)))[0],
}


@pytest.mark.parametrize("make", BY_A_STATIC_NUMBER.values(), ids=BY_A_STATIC_NUMBER.keys())
def test_numbers_of_numpy_are_sizes_and_axes_too(make):
    expected, program = make(int), bg.compile(lambda: make(np.int64))
    assert mx.array_equal(program(), expected) and mx.array_equal(make(np.int64), expected)
    assert bg.parse(str(program.graph)) == program.graph


@pytest.mark.parametrize(
    "make",
    [
        lambda: bg.broadcast_to(mx.ones(1), (1.5,)),
        lambda: bg.fft.fft(X, n=2.5),
        lambda: bg.fft.irfftn(X, s=(2.5, 3)),
        lambda: bg.one_hot(mx.array([0, 1]), 2.5),
        lambda: bg.linalg.matrix_power(mx.ones((2, 2)), float("inf")),  # which halving never makes 0
        lambda: bg.QuantScheme("q8s", float("nan")),
        lambda: bg.conv2d(IMAGE, KERNEL, groups=2.0),
    ],
)
def test_a_number_that_is_no_int_is_refused_by_name(make):
    with pytest.raises(BurngraphError):
        make()
    with pytest.raises(BurngraphError):
        bg.trace(make)
