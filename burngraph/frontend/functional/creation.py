"""Functions that make arrays from no array."""

import math
from collections.abc import Sequence
from typing import Any

from burngraph.errors import DTypeError, ShapeError
from burngraph.frontend.functional.comparison import equal
from burngraph.frontend.functional.elementwise import add, multiply, subtract
from burngraph.frontend.functional.shape import astype, broadcast_to, check_device, expand_dims, shape_tuple, splat, tensor
from burngraph.frontend.recording import apply, is_tensor, located, type_of
from burngraph.ir.ops.constant import Iota
from burngraph.ir.promotion import holds, promote, scalar_dtype
from burngraph.ir.types import F32, I32, TensorType, as_dtype

__all__ = [
    "arange",
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "one_hot",
    "ones",
    "ones_like",
    "zeros",
    "zeros_like",
]


def full(shape: int | Sequence[int], fill_value: Any, dtype: Any = None, *, device: Any = None) -> Any:
    """`fill_value` (a number or an array that broadcasts) in every entry; the value's own dtype unless given.

    device   None: arrays have none. So in all functions of this file

    Raises   ShapeError   a negative dim;   InputError   another device
    """
    check_device("full", device)
    dims = shape_tuple(shape)
    if any(dim < 0 for dim in dims):
        raise located(ShapeError(f"full: a dim of {list(dims)} is negative"))
    if is_tensor(fill_value):
        return broadcast_to(fill_value if dtype is None else astype(fill_value, dtype), dims)
    return splat(fill_value, TensorType(scalar_dtype(fill_value) if dtype is None else as_dtype(dtype), dims))


def zeros(shape: int | Sequence[int], dtype: Any = None, *, device: Any = None) -> Any:
    """0 in every entry; f32 unless given."""
    check_device("zeros", device)
    return full(shape, 0, _dtype_after("zeros", shape, dtype))


def ones(shape: int | Sequence[int], dtype: Any = None, *, device: Any = None) -> Any:
    """1 in every entry; f32 unless given."""
    check_device("ones", device)
    return full(shape, 1, _dtype_after("ones", shape, dtype))


def empty(shape: int | Sequence[int], dtype: Any = None, *, device: Any = None) -> Any:
    """Zeros: nothing here is left undefined."""
    check_device("empty", device)
    return full(shape, 0, _dtype_after("empty", shape, dtype))


def _dtype_after(function: str, shape: Any, dtype: Any) -> Any:
    """`dtype`, f32 if None. Raises DTypeError: it is a number, as of a shape whose dims are given one by one."""
    if isinstance(dtype, int):
        way_out = f"pass the shape as one tuple: bg.{function}(({shape}, {dtype}))"
        raise located(DTypeError(f"{function}: dtype is the number {dtype}", way_out))
    return F32 if dtype is None else dtype


def full_like(x: Any, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Any:
    """`fill_value` in every entry, in the shape of `x`, and in its dtype unless another is given."""
    check_device("full_like", device)
    type = type_of(tensor(x))
    return full(type.shape, fill_value, type.dtype if dtype is None else dtype)


def empty_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Any:
    """Zeros of x's shape: nothing here is left undefined."""
    check_device("empty_like", device)
    return full_like(x, 0, dtype=dtype)


def zeros_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Any:
    """0 in every entry, in the shape and dtype of `x`."""
    check_device("zeros_like", device)
    return full_like(x, 0, dtype=dtype)


def ones_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Any:
    """1 in every entry, in the shape and dtype of `x`."""
    check_device("ones_like", device)
    return full_like(x, 1, dtype=dtype)


def arange(start: float, /, stop: float | None = None, step: float = 1, dtype: Any = None, *, device: Any = None) -> Any:
    """start, start + step, ... below `stop`; arange(n) counts from 0. i32 (or i64, where needed) for integers, f32 for floats.

    Raises   ShapeError   step is 0, or a number is infinite or nan
    """
    check_device("arange", device)
    if stop is None:
        start, stop = 0, start
    if step == 0 or not all(map(math.isfinite, (start, stop, step))):
        raise located(ShapeError(f"arange: from {start} to {stop} in steps of {step} is no finite count"))
    exact = all(isinstance(v, int) for v in (start, stop, step))
    count = max(0, math.ceil((stop - start) / step))
    natural = promote(*map(scalar_dtype, (start, start + step * max(0, count - 1)))) if exact else F32
    made = natural if dtype is None else as_dtype(dtype)
    counted = made
    if made.kind == "float" and made.bytes == 2:
        counted = F32  # rounded once, at the end
    elif exact and not (holds(made, start) and holds(made, step)):
        counted = natural
    counter = apply(Iota(0, TensorType(counted, (count,))))
    if step != 1:
        counter = multiply(counter, step)
    return astype(counter if start == 0 else add(counter, start), made)


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> Any:
    """Ones on diagonal `k` (above the main one if positive), zeros elsewhere; f32 unless given."""
    check_device("eye", device)
    n_cols = n_rows if n_cols is None else n_cols
    k = max(-n_rows, min(k, n_cols))  # further out there is no diagonal, and counting could overflow
    columns = arange(n_cols)
    diagonal = equal(expand_dims(arange(n_rows), 1), columns if k == 0 else subtract(columns, k))
    return astype(diagonal, F32 if dtype is None else dtype)


def one_hot(x: Any, num_classes: int, dtype: Any = F32) -> Any:
    """1 where the last, new axis counts to the entry of `x`, else 0.

    A class out of range, also a negative one, gives zeros by definition: checks=True raises nothing.
    Raises   DTypeError   x is not integers;   ShapeError   num_classes is below 1
    """
    x = tensor(x)
    (num_classes,) = shape_tuple(num_classes)
    if num_classes < 1:
        raise located(ShapeError(f"one_hot: num_classes is {num_classes}"))
    if not type_of(x).dtype.is_integer:
        raise located(DTypeError(f"one_hot: x is {type_of(x)}, not integers"))
    if not holds(type_of(x).dtype, num_classes - 1):
        x = astype(x, I32)  # counting would wrap around
    classes = apply(Iota(0, TensorType(type_of(x).dtype, (num_classes,))))
    return astype(equal(expand_dims(x, -1), classes), dtype)
