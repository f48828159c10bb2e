"""Change of dtype in MLX, whose own conversion leaves floats beyond an integer's range to the processor."""

from typing import Any

from burngraph.ir.bounds import dtype_bounds
from burngraph.ir.ops.cast import Cast
from burngraph.ir.types import DType, as_dtype
from burngraph.lower_mlx.table import lowers, mlx_dtype

EXACT_BITS = {"f16": 11, "bf16": 8, "f32": 24, "f64": 53}  # integers up to 2 to this power are exact
LARGEST = {"f16": 65504.0, "bf16": 3.3895313892515355e38, "f32": 3.4028234663852886e38, "f64": 1.7976931348623157e308}


@lowers(Cast)
def lower_cast(mx: Any, op: Cast, x: Any) -> Any:
    source = as_dtype(x.dtype)
    if source.kind == "complex" and op.dtype.kind not in ("complex", "bool"):
        x, source = mx.real(x), as_dtype("f32")
    if source.kind == "float" and op.dtype.is_integer:
        return _to_integer(mx, x, source, op.dtype)
    if source.name == "f64" and op.dtype.name in ("f16", "bf16"):
        return _to_odd_f32(mx, x).astype(mlx_dtype(op.dtype))
    return x.astype(mlx_dtype(op.dtype))


def _to_integer(mx: Any, x: Any, source: DType, dtype: DType) -> Any:
    """Cut towards 0; the nearest integer there is for floats out of range, 0 for nan."""
    low, high = dtype_bounds(dtype)
    target, largest = mlx_dtype(dtype), LARGEST[source.name]
    if high < 2 ** EXACT_BITS[source.name]:
        return mx.where(mx.isnan(x), 0, mx.clip(x, low, high)).astype(target)
    above = x >= float(high + 1) if high < largest else x == float("inf")
    if low == 0:
        below = x <= 0
    else:
        below = x <= float(low) if -low <= largest else x == float("-inf")
    inside = mx.where(mx.isnan(x) | above | below, 0, x).astype(target)
    return mx.where(above, _number(mx, high, target), mx.where(below, _number(mx, low, target), inside))


def _number(mx: Any, number: int, dtype: Any) -> Any:
    """An array of rank 0: a Python int may not be as large."""
    if number >= 2**63:
        return mx.array(-1, dtype=mx.int64).view(mx.uint64)
    return mx.array(number, dtype=dtype)


def _to_odd_f32(mx: Any, x: Any) -> Any:
    """f64 in f32, cut towards 0 and made odd where it is not exact, so that rounding it again rounds x to nearest.

    Source   Boldo and Melquiond, Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd, 2008
    """
    near = x.astype(mx.float32)
    back = near.astype(mx.float64)
    bits = near.view(mx.uint32)
    cut = mx.where(mx.abs(back) > mx.abs(x), bits - 1, bits)
    return mx.where((back == x) | mx.isnan(x), bits, cut | 1).view(mx.float32)
