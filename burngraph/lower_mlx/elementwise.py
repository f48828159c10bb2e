"""Elementwise ops, comparisons, casts and sources in MLX."""

import math
from typing import Any

from burngraph.ir.op import OPS, Op
from burngraph.ir.ops.arithmetic import Add, Div, FloorDivide, Mul, Remainder, Sub
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.compare import Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual, Select
from burngraph.ir.ops.constant import Constant, Iota, Splat
from burngraph.ir.ops.functions import Relu, Sign, Trunc
from burngraph.ir.ops.logic import BitwiseNot
from burngraph.lower_mlx.table import enter_names, lowers, mlx_dtype

SAME_NAME = (
    "abs square sqrt rsqrt reciprocal exp expm1 log log1p sin cos tan sinh cosh tanh arcsin arccos arctan arcsinh arccosh "
    "arctanh erf sigmoid floor ceil round maximum minimum arctan2 logical_not logical_and logical_or bitwise_and "
    "bitwise_or bitwise_xor left_shift right_shift"
)
RENAMED = {"neg": "negative", "pow": "power", "is_nan": "isnan", "is_inf": "isinf", "logical_xor": "not_equal"}
FOLDS_SCALARS = (Add, Sub, Mul, Div, Select, Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual)

enter_names({OPS[name]: name for name in SAME_NAME.split()} | {OPS[name]: mlx for name, mlx in RENAMED.items()})
enter_names({Select: "where"})

BITS = {"float16": "uint16", "bfloat16": "uint16", "float32": "uint32", "float64": "uint64"}


def keep_where(mx: Any, mask: Any, x: Any, dtype: Any) -> Any:
    """`x`, of float `dtype`, where `mask` holds, and +0 elsewhere, bit for bit; shapes equal or broadcasting.

    MLX's `where` reads entry by entry on a CPU; and-ing the bits with 0 or all ones takes a third of its time.
    """
    bits = getattr(mx, BITS[str(dtype).rpartition(".")[2]])
    return mx.bitwise_and(x.view(bits), mx.negative(mask.astype(bits))).view(dtype)


@lowers(Select, target="cpu")
def lower_select_on_cpu(mx: Any, op: Select, mask: Any, x: Any, y: Any) -> Any:
    is_plus_zero = isinstance(y, int | float) and y == 0 and math.copysign(1, y) > 0
    if is_plus_zero and not isinstance(x, bool | int | float | complex) and is_float(mx, x.dtype) and x.shape == mask.shape:
        return keep_where(mx, mask, x, x.dtype)
    return mx.where(mask, x, y)


def _infix(op_class: type[Op], symbol: str) -> None:
    method = f"__{symbol}__"
    reflected = f"__r{symbol}__" if symbol in ("add", "sub", "mul") else None
    swapped = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}

    @lowers(op_class)
    def rule(mx: Any, op: Op, x: Any, y: Any) -> Any:
        if isinstance(x, bool | int | float | complex):  # a folded scalar on the left
            return getattr(y, reflected or f"__{swapped[symbol]}__")(x)
        return getattr(x, method)(y)


for _class, _symbol in (
    (Add, "add"), (Sub, "sub"), (Mul, "mul"), (Equal, "eq"), (NotEqual, "ne"), (Less, "lt"), (LessEqual, "le"),
    (Greater, "gt"), (GreaterEqual, "ge"),
):  # fmt: skip
    _infix(_class, _symbol)


def is_float(mx: Any, dtype: Any) -> bool:
    return dtype in (mx.float16, mx.bfloat16, mx.float32, mx.float64)


def _safe_divisor(mx: Any, y: Any) -> tuple[Any, Any]:
    """-1 replaced by 1, and where it was: the least integer divided by -1 ends the process."""
    minus = y == -1
    return mx.where(minus, 1, y), minus


def _is_signed(mx: Any, dtype: Any) -> bool:
    return dtype in (mx.int8, mx.int16, mx.int32, mx.int64)


@lowers(Div)
def lower_div(mx: Any, op: Div, x: Any, y: Any) -> Any:
    return x / y


@lowers(FloorDivide)
def lower_floor_divide(mx: Any, op: FloorDivide, x: Any, y: Any) -> Any:
    if is_float(mx, x.dtype):
        return mx.floor(x / y)
    if not _is_signed(mx, x.dtype):
        return x // y
    safe, minus = _safe_divisor(mx, y)
    return mx.where(minus, -x, x // safe)


@lowers(Remainder)
def lower_remainder(mx: Any, op: Remainder, x: Any, y: Any) -> Any:
    if not _is_signed(mx, x.dtype):
        return mx.remainder(x, y)
    safe, minus = _safe_divisor(mx, y)
    return mx.where(minus, 0, mx.remainder(x, safe))


@lowers(Relu)
def lower_relu(mx: Any, op: Relu, x: Any) -> Any:
    return mx.maximum(0, x)  # constant first: three times as fast on CPU


@lowers(Sign)
def lower_sign(mx: Any, op: Sign, x: Any) -> Any:
    return mx.where(mx.isnan(x), x, mx.sign(x)) if is_float(mx, x.dtype) else mx.sign(x)


@lowers(Trunc)
def lower_trunc(mx: Any, op: Trunc, x: Any) -> Any:
    return mx.where(x < 0, mx.ceil(x), mx.floor(x))


@lowers(BitwiseNot)
def lower_bitwise_not(mx: Any, op: BitwiseNot, x: Any) -> Any:
    return mx.bitwise_invert(x)


@lowers(Cast)
def lower_cast(mx: Any, op: Cast, x: Any) -> Any:
    if x.dtype == mx.complex64 and op.dtype.name not in ("c64", "bool"):
        x = mx.real(x)
    return x.astype(mlx_dtype(op.dtype))


@lowers(Splat)
def lower_splat(mx: Any, op: Splat) -> Any:
    return mx.broadcast_to(mx.array(op.value, dtype=mlx_dtype(op.type.dtype)), op.type.shape)


@lowers(Constant)
def lower_constant(mx: Any, op: Constant) -> Any:
    return mx.array(list(op.values), dtype=mlx_dtype(op.type.dtype)).reshape(op.type.shape)


@lowers(Iota)
def lower_iota(mx: Any, op: Iota) -> Any:
    along = [1] * op.type.rank
    along[op.axis] = op.type.shape[op.axis]
    counts = mx.arange(op.type.shape[op.axis], dtype=mlx_dtype(op.type.dtype))
    return mx.broadcast_to(counts.reshape(tuple(along)), op.type.shape)
