"""Composites whose intermediate values are wider than their operands."""

from typing import Any

from burngraph.ir.interpret import decomposed
from burngraph.ir.ops.composite import Composite
from burngraph.ir.ops.pointwise import widened
from burngraph.ir.types import Array


class WideComposite(Composite):
    """A composite whose intermediate values are f32 where operands are f16 or bf16: devices round only the result."""

    def reference(self, *arrays: Array | None) -> Any:
        return decomposed(self, tuple(None if a is None else widened(a) for a in arrays))
