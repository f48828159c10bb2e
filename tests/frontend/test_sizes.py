"""Sizes that are none: each is refused by name and line, in a graph and outside."""

import mlx.core as mx
import pytest

import burngraph as bg
from burngraph.errors import ShapeError


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
