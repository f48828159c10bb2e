"""The reference interpreter: a graph's meaning, one NumPy array per value. Slow, and the judge of everything else."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from burngraph.errors import InputError
from burngraph.ir.builder import infer_types, inline
from burngraph.ir.graph import Graph
from burngraph.ir.op import Op
from burngraph.ir.types import Array, TensorType, type_of
from burngraph.ir.value import Emit, Value


class ArrayValue(Value):
    """A value that holds its NumPy array."""

    __slots__ = ("array",)

    def __init__(self, array: Array) -> None:
        super().__init__(type_of(array))
        self.array = array


class Evaluate(Emit):
    """Emit that runs each op's `reference` at once."""

    def several(self, op: Op, *operands: Value | None) -> tuple[Value, ...]:
        arrays = [None if v is None else v.array for v in operands]  # type: ignore[attr-defined]
        types = infer_types(op, [None if v is None else v.type for v in operands])
        return tuple(map(ArrayValue, evaluate(op, arrays, types)))


def evaluate(op: Op, arrays: Sequence[Array | None], types: Sequence[TensorType]) -> list[Array]:
    """The op's NumPy meaning on arrays, as a list of arrays of exactly the result types.

    float64 and complex inside a rule are narrowed here, once, to the result's dtype. A rule that gives another shape is a bug.
    """
    with np.errstate(all="ignore"):
        out = op.reference(*arrays)
        results = [np.asarray(a) for a in (out if isinstance(out, tuple) else (out,))]
        for array, type in zip(results, types, strict=True):
            if array.shape != type.shape:
                raise AssertionError(f"{op.name}: reference gives shape {array.shape}, infer says {type}")
        return [a.astype(t.dtype.numpy, copy=False) for a, t in zip(results, types, strict=True)]


def decomposed(op: Op, arrays: Sequence[Array | None]) -> Any:
    """The meaning of a composite through its decomposition."""
    values = [None if a is None else ArrayValue(np.asarray(a)) for a in arrays]
    out = op.decompose(Evaluate(), *values)
    if isinstance(out, tuple):
        return tuple(value.array for value in out)
    return out.array


def run(graph: Graph, *arrays: Any, weights: Mapping[str, Any] | None = None) -> tuple[Array, ...]:
    """Run `graph` on arrays, one per parameter, in NumPy; a tuple with one array per result.

    weights   data for the graph's `weight(key=...)` ops that carry none themselves

    Raises    InputError   wrong number of arrays, or one of another shape or dtype
    """
    if len(arrays) != len(graph.params):
        raise InputError(f"@{graph.name} takes {len(graph.params)} arrays, got {len(arrays)}")
    values: list[Value] = []
    for param, given in zip(graph.params, arrays, strict=True):
        array = np.asarray(given)
        if array.shape != param.shape or array.dtype != param.type.dtype.numpy:
            raise InputError(f"@{graph.name}: parameter {param!r} was given {array.dtype.name}{list(array.shape)}")
        values.append(ArrayValue(array))
    evaluator = Evaluate() if weights is None else _WithWeights(weights)
    return tuple(v.array for v in inline(evaluator, graph, values))  # type: ignore[attr-defined]


class _WithWeights(Evaluate):
    def __init__(self, weights: Mapping[str, Any]) -> None:
        self.weights = weights

    def several(self, op: Op, *operands: Value | None) -> tuple[Value, ...]:
        key = getattr(op, "key", None)
        if op.operands == () and isinstance(key, str) and key in self.weights:
            return (ArrayValue(np.asarray(self.weights[key])),)
        if op.graphs() and hasattr(op, "decompose"):  # weights may be inside
            out = op.decompose(self, *operands)
            return out if isinstance(out, tuple) else (out,)
        return super().several(op, *operands)
