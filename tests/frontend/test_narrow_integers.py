"""Integers narrower than what is counted with them."""

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import ShapeError


@pytest.mark.parametrize(("dtype", "index"), [(mx.uint8, 3), (mx.int8, -100), (mx.int8, 100)])
def test_one_hot_of_more_classes_than_the_dtype_counts(dtype, index):
    found = np.array(bg.one_hot(mx.array([index], dtype=dtype), 300))[0]
    assert found.nonzero()[0].tolist() == ([index] if index >= 0 else [])


def test_embedding_padding_index_beyond_the_dtype():
    rows = bg.embedding(mx.array([1], dtype=mx.uint8), mx.zeros((300, 2)), padding_idx=299)
    assert rows.shape == (1, 2)


def test_arange_down_in_unsigned():
    assert np.array(bg.arange(3, 0, -1, dtype="uint8")).tolist() == [3, 2, 1]


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [("float16", 0.0, 1.0), ("bfloat16", 0.0, 1.0), ("float32", 1.0, 2.0), ("bfloat16", -3.0, 5.0)]
)
def test_uniform_stays_below_its_bound(dtype, low, high, monkeypatch):
    from burngraph.frontend.functional import random

    greatest = lambda key, shape: bg.full(shape, 1 - 2.0**-24)  # noqa: E731
    monkeypatch.setattr(random, "_unit", greatest)
    drawn = bg.uniform(bg.random_key(0), (3,), low, high, dtype)
    assert low <= float(drawn[0].astype(mx.float32)) < high


def test_numpy_integers_as_axes_and_counts():
    x = mx.arange(24).reshape(2, 3, 4)
    one = np.int64(1)
    assert bg.moveaxis(x, one, 0).shape == bg.moveaxis(x, 1, 0).shape
    assert bg.expand_dims(x, one).shape == (2, 1, 3, 4)
    assert bg.roll(x, one, axis=one).tolist() == bg.roll(x, 1, axis=1).tolist()
    assert [part.shape for part in bg.tensor_split(x, np.int64(3), 1)] == [(2, 1, 4)] * 3
    assert bg.tile(x, one).shape == x.shape
    assert bg.repeat(x, np.int64(2), axis=1).shape == (2, 6, 4)
    assert bg.avg_pool1d(x.astype(mx.float32), np.int64(2)).shape == (2, 3, 2)
    image, kernel = mx.ones((1, 1, 4, 4)), mx.ones((1, 1, 3, 3))
    assert bg.conv2d(image, kernel, stride=one, padding=one).shape == (1, 1, 4, 4)


def test_permutation_names_the_axis_out_of_range():
    with pytest.raises(ShapeError, match="axis 7"):
        bg.permutation(bg.random_key(0), mx.zeros((2, 3)), axis=7)
