"""Losses, with torch.nn.functional's names and reductions. Those of distances and margins are in margin_loss.py.

`reduction` is "mean", "sum" or "none" everywhere. Two operands that should pair up entry by entry must have one shape (a scalar
goes with all): broadcasting a [N, 1] against a [N] is nearly always a mistake.
"""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.frontend.functional.activation import log_softmax, logsigmoid
from burngraph.frontend.functional.comparison import equal, less, not_equal, where
from burngraph.frontend.functional.elementwise import abs as absolute
from burngraph.frontend.functional.elementwise import (
    add,
    clip,
    divide,
    exp,
    log,
    maximum,
    multiply,
    negative,
    promoted,
    square,
    subtract,
)
from burngraph.frontend.functional.indexing import take, take_along_axis
from burngraph.frontend.functional.reduction import mean, sum
from burngraph.frontend.functional.shape import (
    as_float,
    astype,
    broadcast_to,
    computed_dtype,
    expand_dims,
    reshape,
    squeeze,
    tensor,
)
from burngraph.frontend.functional.spelling import also_spelled
from burngraph.frontend.recording import apply, is_tensor, located, type_of
from burngraph.ir.ops.loss import ClassNumbers, CrossEntropy
from burngraph.ir.promotion import at_least_float
from burngraph.ir.types import F32, I32, DType

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "gaussian_nll_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
]


def check_reduction(name: str, reduction: str, *others: str) -> None:
    """Raise InputError unless `reduction` is one of the three, or of `others`."""
    if reduction not in ("mean", "sum", "none", *others):
        also = "".join(f', "{other}"' for other in others)
        raise located(InputError(f'{name}: reduction = {reduction!r} is not "mean", "sum" or "none"{also}'))


def reduced(losses: Any, reduction: str) -> Any:
    return losses if reduction == "none" else (mean if reduction == "mean" else sum)(losses)


def paired_floats(name: str, *xs: Any) -> list[Any]:
    """`xs` in one float dtype and one shape; all have it but scalars."""
    arrays = [x if is_tensor(x) else tensor(x) for x in xs]
    shapes = {type_of(x).shape for x in arrays if type_of(x).rank}
    if len(shapes) > 1:
        listed = (f"operand {i}: {type_of(x)}" for i, x in enumerate(arrays))
        raise located(ShapeError(f"{name}: operands differ in shape", *listed, "reshape or broadcast_to one of them"))
    return promoted(name, *xs, dtype=at_least_float(computed_dtype([x if is_tensor(x) else tensor(x) for x in xs])))


def rounded_once(loss: Callable[..., Any]) -> Callable[..., Any]:
    """`loss`, which of 16-bit floats is computed in f32, as is its derivative."""

    @wraps(loss)
    def wide(*args: Any, **kwargs: Any) -> Any:
        arrays = [x for x in (*args, *kwargs.values()) if is_tensor(x)]
        dtype = computed_dtype(arrays) if arrays else F32
        if dtype.kind != "float" or dtype.bytes != 2:
            return loss(*args, **kwargs)
        return astype(loss(*map(_in_f32, args), **{name: _in_f32(x) for name, x in kwargs.items()}), dtype)

    return wide


def _in_f32(x: Any) -> Any:
    return astype(x, F32) if is_tensor(x) and type_of(x).dtype.kind == "float" else x


def _above(floor: float, x: Any) -> Any:
    return maximum(x, floor)


@also_spelled(input="logits", target="targets")
def cross_entropy(
    logits: Any,
    targets: Any,
    weight: Any = None,
    ignore_index: int | None = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """-log softmax(logits) at the target classes; classes lie on axis 1 (axis 0 for rank 1).

    logits           [N, C, *D] or [C]
    targets          integer classes [N, *D] or []; or probabilities, floats of the shape of logits
    weight           [C], a factor for each class; the mean is then over the weights of the targets
    ignore_index     a class number that means "no target": loss 0, not counted in the mean; None if there is no such number
    label_smoothing  this part of each target is spread evenly over all classes
    returns          a scalar, or [N, *D] for reduction="none"; nan for a class out of range (a negative one too),
                     which is never read, and with checks=True raises IndexRangeError

    Raises           ShapeError, DTypeError   the operands do not fit
                     InputError               another reduction, or smoothing not in [0, 1]
    """
    name = "cross_entropy"
    check_reduction(name, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise located(InputError(f"{name}: label_smoothing = {label_smoothing} is not in [0, 1]"))
    logits, targets = as_float(logits), tensor(targets)
    a, t = type_of(logits), type_of(targets)
    axis = min(1, a.rank - 1)
    if a.rank == 0:
        raise located(ShapeError(f"{name}: logits have no class axis", f"logits: {a}"))
    weight = None if weight is None else class_weights(name, weight, a.shape[axis], a.dtype)
    if t.dtype.kind == "float":
        return _soft_cross_entropy(logits, targets, weight, axis, reduction, label_smoothing)
    check_classes(name, logits, targets, axis)
    targets, valid, in_range = class_numbers(targets, a.shape[axis], axis, ignore_index)
    losses = apply(CrossEntropy(axis), logits, targets)
    each = None if weight is None else take(weight, targets, axis=0)
    losses = losses if each is None else multiply(losses, each)
    if label_smoothing:
        spread = negative(log_softmax(logits, axis))
        spread = spread if weight is None else multiply(spread, _along(weight, axis, a.rank))
        losses = add(multiply(losses, 1 - label_smoothing), multiply(mean(spread, axis), label_smoothing))
    return _masked_reduction(losses, valid, in_range, each, reduction)


def class_weights(name: str, weight: Any, n_classes: int, dtype: DType) -> Any:
    weight = astype(weight, dtype)
    if type_of(weight).shape != (n_classes,):
        raise located(ShapeError(f"{name}: weight is {type_of(weight)}, must have one entry for each of {n_classes} classes"))
    return weight


def _along(weight: Any, axis: int, rank: int) -> Any:
    """[C] as an array of `rank` that broadcasts along every axis but `axis`."""
    return reshape(weight, [-1 if i == axis else 1 for i in range(rank)])


def check_classes(name: str, x: Any, targets: Any, axis: int) -> None:
    a, t = type_of(x), type_of(targets)
    if not t.dtype.is_integer:
        raise located(DTypeError(f"{name}: targets are {t}, not integer classes"))
    if t.shape != a.shape[:axis] + a.shape[axis + 1 :]:
        raise located(ShapeError(f"{name}: targets must be logits without axis {axis}", f"logits: {a}", f"targets: {t}"))


def class_numbers(targets: Any, n_classes: int, axis: int, ignore_index: int | None) -> tuple[Any, Any, Any]:
    """Class numbers in range, which of the targets count (None: all), and which of these are class numbers.

    What does not count has class 0. Where checks are asked for they look at what comes before it is put in range.
    """
    dtype = type_of(targets).dtype
    targets = targets if dtype.bytes >= I32.bytes else astype(targets, I32)
    counts = None
    if ignore_index is not None and not (dtype.kind == "uint" and ignore_index < 0):
        counts = not_equal(targets, ignore_index)
        targets = where(counts, targets, 0)
    targets = apply(ClassNumbers(n_classes, axis), targets)
    numbers = clip(targets, None if dtype.kind == "uint" else 0, max(n_classes - 1, 0))
    return numbers, counts, equal(numbers, targets)


def _masked_reduction(losses: Any, valid: Any, in_range: Any, weight: Any, reduction: str) -> Any:
    """Losses that do not count made 0, those of impossible classes nan; the mean is over the weights that count."""
    losses = where(in_range, losses, math.nan)
    losses = losses if valid is None else where(valid, losses, 0.0)
    if reduction != "mean" or (valid is None and weight is None):
        return reduced(losses, reduction)
    dtype = type_of(losses).dtype
    counted = weight if valid is None else astype(valid, dtype) if weight is None else where(valid, weight, 0.0)
    wide = F32 if dtype.bytes == 2 else dtype  # the sums of a large batch are beyond f16
    return astype(divide(sum(astype(losses, wide)), sum(astype(counted, wide))), dtype)


def _soft_cross_entropy(logits: Any, targets: Any, weight: Any, axis: int, reduction: str, smoothing: float) -> Any:
    a = type_of(logits)
    if type_of(targets).shape != a.shape:
        listed = (f"logits: {a}", f"targets: {type_of(targets)}")
        raise located(ShapeError("cross_entropy: probabilities must have the shape of logits", *listed))
    targets = astype(targets, a.dtype)
    if smoothing:
        targets = add(multiply(targets, 1 - smoothing), smoothing / a.shape[axis])
    products = multiply(targets, log_softmax(logits, axis))
    products = products if weight is None else multiply(products, _along(weight, axis, a.rank))
    return reduced(negative(sum(products, axis)), reduction)


@also_spelled(target="targets")
@rounded_once
def nll_loss(input: Any, targets: Any, weight: Any = None, ignore_index: int | None = -100, reduction: str = "mean") -> Any:
    """Minus the log-probability of each target class; as cross_entropy, of logarithms that are normalised already.

    returns   nan for a class out of range (a negative one too), never read; with checks=True that raises IndexRangeError
    """
    name = "nll_loss"
    check_reduction(name, reduction)
    input, targets = as_float(input), tensor(targets)
    a = type_of(input)
    axis = min(1, a.rank - 1)
    if a.rank == 0:
        raise located(ShapeError(f"{name}: input has no class axis", f"input: {a}"))
    check_classes(name, input, targets, axis)
    targets, valid, in_range = class_numbers(targets, a.shape[axis], axis, ignore_index)
    losses = negative(at_classes(input, targets, axis))
    each = None if weight is None else take(class_weights(name, weight, a.shape[axis], a.dtype), targets, axis=0)
    return _masked_reduction(losses if each is None else multiply(losses, each), valid, in_range, each, reduction)


def at_classes(x: Any, targets: Any, axis: int) -> Any:
    """The entry of x at each target, shaped as targets."""
    return squeeze(take_along_axis(x, expand_dims(targets, axis), axis), axis)


@rounded_once
def binary_cross_entropy(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
    """-(t log p + (1 - t) log(1 - p)) of probabilities p; logarithms are at least -100, with derivative 0 below that.

    weight   broadcasts to input
    """
    check_reduction("binary_cross_entropy", reduction)
    p, t = paired_floats("binary_cross_entropy", input, target)
    losses = negative(add(multiply(t, _bounded_log(p)), multiply(subtract(1.0, t), _bounded_log(subtract(1.0, p)))))
    return reduced(losses if weight is None else multiply(losses, weight), reduction)


def _bounded_log(p: Any) -> Any:
    is_zero = equal(p, 0)  # its logarithm has an infinite derivative, and 0 * inf would be nan
    return where(is_zero, -100.0, _above(-100.0, log(where(is_zero, 1.0, p))))


@rounded_once
def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Any:
    """binary_cross_entropy of sigmoid(input), without overflow.

    weight       broadcasts to input
    pos_weight   a factor on the losses of positive targets; broadcasts to input
    """
    check_reduction("binary_cross_entropy_with_logits", reduction)
    x, t = paired_floats("binary_cross_entropy_with_logits", input, target)
    is_off = multiply(subtract(1.0, t), logsigmoid(negative(x)))
    is_on = multiply(t, logsigmoid(x))
    losses = negative(add(is_on if pos_weight is None else multiply(is_on, pos_weight), is_off))
    return reduced(losses if weight is None else multiply(losses, weight), reduction)


@rounded_once
def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """(input - target)^2."""
    check_reduction("mse_loss", reduction)
    return reduced(square(subtract(*paired_floats("mse_loss", input, target))), reduction)


@rounded_once
def l1_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """|input - target|; its derivative at 0 is 0."""
    check_reduction("l1_loss", reduction)
    return reduced(absolute(subtract(*paired_floats("l1_loss", input, target))), reduction)


@rounded_once
def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Any:
    """r^2 / (2 beta) where |r| < beta, else |r| - beta / 2, of r = input - target.

    Raises   InputError   beta is negative
    """
    check_reduction("smooth_l1_loss", reduction)
    if beta < 0:
        raise located(InputError(f"smooth_l1_loss: beta = {beta} is negative"))
    r = subtract(*paired_floats("smooth_l1_loss", input, target))
    size = absolute(r)
    losses = size if beta == 0 else where(less(size, beta), multiply(square(r), 0.5 / beta), subtract(size, 0.5 * beta))
    return reduced(losses, reduction)


@rounded_once
def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Any:
    """r^2 / 2 where |r| <= delta, else delta (|r| - delta / 2), of r = input - target.

    Raises   InputError   delta is not above 0
    """
    check_reduction("huber_loss", reduction)
    if not delta > 0:
        raise located(InputError(f"huber_loss: delta = {delta} is not above 0"))
    r = subtract(*paired_floats("huber_loss", input, target))
    size = absolute(r)
    outside = multiply(subtract(size, 0.5 * delta), delta)
    return reduced(where(less(delta, size), outside, multiply(square(r), 0.5)), reduction)


@rounded_once
def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Any:
    """t (log t - x), where x = input are log-probabilities; 0 where t = 0.

    target       probabilities, or with log_target their logarithms
    reduction    also "batchmean": the sum divided by the first dim, which is the divergence of whole distributions
    """
    check_reduction("kl_div", reduction, "batchmean")
    x, t = paired_floats("kl_div", input, target)
    losses = multiply(exp(t), subtract(t, x)) if log_target else subtract(_times_own_log(t), multiply(t, x))
    if reduction == "batchmean":
        if not type_of(x).rank:
            raise located(ShapeError('kl_div: reduction="batchmean" needs a first axis', f"input: {type_of(x)}"))
        return divide(sum(losses), float(type_of(x).shape[0]))
    return reduced(losses, reduction)


def _times_own_log(t: Any) -> Any:
    is_zero = equal(t, 0)
    return where(is_zero, 0.0, multiply(t, log(where(is_zero, 1.0, t))))


@rounded_once
def poisson_nll_loss(
    input: Any, target: Any, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean"
) -> Any:
    """rate - target log(rate), where input is the logarithm of the rate or, without log_input, the rate.

    full   add Stirling's approximation of log(target!), t log t - t + log(2 pi t) / 2, where t > 1
    eps    added to the rate under the logarithm
    """
    check_reduction("poisson_nll_loss", reduction)
    x, t = paired_floats("poisson_nll_loss", input, target)
    losses = subtract(exp(x), multiply(t, x)) if log_input else subtract(x, multiply(t, log(add(x, eps))))
    if full:
        is_large = less(1.0, t)
        safe = where(is_large, t, 1.0)
        stirling = add(subtract(multiply(safe, log(safe)), safe), multiply(log(multiply(safe, 2 * math.pi)), 0.5))
        losses = add(losses, where(is_large, stirling, 0.0))
    return reduced(losses, reduction)


@rounded_once
def gaussian_nll_loss(input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> Any:
    """(log v + (input - target)^2 / v) / 2, of v = var, but at least eps, with derivative 0 below it.

    var    as input; or its last axis is 1, or is missing, where one variance serves all of it
    full   add log(2 pi) / 2

    Raises   ShapeError   var has none of these shapes
    """
    check_reduction("gaussian_nll_loss", reduction)
    x, t = paired_floats("gaussian_nll_loss", input, target)
    var = astype(tensor(var), type_of(x).dtype)
    shape = type_of(x).shape
    if shape and type_of(var).shape == shape[:-1]:
        var = expand_dims(var, -1)
    if type_of(var).shape not in (shape, (*shape[:-1], 1), ()):
        listed = (f"var: {type_of(var)}", f"input: {type_of(x)}")
        raise located(ShapeError("gaussian_nll_loss: var does not go with input", *listed))
    var = broadcast_to(_above(eps, var), shape)
    losses = multiply(add(log(var), divide(square(subtract(x, t)), var)), 0.5)
    return reduced(add(losses, 0.5 * math.log(2 * math.pi)) if full else losses, reduction)
