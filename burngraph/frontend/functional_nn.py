"""Functions of neural networks, with torch.nn.functional's names and layouts: images are [N, C, *spatial]."""

from collections.abc import Sequence
from typing import Any

from burngraph.errors import ShapeError
from burngraph.frontend.functional_conv import floats as _floats
from burngraph.frontend.functional_create import ones, zeros
from burngraph.frontend.functional_elementwise import (
    add,
    multiply,
)
from burngraph.frontend.functional_reduce import tensordot
from burngraph.frontend.functional_shape import (
    normal_axis,
    shape_tuple,
)
from burngraph.frontend.recording import apply, apply_several, located, type_of
from burngraph.ir.ops.norm import BatchNorm, BatchNormInference, LayerNorm
from burngraph.ir.ops.softmax import LogSoftmax, Softmax

__all__ = [
    "batch_norm",
    "layer_norm",
    "linear",
    "log_softmax",
    "softmax",
]

Ints = int | Sequence[int]


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """x [..., I] times weight [O, I] transposed, plus bias [O].

    Raises   ShapeError   the last axis of x is not I
    """
    x, weight, bias = _floats(x, weight, bias)
    a, w = type_of(x), type_of(weight)
    if w.rank != 2 or not a.rank or a.shape[-1] != w.shape[1]:
        raise located(ShapeError("linear: x must end in weight's second axis", f"x: {a}", f"weight: {w}"))
    if bias is not None and type_of(bias).shape != w.shape[:1]:
        raise located(ShapeError("linear: bias has not the size of weight's first axis", f"bias: {type_of(bias)}"))
    y = tensordot(x, weight, ((a.rank - 1,), (1,)))
    return y if bias is None else add(y, bias)


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

    Raises    ShapeError   a per-channel array is not [C]; not training and no running statistics
    """
    x, running_mean, running_var, weight, bias = _floats(x, running_mean, running_var, weight, bias)
    type = type_of(x)
    axis = normal_axis("batch_norm", 1, type.rank)
    channels = type.shape[axis]
    scale = ones((channels,), type.dtype) if weight is None else weight
    shift = zeros((channels,), type.dtype) if bias is None else bias
    if not training:
        if running_mean is None or running_var is None:
            raise located(ShapeError("batch_norm: no running statistics", "pass them, or training=True"))
        return apply(BatchNormInference(axis, eps), x, running_mean, running_var, scale, shift)
    y, batch_mean, batch_var = apply_several(BatchNorm(axis, eps), x, scale, shift)
    count = type.size // max(channels, 1)
    unbiased = multiply(batch_var, count / max(count - 1, 1))
    return y, _running(running_mean, batch_mean, momentum), _running(running_var, unbiased, momentum)


def _running(old: Any, new: Any, momentum: float) -> Any:
    return None if old is None else add(multiply(old, 1 - momentum), multiply(new, momentum))


def layer_norm(x: Any, normalized_shape: Ints, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """x normalised over its last axes, which have `normalized_shape`, the shape of weight and bias too.

    Raises   ShapeError   x does not end in normalized_shape
    """
    x, weight, bias = _floats(x, weight, bias)
    shape, type = shape_tuple(normalized_shape), type_of(x)
    first = type.rank - len(shape)
    if not shape or first < 0 or type.shape[first:] != shape:
        raise located(ShapeError(f"layer_norm: {type} does not end in normalized_shape {shape}"))
    return apply(LayerNorm(tuple(range(first, type.rank)), eps), x, weight, bias)


def _along(op: Any, x: Any, axis: int | None, dim: int | None) -> Any:
    (x,) = _floats(x)
    chosen = dim if axis is None else axis
    return apply(op(normal_axis(op.name, -1 if chosen is None else chosen, type_of(x).rank)), x)


def softmax(x: Any, axis: int | None = None, *, dim: int | None = None) -> Any:
    """exp(x) divided by its sum along `axis` (also spelled dim; the last if neither is given)."""
    return _along(Softmax, x, axis, dim)


def log_softmax(x: Any, axis: int | None = None, *, dim: int | None = None) -> Any:
    """log(softmax(x)), without overflow."""
    return _along(LogSoftmax, x, axis, dim)
