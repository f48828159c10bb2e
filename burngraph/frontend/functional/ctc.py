"""Connectionist temporal classification: the loss of all alignments of a short target with a long input."""

import math
from collections.abc import Sequence
from typing import Any

from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.frontend.control import scan
from burngraph.frontend.functional.comparison import greater, greater_equal, less, logical_and, logical_or, not_equal, where
from burngraph.frontend.functional.conversion import asarray
from burngraph.frontend.functional.creation import arange, full
from burngraph.frontend.functional.elementwise import add, clip, divide, maximum, multiply, negative
from burngraph.frontend.functional.indexing import take_along_axis
from burngraph.frontend.functional.loss import check_reduction
from burngraph.frontend.functional.padding import pad
from burngraph.frontend.functional.reduction import any, logsumexp, mean, sum
from burngraph.frontend.functional.shape import (
    as_float,
    astype,
    broadcast_to,
    expand_dims,
    reshape,
    sliced,
    squeeze,
    stack,
    tensor,
)
from burngraph.frontend.recording import apply, is_tensor, located, type_of
from burngraph.ir.ops.loss import ClassNumbers
from burngraph.ir.types import F32, I32, U32

__all__ = ["ctc_loss"]

# In place of -inf, whose differences are nan. A path of real probabilities, however long, stays above NO_PATH.
UNREACHED = -1e30
FLOOR = -1e20
NO_PATH = -1e19


def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:
    """-log of the probability of all ways to spread each target over its input, blanks between and around labels allowed.

    log_probs        [T, N, C] or [T, C]   logarithms of probabilities, from log_softmax over the last axis
    targets          integer labels [N, S] or [S]; what is beyond its target's length is not looked at
    input_lengths    integers [N] or [], each 0 ... T; an array or a list
    target_lengths   integers [N] or [], each 0 ... S
    blank            the class that stands for no label
    reduction        "mean" divides each loss by its target's length (at least 1), then averages over the batch
    zero_infinity    an input too short for its target, which gives inf, gives 0; the gradient is 0 either way
    returns          a scalar, or [N] or [] for "none"; nan for a label or a length out of range, which is never
                     read, and with checks=True raises IndexRangeError

    The gradient is that of the formula; PyTorch's, with respect to log_probs, is that of the logits before log_softmax.

    Raises   ShapeError, DTypeError   operands do not fit, as with targets joined end to end, which PyTorch takes;
             InputError               blank is no class, or another reduction
    Source   Graves et al., Connectionist Temporal Classification (ICML 2006), equations 6 and 7, in logarithms
    """
    check_reduction("ctc_loss", reduction)
    log_probs, targets = as_float(log_probs), tensor(targets)
    lengths = [_integers(name, x) for name, x in (("input_lengths", input_lengths), ("target_lengths", target_lengths))]
    is_single = type_of(log_probs).rank == 2
    if is_single:
        log_probs, targets = expand_dims(log_probs, 1), expand_dims(targets, 0)
        lengths = [reshape(x, (1,)) if type_of(x).size == 1 else x for x in lengths]
    _check(log_probs, targets, *lengths, blank)
    dtype = type_of(log_probs).dtype
    n_steps, _, n_classes = type_of(log_probs).shape
    n_labels = type_of(targets).shape[1]
    lengths = [
        apply(ClassNumbers(most + 1, axis), x) for x, most, axis in zip(lengths, (n_steps, n_labels), (0, 1), strict=True)
    ]
    counts = less(arange(n_labels), expand_dims(lengths[1], -1))
    targets = apply(ClassNumbers(n_classes, 2), where(counts, _in_i32(targets), blank))
    losses = _losses(astype(log_probs, F32) if dtype.bytes == 2 else log_probs, targets, *lengths, blank)
    losses = where(greater(losses, -NO_PATH), 0.0 if zero_infinity else math.inf, losses)
    losses = where(_out_of_range(log_probs, targets, *lengths), math.nan, losses)
    if reduction == "mean":
        losses = divide(losses, astype(maximum(lengths[1], 1), type_of(losses).dtype))
    losses = astype(losses, dtype)
    if reduction == "none":
        return squeeze(losses, 0) if is_single else losses
    return (mean if reduction == "mean" else sum)(losses)


def _integers(name: str, x: Any) -> Any:
    x = x if is_tensor(x) else asarray(list(x) if isinstance(x, Sequence) else x)
    if not type_of(x).dtype.is_integer:
        raise located(DTypeError(f"ctc_loss: {name} are {type_of(x)}, not integers"))
    return _in_i32(x)


def _in_i32(x: Any) -> Any:
    """Integers in i32. One beyond it, which no label or length is, becomes its limit and does not wrap into their range."""
    dtype = type_of(x).dtype
    is_wide = dtype.bytes > I32.bytes or dtype is U32
    return astype(clip(x, -(2**31), 2**31 - 1) if is_wide else x, I32)


def _check(log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int) -> None:
    p, t = type_of(log_probs), type_of(targets)
    names = ("log_probs", "targets", "input_lengths", "target_lengths")
    given = (log_probs, targets, input_lengths, target_lengths)
    listed = [f"{name}: {type_of(x)}" for name, x in zip(names, given, strict=True)]
    n = p.shape[1] if p.rank == 3 else -1
    if p.rank != 3 or t.rank != 2 or t.shape[0] != n or _differ_from((n,), input_lengths, target_lengths):
        way_out = "pad targets to [N, S]; what is beyond target_lengths is not looked at"
        raise located(ShapeError("ctc_loss: takes log_probs[T, N, C], targets[N, S] and lengths [N]", *listed, way_out))
    if not t.dtype.is_integer:
        raise located(DTypeError(f"ctc_loss: targets are {t}, not integer labels"))
    if not 0 <= blank < p.shape[2]:
        raise located(InputError(f"ctc_loss: blank = {blank} is none of {p.shape[2]} classes"))


def _differ_from(shape: tuple[int, ...], *xs: Any) -> bool:
    return {type_of(x).shape for x in xs} != {shape}


def _out_of_range(log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any) -> Any:
    """Per example: whether a length or a label that counts is impossible. bool[N]"""
    n_steps, _, n_classes = type_of(log_probs).shape
    n_labels = type_of(targets).shape[1]
    is_bad = any(logical_or(less(targets, 0), greater_equal(targets, n_classes)), 1)
    for length, limit in ((input_lengths, n_steps), (target_lengths, n_labels)):
        is_bad = logical_or(is_bad, logical_or(less(length, 0), greater(length, limit)))
    return is_bad


def _losses(log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int) -> Any:
    """-log p for each example; above -NO_PATH if there is no path.

    alpha[n, s] is the log-probability of having said the first s entries of blank, label 1, blank, ..., label S, blank.
    """
    (n_steps, n, _), n_labels = type_of(log_probs).shape, type_of(targets).shape[1]
    n_states, dtype = 2 * n_labels + 1, type_of(log_probs).dtype
    blanks = full((n, n_labels), blank, I32)
    states = pad(reshape(stack([blanks, targets], -1), (n, 2 * n_labels)), [(0, 0), (0, 1)], value=blank)
    said = take_along_axis(log_probs, broadcast_to(states, (n_steps, n, n_states)), -1)
    said = maximum(said, FLOOR)
    two_back = sliced(pad(states, [(0, 0), (2, 0)], value=blank), (0, 0), (n, n_states), (1, 1))
    may_skip = logical_and(not_equal(states, blank), not_equal(states, two_back))
    goes_on = less(expand_dims(arange(n_steps), (1, 2)), reshape(input_lengths, (1, n, 1)))  # bool[T, N, 1]

    def step(alpha: Any, slices: Any) -> tuple[Any, None]:
        now, is_inside = slices
        one, two = (sliced(pad(alpha, [(0, 0), (k, 0)], value=UNREACHED), (0, 0), (n, n_states), (1, 1)) for k in (1, 2))
        reached = logsumexp(stack([alpha, one, where(may_skip, two, UNREACHED)], 0), 0)
        return where(is_inside, add(reached, now), alpha), None

    start = pad(full((n, 1), 0.0, dtype), [(0, 0), (0, n_states - 1)], value=UNREACHED)
    alpha, _ = scan(step, start, (said, goes_on)) if n_steps else (start, None)
    last = expand_dims(multiply(target_lengths, 2), -1)
    ends = [take_along_axis(alpha, maximum(add(last, -k), 0), 1) for k in (0, 1)]  # the last blank, or the last label
    ends[1] = where(greater(last, 0), ends[1], UNREACHED)
    return negative(squeeze(logsumexp(stack(ends, 0), 0), 1))
