"""What a quantized tensor is made of: its scheme, and its scales."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from burngraph.errors import DTypeError, InputError
from burngraph.frontend.functional.quantization_formats import (
    FORMATS,
    IntegerFormat,
    LookupFormat,
    NumberFormat,
    ScaleCodes,
    ScaleKind,
)
from burngraph.frontend.functional.quantization_layout import Block, grid, packed_shape
from burngraph.ir.types import BF16, F16, F32, U8, U32, DType, TensorType, as_dtype


class QuantScales(NamedTuple):
    """The scales of a scheme of two levels: an entry's scale is that of its block times that of the tensor.

    block    one for each block, as a scheme of one level has them
    tensor   f32, of rank 0
    """

    block: Any
    tensor: Any


@dataclass(frozen=True)
class QuantScheme:
    """How an array is quantized.

    value         "q8s" (-127 ... 127), "q8f" (-128 ... 127), "q4s" (-7 ... 7), "q4f" (-8 ... 7), "q2s" (-1 ... 1),
                  "q2f" (-2 ... 1), "e4m3" (to 448), "e5m2" (to 57344), "e2m1" (to 6)
    block         None: one scale for all; an int: one for so many neighbours along the last axis; else the shape of blocks with
                  a scale each, aligned with the last axes, other axes having blocks of 1; blocks at the end of an axis may be
                  cut off
    scale_dtype   of the block scales, or of the one scale: "float32", "float16", "bfloat16"; or "ue4m3" (2^-9 ... 448) and
                  "ue8m0" (powers of two), stored as their bit patterns in u8. Scales are rounded up to it
    store         "packed": into u32, the first of its numbers in the lowest bits; "native": i8, or u8 for e4m3 and e5m2;
                  "packed_native": two e2m1 in a u8
    packed_axis   the axis along which neighbours share a word
    table         2^bits floats, which an integer `value` then indexes: what is stored is an unsigned index, and means
                  table[index] * scale
    two_level     block scales are relative to an f32 scale of the whole tensor, which takes the range that "ue4m3" or
                  "float16" have not; scales are then a QuantScales

    Raises   InputError   something else

    nvfp4 is QuantScheme("e2m1", 16, "ue4m3", two_level=True), mxfp4 is QuantScheme("e2m1", 32, "ue8m0"), and mxfp8 is
    QuantScheme("e4m3", 32, "ue8m0").
    """

    value: str = "q8f"
    block: int | tuple[int, ...] | None = None
    scale_dtype: Any = F32
    store: str = "packed"
    packed_axis: int = -1
    table: tuple[float, ...] | None = None
    two_level: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale_dtype", _scale_kind(self.scale_dtype))
        if self.value not in FORMATS:
            raise InputError(f"QuantScheme: value = {self.value!r} is none of {', '.join(FORMATS)}")
        if self.block is not None:
            given = tuple(self.block) if isinstance(self.block, Iterable) else (self.block,)
            if not given or any(not isinstance(n, int | np.integer) or n < 1 for n in given):
                raise InputError(f"QuantScheme: block = {self.block} must have positive dims, or be None")
            object.__setattr__(self, "block", tuple(map(int, given)))
        if self.table is not None:
            object.__setattr__(self, "table", self._checked_table())
        self._check_store()
        if self.two_level:
            self._check_levels()

    def _checked_table(self) -> tuple[float, ...]:
        if not isinstance(FORMATS[self.value], IntegerFormat):
            way_out = "give an integer value of as many bits, such as 'q4f'"
            raise InputError(f"QuantScheme: a table is indexed by integers, and value is {self.value!r}", way_out)
        entries = np.asarray(self.table)
        n = 2 ** FORMATS[self.value].bits
        if entries.shape != (n,) or entries.dtype.kind not in "fiu":
            raise InputError(f"QuantScheme: table has shape {list(entries.shape)}; {self.value!r} indexes {n} floats")
        with np.errstate(over="ignore"):
            narrow = tuple(map(float, entries.astype(np.float32)))
        if not all(map(math.isfinite, narrow)) or not any(narrow):
            raise InputError("QuantScheme: the entries of table must be finite in float32, and not all of them 0")
        return narrow

    def _check_store(self) -> None:
        stores = {"packed": True, "native": self.bits == 8 and self.table is None, "packed_native": self.value == "e2m1"}
        if not stores.get(self.store, False):
            allowed = ", ".join(f'"{name}"' for name, is_allowed in stores.items() if is_allowed)
            what = f"store = {self.store!r} must be {allowed}"
            raise InputError(f"QuantScheme: {what}", f"value: {self.value}" + (", with a table" if self.table else ""))

    def _check_levels(self) -> None:
        if self.block is None:
            raise InputError("QuantScheme: two_level needs blocks", "give block, or leave two_level out")
        if self.scale_dtype not in (F16, ScaleCodes.UE4M3):
            what = f"two_level with scale_dtype = {self.scale_dtype}, which has the range of float32 already"
            raise InputError(f"QuantScheme: {what}", 'give scale_dtype="ue4m3" or "float16", or leave two_level out')

    @property
    def form(self) -> NumberFormat:
        """What the codes mean."""
        form = FORMATS[self.value]
        return form if self.table is None else LookupFormat(form.bits, self.table)

    @property
    def bits(self) -> int:
        return FORMATS[self.value].bits

    @property
    def range(self) -> tuple[float, float]:
        """The least and the largest number."""
        return self.form.range

    @property
    def blocks(self) -> Block | None:
        """`block` as a tuple."""
        return (self.block,) if isinstance(self.block, int) else self.block

    @property
    def word(self) -> DType:
        """The dtype of what is stored."""
        return {"packed": U32, "packed_native": U8, "native": self.form.native}[self.store]

    def types(self, shape: tuple[int, ...]) -> tuple[TensorType, ...]:
        """Of what is stored for an array of `shape`, of its scales, and of the tensor's scale if there is one.

        Raises   ShapeError   the packed axis does not fill whole words, or blocks have more axes than the array
        """
        per_word = 8 * self.word.bytes // self.bits
        held = shape if self.store == "native" else packed_shape(shape, self.packed_axis, per_word)
        scale_dtype = U8 if isinstance(self.scale_dtype, ScaleCodes) else self.scale_dtype
        found = (TensorType(self.word, held), TensorType(scale_dtype, grid(self.blocks, shape)))
        return (*found, TensorType(F32, ())) if self.two_level else found


def _scale_kind(given: Any) -> ScaleKind:
    codes = next((kind for kind in ScaleCodes if given is kind or (isinstance(given, str) and given == kind.value)), None)
    if codes is not None:
        return codes
    try:
        dtype = as_dtype(given)
    except DTypeError:
        dtype = None
    if dtype not in (F32, F16, BF16):
        allowed = ", ".join(["float32", "float16", "bfloat16", *map(str, ScaleCodes)])
        raise InputError(f"QuantScheme: scale_dtype = {given} is none of {allowed}")
    return dtype
