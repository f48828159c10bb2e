"""Where the codes of a quantized tensor lie: so many to a word along an axis, and blocks that share a scale."""

from collections.abc import Callable, Sequence
from typing import Any

from burngraph.errors import ShapeError
from burngraph.frontend.functional.comparison import bitwise_and, bitwise_left_shift, bitwise_right_shift
from burngraph.frontend.functional.creation import arange
from burngraph.frontend.functional.elementwise import multiply
from burngraph.frontend.functional.padding import pad
from burngraph.frontend.functional.reduction import sum
from burngraph.frontend.functional.shape import astype, broadcast_to, expand_dims, moveaxis, reshape, sliced
from burngraph.frontend.recording import located, type_of
from burngraph.ir.types import I32, U32, DType, TensorType

Block = tuple[int, ...]


def full_block(block: Block | None, shape: Sequence[int]) -> Block | None:
    """The block with as many axes as the array.

    Raises   ShapeError   it has more
    """
    if block is None:
        return None
    if len(block) > len(shape):
        raise located(ShapeError(f"quantize: block {block} has more axes than {list(shape)}"))
    return (1,) * (len(shape) - len(block)) + block


def grid(block: Block | None, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of the scales: how many blocks there are along each axis, one cut off at the end included."""
    full = full_block(block, shape)
    return () if full is None else tuple(-(-d // b) for d, b in zip(shape, full, strict=True))


def reduced(x: Any, block: Block | None, reduce: Callable[..., Any]) -> Any:
    """`reduce` over each block, the last of an axis filled up with zeros.

    Raises   ShapeError   x has no entries
    """
    shape = type_of(x).shape
    if type_of(x).size == 0:
        raise located(ShapeError(f"quantize: {type_of(x)} has no entries to take a scale from", "pass scales"))
    full = full_block(block, shape)
    if full is None:
        return reduce(x)
    counts = grid(block, shape)
    filled = pad(x, [(0, g * b - d) for g, b, d in zip(counts, full, shape, strict=True)])
    return reduce(reshape(filled, _pairs(counts, full)), tuple(range(1, 2 * len(counts), 2)))


def spread(scales: Any, block: Block | None, shape: Sequence[int]) -> Any:
    """The scale of each entry of an array of `shape`.

    Raises   ShapeError   there is not one for each block
    """
    full, counts = full_block(block, shape), grid(block, shape)
    if type_of(scales).shape != counts:
        what = f"scales are {type_of(scales)}, must have shape {list(counts)}"
        raise located(ShapeError(f"quantize: {what}", f"block: {block}", f"array: {list(shape)}"))
    if full is None:
        return broadcast_to(scales, tuple(shape))
    axes = tuple(range(1, 2 * len(counts), 2))
    repeated = broadcast_to(expand_dims(scales, axes), _pairs(counts, full))
    filled = reshape(repeated, [g * b for g, b in zip(counts, full, strict=True)])
    return sliced(filled, [0] * len(counts), tuple(shape), [1] * len(counts))


def _pairs(counts: Sequence[int], block: Block) -> list[int]:
    return [n for pair in zip(counts, block, strict=True) for n in pair]


def packed_shape(shape: Sequence[int], axis: int, per_word: int) -> tuple[int, ...]:
    """Of what `packed` makes.

    Raises   ShapeError   there is no such axis, or it does not fill whole words
    """
    if not -len(shape) <= axis < len(shape):
        raise located(ShapeError(f"quantize: {list(shape)} has no axis {axis} to pack along"))
    place = axis % len(shape)
    if shape[place] % per_word:
        what = f"axis {axis} has {shape[place]} entries, which do not fill words of {per_word}"
        way_out = 'pad it, or pack another axis; 8-bit values may have store="native"'
        raise located(ShapeError(f"quantize: {what}", f"x: {list(shape)}", way_out))
    return tuple(n // per_word if i == place else n for i, n in enumerate(shape))


def packed(codes: Any, bits: int, word: DType, axis: int = -1) -> Any:
    """Neighbours along `axis` in words of dtype `word`, the first in the lowest bits; `codes` are integers below 2^bits."""
    per_word = 8 * word.bytes // bits
    packed_shape(type_of(codes).shape, axis, per_word)
    codes = moveaxis(astype(codes, U32), axis, -1)
    *others, n = type_of(codes).shape
    shifted = bitwise_left_shift(reshape(codes, (*others, n // per_word, per_word)), _shifts(bits, per_word))
    return astype(moveaxis(sum(shifted, -1), -1, axis), word)


def unpacked(words: Any, bits: int, axis: int = -1) -> Any:
    """The codes of each word one after another along `axis`, i32.

    Raises   ShapeError   there is no such axis
    """
    type: TensorType = type_of(words)
    if not -type.rank <= axis < type.rank:
        raise located(ShapeError(f"dequantize: stored is {type}, without the axis {axis} to unpack along"))
    per_word = 8 * type.dtype.bytes // bits
    lines = moveaxis(astype(words, U32), axis, -1)
    *others, n = type_of(lines).shape
    codes = bitwise_and(bitwise_right_shift(expand_dims(lines, -1), _shifts(bits, per_word)), 2**bits - 1)
    return moveaxis(astype(reshape(codes, (*others, n * per_word)), I32), -1, axis)


def _shifts(bits: int, per_word: int) -> Any:
    return multiply(arange(per_word, dtype=U32), bits)
