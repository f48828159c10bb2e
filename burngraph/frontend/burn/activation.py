"""Burn's activations where they differ, and their backward operations, from what Burn keeps of the forward: output or input."""

import math
from typing import Any

from burngraph.frontend.functional.activation import with_channel_slope
from burngraph.frontend.functional.comparison import greater, less, where
from burngraph.frontend.functional.elementwise import add, clip, erf, exp, multiply, sigmoid, subtract, tanh
from burngraph.frontend.functional.shape import tensor

__all__ = [
    "gelu_backward",
    "hard_sigmoid",
    "leaky_relu",
    "log_sigmoid_backward",
    "prelu",
    "relu_backward",
    "sigmoid_backward",
]


def relu_backward(output: Any, grad: Any) -> Any:
    """`grad` where the relu's output is positive, else 0."""
    return where(greater(output, 0), grad, 0)


def sigmoid_backward(output: Any, grad: Any) -> Any:
    """grad * y * (1 - y) from the sigmoid's output y."""
    return multiply(multiply(grad, output), subtract(1.0, output))


def log_sigmoid_backward(input: Any, grad: Any) -> Any:
    """grad * sigmoid(-x) from the input x: stable at both ends."""
    return multiply(grad, sigmoid(subtract(0.0, input)))


def gelu_backward(input: Any, grad: Any, approximate: bool = True) -> Any:
    """`grad` times the derivative of gelu at the input.

    approximate   Burn's default: the derivative of gelu's tanh form, up to about 1e-3 from that of the exact form, which is
                  the density times the input plus the distribution of the standard normal
    """
    x = tensor(input)
    if not approximate:
        return multiply(grad, _normal_slope(x))
    cube = multiply(multiply(x, x), x)
    t = tanh(add(multiply(cube, 0.0356774), multiply(x, 0.797885)))
    steep = multiply(add(multiply(cube, 0.0535161), multiply(x, 0.398942)), subtract(1.0, multiply(t, t)))
    return multiply(grad, add(add(multiply(t, 0.5), steep), 0.5))


def _normal_slope(x: Any) -> Any:
    density = multiply(exp(multiply(multiply(x, x), -0.5)), 1 / math.sqrt(2 * math.pi))
    distribution = multiply(add(erf(multiply(x, 1 / math.sqrt(2))), 1.0), 0.5)
    return add(distribution, multiply(x, density))


def hard_sigmoid(tensor: Any, alpha: float = 0.2, beta: float = 0.5) -> Any:
    """alpha * x + beta, cut off at 0 and 1. PyTorch's has alpha 1/6."""
    return clip(add(multiply(tensor, alpha), beta), 0, 1)


def leaky_relu(tensor: Any, slope: float) -> Any:
    """tensor * slope where it is negative, else tensor, so that the derivative at 0 is 1; PyTorch's is the slope."""
    return where(less(tensor, 0), multiply(tensor, slope), tensor)


def prelu(tensor: Any, alpha: Any) -> Any:
    """tensor * alpha where it is negative, else tensor, so that the derivative at 0 is 1; PyTorch's is alpha.

    alpha    [C], one for each channel (axis 1 of tensor, or the only one), or one for all: [1] or []

    Raises   ShapeError   alpha is neither
    """
    x, slope = with_channel_slope(tensor, alpha)
    return where(less(x, 0), multiply(x, slope), x)
