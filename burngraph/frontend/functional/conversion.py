"""Arrays from what is none, and of another dtype: asarray, from_dlpack, astype."""

from typing import Any

import numpy as np

from burngraph.errors import BurngraphError, DTypeError, InputError
from burngraph.frontend.functional.shape import alone, check_device, check_fits, splat, tensor, unshared
from burngraph.frontend.functional.shape import astype as converted
from burngraph.frontend.recording import TracedValue, evaluator, is_tensor, located, type_of
from burngraph.ir.promotion import holds
from burngraph.ir.types import BOOL, C64, F32, I32, I64, DType, TensorType, as_dtype

__all__ = ["asarray", "astype", "from_dlpack"]


def asarray(obj: Any, /, dtype: Any = None, *, device: Any = None, copy: bool | None = None) -> Any:
    """An array (or traced value) from a number, nested list, buffer, array or traced value.

    dtype    without it Python floats become f32, and ints i32, or i64 if one of them is too large for that
    device   None: arrays have none
    copy     True: what is later written into `obj` does not reach the result, nor the other way round. False: `obj` is an MLX
             array of that dtype, or traced. None: as little as needed

    Raises   DTypeError   `obj` is none of these, or an int does not fit
             InputError   a copy is needed that `copy` forbids, or another device
    """
    check_device("asarray", device)
    if is_tensor(obj):
        found = obj if isinstance(obj, TracedValue) else evaluator().as_array(obj)
        made = found if dtype is None else converted(found, dtype)
        if copy is False and made is not obj:
            type = type_of(found)
            raise located(InputError(f"asarray: {_an_array(obj)} is copied to {dtype or type.dtype}, which copy=False forbids"))
        return unshared(made) if copy else made
    if copy is False:
        raise located(InputError(f"asarray: {_an_array(obj)} is copied into an array, which copy=False forbids"))
    wanted = None if dtype is None else as_dtype(dtype)
    if isinstance(obj, bool | int | float | complex):
        return splat(obj, TensorType(alone(obj) if wanted is None else wanted, ()))
    return evaluator().as_array(_from_lists(obj, wanted))


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """Each entry converted to `dtype`; float to integer truncates.

    copy     False: `x` itself if it has the dtype. A traced value is never written to, and not copied in any case
    device   None: arrays have none
    """
    check_device("astype", device)
    x = tensor(x)
    made = converted(x, dtype)
    return unshared(x) if copy and made is x else made


def _an_array(x: Any) -> str:
    return f"{type(x).__module__}.{type(x).__name__}".removeprefix("builtins.")


def _from_lists(x: Any, wanted: DType | None) -> np.ndarray:
    try:
        array = np.array(x)
    except (BurngraphError, ValueError, TypeError):  # ragged, or of traced values
        array = np.array(None)
    if array.dtype.kind not in "fiubc":
        way_out = "value: " + repr(x)[:100]
        if isinstance(x, list | tuple) and any(map(is_tensor, x)):
            way_out = "bg.stack(arrays) makes one array of several of one shape"
        raise located(
            DTypeError(f"asarray: a {type(x).__name__} is not an array, a number or a nested list of numbers", way_out)
        )
    if _is_buffer(x):  # it has a dtype
        wanted = as_dtype(array.dtype) if wanted is None else wanted
    if array.dtype.kind in "iu":
        least, greatest = (int(array.min()), int(array.max())) if array.size else (0, 0)
        wanted = wanted or (I32 if holds(I32, least) and holds(I32, greatest) else I64)
        for value in (least, greatest):
            if wanted.is_integer:
                check_fits(value, wanted)
    wanted = wanted or {"f": F32, "b": BOOL, "c": C64}[array.dtype.kind]
    if array.dtype.kind == "c" and wanted is not C64:
        raise located(DTypeError(f"asarray: a complex number does not become {wanted.long_name}"))
    with np.errstate(over="ignore"):  # a float too large for its dtype is inf
        return array.astype(wanted.numpy)


def _is_buffer(x: Any) -> bool:
    try:
        memoryview(x)
    except TypeError:
        return False
    return True


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Any:
    """An array of another library (NumPy, PyTorch, JAX) as an MLX array.

    copy     False: refused unless `x` is an MLX array already;  otherwise the memory of another library is copied

    Raises   InputError   its memory or dtype does not convert, a copy that `copy` forbids, or another device
    """
    check_device("from_dlpack", device)
    if not is_tensor(x):
        raise located(
            InputError(f"from_dlpack: {_an_array(x)} is no array of any library", "bg.asarray takes numbers and lists")
        )
    return asarray(x, copy=copy)
