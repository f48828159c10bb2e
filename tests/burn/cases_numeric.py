"""Cases for Burn's operations on floats and integers."""

import mlx.core as mx
import numpy as np

from burngraph.ir.types import as_dtype
from tests.burn.cases_numeric_order import CASES as ORDER
from tests.burn.harness import FLOATS, INTS, NUMBERS, SIGNED, SPECIAL, Case, T

NAN, INF = np.nan, np.inf
SMALL = (-3, 4)


def of_two(name, want, dtypes=NUMBERS, out=("T",), left=SMALL, right=SMALL, spread=False):
    """An operation and its form with a scalar; the second operand broadcasts."""
    return [
        Case(
            f"Numeric.{name}",
            {"lhs": T(2, 3, limits=left, spread=spread), "rhs": T(1, 3, limits=right, spread=spread)},
            {},
            want,
            dtypes,
            out,
        ),
        Case(f"Numeric.{name}", {"lhs": T(0, 3), "rhs": T(1, 3, limits=(1, 4))}, {}, want, dtypes, out, label="empty"),
        Case(
            f"Numeric.{name}{'Elem' if out == ('bool',) else 'Scalar'}",
            {"lhs": T(2, 3, limits=left, spread=spread)},
            {"rhs": 2},
            lambda lhs, rhs: want(lhs, np.asarray(rhs, lhs.dtype)),
            dtypes,
            out,
        ),
    ]


def truncated_quotient(lhs, rhs):
    if lhs.dtype.kind == "f":
        return lhs / rhs
    exact = np.broadcast_arrays(lhs, rhs)
    quotients = [
        abs(int(a)) // abs(int(b)) * (1 if (a < 0) == (b < 0) else -1) for a, b in zip(*(x.ravel() for x in exact), strict=True)
    ]
    return np.array(quotients, lhs.dtype).reshape(exact[0].shape)


def burn_remainder(lhs, rhs):
    first = np.fmod(lhs, rhs)
    return np.fmod(first + rhs, rhs)


def whole_power(lhs, rhs):
    if lhs.dtype.kind == "f":
        return lhs ** np.asarray(rhs, lhs.dtype)
    base, exponent = np.broadcast_arrays(lhs, rhs)
    powers = [
        int(float(b) ** int(e)) if e < 0 else int(b) ** int(e) for b, e in zip(base.ravel(), exponent.ravel(), strict=True)
    ]
    bits = 8 * lhs.dtype.itemsize
    return np.array([p % 2**bits for p in powers], f"uint{bits}").astype(lhs.dtype).reshape(base.shape)


def reduction(name, want, dtypes=NUMBERS, limits=SMALL, spread=False, empty=True, differs=None):
    """A full reduction and its form along an axis, which stays with size 1."""
    entries = {"limits": limits, "spread": spread}
    found = [
        Case(f"Numeric.{name}", {"input": T(2, 3, 4, **entries)}, {}, lambda input: want(input, None, False), dtypes),
        *(
            Case(
                f"Numeric.{name}Dim",
                {"input": T(2, 3, 4, **entries)},
                {"axis": axis},
                lambda input, axis: want(input, axis, True),
                dtypes,
                label=str(axis),
            )
            for axis in (0, 2)
        ),
    ]
    if empty:
        found.append(
            Case(
                f"Numeric.{name}Dim",
                {"input": T(2, 0)},
                {"axis": 1},
                lambda input, axis: want(input, axis, True),
                dtypes,
                label="empty",
            )
        )
    return found


def kept(function):
    return lambda input, axis, keepdims: function(input, axis=axis, keepdims=keepdims, dtype=input.dtype)


def integer_mean(input, axis, keepdims):
    if input.dtype.kind == "f":
        return input.mean(axis, keepdims=keepdims)
    total = input.sum(axis, keepdims=keepdims, dtype=np.int64)
    count = input.size if axis is None else input.shape[axis]
    return (np.sign(total) * (np.abs(total) // count)).astype(input.dtype)


def running(function):
    return lambda input, axis: function.accumulate(input, axis=axis, dtype=input.dtype)


def words(key, n):
    return np.array(mx.random.split(mx.array(key), n // 2)).ravel()


def random_numbers(key, shape, distribution, dtype):
    name, *given = distribution
    n = int(np.prod(shape))
    if name == "Normal":
        first, second = (words(key, 2 * n) >> 8).reshape(2, n) * 2.0**-24
        numbers = np.sqrt(-2 * np.log(1 - first)) * np.cos(2 * np.pi * second) * given[1] + given[0]
    else:
        unit = (words(key, n) >> 8) * 2.0**-24
        low, high = given if name == "Uniform" else (0.0, 1.0)
        numbers = unit < given[0] if name == "Bernoulli" else unit * (high - low) + low
    numbers = np.asarray(numbers, np.float32).reshape(shape)
    if dtype in FLOATS:
        return numbers
    limits = np.iinfo(as_dtype(dtype).numpy)
    return np.clip(numbers.astype(np.int64), limits.min, min(limits.max, 2**63 - 1))


KEY = np.array([3, 2**31 + 5], np.uint32)

CASES = [
    *of_two("Add", lambda lhs, rhs: lhs + rhs),
    *of_two("Sub", lambda lhs, rhs: lhs - rhs),
    *of_two("Mul", lambda lhs, rhs: lhs * rhs),
    *of_two("Div", truncated_quotient, left=(-100, 100), right=(1, 9)),
    Case(
        "Numeric.Div",
        {"lhs": T(4, 3, limits=(-100, 100)), "rhs": T(4, 3, limits=(-9, 0))},
        {},
        truncated_quotient,
        SIGNED,
        label="negative",
    ),
    *of_two("Rem", burn_remainder, left=(-50, 50), right=(1, 9), spread=False),
    Case(
        "Numeric.Rem",
        {"lhs": T(4, 3, limits=(-50, 50)), "rhs": T(4, 3, limits=(-9, 0))},
        {},
        burn_remainder,
        SIGNED,
        label="negative",
    ),
    *(
        Case(f"Numeric.{name}", {"input": T(2, 3, limits=(-100, 100))}, {}, want, NUMBERS)
        for name, want in (
            ("Neg", lambda input: -input),
            ("Abs", lambda input: np.abs(input)),
            ("Sign", lambda input: np.sign(input)),
        )
    ),
    *(
        Case(f"Numeric.{name}", {"input": np.array([NAN, -0.0, 0.0, -INF, INF])}, {}, want, SPECIAL, label="special")
        for name, want in (
            ("Neg", lambda input: -input),
            ("Abs", lambda input: np.abs(input)),
            ("Sign", lambda input: np.sign(input)),
        )
    ),
    Case("Numeric.Powi", {"lhs": T(4, 3, limits=(0.5, 2.0)), "rhs": np.arange(-2, 10).reshape(4, 3)}, {}, whole_power, FLOATS),
    Case("Numeric.Powi", {"lhs": T(4, 3, limits=SMALL), "rhs": T(4, 3, limits=(0, 5))}, {}, whole_power, INTS),
    Case(
        "Numeric.Powi",
        {"lhs": np.array([[-2], [-1], [1], [3]]), "rhs": np.array([[-3, -2, 0, 1, 40]])},
        {},
        whole_power,
        ("i64",),
        label="negative",
    ),
    Case(
        "Numeric.Powi",
        {"lhs": T(4, 3, limits=(1, 4)), "rhs": np.arange(-2, 10).reshape(4, 3)},
        {},
        whole_power,
        INTS,
        label="negative too",
    ),
    *(
        Case("Numeric.PowiScalar", {"lhs": T(2, 3, limits=(0.5, 2.0))}, {"rhs": n}, whole_power, FLOATS, label=str(n))
        for n in (-2, -1, 0, 1, 2, 5)
    ),
    *(
        Case("Numeric.PowiScalar", {"lhs": T(2, 3, limits=limits)}, {"rhs": n}, whole_power, INTS, label=f"int {n}")
        for n, limits in ((0, SMALL), (1, SMALL), (3, SMALL), (-1, (1, 4)))
    ),
    Case(
        "Numeric.Full",
        {},
        {"shape": (2, 3), "value": 7, "dtype": "T"},
        lambda shape, value, dtype: np.full(shape, value),
        NUMBERS,
    ),
    *reduction("Sum", kept(np.sum)),
    *reduction("Prod", kept(np.prod)),
    Case("Numeric.Prod", {"input": np.array([[0.0, 2.0], [3.0, 0.5]])}, {}, lambda input: input.prod(), FLOATS, label="a zero"),
    Case("Numeric.Sum", {"input": np.full(7, 100)}, {}, lambda input: input.sum(dtype=input.dtype), ("i64",), label="wide"),
    *reduction("Mean", integer_mean, limits=(-90, 90), empty=False),
    *reduction("Max", lambda input, axis, keepdims: input.max(axis, keepdims=keepdims), spread=True, empty=False),
    *reduction("Min", lambda input, axis, keepdims: input.min(axis, keepdims=keepdims), spread=True, empty=False),
    *reduction("MaxAbs", lambda input, axis, keepdims: np.abs(input).max(axis, keepdims=keepdims), spread=True, empty=False),
    *(
        Case(f"Numeric.{name}", {"input": np.array([[1.0, NAN], [-INF, 2.0]])}, {"axis": 1}, want, SPECIAL, label="nan")
        for name, want in (
            ("MaxDim", lambda input, axis: input.max(axis, keepdims=True)),
            ("MinDim", lambda input, axis: input.min(axis, keepdims=True)),
            ("MaxAbsDim", lambda input, axis: np.abs(input).max(axis, keepdims=True)),
        )
    ),
    *ORDER,
    Case(
        "Numeric.Clamp",
        {"tensor": T(4, 3, spread=True, limits=SMALL)},
        {"min": 0, "max": 2},
        lambda tensor, min, max: np.clip(tensor, min, max),
        NUMBERS,
    ),
    Case(
        "Numeric.Clamp",
        {"tensor": np.array([NAN, -INF, INF, 1.0])},
        {"min": 3, "max": 2},
        lambda tensor, min, max: np.maximum(np.minimum(tensor, max), min),
        SPECIAL,
        label="nan, min > max",
    ),
    Case(
        "Numeric.ClampMin",
        {"tensor": T(4, 3, spread=True, limits=SMALL)},
        {"min": 1},
        lambda tensor, min: np.maximum(tensor, min),
        NUMBERS,
    ),
    Case(
        "Numeric.ClampMax",
        {"tensor": T(4, 3, spread=True, limits=SMALL)},
        {"max": 1},
        lambda tensor, max: np.minimum(tensor, max),
        NUMBERS,
    ),
    *(
        Case(f"Numeric.{name}", {"input": T(2, 4, 3, limits=SMALL, spread=True)}, {"axis": 1}, running(function), NUMBERS)
        for name, function in (("CumSum", np.add), ("CumProd", np.multiply), ("CumMin", np.minimum), ("CumMax", np.maximum))
    ),
    Case(
        "Numeric.CumProd",
        {"input": np.array([2.0, 0.0, 3.0, 0.0, 4.0])},
        {"axis": 0},
        running(np.multiply),
        FLOATS,
        label="zeros",
    ),
    *(
        Case(
            f"Numeric.{name}",
            {"input": np.array([2.0, 1.0, NAN, 3.0, -5.0])},
            {"axis": 0},
            running(function),
            SPECIAL,
            label="nan",
        )
        for name, function in (("CumMin", np.minimum), ("CumMax", np.maximum))
    ),
    *of_two("Greater", lambda lhs, rhs: lhs > rhs, out=("bool",)),
    *of_two("GreaterEqual", lambda lhs, rhs: lhs >= rhs, out=("bool",)),
    *of_two("Lower", lambda lhs, rhs: lhs < rhs, out=("bool",)),
    *of_two("LowerEqual", lambda lhs, rhs: lhs <= rhs, out=("bool",)),
    Case(
        "Numeric.LowerEqual",
        {"lhs": np.array([NAN, 1.0]), "rhs": np.array([NAN, 1.0])},
        {},
        lambda lhs, rhs: lhs <= rhs,
        FLOATS,
        ("bool",),
        label="nan",
    ),
    *(
        Case(
            "Numeric.IntRandom",
            {"key": KEY},
            {"shape": (4, 25), "distribution": distribution, "dtype": "T"},
            random_numbers,
            INTS,
            label=distribution[0],
        )
        for distribution in (("Default",), ("Uniform", -20.0, 90.0), ("Bernoulli", 0.3), ("Normal", 3.0, 20.0))
    ),
]
