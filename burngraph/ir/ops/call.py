"""Calls of a nested graph: the composite whose decomposition is given, not computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from burngraph.errors import ShapeError
from burngraph.ir.builder import inline
from burngraph.ir.graph import Graph
from burngraph.ir.interpret import run
from burngraph.ir.op import Op, register
from burngraph.ir.ops.composite import Composite
from burngraph.ir.types import Array, TensorType
from burngraph.ir.value import Emit, Value


@register
@dataclass(frozen=True, eq=False)
class Call(Composite):
    """Apply a closed graph to operands, one per parameter; as many results as the graph has.

    Raises   ShapeError   the operands are not of the parameters' types
    """

    name = "call"
    operands = ("xs*",)
    graph: Graph

    if not TYPE_CHECKING:

        @property
        def results(self) -> tuple[str, ...]:
            """One name per result of the graph."""
            return tuple(f"out{i}" for i in range(len(self.graph.results)))

    def infer(self, *types: TensorType) -> tuple[TensorType, ...]:
        if types != self.graph.param_types:
            raise ShapeError(
                f"call: @{self.graph.name} is called on operands of other types than its parameters",
                "parameters: " + ", ".join(map(str, self.graph.param_types)),
                "operands: " + ", ".join(map(str, types)),
            )
        return self.graph.result_types

    def decompose(self, emit: Emit, *operands: Value) -> tuple[Value, ...]:
        return inline(emit, self.graph, operands)

    def reference(self, *arrays: Array) -> tuple[Any, ...]:
        return run(self.graph, *map(np.asarray, arrays))

    def graphs(self) -> tuple[Graph, ...]:
        return (self.graph,)

    def with_graphs(self, graphs: Sequence[Graph]) -> Op:
        (graph,) = graphs
        return Call(graph)
