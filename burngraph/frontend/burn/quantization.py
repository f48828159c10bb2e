"""Quantized tensors as the bytes that Burn keeps them in: values, block scales in the order of the grid, the tensor's scale."""

from typing import Any

import numpy as np

from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.frontend.functional.quantization_scheme import QuantScales, QuantScheme
from burngraph.frontend.recording import located, type_of
from burngraph.ir.types import BF16, Array

__all__ = ["from_quantized_bytes", "quantized_bytes"]


def quantized_bytes(stored: Any, scales: Any, scheme: QuantScheme, shape: tuple[int, ...]) -> bytes:
    """What Burn's TensorData holds of a quantized tensor, from what `quantize` gave; little-endian, without padding.

    shape    of the tensor that was quantized

    Raises   DTypeError, ShapeError   stored or scales are not those of the scheme and the shape
             TraceError               they are traced values: bytes are no matter of a program
    """
    types = scheme.types(tuple(shape))
    parts = [stored, *(scales if isinstance(scales, list | tuple) else [scales])]
    found = [type_of(part) for part in parts]
    if [t.dtype for t in found] != [t.dtype for t in types]:
        raise located(DTypeError(f"quantized_bytes: {_list(found)}, the scheme says {_list(types)}", f"scheme: {scheme}"))
    if found != list(types):
        raise located(ShapeError(f"quantized_bytes: {_list(found)}, must be {_list(types)}", f"shape: {list(shape)}"))
    return b"".join(_on_host(part, t.dtype is BF16).tobytes() for part, t in zip(parts, types, strict=True))


def from_quantized_bytes(data: bytes, scheme: QuantScheme, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """(stored, scales) for `dequantize`, NumPy arrays; the inverse of `quantized_bytes`.

    Raises   InputError   there are more or fewer bytes than the scheme and the shape say
    """
    types = scheme.types(tuple(shape))
    wanted = sum(t.bytes for t in types)
    if len(data) != wanted:
        listed = (f"scheme: {scheme}", f"shape: {list(shape)}")
        raise located(InputError(f"from_quantized_bytes: {len(data)} bytes, must be {wanted} for {_list(types)}", *listed))
    parts, start = [], 0
    for t in types:
        parts.append(np.frombuffer(data, t.dtype.numpy, t.size, start).reshape(t.shape))
        start += t.bytes
    return parts[0], QuantScales(parts[1], parts[2]) if scheme.two_level else parts[1]


def _on_host(x: Any, is_bf16: bool) -> Array:
    if is_bf16 and not isinstance(x, np.ndarray):  # no other array's buffer says bfloat16
        return np.array(x.tolist(), np.float32).astype(BF16.numpy)
    return np.ascontiguousarray(np.asarray(x))


def _list(types: Any) -> str:
    return ", ".join(map(str, types))
