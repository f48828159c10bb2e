"""Losses of distances and margins, with torch.nn.functional's names and reductions."""

import math
from typing import Any

from burngraph.errors import InputError, ShapeError
from burngraph.frontend.functional.activation import logsigmoid
from burngraph.frontend.functional.comparison import equal, less, where
from burngraph.frontend.functional.contraction import powers, root
from burngraph.frontend.functional.creation import one_hot
from burngraph.frontend.functional.elementwise import abs as absolute
from burngraph.frontend.functional.elementwise import (
    add,
    divide,
    maximum,
    multiply,
    negative,
    promoted,
    sqrt,
    square,
    subtract,
)
from burngraph.frontend.functional.indexing import take
from burngraph.frontend.functional.loss import (
    at_classes,
    binary_cross_entropy_with_logits,
    check_classes,
    check_reduction,
    class_numbers,
    class_weights,
    paired_floats,
    reduced,
    rounded_once,
)
from burngraph.frontend.functional.reduction import max as largest
from burngraph.frontend.functional.reduction import mean, sum
from burngraph.frontend.functional.shape import as_float, astype, computed_dtype, expand_dims, normal_axis, tensor
from burngraph.frontend.recording import located, type_of
from burngraph.ir.promotion import at_least_float
from burngraph.ir.types import F32

__all__ = [
    "cosine_embedding_loss",
    "cosine_similarity",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "multi_margin_loss",
    "multilabel_soft_margin_loss",
    "pairwise_distance",
    "soft_margin_loss",
    "triplet_margin_loss",
]


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along `dim`, which disappears; x1 and x2 broadcast.

    16-bit floats are widened to f32 for it.
    """
    arrays = [tensor(x) for x in (x1, x2)]
    dtype = at_least_float(computed_dtype(arrays))
    a, b = promoted("cosine_similarity", *arrays, dtype=F32 if dtype.bytes == 2 else dtype)  # eps^2 is 0 in 16 bits
    axis = normal_axis("cosine_similarity", dim, type_of(a).rank)
    sizes = multiply(*(sqrt(maximum(sum(square(x), axis), eps * eps)) for x in (a, b)))
    return astype(divide(sum(multiply(a, b), axis), sizes), dtype)


@rounded_once
def cosine_embedding_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean") -> Any:
    """1 - cos where target = 1; max(0, cos - margin) where it is -1; cos is between rows of [N, D] (or two [D])."""
    name = "cosine_embedding_loss"
    check_reduction(name, reduction)
    a, b = paired_floats(name, input1, input2)
    cosines = cosine_similarity(a, b, -1, 1e-6)
    cosines, t = paired_floats(name, cosines, target)
    apart = where(equal(t, -1), maximum(subtract(cosines, margin), 0.0), 0.0)
    return reduced(where(equal(t, 1), subtract(1.0, cosines), apart), reduction)


@rounded_once
def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0, reduction: str = "mean") -> Any:
    """x where target = 1; max(0, margin - x) where it is -1."""
    check_reduction("hinge_embedding_loss", reduction)
    x, t = paired_floats("hinge_embedding_loss", input, target)
    apart = where(equal(t, 1), 0.0, maximum(subtract(margin, x), 0.0))
    return reduced(add(apart, where(equal(t, -1), 0.0, x)), reduction)


@rounded_once
def margin_ranking_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean") -> Any:
    """max(0, margin - target (input1 - input2))."""
    check_reduction("margin_ranking_loss", reduction)
    a, b, t = paired_floats("margin_ranking_loss", input1, input2, target)
    return reduced(maximum(subtract(margin, multiply(t, subtract(a, b))), 0.0), reduction)


@rounded_once
def soft_margin_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """log(1 + exp(-target input)), without overflow."""
    check_reduction("soft_margin_loss", reduction)
    x, t = paired_floats("soft_margin_loss", input, target)
    return reduced(negative(logsigmoid(multiply(t, x))), reduction)


@rounded_once
def multilabel_soft_margin_loss(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
    """binary_cross_entropy_with_logits averaged over the classes, the last axis. weight: [C], a factor for each class."""
    check_reduction("multilabel_soft_margin_loss", reduction)
    losses = binary_cross_entropy_with_logits(input, target, weight, "none")
    return reduced(mean(losses, -1), reduction)


@rounded_once
def multi_margin_loss(
    input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean"
) -> Any:
    """sum over wrong classes j of max(0, margin - x[target] + x[j])^p, divided by the number of classes.

    input    [N, C] or [C];   target   integer classes [N] or [];   weight   [C], a factor by target class
    returns  nan for a class out of range, which is never read

    Raises   ShapeError, DTypeError   operands do not fit;   InputError   p is neither 1 nor 2
    """
    name = "multi_margin_loss"
    check_reduction(name, reduction)
    if p not in (1, 2):
        raise located(InputError(f"{name}: p = {p} is neither 1 nor 2"))
    input, target = as_float(input), tensor(target)
    a = type_of(input)
    if a.rank not in (1, 2):
        raise located(ShapeError(f"{name}: input is {a}, must be [N, C] or [C]"))
    axis = a.rank - 1
    check_classes(name, input, target, axis)
    target, _, in_range = class_numbers(target, a.shape[axis], axis, None)
    excess = maximum(0.0, add(subtract(input, expand_dims(at_classes(input, target, axis), axis)), margin))
    excess = where(one_hot(target, a.shape[axis], a.dtype), 0.0, excess if p == 1 else square(excess))
    losses = divide(sum(excess, axis), float(a.shape[axis]))
    if weight is not None:
        losses = multiply(losses, take(class_weights(name, weight, a.shape[axis], a.dtype), target, axis=0))
    return reduced(where(in_range, losses, math.nan), reduction)


def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """(sum over the last axis of |x1 - x2 + eps|^p)^(1/p); p = inf is the largest. At distance 0 the derivative is 0.

    Raises   InputError   p is not above 0
    """
    if not p > 0:
        raise located(InputError(f"pairwise_distance: p = {p} is not above 0"))
    arrays = [tensor(x) for x in (x1, x2)]
    dtype = at_least_float(computed_dtype(arrays))
    a, b = promoted("pairwise_distance", *arrays, dtype=F32 if dtype.bytes == 2 else dtype)  # squares overflow in f16
    size = absolute(add(subtract(a, b), eps))
    if math.isinf(p):
        return astype(largest(size, -1, keepdims=keepdim), dtype)
    if p == 1:
        return astype(sum(size, -1, keepdims=keepdim), dtype)
    return astype(root(sum(powers(size, p), -1, keepdims=keepdim), p), dtype)


@rounded_once
def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """max(0, margin + distance(anchor, positive) - distance(anchor, negative)), distances as pairwise_distance.

    swap   where the positive is nearer to the negative than the anchor is, take that distance instead

    Raises   InputError   margin is not above 0
    """
    check_reduction("triplet_margin_loss", reduction)
    if not margin > 0:
        raise located(InputError(f"triplet_margin_loss: margin = {margin} is not above 0"))
    a, near, far = paired_floats("triplet_margin_loss", anchor, positive, negative)
    apart = pairwise_distance(a, far, p, eps)
    if swap:
        other = pairwise_distance(near, far, p, eps)
        apart = where(less(other, apart), other, apart)
    return reduced(maximum(add(subtract(pairwise_distance(a, near, p, eps), apart), margin), 0.0), reduction)
