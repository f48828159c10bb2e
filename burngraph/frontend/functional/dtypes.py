"""What dtypes are and become: result_type, can_cast, isdtype, finfo, iinfo."""

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from burngraph.errors import DTypeError
from burngraph.frontend.functional.shape import computed_dtype
from burngraph.frontend.recording import is_tensor, located, type_of
from burngraph.ir.promotion import promote, promote_scalar
from burngraph.ir.types import F32, DType, as_dtype

__all__ = ["can_cast", "finfo", "iinfo", "isdtype", "result_type"]

KINDS = {
    "bool": ("bool",),
    "signed integer": ("int",),
    "unsigned integer": ("uint",),
    "integral": ("int", "uint"),
    "real floating": ("float",),
    "complex floating": ("complex",),
    "numeric": ("int", "uint", "float", "complex"),
}
_SCALARS = (bool, int, float, complex)


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The dtype that an operation on these is computed in; Python scalars are weak. mx.result_type's table.

    Raises   DTypeError   something that is neither array, dtype nor number
    """
    dtypes = [as_dtype(x) for x in arrays_and_dtypes if not is_tensor(x) and not isinstance(x, _SCALARS)]
    others = [x for x in arrays_and_dtypes if is_tensor(x) or isinstance(x, _SCALARS)]
    if not dtypes:
        return computed_dtype(others)
    dtype = promote(*dtypes, *(type_of(x).dtype for x in others if is_tensor(x)))
    for scalar in (x for x in others if not is_tensor(x)):
        dtype = promote_scalar(dtype, scalar)
    return dtype


def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether promotion turns `from_` (a dtype or an array) into `to`."""
    source = type_of(from_).dtype if is_tensor(from_) else as_dtype(from_)
    return promote(source, as_dtype(to)) is as_dtype(to)


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether `dtype` is of a kind: a dtype, or "bool", "signed integer", "unsigned integer", "integral", "real floating",
    "complex floating" or "numeric", or one of a tuple of these.

    Raises   DTypeError   another word
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, one) for one in kind)
    if isinstance(kind, str) and kind in KINDS:
        return as_dtype(dtype).kind in KINDS[kind]
    return as_dtype(dtype) is as_dtype(kind)


@dataclass(frozen=True)
class FInfo:
    """What finfo gives. Numbers are Python floats, which do not change the dtype of an array that they meet.

    eps   the distance from 1 to the next number;   tiny   smallest_normal by NumPy's and PyTorch's name
    """

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    tiny: float
    dtype: DType


@dataclass(frozen=True)
class IInfo:
    """What iinfo gives."""

    bits: int
    max: int
    min: int
    dtype: DType


def finfo(type: Any, /) -> FInfo:
    """Limits of a float dtype or of an array's: bits, eps, max, min, smallest_normal, dtype. Of c64, those of its parts.

    Raises   DTypeError   not a float
    """
    dtype = type_of(type).dtype if is_tensor(type) else as_dtype(type)
    if not dtype.is_inexact:
        raise located(DTypeError(f"finfo: {dtype} is not a float", "use bg.iinfo"))
    dtype = F32 if dtype.kind == "complex" else dtype
    found = ml_dtypes.finfo(dtype.numpy)
    normal = float(found.smallest_normal)
    return FInfo(8 * dtype.bytes, float(found.eps), float(found.max), float(found.min), normal, normal, dtype)


def iinfo(type: Any, /) -> IInfo:
    """Limits of an integer dtype or of an array's: bits, max, min, dtype.

    Raises   DTypeError   not an integer
    """
    dtype = type_of(type).dtype if is_tensor(type) else as_dtype(type)
    if not dtype.is_integer:
        raise located(DTypeError(f"iinfo: {dtype} is not an integer", "use bg.finfo"))
    found = np.iinfo(dtype.numpy)
    return IInfo(8 * dtype.bytes, int(found.max), int(found.min), dtype)
