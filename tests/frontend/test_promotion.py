"""The promotion table is MLX's."""

import mlx.core as mx
import pytest

from burngraph.ir.promotion import PROMOTION, promote_scalar
from burngraph.ir.types import DTYPES, as_dtype


def test_table_is_mlx_result_type():
    for (a, b), expected in PROMOTION.items():
        arrays = (mx.zeros((1,), getattr(mx, _mlx(d))) for d in (a, b))
        assert as_dtype(mx.result_type(*arrays)) is expected, (a, b)


@pytest.mark.parametrize("scalar", [True, 2, 2.5, 1j])
def test_python_scalars_are_weak_as_in_mlx(scalar):
    for dtype in DTYPES.values():
        if dtype.name != "f64":  # on the default device MLX has no arithmetic for it
            result = mx.zeros((1,), getattr(mx, _mlx(dtype))) + scalar
            assert promote_scalar(dtype, scalar) is as_dtype(result.dtype), dtype


def _mlx(dtype):
    return "bool_" if dtype.name == "bool" else dtype.long_name
