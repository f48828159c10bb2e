"""Functions of neural networks, with torch.nn.functional's names and layouts: images are [N, C, *spatial]."""

from collections.abc import Sequence
from typing import Any

from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.frontend.functional_create import ones, zeros
from burngraph.frontend.functional_elementwise import abs as absolute
from burngraph.frontend.functional_elementwise import (
    add,
    divide,
    exp,
    expm1,
    greater,
    log1p,
    maximum,
    minimum,
    multiply,
    negative,
    relu,
    sigmoid,
    where,
)
from burngraph.frontend.functional_reduce import mean, sum, tensordot
from burngraph.frontend.functional_shape import (
    astype,
    computed_dtype,
    normal_axis,
    permute_dims,
    reshape,
    shape_tuple,
    tensor,
)
from burngraph.frontend.recording import apply, apply_several, located, type_of
from burngraph.ir.ops.activation import Gelu
from burngraph.ir.ops.conv import Conv
from burngraph.ir.ops.loss import CrossEntropy
from burngraph.ir.ops.norm import BatchNorm, BatchNormInference, LayerNorm
from burngraph.ir.ops.pool import AvgPool, MaxPool
from burngraph.ir.ops.softmax import LogSoftmax, Logsumexp, Softmax
from burngraph.ir.permutation import inverse
from burngraph.ir.promotion import at_least_float

__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool2d",
    "batch_norm",
    "conv1d",
    "conv2d",
    "conv3d",
    "cross_entropy",
    "elu",
    "gelu",
    "hardsigmoid",
    "hardswish",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsumexp",
    "max_pool2d",
    "relu6",
    "silu",
    "softmax",
    "softplus",
]

Ints = int | Sequence[int]


def _floats(*xs: Any) -> list[Any]:
    """`xs` as arrays of one float dtype; None stays None."""
    arrays = [None if x is None else tensor(x) for x in xs]
    dtype = at_least_float(computed_dtype([x for x in arrays if x is not None]))
    return [None if x is None else astype(x, dtype) for x in arrays]


def _per_axis(function: str, name: str, value: Ints, n: int) -> tuple[int, ...]:
    values = (value,) * n if isinstance(value, int) else tuple(value)
    if len(values) != n:
        raise located(ShapeError(f"{function}: {name} = {value} must be an int or {n} of them"))
    return values


def conv1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Ints | str = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Any:
    """conv2d with one spatial axis: x [N, C, L], weight [O, C / groups, K]."""
    return _conv("conv1d", 1, x, weight, bias, stride, padding, dilation, groups)


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Ints | str = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Any:
    """Cross-correlation of images with kernels.

    x         [N, C, H, W]
    weight    [O, C / groups, KH, KW]
    bias      [O], or None
    padding   zeros on both sides of each axis; "valid" is 0, "same" keeps H and W (stride 1 only)
    returns   [N, O, H', W']

    Raises    ShapeError   ranks or channels do not fit, or the kernel is larger than the padded image
    """
    return _conv("conv2d", 2, x, weight, bias, stride, padding, dilation, groups)


def conv3d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Ints | str = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Any:
    """conv2d with three spatial axes: x [N, C, D, H, W], weight [O, C / groups, KD, KH, KW]."""
    return _conv("conv3d", 3, x, weight, bias, stride, padding, dilation, groups)


def _conv(name: str, n: int, x: Any, weight: Any, bias: Any, stride: Ints, padding: Any, dilation: Ints, groups: int) -> Any:
    x, weight, bias = _floats(x, weight, bias)
    a, w = type_of(x), type_of(weight)
    given = (f"x: {a}", f"weight: {w}", f"groups: {groups}")
    if a.rank != n + 2 or w.rank != n + 2:
        raise located(ShapeError(f"{name}: x and weight must have rank {n + 2}", *given))
    if groups < 1 or a.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
        raise located(ShapeError(f"{name}: x has {a.shape[1]} channels, weight takes {w.shape[1]} per group", *given))
    strides, dilations = _per_axis(name, "stride", stride, n), _per_axis(name, "dilation", dilation, n)
    low, high = _padding(name, padding, n, w.shape[2:], strides, dilations)
    to_last = (0, *range(2, n + 2), 1)
    op = Conv(strides, low, high, dilations, (1,) * n, groups, False)
    y = permute_dims(apply(op, permute_dims(x, to_last), permute_dims(weight, to_last)), inverse(to_last))
    return y if bias is None else _add_channel_bias(name, y, bias)


def _padding(
    name: str, padding: Any, n: int, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if padding == "same":
        if any(s != 1 for s in stride):
            raise located(ShapeError(f'{name}: padding="same" needs stride 1, got {stride}', "give the padding in numbers"))
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    if isinstance(padding, str) and padding != "valid":
        raise located(ShapeError(f'{name}: padding = {padding!r} is not "same", "valid" or numbers'))
    both = _per_axis(name, "padding", 0 if padding == "valid" else padding, n)
    return both, both


def _add_channel_bias(name: str, y: Any, bias: Any) -> Any:
    channels = type_of(y).shape[1]
    if type_of(bias).shape != (channels,):
        raise located(ShapeError(f"{name}: bias is {type_of(bias)}, the result has {channels} channels"))
    return add(y, reshape(bias, (channels,) + (1,) * (type_of(y).rank - 2)))


def _image(function: str, x: Any, n: int) -> Any:
    x = tensor(x)
    if type_of(x).rank < n:
        raise located(ShapeError(f"{function}: x is {type_of(x)}, needs {n} spatial axes at the end"))
    return x


def _window(function: str, x: Any, size: Ints, stride: Ints | None, padding: Ints) -> tuple[tuple[int, ...], ...]:
    """Axes, size, stride and padding of a two-dimensional window over the last two axes."""
    rank = type_of(x).rank
    sizes, pads = _per_axis(function, "kernel_size", size, 2), _per_axis(function, "padding", padding, 2)
    strides = sizes if stride is None else _per_axis(function, "stride", stride, 2)
    if any(2 * p > k for p, k in zip(pads, sizes, strict=True)):
        raise located(ShapeError(f"{function}: padding {pads} is over half of kernel_size {sizes}"))
    return (rank - 2, rank - 1), sizes, strides, pads


def max_pool2d(x: Any, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1) -> Any:
    """The largest entry of each window of [..., H, W]; padding counts as -inf; stride is kernel_size if None."""
    x = _image("max_pool2d", x, 2)
    axes, size, strides, pads = _window("max_pool2d", x, kernel_size, stride, padding)
    return apply(MaxPool(axes, size, strides, pads, pads, _per_axis("max_pool2d", "dilation", dilation, 2)), x)


def avg_pool2d(x: Any, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, count_include_pad: bool = True) -> Any:
    """The mean of each window of [..., H, W]; stride is kernel_size if None."""
    (x,) = _floats(_image("avg_pool2d", x, 2))
    axes, size, strides, pads = _window("avg_pool2d", x, kernel_size, stride, padding)
    return apply(AvgPool(axes, size, strides, pads, pads, count_include_pad), x)


def adaptive_avg_pool2d(x: Any, output_size: Ints) -> Any:
    """[..., H, W] averaged down to [..., *output_size].

    Raises   ShapeError   output_size does not divide (H, W)
    """
    x = _image("adaptive_avg_pool2d", x, 2)
    out = _per_axis("adaptive_avg_pool2d", "output_size", output_size, 2)
    if out == (1, 1):
        return mean(x, (-2, -1), keepdims=True)
    image = type_of(x).shape[-2:]
    if any(o < 1 or i % o for i, o in zip(image, out, strict=True)):
        raise located(ShapeError(f"adaptive_avg_pool2d: output_size {out} does not divide {image}", f"x: {type_of(x)}"))
    return avg_pool2d(x, tuple(i // o for i, o in zip(image, out, strict=True)))


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


def logsumexp(x: Any, axis: int | None = None, keepdims: bool = False, *, dim: int | None = None) -> Any:
    """log(sum(exp(x))) along `axis`, without overflow."""
    y = _along(Logsumexp, x, axis, dim)
    if not keepdims:
        return y
    shape = list(type_of(tensor(x)).shape)
    chosen = dim if axis is None else axis
    shape[-1 if chosen is None else chosen] = 1
    return reshape(y, shape)


def cross_entropy(logits: Any, targets: Any, reduction: str = "mean") -> Any:
    """-log softmax(logits) at the target classes; classes lie on axis 1 (axis 0 for rank 1).

    logits      [N, C, *D] or [C]
    targets     integer classes [N, *D] or []
    reduction   "mean", "sum" or "none"

    Raises      ShapeError   targets do not have the shape of logits without its class axis
                DTypeError   targets are not integers;   InputError   another reduction
    """
    (logits,) = _floats(logits)
    targets = tensor(targets)
    a, t = type_of(logits), type_of(targets)
    axis = min(1, a.rank - 1)
    if a.rank == 0 or t.shape != a.shape[:axis] + a.shape[axis + 1 :]:
        raise located(ShapeError("cross_entropy: targets must be logits without axis 1", f"logits: {a}", f"targets: {t}"))
    if not t.dtype.is_integer:
        raise located(DTypeError(f"cross_entropy: targets are {t}, not integer classes"))
    if reduction not in ("mean", "sum", "none"):
        raise located(InputError(f'cross_entropy: reduction = {reduction!r} is not "mean", "sum" or "none"'))
    losses = apply(CrossEntropy(axis), logits, targets)
    return losses if reduction == "none" else (mean if reduction == "mean" else sum)(losses)


def gelu(x: Any, approximate: str = "none") -> Any:
    """x times the normal distribution function of x; "tanh" approximates it."""
    (x,) = _floats(x)
    return apply(Gelu(approximate), x)


def silu(x: Any) -> Any:
    """x * sigmoid(x)."""
    (x,) = _floats(x)
    return multiply(x, sigmoid(x))


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    return where(greater(x, 0), x, multiply(x, negative_slope))


def elu(x: Any, alpha: float = 1.0) -> Any:
    # expm1 of the positive entries could overflow, and 0 * inf is nan in the derivative
    return where(greater(x, 0), x, multiply(expm1(minimum(x, 0.0)), alpha))


def relu6(x: Any) -> Any:
    return minimum(maximum(x, 0), 6)


def hardsigmoid(x: Any) -> Any:
    return divide(relu6(add(x, 3)), 6.0)


def hardswish(x: Any) -> Any:
    return multiply(x, hardsigmoid(x))


def softplus(x: Any) -> Any:
    """log(1 + exp(x)), without overflow."""
    (x,) = _floats(x)
    return add(relu(x), log1p(exp(negative(absolute(x)))))
