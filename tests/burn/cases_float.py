"""Cases for Burn's operations on floats."""

import math

import numpy as np

from tests.burn.cases_float_image import CASES as IMAGE
from tests.burn.cases_float_quantize import CASES as QUANTIZE
from tests.burn.cases_numeric import KEY, random_numbers
from tests.burn.harness import FLOATS, INTS, SPECIAL, Case, T

NAN, INF = np.nan, np.inf
ERF = np.vectorize(math.erf, otypes=[np.float64])
ODD = np.array([NAN, -INF, INF, -0.0, 0.0, 1.0, -1.0, 2.0, -2.0])

# name -> NumPy, where it is tried, and its values at odd numbers if it is tried there
FUNCTIONS = {
    "Exp": (np.exp, (-2.0, 2.0)),
    "Log": (np.log, (0.2, 3.0)),
    "Log1p": (np.log1p, (-0.8, 3.0)),
    "Sqrt": (np.sqrt, (0.2, 3.0)),
    "Recip": (lambda input: 1 / input, (0.3, 3.0)),
    "Erf": (lambda input: ERF(input), (-2.0, 2.0)),
    "Sin": (np.sin, (-4.0, 4.0)),
    "Cos": (np.cos, (-4.0, 4.0)),
    "Tan": (np.tan, (-1.2, 1.2)),
    "Sinh": (np.sinh, (-2.0, 2.0)),
    "Cosh": (np.cosh, (-2.0, 2.0)),
    "Tanh": (np.tanh, (-2.0, 2.0)),
    "ArcSin": (np.arcsin, (-0.9, 0.9)),
    "ArcCos": (np.arccos, (-0.9, 0.9)),
    "ArcTan": (np.arctan, (-2.0, 2.0)),
    "ArcSinh": (np.arcsinh, (-2.0, 2.0)),
    "ArcCosh": (np.arccosh, (1.2, 3.0)),
    "ArcTanh": (np.arctanh, (-0.9, 0.9)),
}
ROUNDINGS = {"Round": np.rint, "Floor": np.floor, "Ceil": np.ceil, "Trunc": np.trunc}


def named_input(function):
    return lambda input: function(input)


def hypotenuse(lhs, rhs):
    return np.hypot(lhs, rhs)


def saturated(input, dtype):
    """Truncated toward zero, cut off at the limits, nan as 0: entry by entry in Python's integers."""
    limits = np.iinfo({"i": "int", "u": "uint"}[dtype[0]] + dtype[1:])

    def one(x):
        if x != x:
            return 0
        if abs(x) == INF:
            return limits.max if x > 0 else limits.min
        return min(max(int(x), limits.min), limits.max)

    return np.array([one(x) for x in input.ravel()], limits.dtype).reshape(input.shape)


CASES = [
    *(
        case
        for name, (function, limits) in FUNCTIONS.items()
        for case in (
            Case(f"Float.{name}", {"input": T(2, 3, limits=limits)}, {}, named_input(function), FLOATS),
            Case(f"Float.{name}", {"input": ODD}, {}, named_input(function), SPECIAL, label="special"),
            Case(f"Float.{name}", {"input": T(0, 3)}, {}, named_input(function), FLOATS, label="empty"),
        )
    ),
    *(
        case
        for name, function in ROUNDINGS.items()
        for case in (
            Case(f"Float.{name}", {"input": T(2, 3, spread=True)}, {}, named_input(function), FLOATS),
            Case(
                f"Float.{name}",
                {"input": np.array([0.5, 1.5, 2.5, -0.5, -1.5, NAN, INF, -INF, -0.2])},
                {},
                named_input(function),
                SPECIAL,
                label="halves",
            ),
        )
    ),
    Case("Float.ArcTan2", {"lhs": T(2, 3), "rhs": T(1, 3)}, {}, lambda lhs, rhs: np.arctan2(lhs, rhs), FLOATS),
    Case(
        "Float.ArcTan2",
        {"lhs": np.array([0.0, -0.0, 0.0, -0.0, INF, 1.0]), "rhs": np.array([-0.0, -0.0, 0.0, 0.0, -INF, NAN])},
        {},
        lambda lhs, rhs: np.arctan2(lhs, rhs),
        SPECIAL,
        label="signed zeros",
    ),
    Case("Float.Hypot", {"lhs": T(2, 3), "rhs": T(1, 3)}, {}, hypotenuse, FLOATS),
    Case(
        "Float.Hypot",
        {"lhs": np.array([3e38, 1e-30, 0.0]), "rhs": np.array([1e38, 1e-30, 0.0])},
        {},
        hypotenuse,
        ("f32",),
        label="range",
    ),
    Case("Float.Powf", {"lhs": T(2, 3, limits=(0.3, 2.0)), "rhs": T(1, 3)}, {}, lambda lhs, rhs: lhs**rhs, FLOATS),
    Case(
        "Float.Powf",
        {"lhs": np.array([-2.0, -2.0, 0.0, 0.0, -1.0]), "rhs": np.array([2.0, 0.5, 0.0, -1.0, 3.0])},
        {},
        lambda lhs, rhs: lhs**rhs,
        SPECIAL,
        label="special",
    ),
    *(
        Case(
            "Float.PowfScalar", {"lhs": T(2, 3, limits=limits)}, {"rhs": rhs}, lambda lhs, rhs: lhs**rhs, FLOATS, label=str(rhs)
        )
        for rhs, limits in ((0.5, (0.3, 2.0)), (-1.5, (0.5, 2.0)), (3.0, (-2.0, 2.0)), (2.0, (-2.0, 2.0)), (0.0, (-2.0, 2.0)))
    ),
    Case("Float.IsNan", {"input": ODD}, {}, lambda input: np.isnan(input), FLOATS, ("bool",)),
    Case("Float.IsInf", {"input": ODD}, {}, lambda input: np.isinf(input), FLOATS, ("bool",)),
    *(
        case
        for dtype in INTS
        for case in (
            Case(
                "Float.IntoInt",
                {"input": T(4, 3, limits=(-300.0, 300.0))},
                {"dtype": dtype},
                saturated,
                FLOATS,
                (dtype,),
                label=dtype,
            ),
            Case(
                "Float.IntoInt",
                {"input": np.array([NAN, INF, -INF, 3e38, -3e38, 2.0**31, 2.0**63, -(2.0**63), 2.0**64, -0.9, 255.9])},
                {"dtype": dtype},
                saturated,
                ("f32", "bf16", "f64"),
                (dtype,),
                label=f"{dtype} special",
            ),
        )
    ),
    Case("Float.Matmul", {"lhs": T(2, 3, 4), "rhs": T(1, 4, 5)}, {}, lambda lhs, rhs: lhs @ rhs, FLOATS),
    Case("Float.Matmul", {"lhs": T(2, 0), "rhs": T(0, 3)}, {}, lambda lhs, rhs: lhs @ rhs, FLOATS, label="K=0"),
    Case(
        "Float.Cross",
        {"lhs": T(2, 3, 4), "rhs": T(2, 3, 1)},
        {"dim": 1},
        lambda lhs, rhs, dim: np.cross(lhs, rhs, axis=dim),
        FLOATS,
    ),
    *(
        Case(
            "Float.Random",
            {"key": KEY},
            {"shape": (4, 25), "distribution": distribution, "dtype": "T"},
            random_numbers,
            FLOATS,
            label=distribution[0],
        )
        for distribution in (("Default",), ("Uniform", -20.0, 90.0), ("Bernoulli", 0.3), ("Normal", 3.0, 20.0))
    ),
    *IMAGE,
    *QUANTIZE,
]
