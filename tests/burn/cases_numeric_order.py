"""Cases for Burn's operations that say which entries are the largest or smallest, or sort them."""

import numpy as np

from tests.burn.harness import FLOATS, NUMBERS, SPECIAL, Case, T

NAN, INF = np.nan, np.inf
SMALL = (-3, 4)
EXTREMES = {"nan": [[1.0, NAN, 3.0, NAN], [-INF, 2.0, 2.0, INF]], "ties": [[2.0, 5.0, 5.0, 2.0], [0.0, 0.0, 0.0, 0.0]]}


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


CASES = [
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
]
