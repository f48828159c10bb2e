"""Functions that make arrays from no array."""

import math
from collections.abc import Sequence
from typing import Any

from burngraph.errors import ShapeError
from burngraph.frontend.functional.comparison import equal
from burngraph.frontend.functional.elementwise import add, multiply
from burngraph.frontend.functional.shape import astype, broadcast_to, expand_dims, shape_tuple, splat, tensor
from burngraph.frontend.recording import apply, evaluator, is_tensor, located, type_of
from burngraph.ir.ops.constant import Iota
from burngraph.ir.promotion import promote, scalar_dtype
from burngraph.ir.types import F32, I32, TensorType, as_dtype

__all__ = [
    "arange",
    "empty",
    "empty_like",
    "eye",
    "from_dlpack",
    "full",
    "full_like",
    "one_hot",
    "ones",
    "ones_like",
    "zeros",
    "zeros_like",
]


def full(shape: int | Sequence[int], fill_value: Any, dtype: Any = None) -> Any:
    """`fill_value` (a number or an array that broadcasts) in every entry; the value's own dtype unless given."""
    if is_tensor(fill_value):
        value = fill_value if dtype is None else astype(fill_value, dtype)
        return broadcast_to(value, shape_tuple(shape))
    return splat(fill_value, TensorType(scalar_dtype(fill_value) if dtype is None else as_dtype(dtype), shape_tuple(shape)))


def zeros(shape: int | Sequence[int], dtype: Any = F32) -> Any:
    """0 in every entry; f32 unless given."""
    return full(shape, 0, dtype)


def ones(shape: int | Sequence[int], dtype: Any = F32) -> Any:
    """1 in every entry; f32 unless given."""
    return full(shape, 1, dtype)


def empty(shape: int | Sequence[int], dtype: Any = F32) -> Any:
    """Zeros: nothing here is left undefined."""
    return full(shape, 0, dtype)


def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """`fill_value` in every entry, in the shape of `x`, and in its dtype unless another is given."""
    type = type_of(tensor(x))
    return full(type.shape, fill_value, type.dtype if dtype is None else dtype)


def empty_like(x: Any, dtype: Any = None) -> Any:
    """Zeros of x's shape: nothing here is left undefined."""
    return full_like(x, 0, dtype)


def from_dlpack(x: Any) -> Any:
    """An array of another library (NumPy, PyTorch, JAX) as an MLX array.

    Raises   InputError   its memory or dtype does not convert
    """
    return evaluator().as_array(x)


def zeros_like(x: Any, dtype: Any = None) -> Any:
    """0 in every entry, in the shape and dtype of `x`."""
    return full_like(x, 0, dtype)


def ones_like(x: Any, dtype: Any = None) -> Any:
    """1 in every entry, in the shape and dtype of `x`."""
    return full_like(x, 1, dtype)


def arange(start: float, stop: float | None = None, step: float = 1, dtype: Any = None) -> Any:
    """start, start + step, ... below `stop`; arange(n) counts from 0. i32 (or i64, where needed) for integers, f32 for floats.

    Raises   ShapeError   step is 0
    """
    if stop is None:
        start, stop = 0, start
    if step == 0:
        raise located(ShapeError("arange: step is 0"))
    exact = all(isinstance(v, int) for v in (start, stop, step))
    count = max(0, math.ceil((stop - start) / step))
    if dtype is not None:
        made = as_dtype(dtype)
    else:
        made = promote(*map(scalar_dtype, (start, start + step * max(0, count - 1)))) if exact else F32
    counter = apply(Iota(0, TensorType(I32 if exact and made.kind == "bool" else made, (count,))))
    if step != 1:
        counter = multiply(counter, step)
    return astype(counter if start == 0 else add(counter, start), made)


def eye(n: int, m: int | None = None, dtype: Any = F32) -> Any:
    """Ones on the diagonal, zeros elsewhere."""
    type = TensorType(I32, (n, n if m is None else m))
    return astype(equal(apply(Iota(0, type)), apply(Iota(1, type))), dtype)


def one_hot(x: Any, num_classes: int, dtype: Any = F32) -> Any:
    """1 where the last, new axis counts to the entry of `x`, else 0; a class out of range gives zeros."""
    x = tensor(x)
    shape = (*type_of(x).shape, num_classes)
    classes = apply(Iota(len(shape) - 1, TensorType(type_of(x).dtype, shape)))
    return astype(equal(expand_dims(x, -1), classes), dtype)
