"""Numbers in emitted source: as few digits as mean the same, next to an array of their dtype."""

import math

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import burngraph as bg
from burngraph.ir.types import BF16, F16, F32, F64
from burngraph.lower_mlx.lower import shortest


@pytest.mark.parametrize("dtype", [F16, BF16, F32, F64], ids=str)
@given(value=st.floats())
def test_the_literal_is_the_number(dtype, value):
    if math.isnan(value):
        return
    with np.errstate(over="ignore"):
        held = dtype.numpy.type(value).item()
    short = shortest(held, dtype)
    assert len(repr(short)) <= len(repr(held))
    if dtype is F64:
        assert (short, math.copysign(1, short)) == (held, math.copysign(1, held))
        return
    found = mx.full((1,), short, dtype=getattr(mx, {F16: "float16", BF16: "bfloat16", F32: "float32"}[dtype]))
    assert (found.item(), math.copysign(1, found.item())) == (held, math.copysign(1, held))


def test_source_has_short_numbers_and_fractions_of_two_in_full():
    program = bg.compile(lambda x: (x + 0.1) * 1e-5 - x / 3 * (1 / 4096)).specialise(mx.ones(3))
    assert "x + 0.1\n" in program.source and "* 1e-05" in program.source and "0.000244140625" in program.source
