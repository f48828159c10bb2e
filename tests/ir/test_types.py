"""DType: its spellings, and what cannot be compared."""

import copy
import pickle

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError
from burngraph.ir.promotion import promote_scalar, scalar_dtype
from burngraph.ir.types import BOOL, DTYPES, F32, I32, I64


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_a_dtype_equals_each_of_its_spellings_and_no_other(dtype):
    assert getattr(bg, dtype.long_name) is dtype
    for spelling in (dtype.name, dtype.long_name, dtype.numpy, dtype.numpy.type, getattr(mx, dtype.long_name, mx.bool_)):
        assert [d for d in DTYPES.values() if d == spelling] == [dtype]
        assert [d for d in DTYPES.values() if not d != spelling] == [dtype]
    assert np.zeros(2, dtype).dtype == dtype


def test_what_is_no_dtype_is_unequal_and_a_misspelt_one_an_error():
    assert F32 != None  # noqa: E711
    assert F32 not in (3, np.complex128, object, np.dtype("complex128"))
    for wrong in ("flaot32", mx.floating):
        with pytest.raises(DTypeError, match="no dtype"):
            assert wrong != F32


def test_copies_are_the_constant():
    assert copy.deepcopy(F32) is F32
    assert pickle.loads(pickle.dumps(F32)) is F32


def test_a_lone_int_is_as_wide_as_it_needs():
    assert [scalar_dtype(n) for n in (2**31 - 1, 2**31, -(2**31), -(2**31) - 1)] == [I32, I64, I32, I64]
    assert promote_scalar(BOOL, 2**40) is I64
    with pytest.raises(DTypeError, match="9223372036854775808 does not fit int64"):
        scalar_dtype(2**63)
