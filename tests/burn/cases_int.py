"""Cases for Burn's operations on integers."""

import numpy as np

from tests.burn.harness import FLOATS, INTS, Case, T

BITWISE = {"BitwiseAnd": np.bitwise_and, "BitwiseOr": np.bitwise_or, "BitwiseXor": np.bitwise_xor}
SHIFTS = {"BitwiseLeftShift": np.left_shift, "BitwiseRightShift": np.right_shift}


def with_operand(function):
    return lambda lhs, rhs: function(lhs, np.asarray(rhs).astype(lhs.dtype))


CASES = [
    *(
        Case(
            "Int.IntoFloat",
            {"input": T(2, 3, limits=(-100, 100))},
            {"dtype": dtype},
            lambda input, dtype: input,
            INTS,
            out=(dtype,),
            label=dtype,
        )
        for dtype in FLOATS
    ),
    *(
        Case(
            f"Int.{name}",
            {"lhs": T(2, 3, limits=(-100, 100)), "rhs": T(1, 3, limits=(-100, 100))},
            {},
            with_operand(want),
            INTS,
        )
        for name, want in BITWISE.items()
    ),
    *(
        Case(f"Int.{name}Scalar", {"lhs": T(2, 3, limits=(-100, 100))}, {"rhs": 43}, with_operand(want), INTS)
        for name, want in BITWISE.items()
    ),
    Case("Int.BitwiseNot", {"input": T(2, 3, limits=(-100, 100))}, {}, lambda input: np.bitwise_not(input), INTS),
    *(
        Case(f"Int.{name}", {"lhs": T(2, 3, limits=(-100, 100)), "rhs": T(2, 3, limits=(0, 7))}, {}, with_operand(want), INTS)
        for name, want in SHIFTS.items()
    ),
    *(
        Case(f"Int.{name}Scalar", {"lhs": T(2, 3, limits=(-100, 100))}, {"rhs": 3}, with_operand(want), INTS)
        for name, want in SHIFTS.items()
    ),
    Case("Int.Matmul", {"lhs": T(2, 3, 4), "rhs": T(1, 4, 5)}, {}, lambda lhs, rhs: np.matmul(lhs, rhs), INTS),
    Case("Int.Matmul", {"lhs": T(2, 0), "rhs": T(0, 3)}, {}, lambda lhs, rhs: np.matmul(lhs, rhs), INTS, label="K=0"),
    Case(
        "Int.Matmul",
        {"lhs": T(2, 3, limits=(60, 127)), "rhs": T(3, 2, limits=(60, 127))},
        {},
        lambda lhs, rhs: np.matmul(lhs, rhs),
        INTS,
        label="wraps",
    ),
]
