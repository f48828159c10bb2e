"""Composites whose intermediate values are wider than their operands."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from burngraph.ir.interpret import decomposed
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.composite import Composite
from burngraph.ir.ops.pointwise import widened
from burngraph.ir.types import BF16, F16, F32, Array, DType
from burngraph.ir.value import Emit, Value


class WideReference(Composite):
    """A composite that means f32 inside where operands are f16 or bf16, as the device's own function for it computes.

    Where it is decomposed, its steps stay narrow: for products of matrices, whose speed is in that.
    """

    def reference(self, *arrays: Array | None) -> Any:
        return decomposed(self, tuple(None if a is None else widened(a) for a in arrays))


class WideComposite(Composite):
    """A composite that is computed in f32 where operands are f16 or bf16: only its results are rounded.

    A subclass writes `decompose` and `linearize` without a thought of it: both are given the operands in f32, and their
    results are cast back. In f16 the square of 256 is infinite already.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("decompose", "linearize"):
            if name in vars(cls):
                setattr(cls, name, _in_f32(vars(cls)[name]))


def _in_f32(rule: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(rule)
    def wide(self: Any, emit: Emit, *operands: Value | None) -> Any:
        narrow = next((v.type.dtype for v in operands if v is not None and v.type.dtype in (F16, BF16)), None)
        if narrow is None:
            return rule(self, emit, *operands)
        out = rule(self, emit, *(_cast(emit, v, narrow, F32) for v in operands))
        return tuple(_cast(emit, v, F32, narrow) for v in out) if isinstance(out, tuple) else _cast(emit, out, F32, narrow)

    return wide


def _cast(emit: Emit, value: Value | None, source: DType, target: DType) -> Value | None:
    return value if value is None or value.type.dtype is not source else emit(Cast(target), value)
