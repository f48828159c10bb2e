"""Cases for Burn's activations."""

import math

import numpy as np

from tests.burn.harness import FLOATS, SPECIAL, Case, T

NAN, INF = np.nan, np.inf
ERF = np.vectorize(math.erf, otypes=[np.float64])
FAR = np.array([-200.0, -30.0, 0.0, 30.0, 200.0, -INF, INF, NAN])


def sigmoid(x):
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


def log_sigmoid(x):
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


def tanh_gelu_slope(lhs, rhs):
    t = np.tanh(0.0356774 * lhs**3 + 0.797885 * lhs)
    return rhs * (0.5 * t + (0.0535161 * lhs**3 + 0.398942 * lhs) * (1 - t * t) + 0.5)


def softmax(input, axis):
    shifted = np.exp(input - input.max(axis, keepdims=True))
    return shifted / shifted.sum(axis, keepdims=True)


def log_softmax(input, axis):
    shifted = input - input.max(axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))


def named_input(function):
    return lambda input: function(input)


FUNCTIONS = {
    "Relu": lambda x: np.where(x <= 0, 0, x),
    "Gelu": lambda x: x * 0.5 * (1 + ERF(x / math.sqrt(2))),
    "Sigmoid": sigmoid,
    "LogSigmoid": log_sigmoid,
}

CASES = [
    *(
        case
        for name, function in FUNCTIONS.items()
        for case in (
            Case(f"Activation.{name}", {"input": T(2, 3, spread=True)}, {}, named_input(function), FLOATS),
            Case(
                f"Activation.{name}",
                {"input": FAR[:5] if name == "Gelu" else FAR},
                {},
                named_input(function),
                SPECIAL,
                label="far",
            ),
            Case(f"Activation.{name}", {"input": T(0, 3)}, {}, named_input(function), FLOATS, label="empty"),
        )
    ),
    Case(
        "Activation.ReluBackward",
        {"lhs": T(2, 3, spread=True), "rhs": T(2, 3)},
        {},
        lambda lhs, rhs: np.where(lhs > 0, rhs, 0),
        FLOATS,
    ),
    Case(
        "Activation.LeakyRelu",
        {"tensor": T(2, 3, spread=True)},
        {"slope": 0.1},
        lambda tensor, slope: np.where(tensor < 0, slope * tensor, tensor),
        FLOATS,
    ),
    *(
        Case(
            "Activation.PRelu",
            {"tensor": T(2, 3, 4, spread=True), "alpha": T(n)},
            {},
            lambda tensor, alpha: np.where(tensor < 0, alpha[:, None] * tensor, tensor),
            FLOATS,
            label=str(n),
        )
        for n in (1, 3)
    ),
    Case("Activation.GeluBackward", {"lhs": T(2, 3), "rhs": T(2, 3)}, {}, tanh_gelu_slope, FLOATS),
    Case(
        "Activation.SigmoidBackward",
        {"lhs": T(2, 3, limits=(0.1, 0.9)), "rhs": T(2, 3)},
        {},
        lambda lhs, rhs: rhs * lhs * (1 - lhs),
        FLOATS,
    ),
    *(
        Case(
            "Activation.HardSigmoid",
            {"tensor": T(4, 3, limits=limits, spread=True)},
            {"alpha": 0.2, "beta": 0.5},
            lambda tensor, alpha, beta: np.clip(alpha * tensor + beta, 0, 1),
            FLOATS,
            label=str(limits),
        )
        for limits in ((-2.0, 2.0), (3.0, 5.0))
    ),
    Case("Activation.LogSigmoidBackward", {"lhs": T(2, 3), "rhs": T(2, 3)}, {}, lambda lhs, rhs: rhs * sigmoid(-lhs), FLOATS),
    *(
        Case(f"Activation.{name}", {"input": T(2, 3, 4)}, {"axis": axis}, want, FLOATS, label=str(axis))
        for name, want in (
            ("Softmax", softmax),
            ("LogSoftmax", log_softmax),
            ("Softmin", lambda input, axis: softmax(-input, axis)),
        )
        for axis in (0, 1, 2)
    ),
    *(
        Case(
            f"Activation.{name}",
            {"input": np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]])},
            {"axis": 1},
            want,
            ("f32", "bf16"),
            label="far",
        )
        for name, want in (("Softmax", softmax), ("LogSoftmax", log_softmax))
    ),
]
