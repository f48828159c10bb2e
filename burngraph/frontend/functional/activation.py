"""Activations, with torch.nn.functional's names, defaults and derivatives at kinks. Integers are taken as f32."""

from typing import Any

from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.frontend.functional.comparison import greater, greater_equal, less, less_equal, logical_and, where
from burngraph.frontend.functional.elementwise import abs as absolute
from burngraph.frontend.functional.elementwise import (
    add,
    clip,
    divide,
    exp,
    expm1,
    maximum,
    minimum,
    multiply,
    negative,
    sigmoid,
    subtract,
    tanh,
)
from burngraph.frontend.functional.reduction import max, sum
from burngraph.frontend.functional.shape import as_float, astype, computed_dtype, normal_axis, reshape, tensor
from burngraph.frontend.functional.special import logaddexp
from burngraph.frontend.functional.spelling import also_spelled, takes_inplace
from burngraph.frontend.functional.splitting import tensor_split
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.activation import Gelu
from burngraph.ir.ops.softmax import LogSoftmax, Softmax
from burngraph.ir.promotion import at_least_float
from burngraph.ir.types import as_dtype

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "mish",
    "prelu",
    "quiet_softmax",
    "relu6",
    "selu",
    "shrink",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "swiglu",
    "tanhshrink",
    "threshold",
    "thresholded_relu",
]

SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717  # Klambauer et al., 2017


def gelu(x: Any, approximate: str = "none") -> Any:
    """x times the normal distribution function of x; "tanh" approximates it."""
    return apply(Gelu(approximate), as_float(x))


@takes_inplace
def silu(x: Any) -> Any:
    """x * sigmoid(x)."""
    x = as_float(x)
    return multiply(x, sigmoid(x))


def swiglu(gate: Any, x: Any) -> Any:
    """silu(gate) * x."""
    return multiply(silu(gate), x)


@takes_inplace
def mish(x: Any) -> Any:
    """x * tanh(softplus(x))."""
    x = as_float(x)
    return multiply(x, tanh(softplus(x)))


@takes_inplace
def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    """x where it is positive, else x * negative_slope, which is also the derivative at 0."""
    x = as_float(x)
    return where(greater(x, 0), x, multiply(x, negative_slope))


def prelu(x: Any, weight: Any) -> Any:
    """leaky_relu with a learned slope.

    weight   [C], one for each channel (axis 1 of x, or the only one), or one for all: [1] or []
    Raises   ShapeError   weight is neither
    """
    x, slope = with_channel_slope(x, weight)
    return where(greater(x, 0), x, multiply(x, slope))


def with_channel_slope(x: Any, weight: Any) -> tuple[Any, Any]:
    """x and prelu's weight as floats of one dtype, the weight in a shape that broadcasts along x's channels."""
    x, weight = tensor(x), tensor(weight)
    dtype = at_least_float(computed_dtype([x, weight]))
    x, weight = astype(x, dtype), astype(weight, dtype)
    a, w = type_of(x), type_of(weight)
    channels = a.shape[1] if a.rank > 1 else 1
    if w.rank > 1 or w.size not in (1, channels):
        raise located(ShapeError(f"prelu: weight must have 1 entry or {channels}, one per channel", f"x: {a}", f"weight: {w}"))
    slope = reshape(weight, (w.size, *(1,) * (a.rank - 2))) if a.rank > 1 else reshape(weight, ())
    return x, slope


@takes_inplace
def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, else alpha * (exp(x) - 1)."""
    x = as_float(x)
    # expm1 of the positive entries could overflow, and 0 * inf is nan in the derivative
    return where(greater(x, 0), x, multiply(expm1(minimum(x, 0.0)), alpha))


@takes_inplace
def selu(x: Any) -> Any:
    """elu with the alpha, times the scale, that keep mean 0 and variance 1."""
    return multiply(elu(x, SELU_ALPHA), SELU_SCALE)


@takes_inplace
def celu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, else alpha * (exp(x / alpha) - 1).

    Raises   InputError   alpha is 0
    """
    if alpha == 0:
        raise located(InputError("celu: alpha = 0 divides by zero"))
    x = as_float(x)
    return where(greater(x, 0), x, multiply(expm1(divide(minimum(x, 0.0), alpha)), alpha))


@takes_inplace
def hardtanh(x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """x limited to min_val ... max_val. The derivative on the bounds is 0, as in torch (that of clip is 1).

    Raises   InputError   min_val is over max_val
    """
    if min_val > max_val:
        raise located(InputError(f"hardtanh: min_val = {min_val} is over max_val = {max_val}"))
    return minimum(max_val, maximum(min_val, as_float(x)))  # a tie goes to the first operand


@takes_inplace
def relu6(x: Any) -> Any:
    """x limited to 0 ... 6; the derivative at 0 and 6 is 0."""
    return hardtanh(x, 0.0, 6.0)


@takes_inplace
def hardsigmoid(x: Any) -> Any:
    """relu6(x + 3) / 6."""
    return divide(relu6(add(as_float(x), 3)), 6.0)


@takes_inplace
def hardswish(x: Any) -> Any:
    """x * relu6(x + 3) / 6."""
    x = as_float(x)
    return multiply(x, hardsigmoid(x))


def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + exp(beta * x)) / beta, without overflow; x itself where beta * x is over `threshold`.

    Raises   InputError   beta is 0
    """
    if beta == 0:
        raise located(InputError("softplus: beta = 0 divides by zero"))
    x = as_float(x)
    if beta == 1:
        soft, at = logaddexp(x, 0.0), x
    else:
        at = multiply(x, beta)
        soft = divide(logaddexp(at, 0.0), beta)
    return where(greater(at, threshold), x, soft)


def logsigmoid(x: Any) -> Any:
    """log(sigmoid(x)), without underflow."""
    return negative(logaddexp(negative(as_float(x)), 0.0))


def softsign(x: Any) -> Any:
    """x / (1 + abs(x))."""
    x = as_float(x)
    return divide(x, add(absolute(x), 1.0))


def tanhshrink(x: Any) -> Any:
    """x - tanh(x)."""
    x = as_float(x)
    return subtract(x, tanh(x))


def hardshrink(x: Any, lambd: float = 0.5) -> Any:
    """0 where -lambd <= x <= lambd, else x."""
    x = as_float(x)
    return where(logical_and(greater_equal(x, -lambd), less_equal(x, lambd)), 0.0, x)


def softshrink(x: Any, lambd: float = 0.5) -> Any:
    """x moved towards 0 by lambd; 0 where -lambd <= x <= lambd.

    Raises   InputError   lambd is negative
    """
    if lambd < 0:
        raise located(InputError(f"softshrink: lambd = {lambd} is negative"))
    x = as_float(x)
    return subtract(x, clip(x, -lambd, lambd))


def shrink(x: Any, lambd: float = 0.5, bias: float = 0.5) -> Any:
    """x - bias where x > lambd, x + bias where x < -lambd, else 0 (nan stays)."""
    x = as_float(x)
    low, high = less(x, -lambd), greater(x, lambd)
    inside = logical_and(greater_equal(x, -lambd), less_equal(x, lambd))
    moved = where(high, subtract(x, bias), where(low, add(x, bias), x))
    return where(inside, 0.0, moved)


@takes_inplace
def threshold(x: Any, threshold: float, value: float) -> Any:
    """x where it is over `threshold`, else `value`; nan stays."""
    x = tensor(x)
    return where(less_equal(x, threshold), value, x)


def thresholded_relu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is over alpha, else 0; nan stays."""
    return threshold(x, alpha, 0)


def glu(x: Any, dim: int = -1) -> Any:
    """The first half of x along `dim` times the sigmoid of the second.

    Raises   ShapeError   the size of the axis is odd
    """
    x = as_float(x)
    axis = normal_axis("glu", dim, type_of(x).rank)
    if type_of(x).shape[axis] % 2:
        raise located(ShapeError(f"glu: axis {axis} of {type_of(x)} has no two equal halves"))
    first, second = tensor_split(x, 2, axis)
    return multiply(first, sigmoid(second))


def _in_dtype(function: str, x: Any, dtype: Any) -> Any:
    if dtype is None:
        return as_float(x)
    if as_dtype(dtype).kind != "float":
        raise located(DTypeError(f"{function}: dtype = {as_dtype(dtype)} is not a float"))
    return astype(tensor(x), dtype)


@also_spelled(dim="axis")
def softmin(x: Any, axis: int = -1, *, dtype: Any = None) -> Any:
    """softmax(-x) along `axis`, computed in `dtype`, that of x if None."""
    x = negative(_in_dtype("softmin", x, dtype))
    return apply(Softmax(normal_axis("softmin", axis, type_of(x).rank)), x)


@also_spelled(dim="axis")
def quiet_softmax(x: Any, axis: int = -1) -> Any:
    """exp(x) / (1 + sum(exp(x))) along `axis`, without overflow: a softmax that may choose nothing.

    Source   E. Miller, Attention Is Off By One, 2023
    """
    x = as_float(x)
    at = normal_axis("quiet_softmax", axis, type_of(x).rank)
    if type_of(x).shape[at] == 0:
        return x
    highest = maximum(0.0, max(x, at, keepdims=True))  # the 1 is the exponential of a score of 0
    parts = exp(subtract(x, highest))
    return divide(parts, add(exp(negative(highest)), sum(parts, at, keepdims=True)))


@also_spelled(dim="axis")
def softmax(x: Any, axis: int = -1, *, dtype: Any = None) -> Any:
    """exp(x) divided by its sum along `axis`, computed in `dtype`, that of x if None."""
    x = _in_dtype("softmax", x, dtype)
    return apply(Softmax(normal_axis("softmax", axis, type_of(x).rank)), x)


@also_spelled(dim="axis")
def log_softmax(x: Any, axis: int = -1, *, dtype: Any = None) -> Any:
    """log(softmax(x)), without overflow, computed in `dtype`, that of x if None."""
    x = _in_dtype("log_softmax", x, dtype)
    return apply(LogSoftmax(normal_axis("log_softmax", axis, type_of(x).rank)), x)
