"""Python numbers next to arrays and alone: they fit, or the error says which number and dtype."""

import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError

I = np.array([5], "int32")
TOO_LARGE = {
    "function": lambda: bg.compile(lambda x: bg.maximum(x, 2**40))(I),
    "comparison": lambda: bg.compile(lambda x: x < 2**40)(I),
    "operator": lambda: bg.compile(lambda x: x + 2**31)(I),
    "eager": lambda: bg.add(I, 2**40),
    "unsigned": lambda: bg.add(I.astype("uint8"), 300),
    "negative": lambda: bg.add(I.astype("uint8"), -1),
    "asarray": lambda: bg.asarray(2**70),
    "list": lambda: bg.asarray([300], dtype="uint8"),
    "full": lambda: bg.full((1,), float("inf"), "int32"),
}


@pytest.mark.parametrize("call", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_number_that_does_not_fit_is_an_error_with_the_line(call):
    with pytest.raises(DTypeError, match=r"the number|does not fit") as caught:
        call()
    assert f"from {__file__}:" in str(caught.value)


WIDE = {
    "argument": lambda: bg.compile(lambda n: n)(2**40),
    "in a tree": lambda: bg.compile(lambda p: p["n"] * 1)({"n": 2**40}),
    "asarray": lambda: bg.asarray(2**40),
    "list": lambda: bg.asarray([2**40])[0],
    "full": lambda: bg.full((), 2**40),
    "arange": lambda: bg.arange(2**40, 2**40 + 3)[0],
}


@pytest.mark.parametrize("call", WIDE.values(), ids=WIDE)
def test_a_lone_int_over_32_bits_is_i64(call):
    array = call()
    assert (bg.int64 == array.dtype, array.item()) == (True, 2**40)


def test_the_whole_range_of_u64():
    assert bg.asarray(2**64 - 1, dtype="uint64").item() == 2**64 - 1
    assert bg.asarray([2**63], dtype="uint64").tolist() == [2**63]


def test_a_float_too_large_for_its_dtype_is_inf():
    assert bg.compile(lambda x: x + 1e6)(np.ones(1, "float16")).tolist() == [np.inf]


def test_a_dtype_in_a_trace_compares_with_numpy_and_text():
    def f(x):
        assert x.dtype == np.float32
        assert x.dtype in ("float16", "float32")
        return x * np.ones(1, dtype=x.dtype)

    assert bg.compile(f)(np.ones(1, "float32")).tolist() == [1.0]
