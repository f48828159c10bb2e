"""Normalisation by groups, by instances and by root mean square; dropout with an explicit key; embedding."""

import math
from collections.abc import Sequence
from typing import Any

from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.frontend.custom import stop_gradient
from burngraph.frontend.functional_conv import floats
from burngraph.frontend.functional_elementwise import (
    add,
    equal,
    greater_equal,
    logical_or,
    multiply,
    rsqrt,
    square,
    subtract,
    where,
)
from burngraph.frontend.functional_index import take
from burngraph.frontend.functional_random import uniform
from burngraph.frontend.functional_reduce import mean
from burngraph.frontend.functional_shape import (
    astype,
    broadcast_to,
    expand_dims,
    normal_axis,
    reshape,
    shape_tuple,
    tensor,
)
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.norm import LayerNorm
from burngraph.ir.types import F32

__all__ = ["dropout", "embedding", "group_norm", "instance_norm", "rms_norm"]


def _per_channel(function: str, name: str, value: Any, like: Any) -> Any:
    """`value` [C] shaped to broadcast along axis 1 of `like`."""
    type = type_of(like)
    if type_of(value).shape != (type.shape[1],):
        raise located(ShapeError(f"{function}: {name} is {type_of(value)}, x has {type.shape[1]} channels"))
    return reshape(value, (type.shape[1],) + (1,) * (type.rank - 2))


def group_norm(x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Each example's channels, in num_groups runs, normalised over a run and all positions.

    x             [N, C, *S]
    weight, bias  [C], or None
    eps           added to the biased variance

    Raises   ShapeError   num_groups does not divide C, or weight or bias is not [C]
    """
    x, weight, bias = floats(x, weight, bias)
    type = type_of(x)
    if type.rank < 2 or num_groups < 1 or type.shape[1] % num_groups:
        raise located(ShapeError(f"group_norm: num_groups = {num_groups} does not divide the channels of x", f"x: {type}"))
    shape = type.shape
    split = reshape(x, (shape[0], num_groups, shape[1] // num_groups, *shape[2:]))
    y = reshape(apply(LayerNorm(tuple(range(2, len(shape) + 1)), float(eps)), split, None, None), shape)
    if weight is not None:
        y = multiply(y, _per_channel("group_norm", "weight", weight, x))
    return y if bias is None else add(y, _per_channel("group_norm", "bias", bias, x))


def instance_norm(
    x: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Each channel of each example normalised over its positions, or by the running statistics.

    x         [N, C, *S]
    others    [C], or None
    returns   y, the shape of x; with use_input_stats and running statistics (y, new_running_mean, new_running_var), which
              torch writes in place: the mean over the examples of theirs, the variance being the unbiased one

    Raises    ShapeError   a per-channel array is not [C]; no positions; not use_input_stats and no running statistics
    """
    x, running_mean, running_var, weight, bias = floats(x, running_mean, running_var, weight, bias)
    type = type_of(x)
    if type.rank < 3:
        raise located(ShapeError(f"instance_norm: x is {type}, must be [N, C, *S]"))
    given = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    placed = {k: None if v is None else _per_channel("instance_norm", k, v, x) for k, v in given.items()}
    axes = tuple(range(2, type.rank))
    new: tuple[Any, ...] = ()
    if use_input_stats:
        y = apply(LayerNorm(axes, float(eps)), x, None, None)
        if running_mean is not None and running_var is not None:
            count = math.prod(type.shape[2:])
            centre = mean(x, axes, keepdims=True)
            var = mean(square(subtract(x, centre)), axes)
            unbiased = multiply(mean(var, 0), count / max(count - 1, 1))
            new = (
                add(multiply(running_mean, 1 - momentum), multiply(mean(reshape(centre, type.shape[:2]), 0), momentum)),
                add(multiply(running_var, 1 - momentum), multiply(unbiased, momentum)),
            )
    elif running_mean is None or running_var is None:
        raise located(ShapeError("instance_norm: no running statistics", "pass them, or use_input_stats=True"))
    else:
        shift = subtract(x, placed["running_mean"])
        y = multiply(shift, rsqrt(add(placed["running_var"], float(eps))))
    if weight is not None:
        y = multiply(y, placed["weight"])
    y = y if bias is None else add(y, placed["bias"])
    return (y, *new) if new else y


def rms_norm(x: Any, normalized_shape: int | Sequence[int], weight: Any = None, eps: float | None = None) -> Any:
    """x / sqrt(mean(x**2) + eps) * weight over the last axes, which have `normalized_shape`; computed in f32 for 16-bit x.

    eps      None is the distance from 1 to the next number of x's dtype, as in torch

    Raises   ShapeError   x does not end in normalized_shape, or weight has another shape
    """
    x, weight = floats(x, weight)
    shape, type = shape_tuple(normalized_shape), type_of(x)
    first = type.rank - len(shape)
    if not shape or first < 0 or type.shape[first:] != shape:
        raise located(ShapeError(f"rms_norm: {type} does not end in normalized_shape {shape}"))
    if weight is not None and type_of(weight).shape != shape:
        raise located(ShapeError(f"rms_norm: weight is {type_of(weight)}, normalized_shape is {shape}"))
    wide = astype(x, F32) if type.dtype.bytes == 2 else x
    added = _EPSILON[type.dtype.name] if eps is None else float(eps)
    y = multiply(wide, rsqrt(add(mean(square(wide), tuple(range(first, type.rank)), keepdims=True), added)))
    return astype(y if weight is None else multiply(y, weight), type.dtype)


_EPSILON = {"f16": 2.0**-10, "bf16": 2.0**-7, "f32": 2.0**-23, "f64": 2.0**-52}


def dropout(x: Any, p: float = 0.5, key: Any = None, training: bool = True) -> Any:
    """Each entry zero with probability `p`, else divided by 1 - p; x itself if not training or p is 0.

    key      u32[2], as bg.random_key makes; the same key drops the same entries

    Raises   InputError   p is not in [0, 1], or there is no key
    """
    (x,) = floats(x)
    if not 0 <= p <= 1:
        raise located(InputError(f"dropout: p = {p} is no probability"))
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
    held = equal(indices, at)
    if i.dtype.kind == "int":
        held = logical_or(held, equal(indices, at - w.shape[0]))
    return where(broadcast_to(expand_dims(held, -1), type_of(rows).shape), stop_gradient(rows), rows)
