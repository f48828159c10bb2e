"""Which dtype an operation on mixed dtypes computes in: `mx.result_type`'s table, as data.

Arrays promote by the table, 0-d arrays included. Python scalars are weak: they give way to the array's dtype unless its
kind cannot hold them. A number too large for its dtype is refused where it becomes an entry.
"""

from burngraph.errors import DTypeError
from burngraph.ir.types import BF16, BOOL, C64, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, DType, as_dtype

Scalar = bool | int | float | complex

_ORDER = (BOOL, U8, U16, U32, U64, I8, I16, I32, I64, F16, BF16, F32, C64, F64)

# Row x column over _ORDER; symmetric. u64 with a signed integer is f32, and f16 with bf16 is f32, as in MLX.
_ROWS = """
bool u8   u16  u32  u64  i8   i16  i32  i64  f16  bf16 f32  c64  f64
u8   u8   u16  u32  u64  i16  i16  i32  i64  f16  bf16 f32  c64  f64
u16  u16  u16  u32  u64  i32  i32  i32  i64  f16  bf16 f32  c64  f64
u32  u32  u32  u32  u64  i64  i64  i64  i64  f16  bf16 f32  c64  f64
u64  u64  u64  u64  u64  f32  f32  f32  f32  f16  bf16 f32  c64  f64
i8   i16  i32  i64  f32  i8   i16  i32  i64  f16  bf16 f32  c64  f64
i16  i16  i32  i64  f32  i16  i16  i32  i64  f16  bf16 f32  c64  f64
i32  i32  i32  i64  f32  i32  i32  i32  i64  f16  bf16 f32  c64  f64
i64  i64  i64  i64  f32  i64  i64  i64  i64  f16  bf16 f32  c64  f64
f16  f16  f16  f16  f16  f16  f16  f16  f16  f16  f32  f32  c64  f64
bf16 bf16 bf16 bf16 bf16 bf16 bf16 bf16 bf16 f32  bf16 f32  c64  f64
f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  c64  f64
c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64
f64  f64  f64  f64  f64  f64  f64  f64  f64  f64  f64  f64  c64  f64
"""

PROMOTION: dict[tuple[DType, DType], DType] = {
    (row, column): as_dtype(name)
    for row, line in zip(_ORDER, _ROWS.strip().splitlines(), strict=True)
    for column, name in zip(_ORDER, line.split(), strict=True)
}


def promote(*dtypes: DType) -> DType:
    """The dtype that arrays of `dtypes` (at least one) are computed in."""
    result = dtypes[0]
    for dtype in dtypes[1:]:
        result = PROMOTION[result, dtype]
    return result


def promote_scalar(dtype: DType, scalar: Scalar) -> DType:
    """The dtype that an array of `dtype` and a Python scalar are computed in: the array's, if its kind can hold it."""
    if isinstance(scalar, bool) or dtype is C64:
        return dtype
    if isinstance(scalar, int):
        return scalar_dtype(scalar) if dtype is BOOL else dtype
    if isinstance(scalar, float):
        return dtype if dtype.kind == "float" else F32
    return C64


def scalar_dtype(scalar: Scalar) -> DType:
    """The dtype of a Python scalar that stands alone; an int is i32, or i64 where that is too small.

    Raises   DTypeError   not a Python number, or an int over 64 bits
    """
    if isinstance(scalar, bool):
        return BOOL
    if isinstance(scalar, int):
        for dtype in (I32, I64):
            if holds(dtype, scalar):
                return dtype
        raise DTypeError(f"{scalar} does not fit int64", "give it a dtype, as in bg.asarray(number, dtype='float32')")
    if isinstance(scalar, float):
        return F32
    if isinstance(scalar, complex):  # pyright: ignore[reportUnnecessaryIsInstance]
        return C64
    raise DTypeError(f"{scalar!r} is not a number")


def holds(dtype: DType, value: int) -> bool:
    """Whether `value` is in the range of an integer dtype."""
    bits = 8 * dtype.bytes - (dtype.kind == "int")
    return (-(1 << bits) if dtype.kind == "int" else 0) <= value < 1 << bits


def at_least_float(dtype: DType) -> DType:
    """`dtype`, or f32 for bool and integers: what division and transcendental functions compute in."""
    return dtype if dtype.is_inexact else F32
