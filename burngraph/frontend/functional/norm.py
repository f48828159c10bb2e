"""Normalisation: by batch, layer, group and instance, and by root mean square."""

import math
from collections.abc import Sequence
from typing import Any

from burngraph.errors import ShapeError
from burngraph.frontend.functional.conv import floats
from burngraph.frontend.functional.creation import ones, zeros
from burngraph.frontend.functional.elementwise import add, multiply, rsqrt, square, subtract
from burngraph.frontend.functional.reduction import mean, var
from burngraph.frontend.functional.shape import astype, normal_axis, reshape, shape_tuple
from burngraph.frontend.recording import apply, apply_several, located, type_of
from burngraph.ir.ops.norm import BatchNorm, BatchNormInference, LayerNorm
from burngraph.ir.types import F32

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm"]


def _per_channel(function: str, name: str, value: Any, like: Any) -> Any:
    """`value` [C] shaped to broadcast along axis 1 of `like`."""
    type = type_of(like)
    if type_of(value).shape != (type.shape[1],):
        raise located(ShapeError(f"{function}: {name} is {type_of(value)}, x has {type.shape[1]} channels"))
    return reshape(value, (type.shape[1],) + (1,) * (type.rank - 2))


def batch_norm(
    x: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Each channel (axis 1) of x normalised, by the running statistics or, when training, by its own.

    returns   y, the shape of x; when training (y, new_running_mean, new_running_var), the running variance being updated
              with the unbiased one. Nothing is written in place. Without running statistics the new ones are None.

    Raises    ShapeError   a per-channel array is not [C]; not training and no running statistics;
                           training and only one value per channel
    """
    x, running_mean, running_var, weight, bias = floats(x, running_mean, running_var, weight, bias)
    if training and type_of(x).dtype.bytes == 2:  # in f16 a variance, which the derivative needs too, is soon beyond range
        wide = [None if v is None else astype(v, F32) for v in (x, running_mean, running_var, weight, bias)]
        results = batch_norm(*wide, training=True, momentum=momentum, eps=eps)
        return tuple(None if v is None else astype(v, type_of(x).dtype) for v in results)
    type = type_of(x)
    axis = normal_axis("batch_norm", 1, type.rank)
    channels = type.shape[axis]
    scale = ones((channels,), type.dtype) if weight is None else weight
    shift = zeros((channels,), type.dtype) if bias is None else bias
    if not training:
        if running_mean is None or running_var is None:
            raise located(ShapeError("batch_norm: no running statistics", "pass them, or training=True"))
        return apply(BatchNormInference(axis, float(eps)), x, running_mean, running_var, scale, shift)
    count = type.size // max(channels, 1)
    if count == 1:
        raise located(ShapeError("batch_norm: training=True takes more than one value per channel", f"x: {type}"))
    y, batch_mean, batch_var = apply_several(BatchNorm(axis, float(eps)), x, scale, shift)
    unbiased = multiply(batch_var, count / max(count - 1, 1))
    return y, _running(running_mean, batch_mean, momentum), _running(running_var, unbiased, momentum)


def _running(old: Any, new: Any, momentum: float) -> Any:
    return None if old is None else add(multiply(old, 1 - momentum), multiply(new, momentum))


def layer_norm(x: Any, normalized_shape: int | Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """x normalised over its last axes, which have `normalized_shape`, the shape of weight and bias too.

    Raises   ShapeError   x does not end in normalized_shape
    """
    x, weight, bias = floats(x, weight, bias)
    shape, type = shape_tuple(normalized_shape), type_of(x)
    first = type.rank - len(shape)
    if not shape or first < 0 or type.shape[first:] != shape:
        raise located(ShapeError(f"layer_norm: {type} does not end in normalized_shape {shape}"))
    return apply(LayerNorm(tuple(range(first, type.rank)), float(eps)), x, weight, bias)


def group_norm(x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Each example's channels, in num_groups runs, normalised over a run and all positions.

    x             [N, C, *S]
    weight, bias  [C], or None
    eps           added to the biased variance

    Raises   ShapeError   num_groups does not divide C, weight or bias is not [C], or one group of one value
    """
    x, weight, bias = floats(x, weight, bias)
    type = type_of(x)
    if type.rank < 2 or num_groups < 1 or type.shape[1] % num_groups:
        raise located(ShapeError(f"group_norm: num_groups = {num_groups} does not divide the channels of x", f"x: {type}"))
    if type.size == num_groups and type.shape[0] == 1:
        raise located(ShapeError("group_norm: takes more than one value per group", f"x: {type}, num_groups: {num_groups}"))
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

    Raises    ShapeError   a per-channel array is not [C]; one position or none; not use_input_stats and no running statistics
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
        if math.prod(type.shape[2:]) < 2:
            raise located(ShapeError("instance_norm: takes more than one position, or use_input_stats=False", f"x: {type}"))
        y = apply(LayerNorm(axes, float(eps)), x, None, None)
        if running_mean is not None and running_var is not None:
            count = math.prod(type.shape[2:])
            unbiased = multiply(mean(var(x, axes), 0), count / max(count - 1, 1))
            new = (_running(running_mean, mean(mean(x, axes), 0), momentum), _running(running_var, unbiased, momentum))
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
