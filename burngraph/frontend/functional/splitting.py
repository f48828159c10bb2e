"""Cutting an array into parts along an axis."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from burngraph.errors import ShapeError
from burngraph.frontend.functional.shape import cut, normal_axis, shape_tuple, tensor
from burngraph.frontend.recording import located, type_of

__all__ = ["chunk", "split", "tensor_split"]

Integer = int | np.integer
MOST_EMPTY = 10_000  # parts of an axis with fewer entries: a number of parts that is a mistake would fill the memory


def split(x: Any, split_size_or_sections: int | Sequence[int], dim: int = 0) -> list[Any]:
    """Parts of `x` along `dim`, as torch.split: each of so many entries, the last with what is left; or of the given sizes.

    `tensor_split` cuts into a number of parts, or at given positions.
    Raises   ShapeError   no such axis, a size below 1, or sizes that do not add up to it

    >>> [part.shape for part in bg.split(mx.zeros((7, 2)), 3)]
    [(3, 2), (3, 2), (1, 2)]
    """
    x = tensor(x)
    type = type_of(x)
    axis = normal_axis("split", dim, type.rank)
    n = type.shape[axis]
    if isinstance(split_size_or_sections, Integer):
        size = int(split_size_or_sections)
        if size < 1:
            raise located(ShapeError(f"split: parts of {size} entries", f"x: {type}"))
        ends = [*range(size, n, size), n]
    else:
        sizes = shape_tuple(split_size_or_sections)
        if sum(sizes) != n or any(size < 0 for size in sizes):
            raise located(
                ShapeError(
                    f"split: sizes {list(sizes)} do not add up to the {n} entries of axis {axis} of {type}",
                    "bg.tensor_split cuts at positions",
                )
            )
        ends = np.cumsum(sizes).tolist()
    return _ending(x, axis, ends)


def chunk(x: Any, chunks: int, dim: int = 0) -> list[Any]:
    """At most `chunks` parts of `x` along `dim`, of equal size but for the last, as torch.chunk.

    Raises   ShapeError   no such axis, or less than one part
    """
    x = tensor(x)
    type = type_of(x)
    axis = normal_axis("chunk", dim, type.rank)
    n = type.shape[axis]
    if not 1 <= chunks <= max(n, MOST_EMPTY):
        raise located(ShapeError(f"chunk: {chunks} parts", f"x: {type}"))
    return split(x, -(-n // chunks), axis) if n else [x] * chunks


def tensor_split(x: Any, indices_or_sections: int | Sequence[int], dim: int = 0) -> list[Any]:
    """So many parts of `x` along `dim`, the first ones longer by one where it does not divide; or cut at the given positions.

    As torch.tensor_split and numpy.array_split; mx.split where the axis divides.
    Raises   ShapeError   no such axis, or less than one part

    >>> [part.shape for part in bg.tensor_split(mx.zeros((7, 2)), 3)]
    [(3, 2), (2, 2), (2, 2)]
    """
    x = tensor(x)
    type = type_of(x)
    axis = normal_axis("tensor_split", dim, type.rank)
    n = type.shape[axis]
    if isinstance(indices_or_sections, Integer):
        parts = int(indices_or_sections)
        if not 1 <= parts <= max(n, MOST_EMPTY):
            raise located(ShapeError(f"tensor_split: {parts} parts", f"x: {type}"))
        return _ending(x, axis, [n // parts * i + min(i, n % parts) for i in range(1, parts + 1)])
    return _ending(x, axis, [*(min(max(at + n if at < 0 else at, 0), n) for at in shape_tuple(indices_or_sections)), n])


def _ending(x: Any, axis: int, ends: Sequence[int]) -> list[Any]:
    """Parts that end at `ends`, each begun where the one before ends."""
    return [cut(x, axis, start, max(start, end)) for start, end in zip([0, *ends], ends, strict=False)]
