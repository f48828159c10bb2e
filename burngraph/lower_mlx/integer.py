"""Division and shifts of integers in MLX, without what a processor does not define: x / 0 and a shift by too many bits give
garbage or end the process, as does the least integer divided by -1."""

from typing import Any

from burngraph.ir.bounds import dtype_bounds
from burngraph.ir.ops.arithmetic import Div, FloorDivide, Remainder
from burngraph.ir.ops.logic import LeftShift, RightShift
from burngraph.ir.types import as_dtype
from burngraph.lower_mlx.table import lowers


@lowers(Div)
def lower_div(mx: Any, op: Div, x: Any, y: Any) -> Any:
    return x / y


def bounds_of(y: Any) -> tuple[int, int]:
    """The least and greatest entry that an integer operand of a rule can have."""
    return getattr(y, "bounds", None) or dtype_bounds(as_dtype(y.dtype))


@lowers(FloorDivide)
def lower_floor_divide(mx: Any, op: FloorDivide, x: Any, y: Any) -> Any:
    dtype = as_dtype(x.dtype)
    if not dtype.is_integer:
        return mx.floor(x / y)
    low, _ = bounds_of(y)
    if low > 0:
        return x // y
    if low == 0:
        return mx.where(y == 0, 0, x // mx.maximum(y, 1))
    quotient = x // mx.where((y == 0) | (y == -1), 1, y)
    return mx.where(y == 0, 0, mx.where(y == -1, -x, quotient))


@lowers(Remainder)
def lower_remainder(mx: Any, op: Remainder, x: Any, y: Any) -> Any:
    if not as_dtype(x.dtype).is_integer:
        return mx.remainder(x, y)
    low, _ = bounds_of(y)
    if low > 0:
        return mx.remainder(x, y)
    if low == 0:
        return mx.where(y == 0, x, mx.remainder(x, mx.maximum(y, 1)))
    special = (y == 0) | (y == -1)
    return mx.where(y == 0, x, mx.where(special, 0, mx.remainder(x, mx.where(special, 1, y))))


@lowers(LeftShift)
def lower_left_shift(mx: Any, op: LeftShift, x: Any, y: Any) -> Any:
    width = 8 * as_dtype(x.dtype).bytes
    low, high = bounds_of(y)
    if 0 <= low and high < width:
        return x << y
    inside = y < width if low >= 0 else (y >= 0) & (y < width)
    return mx.where(inside, x << mx.where(inside, y, 0), 0)


@lowers(RightShift)
def lower_right_shift(mx: Any, op: RightShift, x: Any, y: Any) -> Any:
    dtype = as_dtype(x.dtype)
    width = 8 * dtype.bytes
    low, high = bounds_of(y)
    if 0 <= low and high < width:
        return x >> y
    inside = y < width if low >= 0 else (y >= 0) & (y < width)
    if dtype.kind == "int":  # the sign bit in every place
        return x >> mx.where(inside, y, width - 1)
    return mx.where(inside, x >> mx.where(inside, y, 0), 0)
