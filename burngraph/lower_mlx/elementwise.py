"""Elementwise ops, comparisons, casts and sources in MLX."""

import math
from typing import Any

from burngraph.ir.op import OPS, Op
from burngraph.ir.ops.arithmetic import Add, Div, Maximum, Minimum, Mul, Pow, Sub
from burngraph.ir.ops.compare import Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual, Select
from burngraph.ir.ops.constant import Constant, Iota, Splat
from burngraph.ir.ops.functions import Cos, Erf, Exp, Relu, Sigmoid, Sign, Sin, Trunc
from burngraph.ir.ops.logic import BitwiseNot
from burngraph.ir.ops.special import Exp2, Fmod, Hypot, Logaddexp, Nextafter, Signbit
from burngraph.ir.types import U64
from burngraph.lower_mlx.integer import bounds_of
from burngraph.lower_mlx.table import enter_names, lowers, mlx_dtype

SAME_NAME = (
    "abs square sqrt rsqrt reciprocal expm1 log log1p tan sinh cosh tanh arcsin arccos arctan arcsinh arccosh arctanh erf "
    "floor ceil round maximum minimum arctan2 logical_not logical_and logical_or bitwise_and bitwise_or bitwise_xor log2 "
    "log10 erfinv"
)
RENAMED = {"neg": "negative", "is_nan": "isnan", "is_inf": "isinf", "logical_xor": "not_equal"}
FOLDS_SCALARS = (
    Add, Sub, Mul, Div, Maximum, Minimum, Select, Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual,
)  # fmt: skip

enter_names({OPS[name]: name for name in SAME_NAME.split()} | {OPS[name]: mlx for name, mlx in RENAMED.items()})
enter_names({Select: "where"})

INTEGERS = {"float16": "int16", "bfloat16": "int16", "float32": "int32", "float64": "int64"}
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


def _is_signed(mx: Any, dtype: Any) -> bool:
    return dtype in (mx.int8, mx.int16, mx.int32, mx.int64)


@lowers(Pow)
def lower_pow(mx: Any, op: Pow, x: Any, y: Any) -> Any:
    if not _is_signed(mx, x.dtype):
        return mx.power(x, y)
    whole = mx.power(x, mx.maximum(0, y))  # MLX gives 0 for every negative power, of 1 and -1 too
    inverse = mx.where(x == 1, 1, mx.where(x == -1, 1 - 2 * (y & 1), 0))
    return mx.where(y < 0, inverse.astype(x.dtype), whole)


@lowers(Fmod)
def lower_fmod(mx: Any, op: Fmod, x: Any, y: Any) -> Any:
    if is_float(mx, x.dtype):
        size = mx.remainder(mx.abs(x), mx.abs(y))  # exact: nothing is added where both have one sign
        return mx.where(_has_minus(mx, x), -size, size)
    low, _ = bounds_of(y)
    if low > 0 and not _is_signed(mx, x.dtype):
        return mx.remainder(x, y)
    safe = y if low > 0 else mx.maximum(y, 1) if low == 0 else mx.where((y == 0) | (y == -1), 1, y)
    found = mx.remainder(x, safe)
    if _is_signed(mx, x.dtype):
        found = mx.where((found != 0) & ((found < 0) != (x < 0)), found - safe, found)
    return found if low > 0 else mx.where(y == 0, x, found)


@lowers(Hypot)
def lower_hypot(mx: Any, op: Hypot, x: Any, y: Any) -> Any:
    a, b = (mx.abs(_wide(mx, side)) for side in (x, y))
    large, small = mx.maximum(a, b), mx.minimum(a, b)
    ratio = small / mx.where(large == 0, 1, large)
    size = large * mx.sqrt(1 + ratio * ratio)
    is_infinite = mx.isinf(a) | mx.isinf(b)
    return mx.where(is_infinite, float("inf"), size).astype(x.dtype)


def _wide(mx: Any, x: Any) -> Any:
    return x.astype(mx.float32) if x.dtype in (mx.float16, mx.bfloat16) else x


def _integers(mx: Any, dtype: Any) -> Any:
    return getattr(mx, INTEGERS[str(dtype).rpartition(".")[2]])


def _has_minus(mx: Any, x: Any) -> Any:
    return x.view(_integers(mx, x.dtype)) < 0


@lowers(Signbit)
def lower_signbit(mx: Any, op: Signbit, x: Any) -> Any:
    return _has_minus(mx, x)


@lowers(Nextafter)
def lower_nextafter(mx: Any, op: Nextafter, x: Any, y: Any) -> Any:
    integers, top = _integers(mx, x.dtype), 8 * x.dtype.size - 1
    bits = x.view(integers)
    is_growing = (y > x) == (x > 0)  # in size, so that the bits as an integer count up
    moved = mx.where(is_growing, bits + 1, bits - 1).view(x.dtype)
    least = (((y.view(integers) >> top) << top) | 1).view(x.dtype)  # of y's sign
    moved = mx.where(x == 0, least, moved)
    moved = mx.where(x == y, y, moved)
    return mx.where(mx.isnan(x) | mx.isnan(y), float("nan"), moved)


# MLX computes exp, sin, cos, sigmoid and logaddexp of float64 in float32, the argument too: exp(100) is inf, and sin(1e6 + 0.1)
# has one digit right. Its power, tan and log1p are those of C.


@lowers(Exp)
def lower_exp(mx: Any, op: Exp, x: Any) -> Any:
    return mx.power(2.0, x * math.log2(math.e)) if x.dtype == mx.float64 else mx.exp(x)


@lowers(Sin)
def lower_sin(mx: Any, op: Sin, x: Any) -> Any:
    if x.dtype != mx.float64:
        return mx.sin(x)
    t = mx.tan(x * 0.5)
    return (t + t) / (1 + t * t)


@lowers(Cos)
def lower_cos(mx: Any, op: Cos, x: Any) -> Any:
    if x.dtype != mx.float64:
        return mx.cos(x)
    t = mx.tan(x * 0.5)
    return (1 - t) * (1 + t) / (1 + t * t)


@lowers(Sigmoid)
def lower_sigmoid(mx: Any, op: Sigmoid, x: Any) -> Any:
    return 1 / (1 + mx.power(2.0, x * -math.log2(math.e))) if x.dtype == mx.float64 else mx.sigmoid(x)


@lowers(Logaddexp)
def lower_logaddexp(mx: Any, op: Logaddexp, x: Any, y: Any) -> Any:
    if x.dtype != mx.float64:
        return mx.logaddexp(x, y)
    ratio = mx.power(2.0, mx.abs(x - y) * -math.log2(math.e))
    return mx.maximum(x, y) + mx.log1p(mx.where(x == y, 1.0, ratio))  # inf - inf would be nan


@lowers(Exp2)
def lower_exp2(mx: Any, op: Exp2, x: Any) -> Any:
    return mx.power(2.0, x)


# P and Q of erf(x) = x P(x x) / Q(x x) on |x| <= 4, lowest power first; an own fit, relative error 2.5e-8
ERF_P = (1.12837914, 0.193546652, 5.31019614e-2, 3.88341375e-3, 2.84567742e-4, 1.98677368e-6)
ERF_Q = (1.0, 0.504858809, 0.115350662, 1.52073904e-2, 1.18558858e-3, 3.74201815e-5)


@lowers(Erf, target="cpu")
def lower_erf_on_cpu(mx: Any, op: Erf, x: Any) -> Any:
    """MLX's own erf on a CPU has no correct digit near 0 (erf of 1e-8 is 0), and takes ten times as long."""
    near = mx.clip(_wide(mx, x), -4.0, 4.0)
    square = mx.square(near)
    value = near * _polynomial(square, ERF_P) / _polynomial(square, ERF_Q)
    limited = mx.clip(value, -1.0, 1.0)
    return limited.astype(x.dtype) if x.dtype in (mx.float16, mx.bfloat16) else limited


def _polynomial(x: Any, coefficients: tuple[float, ...]) -> Any:
    value = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        value = value * x + coefficient
    return value


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


@lowers(Splat)
def lower_splat(mx: Any, op: Splat) -> Any:
    value = op.value
    if op.type.dtype is U64 and isinstance(value, int) and value >= 2**63:
        value -= 2**64  # MLX reads a Python int as int64 and then wraps
    number = mx.array(value, dtype=mlx_dtype(op.type.dtype))
    return mx.broadcast_to(number, op.type.shape) if op.type.rank else number


@lowers(Constant)
def lower_constant(mx: Any, op: Constant) -> Any:
    array = mx.array(list(op.values), dtype=mlx_dtype(op.type.dtype))
    return array if op.type.rank == 1 else array.reshape(op.type.shape)


@lowers(Iota)
def lower_iota(mx: Any, op: Iota) -> Any:
    along = [1] * op.type.rank
    along[op.axis] = op.type.shape[op.axis]
    # mx.arange of 16-bit floats adds 1 to the last, which from 2048 (256) on changes nothing
    is_counted = op.type.dtype.is_integer or (op.type.dtype.kind == "float" and op.type.dtype.bytes > 2)
    counts = mx.arange(op.type.shape[op.axis], dtype=mlx_dtype(op.type.dtype) if is_counted else mx.int32)
    counts = counts if is_counted else counts.astype(mlx_dtype(op.type.dtype))
    return counts if op.type.rank == 1 else mx.broadcast_to(counts.reshape(tuple(along)), op.type.shape)
