"""Cases for Burn's operations on bools."""

import numpy as np

from tests.burn.harness import BOOL, FLOATS, INTS, Case, T

CASES = [
    *(
        Case(f"Bool.{name}", {"input": T(2, 3)}, {"dtype": dtype}, lambda input, dtype: input, BOOL, out=(dtype,), label=dtype)
        for name, dtypes in (("IntoFloat", FLOATS), ("IntoInt", INTS))
        for dtype in dtypes
    ),
    Case("Bool.Not", {"input": T(2, 3)}, {}, lambda input: ~input, BOOL),
    *(
        Case(f"Bool.{name}", {"lhs": T(2, 3), "rhs": T(1, 3)}, {}, want, BOOL)
        for name, want in (
            ("And", lambda lhs, rhs: lhs & rhs),
            ("Or", lambda lhs, rhs: lhs | rhs),
            ("Xor", lambda lhs, rhs: np.logical_xor(lhs, rhs)),
        )
    ),
]
