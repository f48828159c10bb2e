"""Element types and tensor types: what the IR knows of a value before it exists."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from burngraph.errors import DTypeError

Array = NDArray[Any]
Kind = Literal["bool", "int", "uint", "float", "complex"]


@dataclass(frozen=True, eq=False, slots=True)
class DType:
    """One element type. Instances are the constants below, one per type.

    name       as in IR text, "f32"
    long_name  as in NumPy and MLX, "float32"

    Like NumPy's dtypes it equals each spelling that `as_dtype` reads ("float32", np.float32, np.dtype("float32"), mx.float32),
    but does not hash like them; `np.dtype(d)` converts it. MLX's dtypes take no part: `mx.float32 == d` is False.
    """

    name: str
    long_name: str
    kind: Kind
    bytes: int
    numpy: "np.dtype[Any]"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, DType) or not _may_name_a_dtype(other):
            return self is other
        try:
            return self is as_dtype(other)
        except DTypeError:
            if _is_known_to_numpy(other):  # complex128, object: a dtype, only none of ours
                return False
            raise  # a typing error would otherwise be False for ever

    __hash__ = object.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        return as_dtype, (self.name,)  # copies are the constant itself

    @property
    def dtype(self) -> "np.dtype[Any]":
        """What np.dtype(self) gives."""
        return self.numpy

    @property
    def is_inexact(self) -> bool:
        """True for the dtypes that carry derivatives: floats and complex."""
        return self.kind in ("float", "complex")

    @property
    def is_integer(self) -> bool:
        return self.kind in ("int", "uint")

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"burngraph.{self.long_name}"


def _may_name_a_dtype(x: object) -> bool:
    """Whether `x` is a string, a type, or a dtype of NumPy, MLX or PyTorch."""
    return isinstance(x, str | np.dtype | type) or type(x).__name__.lower().startswith("dtype")


def _is_known_to_numpy(x: Any) -> bool:
    try:
        np.dtype(x)
    except TypeError:
        return False
    return True


def _dtype(name: str, long_name: str, kind: Kind, numpy_type: Any) -> DType:
    numpy_dtype: np.dtype[Any] = np.dtype(numpy_type)
    return DType(name, long_name, kind, numpy_dtype.itemsize, numpy_dtype)


BOOL = _dtype("bool", "bool", "bool", np.bool_)
I8 = _dtype("i8", "int8", "int", np.int8)
I16 = _dtype("i16", "int16", "int", np.int16)
I32 = _dtype("i32", "int32", "int", np.int32)
I64 = _dtype("i64", "int64", "int", np.int64)
U8 = _dtype("u8", "uint8", "uint", np.uint8)
U16 = _dtype("u16", "uint16", "uint", np.uint16)
U32 = _dtype("u32", "uint32", "uint", np.uint32)
U64 = _dtype("u64", "uint64", "uint", np.uint64)
F16 = _dtype("f16", "float16", "float", np.float16)
BF16 = _dtype("bf16", "bfloat16", "float", ml_dtypes.bfloat16)
F32 = _dtype("f32", "float32", "float", np.float32)
F64 = _dtype("f64", "float64", "float", np.float64)
C64 = _dtype("c64", "complex64", "complex", np.complex64)

DTYPES: dict[str, DType] = {d.name: d for d in (BOOL, I8, I16, I32, I64, U8, U16, U32, U64, F16, BF16, F32, F64, C64)}
_BY_LONG_NAME = {d.long_name: d for d in DTYPES.values()}
_BY_NUMPY = {d.numpy: d for d in DTYPES.values()}


def as_dtype(spec: Any) -> DType:
    """The DType that `spec` names: a DType, "f32", "float32", a NumPy dtype or scalar type, mx.float32, torch.float32.

    Raises   DTypeError   nothing of that name exists here (complex128, strings, objects)
    """
    if isinstance(spec, DType):
        return spec
    if isinstance(spec, np.dtype) and spec in _BY_NUMPY:
        return _BY_NUMPY[spec]
    text = spec if isinstance(spec, str) else str(spec).rpartition(".")[2]  # "mlx.core.float32", "torch.float32"
    if text in DTYPES:
        return DTYPES[text]
    if text in _BY_LONG_NAME:
        return _BY_LONG_NAME[text]
    try:
        found = _BY_NUMPY.get(np.dtype(spec))
    except TypeError:
        found = None
    if found is None:
        raise DTypeError(f"no dtype {spec!r}", "dtypes: " + ", ".join(_BY_LONG_NAME))
    return found


@dataclass(frozen=True)
class TensorType:
    """dtype[shape], as in f32[8,3,32,32]. Rank 0 is f32[]."""

    dtype: DType
    shape: tuple[int, ...]

    @property
    def rank(self) -> int:
        return len(self.shape)

    @cached_property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.size * self.dtype.bytes

    def with_shape(self, shape: tuple[int, ...]) -> "TensorType":
        return TensorType(self.dtype, shape)

    def with_dtype(self, dtype: DType) -> "TensorType":
        return TensorType(dtype, self.shape)

    def permuted(self, perm: tuple[int, ...]) -> "TensorType":
        """The type of permute(x, axes=perm) for x of this type."""
        return TensorType(self.dtype, tuple(self.shape[axis] for axis in perm))

    def __str__(self) -> str:
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]"


def type_of(array: Array) -> TensorType:
    """The TensorType of a NumPy array."""
    return TensorType(as_dtype(array.dtype), tuple(array.shape))
