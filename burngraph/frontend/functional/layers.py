"""Layers without a family of their own: linear, embedding, and dropout with an explicit key."""

from typing import Any

from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.frontend.custom import stop_gradient
from burngraph.frontend.functional.comparison import equal, greater_equal, logical_or, where
from burngraph.frontend.functional.conv import floats
from burngraph.frontend.functional.elementwise import add, multiply
from burngraph.frontend.functional.indexing import take
from burngraph.frontend.functional.random import uniform
from burngraph.frontend.functional.reduction import tensordot
from burngraph.frontend.functional.shape import broadcast_to, expand_dims, normal_axis, tensor
from burngraph.frontend.functional.spelling import takes_inplace
from burngraph.frontend.recording import located, type_of
from burngraph.ir.promotion import holds

__all__ = ["dropout", "embedding", "linear"]


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """x [..., I] times weight [O, I] transposed, plus bias [O].

    Raises   ShapeError   the last axis of x is not I
    """
    x, weight, bias = floats(x, weight, bias)
    a, w = type_of(x), type_of(weight)
    if w.rank != 2 or not a.rank or a.shape[-1] != w.shape[1]:
        raise located(ShapeError("linear: x must end in weight's second axis", f"x: {a}", f"weight: {w}"))
    if bias is not None and type_of(bias).shape != w.shape[:1]:
        raise located(ShapeError("linear: bias has not the size of weight's first axis", f"bias: {type_of(bias)}"))
    y = tensordot(x, weight, ((a.rank - 1,), (1,)))
    return y if bias is None else add(y, bias)


@takes_inplace
def dropout(x: Any, p: float = 0.5, training: bool = True, *, key: Any = None) -> Any:
    """Each entry zero with probability `p`, else divided by 1 - p; x itself if not training or p is 0.

    key      u32[2], as bg.random_key makes; the same key drops the same entries

    Raises   InputError   p is not in [0, 1], or there is no key
    """
    (x,) = floats(x)
    if not 0 <= p <= 1:
        raise located(InputError(f"dropout: p = {p} is no probability"))
    if not isinstance(training, bool | int):
        raise located(InputError(f"dropout: training = {training!r:.60} is not True or False", "name the key: key=..."))
    if not training or p == 0:
        return x
    if key is None:
        raise located(InputError("dropout: no key", "pass key=bg.random_key(seed), a new one for every call"))
    kept = greater_equal(uniform(key, type_of(x).shape), float(p))
    return where(kept, multiply(x, 0.0 if p == 1 else 1 / (1 - p)), 0.0)


def embedding(indices: Any, weight: Any, padding_idx: int | None = None) -> Any:
    """The rows of `weight` [V, D] at `indices` (any shape): [*shape of indices, D].

    padding_idx   the row that gets no gradient; negative counts from the end

    An index below zero counts from the end; one out of range is clamped.
    Raises   ShapeError   weight is no matrix, or has no row padding_idx;   DTypeError   indices are not integers
    """
    indices, weight = tensor(indices), tensor(weight)
    i, w = type_of(indices), type_of(weight)
    if w.rank != 2:
        raise located(ShapeError(f"embedding: weight is {w}, must be [V, D]"))
    if not i.dtype.is_integer:
        raise located(DTypeError(f"embedding: indices are {i}, not integers"))
    rows = take(weight, indices, 0)
    if padding_idx is None:
        return rows
    at = normal_axis("embedding: padding_idx", padding_idx, w.shape[0])
    meant = [equal(indices, n) for n in (at, at - w.shape[0]) if holds(i.dtype, n)]
    if not meant:
        return rows
    held = meant[0] if len(meant) == 1 else logical_or(*meant)
    return where(broadcast_to(expand_dims(held, -1), type_of(rows).shape), stop_gradient(rows), rows)
