"""Which precision the NumPy meaning of an op computes in."""

from typing import Any

import numpy as np

from burngraph.ir.interpret import decomposed
from burngraph.ir.ops.composite import Composite
from burngraph.ir.types import BF16, F16, Array

NARROW = (F16.numpy, BF16.numpy)


def widened(x: Array) -> Array:
    """x in f32 if its own dtype is too narrow to accumulate in."""
    return x.astype(np.float32) if x.dtype in NARROW else x


class WideComposite(Composite):
    """A composite whose intermediate values are f32 where operands are f16 or bf16: devices round only the result."""

    def reference(self, *arrays: Array | None) -> Any:
        return decomposed(self, tuple(None if a is None else widened(a) for a in arrays))
