"""Cases for Burn's operations on floats and integers."""

import mlx.core as mx
import numpy as np

from tests.burn.harness import FLOATS, INTS, NUMBERS, SIGNED, SPECIAL, Case, T

NAN, INF = np.nan, np.inf
SMALL = (-3, 4)
SIGNED_NUMBERS = FLOATS + SIGNED


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


def first_extreme(input, axis, largest):
    """Index of the first nan, or of the first extreme entry."""
    out = np.empty(np.delete(input.shape, axis), np.int32)
    for place in np.ndindex(out.shape):
        line = np.moveaxis(input, axis, -1)[place]
        best = 0
        for i, entry in enumerate(line):
            if line[best] != line[best]:
                break
            if entry != entry or (entry > line[best] if largest else entry < line[best]):
                best = i
        out[place] = best
    return np.expand_dims(out, axis)


def extreme_with_indices(largest):
    def want(tensor, dim):
        index = first_extreme(tensor, dim, largest)
        return np.take_along_axis(tensor, index, dim), index

    return want


def ordered(input, dim, descending):
    """Stable order; nan above every number."""
    numbers = np.where(np.isnan(input), 0, input) if input.dtype.kind == "f" else input.astype(object)
    order = np.empty(input.shape, np.int32)
    sign = -1 if descending else 1
    lines, is_nan = np.moveaxis(numbers, dim, -1), np.moveaxis(input != input, dim, -1)
    for place in np.ndindex(lines.shape[:-1]):
        keys = [
            (sign * int(nan), sign * number, i) for i, (nan, number) in enumerate(zip(is_nan[place], lines[place], strict=True))
        ]
        np.moveaxis(order, dim, -1)[place] = [i for _, _, i in sorted(keys)]
    return order


def largest(tensor, dim, k):
    return np.take(ordered(tensor, dim, True), range(k), axis=dim)


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
    return numbers if dtype in FLOATS else numbers.astype(np.int64)


KEY = np.array([3, 2**31 + 5], np.uint32)
EXTREMES = {"nan": [[1.0, NAN, 3.0, NAN], [-INF, 2.0, 2.0, INF]], "ties": [[2.0, 5.0, 5.0, 2.0], [0.0, 0.0, 0.0, 0.0]]}

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
        Case(f"Numeric.{name}", {"input": T(2, 3, limits=(-100, 100))}, {}, want, SIGNED_NUMBERS)
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
    *(
        Case("Numeric.PowiScalar", {"lhs": T(2, 3, limits=(0.5, 2.0))}, {"rhs": n}, whole_power, FLOATS, label=str(n))
        for n in (-2, -1, 0, 1, 2, 5)
    ),
    *(
        Case("Numeric.PowiScalar", {"lhs": T(2, 3, limits=SMALL)}, {"rhs": n}, whole_power, INTS, label=f"int {n}")
        for n in (0, 1, 3)
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
    *(
        Case(
            f"Numeric.{name}DimWithIndices",
            {"tensor": T(2, 4, 3, spread=True, limits=SMALL)},
            {"dim": 1},
            extreme_with_indices(top),
            NUMBERS,
            ("T", "i32"),
        )
        for name, top in (("Max", True), ("Min", False))
    ),
    *(
        Case(
            f"Numeric.{name}DimWithIndices",
            {"tensor": np.array(entries)},
            {"dim": 1},
            extreme_with_indices(top),
            SPECIAL,
            ("T", "i32"),
            label=label,
        )
        for name, top in (("Max", True), ("Min", False))
        for label, entries in EXTREMES.items()
    ),
    *(
        Case(
            f"Numeric.{name}",
            {"input": T(2, 4, 3, limits=SMALL)},
            {"axis": 1},
            lambda input, axis, top=top: first_extreme(input, axis, top),
            NUMBERS,
            ("i32",),
        )
        for name, top in (("ArgMax", True), ("ArgMin", False))
    ),
    *(
        Case(
            f"Numeric.{name}",
            {"input": np.array(entries)},
            {"axis": 1},
            lambda input, axis, top=top: first_extreme(input, axis, top),
            FLOATS,
            ("i32",),
            label=label,
        )
        for name, top in (("ArgMax", True), ("ArgMin", False))
        for label, entries in EXTREMES.items()
    ),
    *(
        case
        for label, given in {
            "random": T(2, 5, 3, spread=True, limits=SMALL),
            "nan": np.array([[[1.0], [NAN], [-INF], [INF], [0.0]]]),
        }.items()
        for dtypes in (NUMBERS if label == "random" else SPECIAL,)
        for case in (
            Case(
                "Numeric.TopK",
                {"input": given},
                {"axis": 1, "k": 3},
                lambda input, axis, k: np.take_along_axis(input, largest(input, axis, k), axis),
                dtypes,
                label=label,
            ),
            Case(
                "Numeric.ArgTopK",
                {"input": given},
                {"axis": 1, "k": 3},
                lambda input, axis, k: largest(input, axis, k),
                dtypes,
                ("i32",),
                label=label,
            ),
            Case(
                "Numeric.TopKWithIndices",
                {"tensor": given},
                {"dim": 1, "k": 2},
                lambda tensor, dim, k: (np.take_along_axis(tensor, largest(tensor, dim, k), dim), largest(tensor, dim, k)),
                dtypes,
                ("T", "i32"),
                label=label,
            ),
            *(
                sorted_case
                for descending in (False, True)
                for sorted_case in (
                    Case(
                        "Numeric.Sort",
                        {"input": given},
                        {"dim": 1, "descending": descending},
                        lambda input, dim, descending: np.take_along_axis(input, ordered(input, dim, descending), dim),
                        dtypes,
                        label=f"{label} {descending}",
                    ),
                    Case(
                        "Numeric.ArgSort",
                        {"input": given},
                        {"dim": 1, "descending": descending},
                        ordered,
                        dtypes,
                        ("i32",),
                        label=f"{label} {descending}",
                    ),
                    Case(
                        "Numeric.SortWithIndices",
                        {"input": given},
                        {"dim": 1, "descending": descending},
                        lambda input, dim, descending: (
                            np.take_along_axis(input, ordered(input, dim, descending), dim),
                            ordered(input, dim, descending),
                        ),
                        dtypes,
                        ("T", "i32"),
                        label=f"{label} {descending}",
                    ),
                )
            ),
        )
    ),
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
        lambda tensor, min, max: np.minimum(np.maximum(tensor, min), max),
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
            ("i32", "i64", "i8"),
            label=distribution[0],
        )
        for distribution in (("Default",), ("Uniform", -20.0, 90.0), ("Bernoulli", 0.3), ("Normal", 3.0, 20.0))
    ),
]
